#include "engine/part/part_merge.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/status_macros.h"
#include "engine/part/columns.h"
#include "engine/part/part_format.h"
#include "engine/part/row_order.h"

namespace braid {
namespace {

absl::Status CheckDamage(const ScanStats& stats) {
  return stats.damaged.empty() ? absl::OkStatus() : absl::DataLossError(stats.damaged.front());
}

// `newer` wins where both have a sample.
SeriesData MergeSamples(SeriesData older, SeriesData newer) {
  if (older.times.empty() || (!newer.times.empty() && newer.times.back() < older.times.front())) {
    std::swap(older, newer);
  }
  bool histograms = !older.histograms.empty() || !newer.histograms.empty();
  if (histograms) {
    older.histograms.resize(older.times.size());
    newer.histograms.resize(newer.times.size());
  }
  SeriesData out;
  out.labels = std::move(older.labels);
  size_t a = 0, b = 0;
  while (a < older.times.size() || b < newer.times.size()) {
    bool from_newer = a == older.times.size() || (b < newer.times.size() && newer.times[b] <= older.times[a]);
    if (from_newer && a < older.times.size() && newer.times[b] == older.times[a]) ++a;
    SeriesData& from = from_newer ? newer : older;
    size_t at = from_newer ? b++ : a++;
    out.times.push_back(from.times[at]);
    out.values.push_back(from.values[at]);
    if (histograms) out.histograms.push_back(std::move(from.histograms[at]));
  }
  return out;
}

absl::Status MergeSeries(const std::vector<const Source*>& sources, PartWriter* writer) {
  struct Input {
    std::unique_ptr<SeriesScan> scan;
    SeriesData next;
    bool more = false;
  };
  std::vector<Input> inputs;
  auto advance = [](Input* input) -> absl::Status {
    ASSIGN_OR_RETURN(input->more, input->scan->Next(&input->next));
    return CheckDamage(input->scan->stats());
  };
  for (const Source* source : sources) {
    Input input;
    ASSIGN_OR_RETURN(input.scan, source->OpenSeriesScan(SeriesSpec()));
    RETURN_IF_ERROR(advance(&input));
    if (input.more) inputs.push_back(std::move(input));
  }
  while (true) {
    // The inputs that stand at the least labels, oldest first.
    std::vector<Input*> least;
    for (Input& input : inputs) {
      if (!input.more) continue;
      const auto order = least.empty() ? std::strong_ordering::less : input.next.labels <=> least[0]->next.labels;
      if (order > 0) continue;
      if (order < 0) least.clear();
      least.push_back(&input);
    }
    if (least.empty()) return absl::OkStatus();
    SeriesData merged = std::move(least[0]->next);
    for (size_t i = 1; i < least.size(); ++i) merged = MergeSamples(std::move(merged), std::move(least[i]->next));
    RETURN_IF_ERROR(writer->AddSeries(merged.labels, merged.times, merged.values, merged.histograms));
    for (Input* input : least) RETURN_IF_ERROR(advance(input));
  }
}

// Merges the ordered rows of one table.
class RowMerge {
 public:
  RowMerge(Table table, PartWriter* writer) : table_(table), writer_(writer) {}

  absl::Status Run(const std::vector<const Source*>& sources) {
    std::set<ColumnRef> attributes;
    size_t stored = StoredColumns(table_).size();
    for (const Source* source : sources) {
      if (source->counts().rows[static_cast<int>(table_)] == 0) continue;
      ASSIGN_OR_RETURN(OrderedRows rows, source->OpenOrderedRows(table_));
      if (rows.columns.size() < stored) return absl::InternalError("a source yields too few columns");
      attributes.insert(rows.columns.begin() + static_cast<ptrdiff_t>(stored), rows.columns.end());
      inputs_.push_back({std::move(rows), nullptr, nullptr, 0, {}});
    }
    if (inputs_.size() == 1) return Copy(&inputs_[0]);
    for (const auto& column : StoredColumns(table_)) refs_.push_back({ColumnLevel::kBuiltin, column.first});
    refs_.insert(refs_.end(), attributes.begin(), attributes.end());
    for (Input& input : inputs_) {
      for (size_t i = 0; i < input.rows.columns.size(); ++i) {
        input.targets.push_back(i < stored ? i : IndexOf(input.rows.columns[i], stored));
      }
      RETURN_IF_ERROR(Advance(&input));
    }
    while (true) {
      Input* best = Least(nullptr);
      if (best == nullptr) break;
      // From the best input as long a run as stands before all others.
      const Input* limit = Least(best);
      size_t begin = best->at, end = begin + 1;
      size_t room = kRowsPerGroup - waiting_;
      while (end < best->batch->num_rows && end - begin < room && (limit == nullptr || Before(*best, end, *limit)))
        ++end;
      runs_.push_back({best->batch, &best->targets, begin, end});
      waiting_ += end - begin;
      best->at = end;
      if (best->at == best->batch->num_rows) RETURN_IF_ERROR(Advance(best));
      if (waiting_ == kRowsPerGroup) RETURN_IF_ERROR(Flush());
    }
    return Flush();
  }

 private:
  struct Input {
    OrderedRows rows;
    std::shared_ptr<RecordBatch> batch;  // null at the end
    std::unique_ptr<RowKeys> keys;
    size_t at = 0;
    std::vector<size_t> targets;  // column i of the input is column targets[i] of the output
  };
  struct Piece {
    std::shared_ptr<RecordBatch> batch;
    const std::vector<size_t>* targets;
    size_t begin;
    size_t end;
  };

  size_t IndexOf(const ColumnRef& ref, size_t stored) const {
    return static_cast<size_t>(std::lower_bound(refs_.begin() + static_cast<ptrdiff_t>(stored), refs_.end(), ref) -
                               refs_.begin());
  }

  absl::Status Copy(Input* input) {
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(bool more, input->rows.scan->Next(&batch));
      RETURN_IF_ERROR(CheckDamage(input->rows.scan->stats()));
      if (!more) return absl::OkStatus();
      RETURN_IF_ERROR(writer_->AddRows(table_, input->rows.columns, std::move(batch)));
    }
  }

  absl::Status Advance(Input* input) {
    do {
      input->batch = std::make_shared<RecordBatch>();
      ASSIGN_OR_RETURN(bool more, input->rows.scan->Next(input->batch.get()));
      RETURN_IF_ERROR(CheckDamage(input->rows.scan->stats()));
      if (!more) {
        input->batch = nullptr;
        return absl::OkStatus();
      }
    } while (input->batch->num_rows == 0);
    input->keys = std::make_unique<RowKeys>(table_, *input->batch);
    input->at = 0;
    return absl::OkStatus();
  }

  // Equal rows stand in the order of the inputs, which lie in one vector.
  static bool Before(const Input& a, size_t row, const Input& b) {
    int order = a.keys->Compare(row, *b.keys, b.at);
    return order < 0 || (order == 0 && &a < &b);
  }

  Input* Least(const Input* except) {
    Input* least = nullptr;
    for (Input& input : inputs_) {
      if (&input == except || input.batch == nullptr) continue;
      if (least == nullptr || Before(input, input.at, *least)) least = &input;
    }
    return least;
  }

  absl::Status Flush() {
    if (waiting_ == 0) return absl::OkStatus();
    // Of each batch that rows come from, and of each of its columns, what the builder made of the texts.
    std::vector<std::vector<std::vector<uint32_t>>> codes;
    auto batches = std::make_shared<std::vector<std::shared_ptr<RecordBatch>>>();
    std::vector<size_t> batch_of(runs_.size());
    for (size_t run = 0; run < runs_.size(); ++run) {
      const auto known = std::find(batches->begin(), batches->end(), runs_[run].batch);
      batch_of[run] = static_cast<size_t>(known - batches->begin());
      if (known != batches->end()) continue;
      batches->push_back(runs_[run].batch);
      codes.emplace_back(runs_[run].batch->columns.size());
    }
    std::vector<ColumnBuilder> builders(refs_.size());
    for (ColumnBuilder& builder : builders) builder.BorrowTexts(batches);
    size_t rows = 0;
    for (size_t run = 0; run < runs_.size(); ++run) {
      const Piece& piece = runs_[run];
      for (size_t i = 0; i < piece.batch->columns.size(); ++i) {
        const Column& from = piece.batch->columns[i];
        if (from.type == Type::kNull) continue;
        ColumnBuilder& builder = builders[(*piece.targets)[i]];
        while (builder.size() < rows) builder.AppendNull();
        builder.AppendRange(from, piece.begin, piece.end, &codes[batch_of[run]][i]);
      }
      rows += piece.end - piece.begin;
    }
    RecordBatch batch;
    batch.num_rows = rows;
    std::vector<ColumnRef> refs;
    for (size_t i = 0; i < builders.size(); ++i) {
      bool is_stored = i < StoredColumns(table_).size();
      if (builders[i].size() == 0 && !is_stored) continue;
      while (builders[i].size() < rows) builders[i].AppendNull();
      refs.push_back(refs_[i]);
      batch.columns.push_back(builders[i].Finish());
    }
    runs_.clear();
    waiting_ = 0;
    return writer_->AddRows(table_, refs, std::move(batch));
  }

  Table table_;
  PartWriter* writer_;
  std::vector<ColumnRef> refs_;
  std::vector<Input> inputs_;
  std::vector<Piece> runs_;
  size_t waiting_ = 0;
};

}  // namespace

absl::Status MergeSources(const std::vector<const Source*>& oldest_first, PartWriter* writer) {
  RETURN_IF_ERROR(MergeSeries(oldest_first, writer));
  std::map<std::string, MetricMetadata> metadata;
  std::map<uint64_t, Stream> streams;
  for (const Source* source : oldest_first) {
    for (MetricMetadata& one : source->Metadata()) metadata[one.metric] = std::move(one);
    for (auto& [fingerprint, stream] : source->Streams()) streams.try_emplace(fingerprint, std::move(stream));
  }
  std::vector<MetricMetadata> all_metadata;
  for (auto& [metric, one] : metadata) all_metadata.push_back(std::move(one));
  RETURN_IF_ERROR(writer->AddMetadata(all_metadata));
  RETURN_IF_ERROR(writer->AddStreams({streams.begin(), streams.end()}));
  for (int table = 0; table < kTableCount; ++table) {
    RETURN_IF_ERROR(RowMerge(static_cast<Table>(table), writer).Run(oldest_first));
  }
  return absl::OkStatus();
}

}  // namespace braid
