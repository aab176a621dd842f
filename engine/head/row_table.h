// The rows of one table of a head, in the order in which they were written. The five tables differ only in how their
// payload is read (row_columns.h): it is the very encoding that the batch had (write_batch.cc), kept in the arena.
//
// Threads: Append by one thread at a time; row(i) by any thread below a published count; NewestOfTrace by any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <utility>

#include "braid/types.h"
#include "engine/head/segmented_vector.h"
#include "engine/memory/hash_map.h"

namespace braid {

inline constexpr uint32_t kNoRow = UINT32_MAX;

struct Row {
  Timestamp time = 0;
  Timestamp end = 0;  // spans; elsewhere the time again
  TraceId trace_id;
  SpanId span_id;
  const char* payload = nullptr;
  uint32_t payload_size = 0;
  uint32_t owner = 0;                // number of the stream; of exemplars the series
  uint32_t older_of_trace = kNoRow;  // the row of the same trace before this one

  std::string_view bytes() const { return {payload, payload_size}; }
};

class RowTable {
 public:
  void Append(Row row) {
    const uint32_t number = rows_.size();
    if (row.trace_id.IsZero()) {
      rows_.PushBack(row);
    } else {
      // The row is there before anybody can find it by its trace, published or not.
      std::lock_guard lock(trace_mutex_);
      auto [entry, added] = newest_of_trace_.try_emplace(row.trace_id, number);
      if (!added) row.older_of_trace = std::exchange(entry->second, number);
      rows_.PushBack(row);
    }
    if (number % kBlockRows == 0) blocks_.PushBack({row.time, row.end});
    TimeRange& block = blocks_[number / kBlockRows];
    block.start = std::min(block.start, row.time);
    block.end = std::max(block.end, std::max(row.time, row.end));
  }
  uint32_t size() const { return rows_.size(); }                                      // writer
  uint64_t byte_size() const { return uint64_t{rows_.size()} * (sizeof(Row) + 32); }  // writer; index included

  const Row& row(uint32_t number) const { return rows_[number]; }
  // The newest row of the trace, published or not, from which older_of_trace leads to the others; kNoRow if there is
  // none.
  uint32_t NewestOfTrace(TraceId id) const {
    std::lock_guard lock(trace_mutex_);
    auto found = newest_of_trace_.find(id);
    return found == newest_of_trace_.end() ? kNoRow : found->second;
  }
  static constexpr uint32_t kBlockRows = 4096;
  // Extent of rows [block * kBlockRows, ...). REQUIRES: the block is full and published (later it does not change).
  TimeRange block_range(uint32_t block) const { return blocks_[block]; }

 private:
  struct TraceIdHash {
    size_t operator()(TraceId id) const { return id.high * 0x9e3779b97f4a7c15ULL ^ id.low; }
  };

  SegmentedVector<Row> rows_;
  SegmentedVector<TimeRange> blocks_;
  mutable std::mutex trace_mutex_;
  HashMap<TraceId, uint32_t, TraceIdHash> newest_of_trace_;
};

}  // namespace braid
