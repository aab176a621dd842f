#include "engine/db/masked_part.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "braid/delete_count.h"
#include "engine/base/status_macros.h"
#include "engine/db/delete_spec.h"
#include "engine/part/label_matcher.h"
#include "engine/part/row_filter.h"

namespace braid {
namespace {

using Signal = DeleteSpec::Signal;

TimeRange Intersect(const TimeRange& a, const TimeRange& b) {
  return {std::max(a.start, b.start), std::min(a.end, b.end)};
}

// The delete's compiled form.
struct Mask {
  DeleteSpec spec;
  std::vector<CompiledMatcher> matchers;
};

bool MatchesLabels(const Mask& mask, const Labels& labels) {
  return std::all_of(mask.matchers.begin(), mask.matchers.end(),
                     [&](const CompiledMatcher& matcher) { return matcher.Matches(labels); });
}

// A span by what its events and links carry of it too.
using SpanKey = std::tuple<TraceId, int64_t, int64_t>;  // trace, span, stream
using SpanKeys = std::vector<SpanKey>;                  // sorted

// The column that holds a series label of exemplars.
ColumnRef LabelColumn(const std::string& name) {
  if (name == kMetricNameLabel) return {ColumnLevel::kBuiltin, "metric"};
  return {ColumnLevel::kAttribute, name};
}

const ColumnRef kTime{ColumnLevel::kBuiltin, "time"};
const ColumnRef kTrace{ColumnLevel::kBuiltin, "trace_id"};
const ColumnRef kSpan{ColumnLevel::kBuiltin, "span_id"};
const ColumnRef kStream{ColumnLevel::kBuiltin, "stream"};

// Finds a table's deleted rows in batches. Batches have the columns that were given, then those that Needed adds.
class RowMasker {
 public:
  RowMasker(Table table, std::vector<const Mask*> masks, std::shared_ptr<const SpanKeys> spans)
      : table_(table), masks_(std::move(masks)), spans_(std::move(spans)) {}

  // Appends to `*columns` what is needed beside them.
  void Need(std::vector<ColumnRef>* columns) {
    given_ = columns->size();
    auto need = [&](const ColumnRef& ref) {
      const auto found = std::find(columns->begin(), columns->end(), ref);
      at_.emplace_back(ref, static_cast<size_t>(found - columns->begin()));
      if (found == columns->end()) columns->push_back(ref);
    };
    if (spans_ != nullptr) {
      for (const ColumnRef& ref : {kTrace, kSpan, kStream}) need(ref);
      return;
    }
    need(kTime);
    for (const Mask* mask : masks_) {
      for (const Predicate& predicate : mask->spec.predicates) need(predicate.column);
      for (const Matcher& matcher : mask->spec.matchers) need(LabelColumn(matcher.name));
    }
  }

  // keep[row] = 0 for deleted rows.
  RowMask Keep(const RecordBatch& batch) const {
    RowMask keep(batch.num_rows, 1);
    if (spans_ != nullptr) {
      const Column &trace = At(batch, kTrace), &span = At(batch, kSpan), &stream = At(batch, kStream);
      for (size_t row = 0; row < batch.num_rows; ++row) {
        const SpanKey key = KeyAt(trace, span, stream, row);
        if (std::binary_search(spans_->begin(), spans_->end(), key)) keep[row] = 0;
      }
      return keep;
    }
    for (const Mask* mask : masks_) {
      RowMask hit(batch.num_rows, 1);
      FilterByTime(mask->spec.time, At(batch, kTime), nullptr, nullptr, &hit);
      for (const Predicate& predicate : mask->spec.predicates) {
        FilterByPredicate(predicate, At(batch, predicate.column), &hit);
      }
      for (const CompiledMatcher& matcher : mask->matchers) {
        const Column& column = At(batch, LabelColumn(matcher.name()));
        for (size_t row = 0; row < batch.num_rows; ++row) {
          if (hit[row] != 0 && !matcher.Matches(ToText(View(column.ValueAt(row))))) hit[row] = 0;
        }
      }
      for (size_t row = 0; row < batch.num_rows; ++row) {
        if (hit[row] != 0) keep[row] = 0;
      }
    }
    return keep;
  }

  // Takes deleted rows and the columns that were not asked for out of the batch.
  void Apply(RecordBatch* batch) const {
    const RowMask keep = Keep(*batch);
    batch->columns.resize(given_);
    std::vector<uint32_t> rows;
    for (uint32_t row = 0; row < keep.size(); ++row) {
      if (keep[row] != 0) rows.push_back(row);
    }
    if (rows.size() < batch->num_rows) *batch = batch->Select(rows);
    batch->num_rows = rows.size();  // also where there are no columns
  }

  static SpanKey KeyAt(const Column& trace, const Column& span, const Column& stream, size_t row) {
    return {trace.IsNull(row) ? TraceId() : trace.trace_ids[row], span.IsNull(row) ? 0 : span.ints[row],
            stream.IsNull(row) ? 0 : stream.ints[row]};
  }
  const Column& At(const RecordBatch& batch, const ColumnRef& ref) const {
    const auto found = std::find_if(at_.begin(), at_.end(), [&](const auto& entry) { return entry.first == ref; });
    return batch.columns[found->second];
  }

 private:
  const Table table_;
  const std::vector<const Mask*> masks_;
  const std::shared_ptr<const SpanKeys> spans_;
  size_t given_ = 0;
  std::vector<std::pair<ColumnRef, size_t>> at_;
};

class MaskedScan : public Scan {
 public:
  MaskedScan(std::shared_ptr<const Source> owner, std::unique_ptr<Scan> scan, RowMasker masker)
      : owner_(std::move(owner)), scan_(std::move(scan)), masker_(std::move(masker)) {}

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan_->Next(batch));
      if (!more) return false;
      masker_.Apply(batch);
      if (batch->num_rows > 0) return true;
    }
  }
  const ScanStats& stats() const override { return scan_->stats(); }

 private:
  const std::shared_ptr<const Source> owner_;  // has the masks
  const std::unique_ptr<Scan> scan_;
  const RowMasker masker_;
};

void RemoveSamples(const TimeRange& time, SeriesData* series) {
  const auto begin = std::lower_bound(series->times.begin(), series->times.end(), time.start) - series->times.begin();
  const auto end = std::upper_bound(series->times.begin(), series->times.end(), time.end) - series->times.begin();
  if (begin >= end) return;
  series->times.erase(series->times.begin() + begin, series->times.begin() + end);
  series->values.erase(series->values.begin() + begin, series->values.begin() + end);
  if (series->histograms.empty()) return;
  series->histograms.erase(series->histograms.begin() + begin, series->histograms.begin() + end);
  const bool floats = std::all_of(series->histograms.begin(), series->histograms.end(),
                                  [](const auto& histogram) { return histogram == nullptr; });
  if (floats) series->histograms.clear();
}

class MaskedSeriesScan : public SeriesScan {
 public:
  // `labels_only` is what was asked for; the scan below may read samples all the same.
  MaskedSeriesScan(std::shared_ptr<const Source> owner, std::unique_ptr<SeriesScan> scan,
                   std::vector<const Mask*> masks, bool labels_only, bool reads_samples)
      : owner_(std::move(owner)),
        scan_(std::move(scan)),
        masks_(std::move(masks)),
        labels_only_(labels_only),
        reads_samples_(reads_samples) {}

  absl::StatusOr<bool> Next(SeriesData* series) override {
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan_->Next(series));
      if (!more) return false;
      bool gone = false;
      for (const Mask* mask : masks_) {
        if (!MatchesLabels(*mask, series->labels)) continue;
        if (reads_samples_) {
          RemoveSamples(mask->spec.time, series);
          gone = series->times.empty();
        } else {
          gone = true;
        }
        if (gone) break;
      }
      if (gone) continue;
      if (labels_only_) {
        series->times.clear();
        series->values.clear();
        series->histograms.clear();
      }
      return true;
    }
  }
  const ScanStats& stats() const override { return scan_->stats(); }

 private:
  const std::shared_ptr<const Source> owner_;
  const std::unique_ptr<SeriesScan> scan_;
  const std::vector<const Mask*> masks_;
  const bool labels_only_;
  const bool reads_samples_;
};

// The spans of `part` that a mask removes.
absl::StatusOr<SpanKeys> DeletedSpans(const Part& part, const std::vector<const Mask*>& masks) {
  SpanKeys keys;
  for (const Mask* mask : masks) {
    ScanSpec spec;
    spec.table = Table::kSpans;
    spec.time = mask->spec.time;
    spec.predicates = mask->spec.predicates;
    spec.columns = {kTrace, kSpan, kStream};
    RowMasker masker(Table::kSpans, {mask}, nullptr);
    masker.Need(&spec.columns);
    ASSIGN_OR_RETURN(const std::unique_ptr<Scan> scan, part.OpenScan(spec));
    RecordBatch batch;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
      if (!more) break;
      const RowMask keep = masker.Keep(batch);
      for (size_t row = 0; row < batch.num_rows; ++row) {
        if (keep[row] == 0) {
          keys.push_back(RowMasker::KeyAt(batch.columns[0], batch.columns[1], batch.columns[2], row));
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return keys;
}

class MaskedPart : public Source, public std::enable_shared_from_this<MaskedPart> {
 public:
  MaskedPart(std::shared_ptr<const Part> part, std::vector<DeleteSpec> deletes) : part_(std::move(part)) {
    for (DeleteSpec& spec : deletes) {
      Mask& mask = masks_.emplace_back();
      if (auto matchers = CompiledMatcher::MakeAll(spec.matchers); matchers.ok()) mask.matchers = *std::move(matchers);
      mask.spec = std::move(spec);
    }
  }

  std::string name() const override { return part_->name(); }
  SourceCounts counts() const override { return part_->counts(); }
  TimeRange Range(Table table) const override { return part_->Range(table); }
  TimeRange SampleRange() const override { return part_->SampleRange(); }
  std::vector<ColumnInfo> Columns(Table table) const override { return part_->Columns(table); }
  std::vector<MetricMetadata> Metadata() const override { return part_->Metadata(); }
  bool MayContainTrace(TraceId id) const override { return part_->MayContainTrace(id); }
  std::vector<std::pair<uint64_t, Stream>> Streams() const override {
    std::vector<std::pair<uint64_t, Stream>> streams = part_->Streams();
    std::set<uint64_t> used;
    // What cannot be found out stays.
    if (!UsedStreams(&used).ok()) return streams;
    std::erase_if(streams, [&](const auto& entry) { return !used.contains(entry.first); });
    return streams;
  }

  absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const override {
    ASSIGN_OR_RETURN(std::optional<RowMasker> masker, MaskerOf(spec.table));
    if (!masker) return part_->OpenScan(spec);
    ScanSpec inner = spec;
    masker->Need(&inner.columns);
    ASSIGN_OR_RETURN(std::unique_ptr<Scan> scan, part_->OpenScan(inner));
    return std::make_unique<MaskedScan>(shared_from_this(), std::move(scan), *std::move(masker));
  }

  absl::StatusOr<OrderedRows> OpenOrderedRows(Table table) const override {
    ASSIGN_OR_RETURN(std::optional<RowMasker> masker, MaskerOf(table));
    if (!masker) return part_->OpenOrderedRows(table);
    // Which columns there are has to be known before it can be said what else is needed.
    ASSIGN_OR_RETURN(OrderedRows rows, part_->OpenOrderedRows(table));
    std::vector<ColumnRef> columns = rows.columns;
    masker->Need(&columns);
    columns.erase(columns.begin(), columns.begin() + static_cast<ptrdiff_t>(rows.columns.size()));
    ASSIGN_OR_RETURN(rows, part_->OpenOrderedRows(table, columns));
    rows.scan = std::make_unique<MaskedScan>(shared_from_this(), std::move(rows.scan), *std::move(masker));
    return rows;
  }

  absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const override {
    const TimeRange range = Intersect(part_->SampleRange(), spec.time);
    std::vector<const Mask*> masks;
    bool whole = true;
    for (const Mask& mask : masks_) {
      if (mask.spec.signal != Signal::kMetrics || range.empty() || !mask.spec.time.Overlaps(range)) continue;
      masks.push_back(&mask);
      whole = whole && mask.spec.time.start <= range.start && range.end <= mask.spec.time.end;
    }
    if (masks.empty()) return part_->OpenSeriesScan(spec);
    // Whether a series is gone cannot be told without its samples if only some of its time was deleted.
    SeriesSpec inner = spec;
    inner.labels_only = spec.labels_only && whole;
    ASSIGN_OR_RETURN(std::unique_ptr<SeriesScan> scan, part_->OpenSeriesScan(inner));
    return std::make_unique<MaskedSeriesScan>(shared_from_this(), std::move(scan), std::move(masks), spec.labels_only,
                                              !inner.labels_only);
  }

 private:
  // The streams that rows are left of.
  absl::Status UsedStreams(std::set<uint64_t>* used) const {
    for (Table table : {Table::kLogs, Table::kSpans, Table::kEvents, Table::kLinks}) {
      ScanSpec spec;
      spec.table = table;
      spec.columns = {kStream};
      ASSIGN_OR_RETURN(const std::unique_ptr<Scan> scan, OpenScan(spec));
      RecordBatch batch;
      while (true) {
        ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
        if (!more) break;
        for (size_t row = 0; row < batch.num_rows; ++row) {
          if (!batch.columns[0].IsNull(row)) used->insert(static_cast<uint64_t>(batch.columns[0].ints[row]));
        }
      }
      if (!scan->stats().damaged.empty()) return absl::DataLossError(scan->stats().damaged[0]);
    }
    return absl::OkStatus();
  }

  // Nothing if no delete concerns the table.
  absl::StatusOr<std::optional<RowMasker>> MaskerOf(Table table) const {
    const bool of_spans = table == Table::kSpans || table == Table::kEvents || table == Table::kLinks;
    const Signal signal = of_spans ? Signal::kSpans : table == Table::kLogs ? Signal::kLogs : Signal::kMetrics;
    // Events may lie outside of their span's time.
    const TimeRange range = part_->Range(of_spans ? Table::kSpans : table);
    std::vector<const Mask*> masks;
    for (const Mask& mask : masks_) {
      if (mask.spec.signal == signal && !range.empty() && mask.spec.time.Overlaps(range)) masks.push_back(&mask);
    }
    if (masks.empty()) return std::optional<RowMasker>();
    std::shared_ptr<const SpanKeys> spans;
    if (table == Table::kEvents || table == Table::kLinks) {
      std::lock_guard lock(mutex_);
      if (spans_ == nullptr) {
        ASSIGN_OR_RETURN(SpanKeys keys, DeletedSpans(*part_, masks));
        spans_ = std::make_shared<const SpanKeys>(std::move(keys));
      }
      spans = spans_;
    }
    return std::optional<RowMasker>(RowMasker(table, std::move(masks), std::move(spans)));
  }

  const std::shared_ptr<const Part> part_;
  std::vector<Mask> masks_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const SpanKeys> spans_;  // worked out when first needed; guarded by mutex_
};

}  // namespace

std::shared_ptr<const Source> MaskPart(std::shared_ptr<const Part> part, std::vector<DeleteSpec> deletes) {
  if (deletes.empty()) return part;
  return std::make_shared<MaskedPart>(std::move(part), std::move(deletes));
}

absl::StatusOr<uint64_t> CountChosen(const Snapshot& snapshot, const DeleteSpec& spec) {
  RETURN_IF_ERROR(CheckDeleteSpec(spec));
  uint64_t count = 0;
  if (spec.signal == Signal::kMetrics) {
    ASSIGN_OR_RETURN(const auto scan, snapshot.OpenSeriesScan({spec.matchers, spec.time}));
    SeriesData data;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan->Next(&data));
      if (!more) return count;
      count += data.times.size();
    }
  }
  const Mask mask{spec, {}};
  ScanSpec rows;
  rows.table = spec.signal == Signal::kLogs ? Table::kLogs : Table::kSpans;
  rows.time = spec.time;
  rows.predicates = spec.predicates;
  RowMasker masker(rows.table, {&mask}, nullptr);
  masker.Need(&rows.columns);
  ASSIGN_OR_RETURN(const auto scan, snapshot.OpenScan(rows));
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
    if (!more) return count;
    const RowMask keep = masker.Keep(batch);
    count += static_cast<uint64_t>(std::count(keep.begin(), keep.end(), 0));
  }
}

absl::StatusOr<bool> HoldsDeleted(const Part& part, const DeleteSpec& spec) {
  Mask mask{spec, {}};
  ASSIGN_OR_RETURN(mask.matchers, CompiledMatcher::MakeAll(spec.matchers));
  if (spec.signal == Signal::kMetrics) {
    SeriesSpec series;
    series.matchers = spec.matchers;
    series.time = spec.time;
    series.labels_only = true;
    ASSIGN_OR_RETURN(const auto scan, part.OpenSeriesScan(series));
    SeriesData data;
    ASSIGN_OR_RETURN(const bool any, scan->Next(&data));
    if (any || !scan->stats().damaged.empty()) return true;
  }
  ScanSpec rows;
  rows.table = spec.signal == Signal::kMetrics ? Table::kExemplars
               : spec.signal == Signal::kLogs  ? Table::kLogs
                                               : Table::kSpans;
  rows.time = spec.time;
  rows.predicates = spec.predicates;
  RowMasker masker(rows.table, {&mask}, nullptr);
  masker.Need(&rows.columns);
  ASSIGN_OR_RETURN(const auto scan, part.OpenScan(rows));
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
    if (!more) return !scan->stats().damaged.empty();
    const RowMask keep = masker.Keep(batch);
    if (std::find(keep.begin(), keep.end(), 0) != keep.end()) return true;
  }
}

}  // namespace braid
