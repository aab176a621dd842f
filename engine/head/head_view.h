// The head as one commit left it: a Source over what only grows.
// Threads: as Source. Ownership: keeps the head alive, and keeps it from forgetting what this commit looked like.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/head/head.h"
#include "engine/part/source.h"

namespace braid {

class HeadView : public Source, public std::enable_shared_from_this<HeadView> {
 public:
  HeadView(std::shared_ptr<const Head> head, HeadCut cut) : head_(std::move(head)), cut_(std::move(cut)) {}
  ~HeadView() override { head_->ReleaseView(cut_.commit); }

  std::string name() const override { return "head"; }
  SourceCounts counts() const override;
  TimeRange Range(Table table) const override { return cut_.row_range[static_cast<int>(table)]; }
  TimeRange SampleRange() const override { return cut_.sample_range; }
  absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const override;
  absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const override;
  std::vector<ColumnInfo> Columns(Table table) const override { return head_->ColumnsOf(table, cut_); }
  std::vector<MetricMetadata> Metadata() const override { return *cut_.metadata; }
  bool MayContainTrace(TraceId id) const override;
  absl::StatusOr<OrderedRows> OpenOrderedRows(Table table) const override;
  std::vector<std::pair<uint64_t, Stream>> Streams() const override;

 private:
  std::vector<uint32_t> InPartOrder(Table table, const RowTable& rows, uint32_t count) const;
  bool OfStreamsInOrder(const RowTable& rows, uint32_t count, std::vector<uint32_t>* order) const;

  std::shared_ptr<const Head> head_;
  HeadCut cut_;
};

}  // namespace braid
