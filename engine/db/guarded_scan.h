// A scan for which running out of memory is an error of that scan, and of all its later calls.
// Threads and ownership: as those of the scan inside.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "braid/series_fold.h"
#include "braid/snapshot.h"
#include "braid/split_scan.h"
#include "engine/base/memory_guard.h"

namespace braid {

// A Scan or SplittableScan with RecordBatch, a FoldingSeriesScan with SeriesData.
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

 protected:
  const std::unique_ptr<Base> scan_;

 private:
  absl::Status failed_;
};

// Pieces of a guarded scan are guarded each for itself.
class GuardedSplit : public SplitScan {
 public:
  explicit GuardedSplit(std::unique_ptr<SplitScan> split) : split_(std::move(split)) {}

  size_t pieces() const override { return split_->pieces(); }
  absl::StatusOr<std::unique_ptr<Scan>> OpenPiece(size_t piece) const override {
    return GuardMemory("opening a scan", [&]() -> absl::StatusOr<std::unique_ptr<Scan>> {
      absl::StatusOr<std::unique_ptr<Scan>> scan = split_->OpenPiece(piece);
      if (!scan.ok()) return scan.status();
      return std::make_unique<GuardedScan<Scan, RecordBatch>>(*std::move(scan));
    });
  }
  const ScanStats& planned() const override { return split_->planned(); }
  uint64_t bytes_planned() const override { return split_->bytes_planned(); }

 private:
  const std::unique_ptr<SplitScan> split_;
};

class GuardedTableScan : public GuardedScan<SplittableScan, RecordBatch> {
 public:
  using GuardedScan::GuardedScan;
  absl::StatusOr<std::unique_ptr<SplitScan>> PlanSplit() override {
    return GuardMemory("planning a scan", [&]() -> absl::StatusOr<std::unique_ptr<SplitScan>> {
      absl::StatusOr<std::unique_ptr<SplitScan>> split = scan_->PlanSplit();
      if (!split.ok()) return split.status();
      return std::make_unique<GuardedSplit>(*std::move(split));
    });
  }
};

class GuardedSeriesScan : public GuardedScan<FoldingSeriesScan, SeriesData> {
 public:
  using GuardedScan::GuardedScan;
  void FoldInside(std::vector<TimeRange> ranges) override { scan_->FoldInside(std::move(ranges)); }
  const std::vector<SampleFold>& folds() const override { return scan_->folds(); }
};

}  // namespace braid
