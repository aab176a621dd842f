#include "engine/head/head_view.h"

#include <algorithm>
#include <mutex>
#include <tuple>
#include <utility>

#include "braid/unread_series.h"
#include "engine/base/status_macros.h"
#include "engine/head/label_order.h"
#include "engine/head/row_columns.h"

namespace braid {
namespace {

constexpr size_t kBatchRows = 4096;

bool Passes(const ScanSpec& spec, const Row& row) {
  if (spec.overlap && spec.table == Table::kSpans) {
    return spec.time.Overlaps({row.time, std::max(row.time, row.end)});
  }
  return spec.time.Contains(row.time);
}

// Rows of a list (of one trace, or sorted), or all rows block by block.
class RowScan : public Scan {
 public:
  RowScan(std::shared_ptr<const HeadView> view, const Head* head, const ScanSpec& spec, uint32_t count)
      : view_(std::move(view)),
        rows_(head->rows(spec.table)),
        projector_(head, spec.table, spec.columns, head->shared_from_this()),
        count_(count) {
    spec_.table = spec.table;
    spec_.time = spec.time;
    spec_.overlap = spec.overlap;
    stats_.sources_total = 1;
    stats_.blocks_total = (count + RowTable::kBlockRows - 1) / RowTable::kBlockRows;
  }
  void UseList(std::vector<uint32_t> list) {
    list_ = std::move(list);
    listed_ = true;
  }
  ScanStats* mutable_stats() { return &stats_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    while (projector_.rows() < kBatchRows) {
      const Row* row = listed_ ? NextListed() : NextOfAll();
      if (row == nullptr) break;
      ++stats_.rows_read;
      stats_.bytes_read += row->payload_size;
      if (Passes(spec_, *row)) projector_.Add(*row);
    }
    if (projector_.rows() == 0) return false;
    stats_.sources_read = 1;
    stats_.rows_returned += projector_.rows();
    *batch = projector_.Finish();
    return true;
  }
  const ScanStats& stats() const override { return stats_; }

 private:
  const Row* NextListed() {
    if (at_ >= list_.size()) return nullptr;
    // Listed rows and what they point at lie anywhere: both are fetched some rows ahead.
    if (at_ + 2 * kRowsAhead < list_.size()) {
      __builtin_prefetch(&rows_.row(list_[at_ + 2 * kRowsAhead]));
      const char* const payload = rows_.row(list_[at_ + kRowsAhead]).payload;
      for (size_t line = 0; line < kLinesAhead; ++line) __builtin_prefetch(payload + line * 64);
    }
    return &rows_.row(list_[at_++]);
  }
  const Row* NextOfAll() {
    while (at_ < count_) {
      if (at_ % RowTable::kBlockRows == 0) {
        const uint32_t block = static_cast<uint32_t>(at_ / RowTable::kBlockRows);
        const bool full = at_ + RowTable::kBlockRows <= count_;
        if (full && !rows_.block_range(block).Overlaps(spec_.time)) {
          at_ += RowTable::kBlockRows;
          continue;
        }
        ++stats_.blocks_read;
      }
      return &rows_.row(static_cast<uint32_t>(at_++));
    }
    return nullptr;
  }

  static constexpr size_t kRowsAhead = 8;
  static constexpr size_t kLinesAhead = 4;  // of a payload; what follows the processor fetches by itself

  const std::shared_ptr<const HeadView> view_;
  const RowTable& rows_;
  RowProjector projector_;
  ScanSpec spec_;
  const uint32_t count_;
  bool listed_ = false;
  std::vector<uint32_t> list_;
  size_t at_ = 0;
  ScanStats stats_;
};

class HeadSeriesScan : public SeriesScan, public UnreadSeriesScan {
 public:
  HeadSeriesScan(std::shared_ptr<const HeadView> view, const SeriesTable* table, uint64_t commit,
                 const SeriesSpec& spec, const std::vector<uint32_t>& series)
      : view_(std::move(view)), table_(table), commit_(commit), time_(spec.time), labels_only_(spec.labels_only) {
    ordered_ = InLabelOrder(*table_, series);
    stats_.sources_total = 1;
    stats_.blocks_total = ordered_.size();
  }

  absl::StatusOr<bool> Next(SeriesData* data) override {
    while (at_ < ordered_.size()) {
      const uint32_t number = ordered_[at_++];
      *data = SeriesData();
      if (labels_only_) {
        SeriesCopy copy;
        if (!table_->Read(number, commit_, time_, &copy) || !copy.Touches(time_)) continue;
        ++stats_.blocks_read;
        stats_.sources_read = 1;
      } else {
        RETURN_IF_ERROR(Read(number, data));
        if (data->times.empty()) continue;
      }
      DecodeLabels(table_->labels(number), &data->labels);
      return true;
    }
    return false;
  }

  absl::StatusOr<bool> NextUnread(UnreadSeries* series) override {
    if (at_ == ordered_.size()) return false;
    const uint32_t number = ordered_[at_++];
    DecodeLabels(table_->labels(number), &series->labels);
    series->samples = 0;
    series->reader = std::make_unique<Reader>(this, number);
    return true;
  }

  const ScanStats& stats() const override { return stats_; }

 private:
  class Reader : public SampleReader {
   public:
    Reader(HeadSeriesScan* scan, uint32_t number) : scan_(scan), number_(number) {}
    absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) override {
      (void)folds;  // a head knows nothing of its chunks but their samples
      return scan_->Read(number_, series);
    }

   private:
    HeadSeriesScan* const scan_;
    const uint32_t number_;
  };

  // May run on several threads at once.
  absl::Status Read(uint32_t number, SeriesData* data) {
    SeriesCopy copy;
    if (!table_->Read(number, commit_, time_, &copy) || !copy.Touches(time_)) return absl::OkStatus();
    uint64_t bytes = 0;
    for (const auto& chunk : copy.chunks) bytes += chunk.bytes->size();
    RETURN_IF_ERROR(copy.Decode(time_, data));
    const std::lock_guard<std::mutex> lock(mutex_);
    ++stats_.blocks_read;
    stats_.bytes_read += bytes;
    stats_.rows_read += data->times.size();
    stats_.rows_returned += data->times.size();
    if (!data->times.empty()) stats_.sources_read = 1;
    return absl::OkStatus();
  }

  const std::shared_ptr<const HeadView> view_;
  const SeriesTable* const table_;
  const uint64_t commit_;
  const TimeRange time_;
  const bool labels_only_;
  std::vector<uint32_t> ordered_;
  size_t at_ = 0;
  std::mutex mutex_;  // of what readers change
  ScanStats stats_;
};

}  // namespace

SourceCounts HeadView::counts() const {
  SourceCounts counts;
  counts.series = cut_.series;
  counts.samples = cut_.samples;
  for (int i = 0; i < kTableCount; ++i) counts.rows[i] = cut_.rows[i];
  return counts;
}

absl::StatusOr<std::unique_ptr<Scan>> HeadView::OpenScan(const ScanSpec& spec) const {
  const int index = static_cast<int>(spec.table);
  auto scan = std::make_unique<RowScan>(shared_from_this(), head_.get(), spec, cut_.rows[index]);
  // An empty range meets nothing, not even the span that is around it.
  if (spec.time.empty() || !spec.time.Overlaps(cut_.row_range[index]) || cut_.row_range[index].empty()) {
    scan->UseList({});
    return scan;
  }
  if (spec.trace_ids) {
    std::vector<uint32_t> list;
    const RowTable& rows = head_->rows(spec.table);
    for (TraceId id : *spec.trace_ids) {
      if (id.IsZero()) continue;
      for (uint32_t row = rows.NewestOfTrace(id); row != kNoRow; row = rows.row(row).older_of_trace) {
        if (row < cut_.rows[index]) list.push_back(row);
      }
    }
    std::sort(list.begin(), list.end());  // arrival order
    scan->mutable_stats()->indexes.push_back("trace index");
    scan->UseList(std::move(list));
  }
  return scan;
}

absl::StatusOr<std::unique_ptr<SeriesScan>> HeadView::OpenSeriesScan(const SeriesSpec& spec) const {
  std::vector<uint32_t> series;
  if (!spec.time.empty() && !cut_.sample_range.empty() && spec.time.Overlaps(cut_.sample_range)) {
    ASSIGN_OR_RETURN(const std::vector<CompiledMatcher> matchers, CompiledMatcher::MakeAll(spec.matchers));
    series = head_->series().Match(matchers, cut_.series);
  }
  return std::make_unique<HeadSeriesScan>(shared_from_this(), &head_->series(), cut_.commit, spec, series);
}

bool HeadView::MayContainTrace(TraceId id) const {
  for (int i = 0; i < kTableCount; ++i) {
    if (head_->rows(static_cast<Table>(i)).NewestOfTrace(id) != kNoRow) return true;
  }
  return false;
}

// Logs have few streams, and the rows of each come in order of time, but for a few. False if two streams have the same
// fingerprint.
bool HeadView::OfStreamsInOrder(const RowTable& rows, uint32_t count, std::vector<uint32_t>* order) const {
  std::vector<uint32_t> begins(cut_.streams + 1, 0);
  for (uint32_t row = 0; row < count; ++row) ++begins[rows.row(row).owner];
  std::vector<std::pair<int64_t, uint32_t>> streams;
  for (uint32_t i = 0; i < cut_.streams; ++i) {
    streams.emplace_back(static_cast<int64_t>(head_->streams().stream(i).fingerprint), i);
  }
  std::sort(streams.begin(), streams.end());
  uint32_t begin = 0;
  for (size_t i = 0; i < streams.size(); ++i) {
    if (i > 0 && streams[i].first == streams[i - 1].first) return false;
    begin += std::exchange(begins[streams[i].second], begin);
  }
  std::vector<uint32_t> at = begins;
  for (uint32_t row = 0; row < count; ++row) (*order)[at[rows.row(row).owner]++] = row;
  std::vector<std::pair<Timestamp, uint32_t>> keys;
  for (uint32_t stream = 0; stream < cut_.streams; ++stream) {
    const auto first = order->begin() + begins[stream], last = order->begin() + at[stream];
    keys.clear();
    for (auto row = first; row != last; ++row) keys.emplace_back(rows.row(*row).time, *row);
    if (std::is_sorted(keys.begin(), keys.end())) continue;
    std::sort(keys.begin(), keys.end());  // of one time the earlier row first
    std::transform(keys.begin(), keys.end(), first, [](const auto& key) { return key.second; });
  }
  return true;
}

// Rows below `count` by the keys of part order (part.h, AddRows), which are gathered first: a sort that went to the
// rows themselves would wait for memory at every comparison.
std::vector<uint32_t> HeadView::InPartOrder(Table table, const RowTable& rows, uint32_t count) const {
  std::vector<uint32_t> order(count);
  auto sort = [&](auto key_of) {
    using Key = decltype(key_of(rows.row(0)));
    std::vector<std::pair<Key, uint32_t>> keys(count);
    for (uint32_t i = 0; i < count; ++i) keys[i] = {key_of(rows.row(i)), i};
    std::sort(keys.begin(), keys.end());  // of equal keys the earlier row first
    for (uint32_t i = 0; i < count; ++i) order[i] = keys[i].second;
  };
  // Fingerprints compare as the signed column that they are kept in.
  if (table == Table::kLogs && OfStreamsInOrder(rows, count, &order)) return order;
  if (table == Table::kLogs) {
    sort([&](const Row& row) {
      return std::tuple(static_cast<int64_t>(head_->streams().stream(row.owner).fingerprint), row.time);
    });
  } else if (table == Table::kExemplars) {
    sort([&](const Row& row) {
      return std::tuple(static_cast<int64_t>(head_->series().fingerprint(row.owner)), row.time, row.trace_id);
    });
  } else {
    sort([](const Row& row) { return std::tuple(row.trace_id, row.time, row.span_id); });
  }
  return order;
}

absl::StatusOr<OrderedRows> HeadView::OpenOrderedRows(Table table) const {
  OrderedRows ordered;
  for (const auto& [name, type] : StoredColumns(table)) ordered.columns.push_back({ColumnLevel::kBuiltin, name});
  for (std::string& name : head_->AttributeNames(table, cut_)) {
    ordered.columns.push_back({ColumnLevel::kAttribute, std::move(name)});
  }
  const RowTable& rows = head_->rows(table);
  const uint32_t count = cut_.rows[static_cast<int>(table)];
  std::vector<uint32_t> order = InPartOrder(table, rows, count);
  ScanSpec spec;
  spec.table = table;
  spec.columns = ordered.columns;
  auto scan = std::make_unique<RowScan>(shared_from_this(), head_.get(), spec, count);
  scan->UseList(std::move(order));
  ordered.scan = std::move(scan);
  return ordered;
}

std::vector<std::pair<uint64_t, Stream>> HeadView::Streams() const {
  std::vector<std::pair<uint64_t, Stream>> streams;
  streams.reserve(cut_.streams);
  for (uint32_t i = 0; i < cut_.streams; ++i) {
    const HeadStream& stream = head_->streams().stream(i);
    streams.emplace_back(stream.fingerprint, stream.stream);
  }
  return streams;
}

}  // namespace braid
