#include "engine/part/part_meta.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"

namespace braid {

const PartFile* PartMeta::FindFile(const std::string& name) const {
  for (const PartFile& file : files) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

absl::Status WriteMeta(FileSystem* fs, const std::string& path, uint64_t file_id, const PartMeta& meta,
                       const StreamTable& streams, const std::string& trace_filter) {
  ASSIGN_OR_RETURN(auto file, BlockFileWriter::Create(fs, path, FileKind::kMeta, file_id));
  std::string counts;
  PutVarint(&counts, meta.counts.series);
  PutVarint(&counts, meta.counts.samples);
  for (int table = 0; table < kTableCount; ++table) {
    PutVarint(&counts, meta.counts.rows[table]);
    PutZigzag(&counts, meta.ranges[static_cast<size_t>(table)].start);
    PutZigzag(&counts, meta.ranges[static_cast<size_t>(table)].end);
  }
  PutZigzag(&counts, meta.sample_range.start);
  PutZigzag(&counts, meta.sample_range.end);
  PutVarint(&counts, meta.files.size());
  for (const PartFile& one : meta.files) {
    PutBytes(&counts, one.name);
    PutVarint(&counts, one.size);
    PutFixed64(&counts, one.id);
  }
  // The last word about a metric counts.
  std::map<std::string, const MetricMetadata*> by_metric;
  for (const MetricMetadata& one : meta.metadata) by_metric[one.metric] = &one;
  std::string metadata;
  PutVarint(&metadata, by_metric.size());
  for (const auto& [metric, one] : by_metric) {
    PutBytes(&metadata, metric);
    PutBytes(&metadata, one->type);
    PutBytes(&metadata, one->unit);
    PutBytes(&metadata, one->help);
  }
  struct Section {
    const char* name;
    BlockType type;
    Compression compression;
    std::string bytes;
  };
  const Section sections[] = {{"counts", BlockType::kCounts, Compression::kNone, std::move(counts)},
                              {"metadata", BlockType::kMetadata, Compression::kZstd, std::move(metadata)},
                              {"streams", BlockType::kStreams, Compression::kZstd, streams.Serialize()},
                              {"traces", BlockType::kTraceFilter, Compression::kNone, trace_filter}};
  for (const Section& section : sections) {
    ASSIGN_OR_RETURN(BlockRef ref, file->AddBlock(section.type, section.compression, section.bytes));
    file->AddSection(section.name, ref);
  }
  return file->Finish();
}

absl::Status ReadMeta(const BlockFileReader& file, PartMeta* meta, StreamTable* streams, TraceFilter* traces) {
  std::string plain;
  RETURN_IF_ERROR(file.ReadSection("counts", BlockType::kCounts, &plain));
  Decoder in(plain);
  bool ok = in.ReadVarint(&meta->counts.series) && in.ReadVarint(&meta->counts.samples);
  for (size_t table = 0; ok && table < kTableCount; ++table) {
    ok = in.ReadVarint(&meta->counts.rows[table]) && in.ReadZigzag(&meta->ranges[table].start) &&
         in.ReadZigzag(&meta->ranges[table].end);
  }
  uint64_t count = 0;
  ok = ok && in.ReadZigzag(&meta->sample_range.start) && in.ReadZigzag(&meta->sample_range.end) &&
       in.ReadVarintMax(kMaxSections, &count);
  for (uint64_t i = 0; ok && i < count; ++i) {
    std::string_view name;
    PartFile one;
    ok = in.ReadBytes(&name) && in.ReadVarint(&one.size) && in.ReadFixed64(&one.id);
    one.name = name;
    meta->files.push_back(std::move(one));
  }
  if (!ok || !in.done()) return absl::DataLossError(absl::StrCat(file.name(), ": counts do not parse"));

  RETURN_IF_ERROR(file.ReadSection("metadata", BlockType::kMetadata, &plain));
  Decoder words(plain);
  ok = words.ReadVarintMax(plain.size(), &count);
  for (uint64_t i = 0; ok && i < count; ++i) {
    std::string_view metric, type, unit, help;
    ok = words.ReadBytes(&metric) && words.ReadBytes(&type) && words.ReadBytes(&unit) && words.ReadBytes(&help);
    if (ok) meta->metadata.push_back({std::string(metric), std::string(type), std::string(unit), std::string(help)});
  }
  if (!ok || !words.done()) return absl::DataLossError(absl::StrCat(file.name(), ": metadata does not parse"));

  RETURN_IF_ERROR(file.ReadSection("streams", BlockType::kStreams, &plain));
  ASSIGN_OR_RETURN(*streams, StreamTable::Parse(plain));
  RETURN_IF_ERROR(file.ReadSection("traces", BlockType::kTraceFilter, &plain));
  ASSIGN_OR_RETURN(*traces, TraceFilter::Parse(plain));
  return absl::OkStatus();
}

}  // namespace braid
