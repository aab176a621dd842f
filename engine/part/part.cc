#include "engine/part/part.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/part/part_impl.h"
#include "engine/part/series_scan.h"

namespace braid {

absl::StatusOr<std::shared_ptr<Part>> Part::Open(FileSystem* fs, const std::string& dir, const std::string& name) {
  auto part = std::make_shared<PartImpl>(fs, dir, name);
  absl::Status status = part->Load();
  if (absl::IsNotFound(status)) {
    return absl::DataLossError(absl::StrCat(part->name(), ": a file is missing: ", status.message()));
  }
  RETURN_IF_ERROR(status);
  return part;
}

absl::Status PartImpl::Load() {
  ASSIGN_OR_RETURN(auto meta, BlockFileReader::Open(fs_, Path(kMetaFile), FileLabel(kMetaFile), FileKind::kMeta));
  StreamTable streams;
  TraceFilter traces;
  RETURN_IF_ERROR(ReadMeta(*meta, &meta_, &streams, &traces));
  streams_ = std::make_shared<const StreamTable>(std::move(streams));
  traces_ = std::make_shared<const TraceFilter>(std::move(traces));
  byte_size_ = meta->size();
  for (const PartFile& file : meta_.files) {
    byte_size_ += file.size;
    // Indexes are read when first needed, but opened now: by then a writer may have merged the part away.
    if (!std::string_view(file.name).ends_with(kIndexSuffix)) continue;
    absl::StatusOr<std::unique_ptr<RandomReadFile>> opened = fs_->OpenRead(Path(file.name));
    if (opened.ok()) index_files_.emplace(file.name, *std::move(opened));
  }

  auto check = [&](const char* what, const BlockFileReader& file, const std::string& name) {
    const PartFile* listed = meta_.FindFile(name);
    if (listed->size == file.size() && listed->id == file.file_id()) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(FileLabel(name), ": ", what, " of another part, or of another size"));
  };
  if (meta_.FindFile(kSamplesFile) != nullptr) {
    ASSIGN_OR_RETURN(samples_, SampleFileReader::Open(fs_, Path(kSamplesFile), FileLabel(kSamplesFile)));
    RETURN_IF_ERROR(check("samples", samples_->file(), kSamplesFile));
  }
  if ((samples_ == nullptr ? 0 : samples_->series()) != meta_.counts.series) {
    return absl::DataLossError(absl::StrCat(name_, ": number of series is not as counted"));
  }
  for (int number = 0; number < kTableCount; ++number) {
    Table table = static_cast<Table>(number);
    std::string file(braid::ToString(table));
    auto& reader = tables_[static_cast<size_t>(number)];
    if (meta_.FindFile(file) != nullptr) {
      ASSIGN_OR_RETURN(reader, TableFileReader::Open(fs_, Path(file), FileLabel(file), table, streams_->size()));
      RETURN_IF_ERROR(check("rows", reader->file(), file));
    }
    if ((reader == nullptr ? 0 : reader->rows()) != meta_.counts.rows[number]) {
      return absl::DataLossError(absl::StrCat(FileLabel(file), ": number of rows is not as counted"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RandomReadFile>> PartImpl::TakeIndexFile(const std::string& name) const {
  const auto found = index_files_.find(name);
  if (found == index_files_.end() || found->second == nullptr) return fs_->OpenRead(Path(name));
  return std::move(found->second);
}

absl::StatusOr<const TermIndex*> PartImpl::Terms(Table table) const {
  return terms_[static_cast<size_t>(table)].Get([&]() -> absl::StatusOr<std::unique_ptr<TermIndex>> {
    std::string file = std::string(braid::ToString(table)) + kIndexSuffix;
    uint32_t groups = static_cast<uint32_t>(tables_[static_cast<size_t>(table)]->groups().size());
    ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> opened, TakeIndexFile(file));
    ASSIGN_OR_RETURN(auto index, TermIndex::Open(std::move(opened), FileLabel(file), groups));
    const PartFile* listed = meta_.FindFile(file);
    // An index of another part would hide rows; it must be the one that was written with these.
    if (listed == nullptr || listed->id != index->file().file_id()) {
      return absl::DataLossError(absl::StrCat(FileLabel(file), ": index of another part"));
    }
    return index;
  });
}

absl::StatusOr<const LabelIndex*> PartImpl::LabelsIndex() const {
  return labels_.Get([&]() -> absl::StatusOr<std::unique_ptr<LabelIndex>> {
    ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> opened, TakeIndexFile(kLabelIndexFile));
    ASSIGN_OR_RETURN(auto index, LabelIndex::Open(std::move(opened), FileLabel(kLabelIndexFile),
                                                  static_cast<uint32_t>(meta_.counts.series)));
    const PartFile* listed = meta_.FindFile(kLabelIndexFile);
    if (listed == nullptr || listed->id != index->file().file_id()) {
      return absl::DataLossError(absl::StrCat(FileLabel(kLabelIndexFile), ": index of another part"));
    }
    return index;
  });
}

TableContext PartImpl::Context(Table table) const {
  TableContext context;
  context.table = table;
  context.file = tables_[static_cast<size_t>(table)];
  context.streams = streams_;
  context.traces = traces_;
  context.terms = [this, table] { return Terms(table); };
  context.owner = shared_from_this();
  return context;
}

absl::StatusOr<std::unique_ptr<Scan>> PartImpl::OpenScan(const ScanSpec& spec) const {
  return MakeTableScan(Context(spec.table), spec);
}

absl::StatusOr<OrderedRows> PartImpl::OpenOrderedRows(Table table, const std::vector<ColumnRef>& more) const {
  return MakeOrderedRows(Context(table), more);
}

absl::StatusOr<std::unique_ptr<SeriesScan>> PartImpl::OpenSeriesScan(const SeriesSpec& spec) const {
  SeriesContext context;
  context.file = samples_;
  context.labels = [this] { return LabelsIndex(); };
  context.owner = shared_from_this();
  return MakeSeriesScan(std::move(context), spec);
}

std::vector<std::pair<uint64_t, Stream>> PartImpl::Streams() const {
  std::vector<std::pair<uint64_t, Stream>> streams;
  for (const StreamTable::Entry& entry : streams_->entries()) streams.emplace_back(entry.fingerprint, entry.stream);
  return streams;
}

TimeRange PartImpl::time_range() const {
  TimeRange all = meta_.sample_range;
  for (const TimeRange& range : meta_.ranges) {
    all.start = std::min(all.start, range.start);
    all.end = std::max(all.end, range.end);
  }
  return all;
}

uint64_t PartImpl::DerivedRows(Table table, const std::string& name) const {
  const TableFileReader& file = *tables_[static_cast<size_t>(table)];
  auto stored_rows = [&](ColumnLevel level, const std::string& stored) -> uint64_t {
    int column = file.FindColumn({level, stored});
    return column < 0 ? 0 : file.columns()[static_cast<size_t>(column)].rows;
  };
  if (name == "duration") return stored_rows(ColumnLevel::kBuiltin, "end");
  if (name == "metric") return stored_rows(ColumnLevel::kAttribute, std::string(kMetricNameLabel));
  if (table == Table::kExemplars) return file.rows();  // service, instance: at most
  uint64_t rows = 0;
  for (uint32_t i = 0; i < streams_->size(); ++i) {
    if (streams_->ValueOf(i, ColumnLevel::kBuiltin, name).index() != 0) {
      rows += static_cast<uint64_t>(file.stream_rows()[i]);
    }
  }
  return rows;
}

void PartImpl::AddStreamColumns(Table table, std::vector<ColumnInfo>* columns) const {
  struct Met {
    uint32_t types = 0;
    uint64_t rows = 0;
  };
  constexpr Type kTypeOf[] = {Type::kNull, Type::kBool, Type::kInt, Type::kDouble, Type::kString};
  std::map<ColumnRef, Met> met;
  for (size_t i = 0; i < streams_->size(); ++i) {
    uint64_t rows = static_cast<uint64_t>(tables_[static_cast<size_t>(table)]->stream_rows()[i]);
    if (rows == 0) continue;
    auto add = [&](ColumnLevel level, const std::vector<Attribute>& attributes) {
      for (const Attribute& attribute : attributes) {
        if (attribute.value.index() == 0) continue;
        Met& one = met[{level, attribute.name}];
        one.types |= uint32_t{1} << static_cast<int>(kTypeOf[attribute.value.index()]);
        one.rows += rows;
      }
    };
    add(ColumnLevel::kResource, streams_->entries()[i].stream.resource);
    add(ColumnLevel::kScope, streams_->entries()[i].stream.scope_attributes);
  }
  for (const auto& [ref, one] : met) {
    ColumnInfo info{ref, {}, one.rows};
    for (int type = 0; type < 32; ++type) {
      if ((one.types >> type & 1) != 0) info.types.push_back(static_cast<Type>(type));
    }
    columns->push_back(std::move(info));
  }
}

std::vector<ColumnInfo> PartImpl::Columns(Table table) const {
  const auto find = [&]() -> absl::StatusOr<std::unique_ptr<std::vector<ColumnInfo>>> {
    return std::make_unique<std::vector<ColumnInfo>>(FindColumns(table));
  };
  return **columns_[static_cast<size_t>(table)].Get(find);
}

std::vector<ColumnInfo> PartImpl::FindColumns(Table table) const {
  std::vector<ColumnInfo> columns;
  const TableFileReader* file = tables_[static_cast<size_t>(table)].get();
  if (file == nullptr) return columns;
  for (const auto& [name, type] : BuiltinColumns(table)) {
    int column = file->FindColumn({ColumnLevel::kBuiltin, name});
    uint64_t rows = column >= 0 ? file->columns()[static_cast<size_t>(column)].rows : DerivedRows(table, name);
    // Step by step: where memory runs out within nested braces, GCC 12 destroys what they hold twice.
    ColumnInfo info;
    info.ref.level = ColumnLevel::kBuiltin;
    info.ref.name = name;
    info.types.push_back(type);
    info.rows = rows;
    columns.push_back(std::move(info));
  }
  size_t builtin = columns.size();
  for (const TableColumn& column : file->columns()) {
    if (column.ref.level != ColumnLevel::kAttribute || column.rows == 0) continue;
    ColumnInfo info{column.ref, {}, column.rows};
    for (int type = 1; type <= static_cast<int>(Type::kHistogram); ++type) {
      if ((column.types >> type & 1) != 0) info.types.push_back(static_cast<Type>(type));
    }
    columns.push_back(std::move(info));
  }
  if (table != Table::kExemplars) AddStreamColumns(table, &columns);
  std::sort(columns.begin() + static_cast<ptrdiff_t>(builtin), columns.end(),
            [](const ColumnInfo& a, const ColumnInfo& b) { return a.ref < b.ref; });
  return columns;
}

}  // namespace braid
