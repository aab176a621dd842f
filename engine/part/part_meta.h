// The file `meta` of a part: what the part holds, and what every scan needs at hand.
//
//   counts section   := series:varint samples:varint { rows:varint min:zigzag max:zigzag }[5]
//                       min_sample:zigzag max_sample:zigzag files:varint { name:bytes size:varint id:fixed64 }*
//   metadata section := count:varint { metric:bytes type:bytes unit:bytes help:bytes }*          (by metric)
//   streams, traces  := StreamTable, TraceFilter
//
// A range without rows has min > max. Threads: values. Errors: DataLoss.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/part/block_file.h"
#include "engine/part/source.h"
#include "engine/part/stream_table.h"
#include "engine/part/trace_index.h"

namespace braid {

inline constexpr TimeRange kNoTime{kMaxTimestamp, kMinTimestamp};

struct PartFile {
  std::string name;
  uint64_t size = 0;
  uint64_t id = 0;
};

struct PartMeta {
  SourceCounts counts;
  std::array<TimeRange, kTableCount> ranges = {kNoTime, kNoTime, kNoTime, kNoTime, kNoTime};  // as Source::Range
  TimeRange sample_range = kNoTime;
  std::vector<PartFile> files;  // all but meta itself
  std::vector<MetricMetadata> metadata;

  const PartFile* FindFile(const std::string& name) const;
};

absl::Status WriteMeta(FileSystem* fs, const std::string& path, uint64_t file_id, const PartMeta& meta,
                       const StreamTable& streams, const std::string& trace_filter);
absl::Status ReadMeta(const BlockFileReader& file, PartMeta* meta, StreamTable* streams, TraceFilter* traces);

}  // namespace braid
