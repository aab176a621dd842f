#include "engine/db/snapshot_impl.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "braid/series_fold.h"
#include "braid/split_scan.h"
#include "braid/unread_series.h"
#include "engine/base/status_macros.h"
#include "engine/db/guarded_scan.h"
#include "engine/part/label_matcher.h"

namespace braid {
namespace {

bool IsBuiltin(Table table, const std::string& name) {
  for (const auto& [builtin, type] : BuiltinColumns(table)) {
    if (builtin == name) return true;
  }
  return false;
}

absl::Status CheckColumn(Table table, const ColumnRef& ref) {
  if (ref.level != ColumnLevel::kBuiltin || IsBuiltin(table, ref.name)) return absl::OkStatus();
  return absl::InvalidArgumentError("table " + std::string(ToString(table)) + " has no built-in column \"" + ref.name +
                                    "\"");
}

// All sources' scans in their pieces; a scan that cannot be split is a piece of its own.
class ChainedSplit : public SplitScan {
 public:
  absl::Status Plan(const SourceList& sources, std::shared_ptr<const ScanSpec> spec, uint64_t sources_total) {
    spec_ = std::move(spec);
    for (const auto& source : sources) {
      const TimeRange range = source->Range(spec_->table);
      if (range.empty() || !range.Overlaps(spec_->time)) continue;
      ASSIGN_OR_RETURN(std::unique_ptr<Scan> scan, source->OpenScan(*spec_));
      auto* splittable = dynamic_cast<SplittableScan*>(scan.get());
      if (splittable == nullptr) {
        planned_.Add(scan->stats());
        ++planned_.sources_read;
        planned_.blocks_read += scan->stats().blocks_total;
        planned_.rows_read += source->counts().rows[static_cast<size_t>(spec_->table)];
        pieces_.push_back({nullptr, 0, source});
        continue;
      }
      ASSIGN_OR_RETURN(std::shared_ptr<const SplitScan> split, splittable->PlanSplit());
      planned_.Add(split->planned());
      for (size_t piece = 0; piece < split->pieces(); ++piece) pieces_.push_back({split, piece, nullptr});
    }
    planned_.sources_total = sources_total;
    return absl::OkStatus();
  }

  size_t pieces() const override { return pieces_.size(); }
  absl::StatusOr<std::unique_ptr<Scan>> OpenPiece(size_t piece) const override {
    const Piece& at = pieces_[piece];
    if (at.source != nullptr) return at.source->OpenScan(*spec_);
    return at.split->OpenPiece(at.piece);
  }
  const ScanStats& planned() const override { return planned_; }
  uint64_t bytes_planned() const override {
    uint64_t bytes = 0;
    for (const Piece& piece : pieces_)
      bytes += piece.split != nullptr && piece.piece == 0 ? piece.split->bytes_planned() : 0;
    return bytes;
  }

 private:
  struct Piece {
    std::shared_ptr<const SplitScan> split;  // null: the whole source
    size_t piece = 0;
    std::shared_ptr<const Source> source;
  };
  std::shared_ptr<const ScanSpec> spec_;
  std::vector<Piece> pieces_;
  ScanStats planned_;
};

// One source after the other.
class ChainedScan : public SplittableScan {
 public:
  ChainedScan(SourceList sources, const ScanSpec& spec) : sources_(std::move(sources)), spec_(spec) {
    // A head without rows is nothing that could be read or ruled out.
    for (const auto& source : sources_) total_ += source->Range(spec_.table).empty() ? 0 : 1;
    Refresh();
  }

  absl::StatusOr<std::unique_ptr<SplitScan>> PlanSplit() override {
    auto split = std::make_unique<ChainedSplit>();
    RETURN_IF_ERROR(split->Plan(sources_, std::make_shared<const ScanSpec>(spec_), total_));
    return split;
  }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    while (true) {
      if (!scan_) {
        if (at_ == sources_.size()) return false;
        const Source& source = *sources_[at_++];
        const TimeRange range = source.Range(spec_.table);
        if (range.empty() || !range.Overlaps(spec_.time)) continue;
        ASSIGN_OR_RETURN(scan_, source.OpenScan(spec_));
      }
      ASSIGN_OR_RETURN(const bool more, scan_->Next(batch));
      Refresh();
      if (more) return true;
      done_ = stats_;
      scan_ = nullptr;
    }
  }
  const ScanStats& stats() const override { return stats_; }

 private:
  void Refresh() {
    stats_ = done_;
    if (scan_) stats_.Add(scan_->stats());
    stats_.sources_total = total_;
  }

  const SourceList sources_;
  const ScanSpec spec_;
  uint64_t total_ = 0;
  size_t at_ = 0;
  std::unique_ptr<Scan> scan_;
  ScanStats done_;
  ScanStats stats_;
};

// `newer` over `older`: ascending times, one sample per time.
void MergeSamples(const SeriesData& newer, SeriesData* older) {
  if (newer.times.empty()) return;
  const bool histograms = !newer.histograms.empty() || !older->histograms.empty();
  SeriesData merged;
  merged.labels = std::move(older->labels);
  auto take = [&](const SeriesData& from, size_t i) {
    merged.times.push_back(from.times[i]);
    merged.values.push_back(from.values[i]);
    if (histograms) merged.histograms.push_back(from.histograms.empty() ? nullptr : from.histograms[i]);
  };
  merged.times.reserve(older->times.size() + newer.times.size());
  merged.values.reserve(older->times.size() + newer.times.size());
  size_t o = 0, n = 0;
  while (o < older->times.size() || n < newer.times.size()) {
    if (n == newer.times.size() || (o < older->times.size() && older->times[o] < newer.times[n])) {
      take(*older, o++);
      continue;
    }
    if (o < older->times.size() && older->times[o] == newer.times[n]) ++o;
    take(newer, n++);
  }
  if (std::all_of(merged.histograms.begin(), merged.histograms.end(), [](const auto& h) { return h == nullptr; })) {
    merged.histograms.clear();
  }
  *older = std::move(merged);
}

// Samples of a scan that cannot leave them unread.
class ReadSamples : public SampleReader {
 public:
  ReadSamples(SeriesData data, std::vector<SampleFold> folds) : data_(std::move(data)), folds_(std::move(folds)) {}
  absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) override {
    data_.labels = std::move(series->labels);
    *series = std::move(data_);
    *folds = std::move(folds_);
    return absl::OkStatus();
  }

 private:
  SeriesData data_;
  std::vector<SampleFold> folds_;
};

// Of one series in several sources, oldest first.
class MergingReader : public SampleReader {
 public:
  explicit MergingReader(std::vector<std::unique_ptr<SampleReader>> readers) : readers_(std::move(readers)) {}
  absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) override {
    for (size_t i = 0; i < readers_.size(); ++i) {
      if (i == 0) {
        RETURN_IF_ERROR(readers_[i]->Read(series, folds));
        continue;
      }
      SeriesData newer;
      std::vector<SampleFold> newer_folds;
      RETURN_IF_ERROR(readers_[i]->Read(&newer, &newer_folds));
      MergeSamples(newer, series);
      folds->insert(folds->end(), newer_folds.begin(), newer_folds.end());
    }
    std::sort(folds->begin(), folds->end(), [](const SampleFold& a, const SampleFold& b) { return a.first < b.first; });
    return absl::OkStatus();
  }

 private:
  const std::vector<std::unique_ptr<SampleReader>> readers_;
};

class MergedSeriesScan : public FoldingSeriesScan, public UnreadSeriesScan {
 public:
  explicit MergedSeriesScan(SourceList sources) : sources_(std::move(sources)) {
    for (const auto& source : sources_) total_ += source->SampleRange().empty() ? 0 : 1;
  }
  absl::Status Open(const SeriesSpec& spec) {
    labels_only_ = spec.labels_only;
    for (const auto& source : sources_) {
      const TimeRange range = source->SampleRange();
      if (range.empty() || !range.Overlaps(spec.time)) continue;
      Input input;
      ASSIGN_OR_RETURN(input.scan, source->OpenSeriesScan(spec));
      input.unread = labels_only_ ? nullptr : dynamic_cast<UnreadSeriesScan*>(input.scan.get());
      inputs_.push_back(std::move(input));
    }
    return absl::OkStatus();
  }

  // Folds do not merge, so that sources of one time give samples.
  void FoldInside(std::vector<TimeRange> ranges) override {
    std::vector<TimeRange> extents;
    for (const auto& source : sources_) {
      if (!source->SampleRange().empty()) extents.push_back(source->SampleRange());
    }
    std::sort(extents.begin(), extents.end(), [](TimeRange a, TimeRange b) { return a.start < b.start; });
    for (size_t i = 1; i < extents.size(); ++i) {
      if (extents[i].start <= extents[i - 1].end) return;
    }
    for (Input& input : inputs_) {
      input.folding = dynamic_cast<FoldingSeriesScan*>(input.scan.get());
      if (input.folding != nullptr) input.folding->FoldInside(ranges);
    }
  }
  const std::vector<SampleFold>& folds() const override { return folds_; }

  absl::StatusOr<bool> Next(SeriesData* series) override {
    UnreadSeries unread;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, NextUnread(&unread));
      if (!more) return false;
      *series = SeriesData();
      folds_.clear();
      series->labels = std::move(unread.labels);
      RETURN_IF_ERROR(unread.reader->Read(series, &folds_));
      if (labels_only_ || !series->times.empty() || !folds_.empty()) return true;
    }
  }

  absl::StatusOr<bool> NextUnread(UnreadSeries* series) override {
    if (!started_) {
      started_ = true;
      for (Input& input : inputs_) RETURN_IF_ERROR(Advance(&input));
    }
    Input* least = nullptr;
    for (Input& input : inputs_) {
      if (input.more && (least == nullptr || input.series.labels < least->series.labels)) least = &input;
    }
    if (least == nullptr) return false;
    *series = std::move(least->series);
    RETURN_IF_ERROR(Advance(least));
    // Inputs stand oldest first, and `least` is the first of those with these labels.
    std::vector<std::unique_ptr<SampleReader>> readers;
    for (Input* input = least + 1; input != inputs_.data() + inputs_.size(); ++input) {
      if (!input->more || input->series.labels != series->labels) continue;
      if (readers.empty()) readers.push_back(std::move(series->reader));
      readers.push_back(std::move(input->series.reader));
      series->samples += input->series.samples;
      RETURN_IF_ERROR(Advance(input));
    }
    if (!readers.empty()) series->reader = std::make_unique<MergingReader>(std::move(readers));
    return true;
  }
  // Added up when asked for: series are many, and who reads them asks once.
  const ScanStats& stats() const override {
    stats_ = {};
    for (const Input& input : inputs_) stats_.Add(input.scan->stats());
    stats_.sources_total = total_;
    return stats_;
  }

 private:
  struct Input {
    std::unique_ptr<SeriesScan> scan;
    FoldingSeriesScan* folding = nullptr;  // the scan, if it gives folds
    UnreadSeriesScan* unread = nullptr;    // the scan, if it leaves samples unread
    UnreadSeries series;
    bool more = false;
  };
  static absl::Status Advance(Input* input) {
    if (input->unread != nullptr) {
      ASSIGN_OR_RETURN(input->more, input->unread->NextUnread(&input->series));
      return absl::OkStatus();
    }
    SeriesData data;
    ASSIGN_OR_RETURN(input->more, input->scan->Next(&data));
    if (!input->more) return absl::OkStatus();
    std::vector<SampleFold> folds;
    if (input->folding != nullptr) folds = input->folding->folds();
    input->series.labels = std::move(data.labels);
    input->series.samples = data.times.size();
    input->series.reader = std::make_unique<ReadSamples>(std::move(data), std::move(folds));
    return absl::OkStatus();
  }

  const SourceList sources_;
  uint64_t total_ = 0;
  bool labels_only_ = false;
  std::vector<Input> inputs_;
  bool started_ = false;
  std::vector<SampleFold> folds_;
  mutable ScanStats stats_;
};

class SnapshotImpl : public Snapshot {
 public:
  explicit SnapshotImpl(SourceList sources) : sources_(std::move(sources)) {}

  absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const override {
    return GuardMemory("opening a scan", [&] { return MakeScan(spec); });
  }

  absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const override {
    return GuardMemory("opening a scan of series", [&] { return MakeSeriesScan(spec); });
  }

  std::vector<ColumnInfo> Columns(Table table, TimeRange time) const override {
    std::vector<const Source*> within;
    for (const auto& source : sources_) {
      const TimeRange range = source->Range(table);
      if (!range.empty() && range.Overlaps(time)) within.push_back(source.get());
    }
    if (within.size() == 1) return within[0]->Columns(table);
    std::map<ColumnRef, std::pair<std::set<Type>, uint64_t>> merged;
    for (const Source* source : within) {
      for (const ColumnInfo& info : source->Columns(table)) {
        auto& [types, rows] = merged[info.ref];
        types.insert(info.types.begin(), info.types.end());
        rows += info.rows;
      }
    }
    std::vector<ColumnInfo> columns;
    auto add = [&](const auto& entry) {
      ColumnInfo info;
      info.ref = entry.first;
      info.types.assign(entry.second.first.begin(), entry.second.first.end());
      info.rows = entry.second.second;
      columns.push_back(std::move(info));
    };
    for (const auto& [name, type] : BuiltinColumns(table)) {
      auto found = merged.find({ColumnLevel::kBuiltin, name});
      if (found != merged.end()) add(*found);
    }
    for (const auto& entry : merged) {
      if (entry.first.level != ColumnLevel::kBuiltin) add(entry);
    }
    return columns;
  }

  TimeRange Range(Table table) const override {
    return Union([table](const Source& source) { return source.Range(table); });
  }
  TimeRange SampleRange() const override {
    return Union([](const Source& source) { return source.SampleRange(); });
  }

  std::vector<MetricMetadata> Metadata() const override {
    std::map<std::string, MetricMetadata> merged;
    for (const auto& source : sources_) {
      for (MetricMetadata& metadata : source->Metadata()) {
        std::string name = metadata.metric;
        merged.insert_or_assign(std::move(name), std::move(metadata));
      }
    }
    std::vector<MetricMetadata> all;
    all.reserve(merged.size());
    for (auto& [name, metadata] : merged) all.push_back(std::move(metadata));
    return all;
  }

 private:
  absl::StatusOr<std::unique_ptr<Scan>> MakeScan(const ScanSpec& spec) const {
    for (const ColumnRef& ref : spec.columns) RETURN_IF_ERROR(CheckColumn(spec.table, ref));
    for (const Predicate& predicate : spec.predicates) RETURN_IF_ERROR(CheckColumn(spec.table, predicate.column));
    for (const auto& set : spec.intervals) {
      for (const ColumnRef& ref : set->keys) RETURN_IF_ERROR(CheckColumn(spec.table, ref));
    }
    return std::make_unique<GuardedTableScan>(std::make_unique<ChainedScan>(sources_, spec));
  }
  absl::StatusOr<std::unique_ptr<SeriesScan>> MakeSeriesScan(const SeriesSpec& spec) const {
    RETURN_IF_ERROR(CompiledMatcher::MakeAll(spec.matchers).status());
    auto scan = std::make_unique<MergedSeriesScan>(sources_);
    RETURN_IF_ERROR(scan->Open(spec));
    return std::make_unique<GuardedSeriesScan<MergedSeriesScan>>(std::move(scan));
  }

  template <typename RangeOf>
  TimeRange Union(RangeOf range_of) const {
    TimeRange all{kMaxTimestamp, kMinTimestamp};
    for (const auto& source : sources_) {
      const TimeRange range = range_of(*source);
      if (range.empty()) continue;
      all.start = std::min(all.start, range.start);
      all.end = std::max(all.end, range.end);
    }
    return all;
  }

  const SourceList sources_;
};

}  // namespace

std::shared_ptr<const Snapshot> MakeSnapshot(SourceList oldest_first) {
  return std::make_shared<SnapshotImpl>(std::move(oldest_first));
}

}  // namespace braid
