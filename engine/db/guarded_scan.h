// A scan for which running out of memory is an error of that scan, and of all its later calls.
// Threads and ownership: as those of the scan inside.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "braid/series_fold.h"
#include "braid/snapshot.h"
#include "braid/split_scan.h"
#include "braid/unread_series.h"
#include "engine/base/memory_guard.h"

namespace braid {

// A Scan or SplittableScan with RecordBatch.
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

class GuardedSampleReader : public SampleReader {
 public:
  explicit GuardedSampleReader(std::unique_ptr<SampleReader> reader) : reader_(std::move(reader)) {}
  absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) override {
    return GuardMemory("reading", [&] { return reader_->Read(series, folds); });
  }

 private:
  const std::unique_ptr<SampleReader> reader_;
};

// `Scan`: a FoldingSeriesScan that is an UnreadSeriesScan too.
template <typename Scan>
class GuardedSeriesScan : public FoldingSeriesScan, public UnreadSeriesScan {
 public:
  explicit GuardedSeriesScan(std::unique_ptr<Scan> scan) : scan_(std::move(scan)) {}

  absl::StatusOr<bool> Next(SeriesData* series) override {
    return Guarded([&] { return scan_->Next(series); });
  }
  absl::StatusOr<bool> NextUnread(UnreadSeries* series) override {
    return Guarded([&]() -> absl::StatusOr<bool> {
      absl::StatusOr<bool> more = scan_->NextUnread(series);
      if (more.ok() && *more) series->reader = std::make_unique<GuardedSampleReader>(std::move(series->reader));
      return more;
    });
  }
  void FoldInside(std::vector<TimeRange> ranges) override { scan_->FoldInside(std::move(ranges)); }
  const std::vector<SampleFold>& folds() const override { return scan_->folds(); }
  const ScanStats& stats() const override { return scan_->stats(); }

 private:
  template <typename Work>
  absl::StatusOr<bool> Guarded(const Work& work) {
    // What a call that ran out of memory left half-done cannot be gone on with.
    if (!failed_.ok()) return failed_;
    absl::StatusOr<bool> more = GuardMemory("reading", work);
    if (!more.ok()) failed_ = more.status();
    return more;
  }

  const std::unique_ptr<Scan> scan_;
  absl::Status failed_;
};

}  // namespace braid
