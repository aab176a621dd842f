// Reading all of a part and checking that what is said twice agrees: directories with blocks, indexes with rows.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/part/columns.h"
#include "engine/part/part_impl.h"
#include "engine/part/row_order.h"
#include "engine/part/term_keys.h"

namespace braid {
namespace {

void Report(const absl::Status& status, std::vector<std::string>* problems) {
  std::string text(status.message());
  if (std::find(problems->begin(), problems->end(), text) == problems->end()) problems->push_back(std::move(text));
}

}  // namespace

FileKind KindOfPartFile(const std::string& name) {
  if (name == kMetaFile) return FileKind::kMeta;
  if (name == kSamplesFile) return FileKind::kSamples;
  if (name == kLabelIndexFile) return FileKind::kLabelIndex;
  return name.ends_with(kIndexSuffix) ? FileKind::kTermIndex : FileKind::kTable;
}

absl::Status PartImpl::VerifyBlocks(const std::string& file, FileKind kind, std::vector<std::string>* problems,
                                    const std::function<void(uint64_t bytes)>& progress, uint64_t* blocks) const {
  auto reader = BlockFileReader::Open(fs_, Path(file), FileLabel(file), kind);
  if (!reader.ok()) {
    Report(reader.status(), problems);
    return absl::OkStatus();
  }
  const PartFile* listed = meta_.FindFile(file);
  if (listed != nullptr && (listed->size != (*reader)->size() || listed->id != (*reader)->file_id())) {
    problems->push_back(absl::StrCat(FileLabel(file), ": of another part, or of another size"));
  }
  absl::Status status = (*reader)->Walk([&](const BlockFileReader::BlockInfo& info, const absl::Status& block) {
    ++*blocks;
    if (progress) progress(info.ref.size);
    if (!block.ok()) Report(block, problems);
  });
  if (!status.ok()) Report(status, problems);
  return absl::OkStatus();
}

absl::Status PartImpl::VerifySeries(std::vector<std::string>* problems) const {
  std::map<std::pair<std::string, std::string>, Postings> pairs;
  Labels last;
  uint64_t samples = 0;
  for (const SampleFileReader::Block& block : samples_->blocks()) {
    std::vector<SeriesInfo> series;
    absl::Status status = samples_->ReadSeries(block, &series);
    if (!status.ok()) {
      Report(status, problems);
      continue;
    }
    uint32_t ordinal = block.first_series;
    for (const SeriesInfo& info : series) {
      if (ordinal > 0 && !(last < info.labels)) {
        problems->push_back(
            absl::StrCat(FileLabel(kSamplesFile), ": series out of order: ", Absl(ToString(info.labels))));
      }
      last = info.labels;
      for (const Label& label : info.labels) pairs[{label.name, label.value}].Add(ordinal);
      ++ordinal;
      BlockRef loaded;
      std::string plain;
      Timestamp last_time = kMinTimestamp;
      for (const ChunkInfo& chunk : info.chunks) {
        std::vector<Timestamp> times;
        std::vector<double> values;
        std::vector<std::shared_ptr<const Histogram>> histograms;
        if (!(loaded == chunk.block)) status = samples_->ReadChunkBlock(chunk.block, &plain);
        loaded = chunk.block;
        if (status.ok()) status = samples_->DecodeChunkOf(chunk, plain, &times, &values, &histograms);
        if (!status.ok()) {
          Report(status, problems);
          status = absl::OkStatus();
          loaded = {};
          continue;
        }
        const bool lies =
            chunk.has_no_nan && std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); });
        if (lies || chunk.has_histograms != !histograms.empty() || !block.range.Contains(chunk.first_time) ||
            !block.range.Contains(chunk.last_time) ||
            (samples > 0 && &chunk != &info.chunks[0] && chunk.first_time <= last_time)) {
          problems->push_back(absl::StrCat(FileLabel(kSamplesFile), " block ", chunk.block.offset,
                                           ": a chunk is not as its series block describes it"));
        }
        last_time = chunk.last_time;
        samples += chunk.count;
      }
    }
  }
  if (samples != meta_.counts.samples && problems->empty()) {
    problems->push_back(
        absl::StrCat(FileLabel(kSamplesFile), ": ", samples, " samples, ", meta_.counts.samples, " counted"));
  }
  absl::StatusOr<const LabelIndex*> index = LabelsIndex();
  if (!index.ok()) {
    Report(index.status(), problems);
    return absl::OkStatus();
  }
  size_t met = 0;
  absl::Status status = (*index)->ForEach([&](const std::string& name, const std::string& value,
                                              const Postings& postings) {
    auto at = pairs.find({name, value});
    if (at == pairs.end() || at->second.ToVector() != postings.ToVector()) {
      problems->push_back(absl::StrCat(FileLabel(kLabelIndexFile), ": postings of ", name, "=", value, " are wrong"));
    } else {
      ++met;
    }
  });
  if (!status.ok()) {
    Report(status, problems);
  } else if (met != pairs.size() && problems->empty()) {
    problems->push_back(absl::StrCat(FileLabel(kLabelIndexFile), ": label pairs are missing"));
  }
  return absl::OkStatus();
}

absl::Status PartImpl::VerifyTable(Table table, std::vector<std::string>* problems) const {
  const TableFileReader& file = *tables_[static_cast<size_t>(table)];
  std::string label = FileLabel(std::string(braid::ToString(table)));
  absl::StatusOr<const TermIndex*> terms = Terms(table);
  TermIndex::All all;
  if (terms.ok()) {
    auto loaded = (*terms)->LoadAll();
    if (loaded.ok()) {
      all = *std::move(loaded);
    } else {
      terms = loaded.status();
    }
  }
  if (!terms.ok()) Report(terms.status(), problems);
  RecordBatch before;
  for (uint32_t number = 0; number < file.groups().size(); ++number) {
    const RowGroup& group = file.groups()[number];
    GroupReader reader(&file, &group);
    RecordBatch rows;
    rows.num_rows = group.rows;
    bool sound = true;
    for (size_t i = 0; i < file.columns().size(); ++i) {
      Column column;
      absl::Status status = reader.Read(static_cast<int>(i), &column);
      if (!status.ok()) {
        Report(status, problems);
        sound = false;
        continue;
      }
      if (terms.ok()) {
        for (uint64_t term : ColumnTerms(table, file.columns()[i].ref, column)) {
          if (!all.Has(term, number)) {
            problems->push_back(absl::StrCat(label, ": row group ", number, ": the term index lacks values of column ",
                                             file.columns()[i].ref.name));
            break;
          }
        }
      }
      // Keys of the order are among the built-in columns; attributes need not be kept.
      if (i < StoredColumns(table).size()) rows.columns.push_back(std::move(column));
    }
    if (!sound) {
      before = RecordBatch();
      continue;
    }
    auto wrong = [&](const char* what) {
      problems->push_back(absl::StrCat(label, ": row group ", number, ": ", what));
    };
    RowKeys keys(table, rows);
    bool ordered = true;
    for (size_t row = 1; row < rows.num_rows; ++row) ordered &= keys.Compare(row - 1, keys, row) <= 0;
    if (before.num_rows > 0) ordered &= RowKeys(table, before).Compare(before.num_rows - 1, keys, 0) <= 0;
    if (!ordered) wrong("rows are out of order");
    const Column& time = rows.columns[0];
    if (time.type == Type::kNull) {
      wrong("times are missing");
    } else {
      auto [least, greatest] = std::minmax_element(time.ints.begin(), time.ints.end());
      if (*least != group.time.start || *greatest != group.time.end) wrong("times are not as the zone map says");
    }
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      if (StoredColumns(table)[i].first != "trace_id") continue;
      for (size_t row = 0; row < rows.num_rows; ++row) {
        const Column& traces = rows.columns[i];
        if (traces.IsNull(row) || traces.trace_ids[row].IsZero()) continue;
        TraceId id = traces.trace_ids[row];
        if (id < group.min_trace || group.max_trace < id || !traces_->MayContain(id)) {
          wrong("a trace id is not in the zone map or the trace filter");
          break;
        }
      }
    }
    before = std::move(rows);
  }
  return absl::OkStatus();
}

absl::Status PartImpl::Verify(std::vector<std::string>* problems, const std::function<void(uint64_t bytes)>& progress,
                              uint64_t* blocks) const {
  std::vector<std::string> own;
  RETURN_IF_ERROR(VerifyBlocks(kMetaFile, FileKind::kMeta, &own, progress, blocks));
  for (const PartFile& file : meta_.files) {
    RETURN_IF_ERROR(VerifyBlocks(file.name, KindOfPartFile(file.name), &own, progress, blocks));
  }
  if (samples_ != nullptr) RETURN_IF_ERROR(VerifySeries(&own));
  for (int table = 0; table < kTableCount; ++table) {
    if (tables_[static_cast<size_t>(table)] != nullptr) RETURN_IF_ERROR(VerifyTable(static_cast<Table>(table), &own));
  }
  problems->insert(problems->end(), own.begin(), own.end());
  return absl::OkStatus();
}

}  // namespace braid
