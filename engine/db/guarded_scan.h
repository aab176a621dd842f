// A scan for which running out of memory is an error of that scan, and of all its later calls.
// Threads and ownership: as those of the scan inside.
#pragma once

#include <memory>
#include <utility>

#include "braid/snapshot.h"
#include "engine/base/memory_guard.h"

namespace braid {

// Of Scan and RecordBatch, or SeriesScan and SeriesData.
template <typename Base, typename Batch>
class GuardedScan : public Base {
 public:
  explicit GuardedScan(std::unique_ptr<Base> scan) : scan_(std::move(scan)) {}

  absl::StatusOr<bool> Next(Batch* batch) override {
    // What a call that ran out of memory left half-done cannot be gone on with.
    if (!failed_.ok()) return failed_;
    absl::StatusOr<bool> more = GuardMemory("reading", [&] { return scan_->Next(batch); });
    if (!more.ok()) failed_ = more.status();
    return more;
  }
  const ScanStats& stats() const override { return scan_->stats(); }

 private:
  const std::unique_ptr<Base> scan_;
  absl::Status failed_;
};

}  // namespace braid
