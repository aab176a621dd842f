#include <array>
#include <random>

#include "absl/strings/str_cat.h"
#include "engine/base/checksum.h"
#include "engine/base/status_macros.h"
#include "engine/part/label_index.h"
#include "engine/part/part.h"
#include "engine/part/part_meta.h"
#include "engine/part/sample_file.h"
#include "engine/part/stream_table.h"
#include "engine/part/table_file.h"
#include "engine/part/trace_index.h"

namespace braid {
namespace {

uint64_t RandomId() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

class PartWriterImpl : public PartWriter {
 public:
  PartWriterImpl(FileSystem* fs, std::string dir) : fs_(fs), dir_(std::move(dir)), part_id_(RandomId()) {}

  absl::Status AddSeries(const Labels& labels, std::span<const Timestamp> times, std::span<const double> values,
                         std::span<const std::shared_ptr<const Histogram>> histograms) override {
    if (times.size() != values.size() || (!histograms.empty() && histograms.size() != times.size())) {
      return absl::InvalidArgumentError("times, values and histograms differ in number");
    }
    if (meta_.counts.series > 0 && !(last_labels_ < labels)) {
      return absl::InvalidArgumentError(absl::StrCat("series out of order: ", Absl(ToString(labels))));
    }
    if (meta_.counts.series >= UINT32_MAX - 1) return absl::InvalidArgumentError("too many series for one part");
    if (samples_ == nullptr) {
      ASSIGN_OR_RETURN(samples_, SampleFileWriter::Create(fs_, Path(kSamplesFile), FileId(kSamplesFile)));
    }
    RETURN_IF_ERROR(samples_->AddSeries(labels, times, values, histograms));
    label_index_.Add(static_cast<uint32_t>(meta_.counts.series), labels);
    ++meta_.counts.series;
    last_labels_ = labels;
    return absl::OkStatus();
  }

  absl::Status AddMetadata(const std::vector<MetricMetadata>& metadata) override {
    meta_.metadata.insert(meta_.metadata.end(), metadata.begin(), metadata.end());
    return absl::OkStatus();
  }

  absl::Status AddStreams(const std::vector<std::pair<uint64_t, Stream>>& streams) override {
    if (table_ >= 0) return absl::InvalidArgumentError("streams come before rows");
    all_streams_.insert(all_streams_.end(), streams.begin(), streams.end());
    return absl::OkStatus();
  }

  absl::Status AddRows(Table table, const std::vector<ColumnRef>& refs, RecordBatch rows) override {
    if (rows.num_rows == 0) return absl::OkStatus();
    int number = static_cast<int>(table);
    if (number < table_) return absl::InvalidArgumentError("tables come in ascending order");
    if (number > table_) RETURN_IF_ERROR(StartTable(number));
    for (size_t i = 0; i < refs.size() && i < rows.columns.size(); ++i) {
      if (refs[i].level != ColumnLevel::kBuiltin) continue;
      if (refs[i].name == "stream" && table != Table::kExemplars) RETURN_IF_ERROR(ToOrdinals(&rows.columns[i]));
      if (refs[i].name == "trace_id") {
        for (TraceId id : rows.columns[i].trace_ids) traces_.Add(id);
      }
    }
    return rows_->AddRows(refs, std::move(rows));
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(FinishTable());
    if (table_ < 0) streams_ = StreamTable::Make(std::move(all_streams_));
    if (samples_ != nullptr) {
      RETURN_IF_ERROR(samples_->Finish());
      meta_.counts.samples = samples_->samples();
      meta_.sample_range = samples_->range();
      AddFile(kSamplesFile, samples_->file());
      ASSIGN_OR_RETURN(auto file, BlockFileWriter::Create(fs_, Path(kLabelIndexFile), FileKind::kLabelIndex,
                                                          FileId(kLabelIndexFile)));
      RETURN_IF_ERROR(label_index_.Write(file.get()));
      RETURN_IF_ERROR(file->Finish());
      AddFile(kLabelIndexFile, *file);
    }
    RETURN_IF_ERROR(WriteMeta(fs_, Path(kMetaFile), FileId(kMetaFile), meta_, streams_, traces_.Serialize()));
    return fs_->SyncDir(dir_);
  }

 private:
  std::string Path(const std::string& name) const { return dir_ + "/" + name; }
  uint64_t FileId(const std::string& name) const { return Hash64(name, part_id_); }
  void AddFile(const std::string& name, const BlockFileWriter& file) {
    meta_.files.push_back({name, file.size(), file.file_id()});
  }

  absl::Status StartTable(int table) {
    RETURN_IF_ERROR(FinishTable());
    if (table_ < 0) streams_ = StreamTable::Make(std::move(all_streams_));
    table_ = table;
    std::string name(braid::ToString(static_cast<Table>(table)));
    terms_ = std::make_unique<TermIndexWriter>(fs_, Path(name + kSpillSuffix));
    ASSIGN_OR_RETURN(rows_, TableFileWriter::Create(fs_, Path(name), static_cast<Table>(table), FileId(name),
                                                    streams_.size(), terms_.get()));
    return absl::OkStatus();
  }

  absl::Status FinishTable() {
    if (rows_ == nullptr) return absl::OkStatus();
    RETURN_IF_ERROR(rows_->Finish());
    std::string name(braid::ToString(static_cast<Table>(table_)));
    AddFile(name, rows_->file());
    meta_.counts.rows[table_] = rows_->rows();
    meta_.ranges[static_cast<size_t>(table_)] = rows_->range();
    std::string index = name + kIndexSuffix;
    ASSIGN_OR_RETURN(auto file, BlockFileWriter::Create(fs_, Path(index), FileKind::kTermIndex, FileId(index)));
    RETURN_IF_ERROR(terms_->Write(file.get(), rows_->groups()));
    RETURN_IF_ERROR(file->Finish());
    AddFile(index, *file);
    rows_.reset();
    terms_.reset();
    return absl::OkStatus();
  }

  absl::Status ToOrdinals(Column* column) const {
    if (column->type != Type::kInt) return absl::InvalidArgumentError("column stream is not of type int");
    int64_t last = 0;
    uint32_t ordinal = 0;
    bool any = false;
    for (int64_t& value : column->ints) {
      if (!any || value != last) {
        if (!streams_.Find(static_cast<uint64_t>(value), &ordinal)) {
          return absl::InvalidArgumentError("a row of an unknown stream");
        }
        any = true;
        last = value;
      }
      value = ordinal;
    }
    return absl::OkStatus();
  }

  FileSystem* fs_;
  std::string dir_;
  uint64_t part_id_;
  PartMeta meta_;
  Labels last_labels_;
  std::unique_ptr<SampleFileWriter> samples_;
  LabelIndexWriter label_index_;
  std::vector<std::pair<uint64_t, Stream>> all_streams_;
  StreamTable streams_;
  int table_ = -1;
  std::unique_ptr<TermIndexWriter> terms_;
  std::unique_ptr<TableFileWriter> rows_;
  TraceFilterBuilder traces_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartWriter>> PartWriter::Create(FileSystem* fs, const std::string& dir) {
  RETURN_IF_ERROR(fs->CreateDir(dir));
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs->List(dir));
  if (!names.empty()) return absl::InvalidArgumentError(absl::StrCat(dir, " is not empty"));
  return std::make_unique<PartWriterImpl>(fs, dir);
}

}  // namespace braid
