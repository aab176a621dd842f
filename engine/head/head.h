// The mutable head: everything written since the last flush, in memory.
//
// A commit is what becomes visible at once: any number of batches are applied, then published together. A view is the
// head as one commit left it; it is taken in constant time, holds no lock while it is read, and is not disturbed by
// what is written meanwhile.
//
// Threads: Resolve, Apply, Publish and the accessors marked "writer" by one thread at a time; View and stats by any.
// Ownership: views keep the head alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "engine/head/arena.h"
#include "engine/head/batch_reader.h"
#include "engine/head/head_streams.h"
#include "engine/head/row_table.h"
#include "engine/head/series_table.h"
#include "engine/memory/hash_map.h"
#include "engine/part/source.h"

namespace braid {

// What of a head is visible.
struct HeadCut {
  uint64_t commit = 0;
  uint32_t series = 0;
  uint32_t streams = 0;
  uint32_t rows[kTableCount] = {};
  uint64_t samples = 0;
  TimeRange sample_range{kMaxTimestamp, kMinTimestamp};
  TimeRange row_range[kTableCount];
  std::shared_ptr<const std::vector<MetricMetadata>> metadata;  // by name

  HeadCut();
  bool empty() const;
};

class RowReader;

class Head : public std::enable_shared_from_this<Head> {
 public:
  Head();

  // A batch's references in this head's numbers.
  struct Resolved {
    std::vector<uint32_t> series;
    std::vector<uint32_t> streams;
  };
  // Writer. REQUIRES: the batch is checked. What is new is entered but not visible.
  void Resolve(const BatchView& batch, Resolved* resolved);
  // Writer. REQUIRES: CheckBody was OK for it. Not visible before Publish.
  void Apply(const Resolved& resolved, std::string_view body);
  // Writer. Makes all that was applied since the last call visible, as one commit.
  void Publish();

  SeriesTable& series() { return series_; }    // writer
  HeadStreams& streams() { return streams_; }  // writer
  const SeriesTable& series() const { return series_; }
  const HeadStreams& streams() const { return streams_; }
  const RowTable& rows(Table table) const { return rows_[static_cast<int>(table)]; }

  uint64_t byte_size() const { return byte_size_.load(std::memory_order_relaxed); }
  // What of it is there for the series alone, whatever was written to them.
  uint64_t series_byte_size() const { return series_byte_size_.load(std::memory_order_relaxed); }
  HeadCut cut() const;
  std::shared_ptr<const Source> View() const;

  // Attribute names with their types and counts, over at least the rows of `cut` and perhaps some written since.
  std::vector<ColumnInfo> ColumnsOf(Table table, const HeadCut& cut) const;
  // The names of the attributes that rows of `cut` have, in order. Quicker than ColumnsOf.
  std::vector<std::string> AttributeNames(Table table, const HeadCut& cut) const;

 private:
  friend class HeadView;
  struct ColumnCounts {
    uint32_t types = 0;  // bit per Type
    uint64_t rows = 0;
    void Add(Type type) {
      types |= 1u << static_cast<int>(type);
      ++rows;
    }
  };
  struct AttributeCounts {
    std::string name;
    ColumnCounts counts;
  };
  struct TableColumns {
    uint32_t rows_seen = 0;
    std::vector<ColumnCounts> builtins;      // by place in BuiltinColumns
    std::deque<AttributeCounts> attributes;  // stay where they are: the keys of by_name point at them
    HashMap<BytesKey, AttributeCounts*, BytesKeyHash> by_name;
    // Attributes of the last row in their order: the next row mostly has the same.
    std::vector<AttributeCounts*> last_row;
    std::vector<uint64_t> rows_of_owner;
  };
  void ApplySpan(uint32_t stream, std::string_view payload);
  void AddRow(Table table, const Row& row, Timestamp end);
  void AddMetadata(MetricMetadata metadata);
  void ReleaseView(uint64_t commit) const;
  static void CountRow(Table table, const Row& row, RowReader* reader, TableColumns* columns);

  Arena arena_;
  SeriesTable series_{&arena_};
  HeadStreams streams_{&arena_};
  RowTable rows_[kTableCount];
  std::map<std::string, MetricMetadata, std::less<>> metadata_;
  bool metadata_changed_ = false;
  HeadCut next_;                  // writer: the cut that Publish will show
  uint64_t oldest_snapshot_ = 0;  // writer: of this commit
  std::atomic<uint64_t> byte_size_{0};
  std::atomic<uint64_t> series_byte_size_{0};
  SpanView span_;  // writer: reused

  mutable std::mutex mutex_;
  HeadCut published_;
  mutable std::multiset<uint64_t> views_;  // commits of the views that live

  mutable std::mutex columns_mutex_;
  mutable TableColumns columns_[kTableCount];
};

}  // namespace braid
