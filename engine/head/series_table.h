// The samples of a head, series by series, in the order in which they were written.
//
// A sample later than all before it goes to the series' open Gorilla chunk; any other goes to a list of late samples.
// Both only grow, so a snapshot is a pair of counts: every series remembers, for each commit that some snapshot may
// still have to look behind, how much of it was there before that commit (a Mark).
//
// Threads: Find..., Append... and others marked "writer" by one thread at a time; Read and Match by any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "braid/snapshot.h"
#include "engine/codec/chunk.h"
#include "engine/head/arena.h"
#include "engine/memory/number_table.h"
#include "engine/head/segmented_vector.h"
#include "engine/memory/hash_map.h"
#include "engine/part/label_matcher.h"

namespace braid {

// Canonical bytes with their hash, as a key that is looked up without copying.
struct BytesKey {
  uint64_t hash = 0;
  std::string_view bytes;
  friend bool operator==(const BytesKey& a, const BytesKey& b) { return a.hash == b.hash && a.bytes == b.bytes; }
};
struct BytesKeyHash {
  size_t operator()(const BytesKey& key) const { return key.hash; }
};

// Where a table entry was last written to the WAL.
struct WalPlace {
  uint64_t segment = 0;  // 0 = nowhere yet
  uint32_t number = 0;
};

// The samples of one series at one instant, still compressed: what Read copies under the series' lock.
struct SeriesCopy {
  struct Chunk {
    std::shared_ptr<const std::string> bytes;
    uint32_t samples = 0;  // how many of them count
    Timestamp first = 0;
    Timestamp last = 0;
  };
  struct Late {
    Timestamp time;
    double value;
  };
  struct TimedHistogram {
    Timestamp time;
    std::shared_ptr<const Histogram> histogram;
  };
  std::vector<Chunk> chunks;
  std::vector<TimedHistogram> histograms;                                              // later than all before them
  std::vector<Late> late;                                                              // in order of writing
  std::vector<std::pair<uint32_t, std::shared_ptr<const Histogram>>> late_histograms;  // index into `late`

  bool Touches(TimeRange range) const;
  // Appends the samples of the range to `*data`, ascending and folded: of several at one time, the last written.
  absl::Status Decode(TimeRange range, SeriesData* data) const;
};

class SeriesTable {
 public:
  static constexpr uint32_t kChunkSamples = 120;

  explicit SeriesTable(Arena* arena) : arena_(arena) {}

  // Writer. The number of the series with these canonical labels; a new one has no samples and is seen by nobody.
  uint32_t FindOrAdd(std::string_view labels);
  WalPlace& wal_place(uint32_t series) { return series_[series].wal_place; }
  // Writer. `commit` is that of the batch; no snapshot is, or will be, older than `oldest_snapshot`.
  void Append(uint32_t series, uint64_t commit, uint64_t oldest_snapshot, Timestamp time, double value);
  void AppendHistogram(uint32_t series, uint64_t commit, uint64_t oldest_snapshot, Timestamp time,
                       std::shared_ptr<const Histogram> histogram);
  uint32_t size() const { return series_.size(); }                                                  // writer
  uint64_t byte_size() const { return byte_size_ + index_bytes_.load(std::memory_order_relaxed); }  // writer
  // Writer. What of it, and of the arena, the series themselves take, however many samples they have.
  uint64_t series_byte_size() const { return series_byte_size_ + index_bytes_.load(std::memory_order_relaxed); }

  // Any thread, for series below a published count.
  std::string_view labels(uint32_t series) const { return series_[series].labels; }
  uint64_t fingerprint(uint32_t series) const { return series_[series].fingerprint; }
  // The series as commit `snapshot` left it. False if it had no samples then.
  bool Read(uint32_t series, uint64_t snapshot, TimeRange range, SeriesCopy* copy) const;
  // Numbers below `count` of series that satisfy all matchers, ascending. Puts those into the index first that are not
  // in it yet: a head that is written to, replayed and flushed without being asked needs none.
  std::vector<uint32_t> Match(const std::vector<CompiledMatcher>& matchers, uint32_t count) const;

 private:
  struct Counts {
    uint32_t floats = 0;
    uint32_t histograms = 0;
    uint32_t late = 0;
    bool none() const { return (floats | histograms | late) == 0; }
  };
  struct Mark {
    uint64_t commit = 0;  // the counts are those before this commit
    Counts counts;
  };
  // What few series have.
  struct Extra {
    std::vector<SeriesCopy::TimedHistogram> histograms;
    std::vector<SeriesCopy::Late> late;
    std::vector<std::pair<uint32_t, std::shared_ptr<const Histogram>>> late_histograms;
    std::vector<Mark> older_marks;
  };
  struct Series {
    std::string_view labels;
    uint64_t fingerprint = 0;
    WalPlace wal_place;
    // Guarded by the series' lock from here.
    GorillaAppender open;
    std::vector<SeriesCopy::Chunk> closed;
    std::unique_ptr<Extra> extra;
    Timestamp last_time = kMinTimestamp;
    uint64_t last_bits = 0;
    Mark mark;  // of the last commit that touched the series
    Counts now;
  };

  std::mutex& LockOf(uint32_t series) const { return locks_[series % locks_.size()]; }
  static void Touch(Series* series, uint64_t commit, uint64_t oldest_snapshot);
  static Extra* ExtraOf(Series* series);
  // REQUIRES: index_mutex_ is held alone.
  void IndexUpTo(uint32_t count) const;

  Arena* const arena_;
  SegmentedVector<Series> series_;
  NumberTable by_labels_;  // writer
  uint64_t byte_size_ = 0;
  uint64_t series_byte_size_ = 0;
  mutable std::array<std::mutex, 256> locks_;
  // Series by hash of one label pair, ascending; hashes may collide, so matches are checked again. Those below
  // indexed_.
  mutable std::shared_mutex index_mutex_;
  mutable HashMap<uint64_t, std::vector<uint32_t>> index_;
  mutable uint32_t indexed_ = 0;
  mutable std::atomic<uint64_t> index_bytes_{0};
};

}  // namespace braid
