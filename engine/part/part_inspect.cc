#include "engine/part/part_inspect.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/base/utc_text.h"
#include "engine/part/label_index.h"
#include "engine/part/part_impl.h"
#include "engine/part/part_meta.h"
#include "engine/part/sample_file.h"
#include "engine/part/stream_table.h"
#include "engine/part/table_file.h"
#include "engine/part/term_index.h"
#include "engine/part/trace_index.h"

namespace braid {
namespace {

using AddLine = std::function<bool(const std::string&)>;

// Values of one label name that are named; the rest is counted.
constexpr size_t kValuesShown = 5;

const char* NameOf(FileKind kind) {
  switch (kind) {
    case FileKind::kMeta: return "meta";
    case FileKind::kSamples: return "samples";
    case FileKind::kLabelIndex: return "label index";
    case FileKind::kTable: return "table";
    case FileKind::kTermIndex: return "term index";
  }
  return "unknown";
}

std::string NameOf(BlockType type) {
  static constexpr const char* kNames[] = {"footer",         "directory",    "chunks", "series", "column",
                                           "packed columns", "label values", "terms",  "counts", "streams",
                                           "metadata",       "trace filter", "parents"};
  const auto number = static_cast<size_t>(type);
  if (number >= 1 && number <= std::size(kNames)) return kNames[number - 1];
  return absl::StrCat("unknown type ", number);
}

std::string TextOf(TimeRange range) {
  return range.empty() ? "none" : UtcText(range.start) + ".." + UtcText(range.end);
}

std::string TextOf(const Stream& stream) {
  std::string text;
  for (const Attribute& attribute : stream.resource) {
    absl::StrAppend(&text, " ", attribute.name, "=", ToText(View(attribute.value)));
  }
  if (!stream.scope_name.empty()) absl::StrAppend(&text, " scope=", stream.scope_name);
  return text;
}

std::string TextOf(const ColumnRef& ref) {
  return ref.level == ColumnLevel::kAttribute ? absl::StrCat("attribute ", ref.name) : ref.name;
}

absl::Status InspectMeta(FileSystem* fs, const std::string& path, const std::string& name, const AddLine& add) {
  ASSIGN_OR_RETURN(auto file, BlockFileReader::Open(fs, path, name, FileKind::kMeta));
  PartMeta meta;
  StreamTable streams;
  TraceFilter traces;
  RETURN_IF_ERROR(ReadMeta(*file, &meta, &streams, &traces));
  add(absl::StrCat("series ", meta.counts.series, ", samples ", meta.counts.samples, ", time ",
                   TextOf(meta.sample_range)));
  for (int table = 0; table < kTableCount; ++table) {
    add(absl::StrCat(std::string(ToString(static_cast<Table>(table))), " ", meta.counts.rows[table], " rows, time ",
                     TextOf(meta.ranges[table])));
  }
  for (const PartFile& one : meta.files) {
    add(absl::StrCat("file ", one.name, " ", one.size, " bytes, id ", absl::Hex(one.id, absl::kZeroPad16)));
  }
  add(absl::StrCat("trace filter: ", traces.ids(), " ids, ", traces.byte_size(), " bytes"));
  for (size_t i = 0; i < streams.size(); ++i) {
    const StreamTable::Entry& entry = streams.entries()[i];
    if (!add(absl::StrCat("stream ", i, " ", absl::Hex(entry.fingerprint, absl::kZeroPad16), TextOf(entry.stream)))) {
      break;
    }
  }
  for (const MetricMetadata& metadata : meta.metadata) {
    if (!add(absl::StrCat("metric ", metadata.metric, " type=", metadata.type, " unit=", metadata.unit))) break;
  }
  return absl::OkStatus();
}

absl::Status InspectSamples(FileSystem* fs, const std::string& path, const std::string& name, const AddLine& add) {
  ASSIGN_OR_RETURN(auto file, SampleFileReader::Open(fs, path, name));
  add(absl::StrCat("series ", file->series(), ", samples ", file->samples()));
  std::vector<SeriesInfo> series;
  for (const SampleFileReader::Block& block : file->blocks()) {
    add(absl::StrCat("series block at ", block.ref.offset, ": ", block.series, " series from ", block.first_series,
                     ", samples ", block.samples, ", time ", TextOf(block.range)));
    if (const absl::Status status = file->ReadSeries(block, &series); !status.ok()) {
      if (!add(absl::StrCat("DAMAGED ", status.message()))) return absl::OkStatus();
      continue;
    }
    for (const SeriesInfo& info : series) {
      if (!add(absl::StrCat("  ", ToString(info.labels)))) return absl::OkStatus();
      for (const ChunkInfo& chunk : info.chunks) {
        const bool more = add(absl::StrCat("    chunk in block at ", chunk.block.offset, " bytes ", chunk.begin, "..",
                                           chunk.begin + chunk.size, ": ", chunk.count,
                                           chunk.has_histograms ? " histograms" : " floats", ", time ",
                                           TextOf(chunk.range()), ", min ", chunk.min, ", max ", chunk.max));
        if (!more) return absl::OkStatus();
      }
    }
  }
  return absl::OkStatus();
}

absl::Status InspectLabels(FileSystem* fs, const std::string& path, const std::string& name, const AddLine& add) {
  // Ordinals are bounded by the number of series; here it does not matter which.
  ASSIGN_OR_RETURN(auto index, LabelIndex::Open(fs, path, name, UINT32_MAX));
  std::string label;
  size_t values = 0;
  uint64_t pairs = 0;
  auto close = [&] {
    if (values > kValuesShown) add(absl::StrCat("  and ", values - kValuesShown, " more values"));
  };
  RETURN_IF_ERROR(index->ForEach([&](const std::string& of, const std::string& value, const Postings& postings) {
    if (of != label || pairs == 0) {
      close();
      label = of;
      values = 0;
      add(absl::StrCat("label ", of));
    }
    ++pairs;
    if (++values <= kValuesShown) add(absl::StrCat("  ", value, ": ", postings.ToVector().size(), " series"));
  }));
  close();
  add(absl::StrCat(pairs, " label pairs"));
  return absl::OkStatus();
}

absl::Status InspectTable(FileSystem* fs, const std::string& path, const std::string& name, Table table, size_t streams,
                          const AddLine& add) {
  ASSIGN_OR_RETURN(auto file, TableFileReader::Open(fs, path, name, table, streams));
  add(absl::StrCat(file->rows(), " rows in ", file->groups().size(), " row groups, ", file->columns().size(),
                   " columns"));
  for (size_t i = 0; i < file->columns().size(); ++i) {
    const TableColumn& column = file->columns()[i];
    std::string types;
    for (int type = 0; type < 32; ++type) {
      if (column.types & (1u << type)) absl::StrAppend(&types, " ", std::string(ToString(static_cast<Type>(type))));
    }
    if (!add(absl::StrCat("column ", i, " ", TextOf(column.ref), ":", types, ", in ", column.rows, " rows"))) {
      return absl::OkStatus();
    }
  }
  for (size_t number = 0; number < file->groups().size(); ++number) {
    const RowGroup& group = file->groups()[number];
    add(absl::StrCat("row group ", number, ": rows ", group.first_row, "..", group.first_row + group.rows, ", time ",
                     TextOf(group.time), ", end ", UtcText(group.max_end), ", streams ", group.min_stream, "..",
                     group.max_stream, ", traces ", ToHex(group.min_trace), "..", ToHex(group.max_trace)));
    for (const RowGroup::Block& block : group.blocks) {
      std::string text = absl::StrCat("  block at ", block.ref.offset, ", ", block.ref.size, " bytes",
                                      block.packed ? ", packed:" : ":");
      for (uint32_t column : block.columns) absl::StrAppend(&text, " ", TextOf(file->columns()[column].ref));
      if (!add(text)) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status InspectTerms(FileSystem* fs, const std::string& path, const std::string& name, uint32_t groups,
                          const AddLine& add) {
  ASSIGN_OR_RETURN(auto index, TermIndex::Open(fs, path, name, groups));
  ASSIGN_OR_RETURN(const TermIndex::All all, index->LoadAll());
  size_t widest = 0, everywhere = 0;
  for (size_t i = 0; i < all.hashes.size(); ++i) {
    const size_t count = all.begin[i + 1] - all.begin[i];
    widest = std::max(widest, count);
    if (count == groups) ++everywhere;
  }
  add(absl::StrCat(index->entries(), " terms of ", all.bits, " bits over ", groups, " row groups: ", all.groups.size(),
                   " entries, at most ", widest, " a term, ", everywhere, " terms in every row group"));
  return absl::OkStatus();
}

}  // namespace

absl::Status InspectPartFile(FileSystem* fs, const std::string& dir, const std::string& file, const AddLine& add) {
  const std::string path = dir + "/" + file;
  const FileKind kind = KindOfPartFile(file);
  ASSIGN_OR_RETURN(auto blocks, BlockFileReader::Open(fs, path, path, kind));
  add(absl::StrCat(NameOf(kind), " file ", file, ", ", blocks->size(), " bytes, id ",
                   absl::Hex(blocks->file_id(), absl::kZeroPad16)));
  for (const auto& [name, ref] : blocks->sections()) {
    add(absl::StrCat("section ", name, " at ", ref.offset, ", ", ref.size, " bytes"));
  }
  // What the file's own directory says. A table needs the streams of its part, a term index its table.
  auto describe = [&]() -> absl::Status {
    if (kind == FileKind::kMeta) return InspectMeta(fs, path, path, add);
    if (kind == FileKind::kSamples) return InspectSamples(fs, path, path, add);
    if (kind == FileKind::kLabelIndex) return InspectLabels(fs, path, path, add);
    const std::string table_name = kind == FileKind::kTable ? file : file.substr(0, file.find('.'));
    Table table = Table::kLogs;
    while (ToString(table) != table_name) {
      if (static_cast<int>(table) + 1 == kTableCount) return absl::DataLossError(path + " is no file of a part");
      table = static_cast<Table>(static_cast<int>(table) + 1);
    }
    const std::string meta_path = dir + "/" + kMetaFile;
    ASSIGN_OR_RETURN(auto meta_file, BlockFileReader::Open(fs, meta_path, meta_path, FileKind::kMeta));
    PartMeta meta;
    StreamTable streams;
    TraceFilter traces;
    RETURN_IF_ERROR(ReadMeta(*meta_file, &meta, &streams, &traces));
    if (kind == FileKind::kTable) return InspectTable(fs, path, path, table, streams.size(), add);
    const std::string table_path = dir + "/" + table_name;
    ASSIGN_OR_RETURN(auto rows, TableFileReader::Open(fs, table_path, table_path, table, streams.size()));
    return InspectTerms(fs, path, path, static_cast<uint32_t>(rows->groups().size()), add);
  };
  if (const absl::Status status = describe(); !status.ok()) add(absl::StrCat("DAMAGED ", status.message()));
  bool wanted = true;
  const absl::Status walked = blocks->Walk([&](const BlockFileReader::BlockInfo& block, const absl::Status& status) {
    if (!wanted) return;
    static constexpr const char* kCompressions[] = {"plain", "lz4", "zstd"};
    const auto compression = static_cast<size_t>(block.compression);
    wanted = add(absl::StrCat("block at ", block.ref.offset, ", ", block.ref.size, " bytes: ", NameOf(block.type), ", ",
                              compression < std::size(kCompressions) ? kCompressions[compression] : "unknown", " of ",
                              block.plain_size, status.ok() ? "" : absl::StrCat(" DAMAGED ", status.message())));
  });
  if (!walked.ok()) add(absl::StrCat("DAMAGED ", walked.message()));
  return absl::OkStatus();
}

}  // namespace braid
