// Inverted index of one table: hashed term -> row groups that have it. One structure serves words of messages, values
// of columns, streams, and the trace ids of tables that are not sorted by them; what a term is stands in term_keys.h.
//
// Terms are not kept, only as many bits of their hash as tell them apart: `bits` = log2(terms) + kTermGuardBits. A
// look-up therefore never misses, and now and then names a row group in vain. A term of a single row group costs about
// 6 + log2(row groups) bits, one that is in all of them one bit per row group.
//
//   directory section := groups:varint bits:varint entries:varint blocks:varint first_offset:varint
//                        sizes:bytes first_hashes:bytes                       (EncodeInts, one entry per block)
//   terms block       := count:varint rice_k:u8 bit*       (padded with zero bits to a byte; low bit of a byte first)
//   entry             := hash step: rice(rice_k)           distance to the hash before; absent for the first
//                        groups count: gamma               n > 0: floor(log2 n) zero bits, then n from its highest bit
//                        group: rice(k)                    the first, then each distance to the one before, less 1;
//                                                          k = floor(log2(groups / count))
//   rice(k) of n      := n >> k one bits, a zero bit, the low k bits of n
//
// Source of the code: Rice, JPL Publication 79-22; its use for postings: Witten, Moffat, Bell, "Managing Gigabytes".
// Threads: a writer belongs to one thread; a reader may be shared. Errors: DataLoss.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/memory/hash_map.h"
#include "engine/memory/large_allocator.h"
#include "engine/part/block_file.h"

namespace braid {

// Bits of a hash that are kept at most, counted from its highest: with 24 bits of row group they make one word.
inline constexpr int kTermHashBits = 40;
inline constexpr int kTermGroupBits = 64 - kTermHashBits;

// hash << 24 | row group
using TermPairs = std::vector<uint64_t, LargeAllocator<uint64_t>>;

class TermIndexWriter {
 public:
  // Scratch goes to `spill_path` when more than `pairs_max` pairs are waiting; the file is removed again.
  TermIndexWriter(FileSystem* fs, std::string spill_path, size_t pairs_max = kTermPairsInMemory);
  ~TermIndexWriter();
  // REQUIRES: group < kMaxRowGroups. Repeats are welcome but cost time.
  absl::Status Add(uint64_t hash, uint32_t group);
  // Is the pair surely there already? For those who add millions of repeats.
  bool AddedLately(uint64_t hash, uint32_t group) const { return recent_[PlaceOf(hash)] == PairOf(hash, group); }
  bool empty() const { return pairs_.empty() && runs_.empty(); }
  // Writes blocks and directory of an index over `groups` row groups; does not finish the file.
  absl::Status Write(BlockFileWriter* file, uint32_t groups);

 private:
  struct Run {
    uint64_t offset;            // in the scratch file
    std::vector<size_t> begin;  // pairs of bucket i of the hashes are [begin[i], begin[i + 1])
  };
  class Merge;
  static Run RunOf(const TermPairs& pairs);
  // A power of two; 256 KiB, so that it stays in the cache.
  static constexpr size_t kRecentPairs = 32 << 10;
  static size_t PlaceOf(uint64_t hash) { return (hash >> kTermGroupBits) % kRecentPairs; }
  static uint64_t PairOf(uint64_t hash, uint32_t group) { return hash >> kTermGroupBits << kTermGroupBits | group; }
  absl::Status Spill();
  void SortPairs();

  FileSystem* fs_;
  std::string spill_path_;
  size_t pairs_max_;
  TermPairs pairs_;
  // Pairs that came lately, by a hash of theirs: most words of a row group are there hundreds of times.
  std::vector<uint64_t> recent_;
  uint32_t last_group_ = 0;
  bool ascending_ = true;  // groups came in order, so that a stable sort by hash is a sort of the pairs
  size_t sorted_ = 0;      // the first so many are sorted and unique
  std::unique_ptr<AppendFile> spill_;
  std::vector<Run> runs_;
};

class TermIndex {
 public:
  static absl::StatusOr<std::unique_ptr<TermIndex>> Open(FileSystem* fs, const std::string& path,
                                                         const std::string& name, uint32_t groups);
  static absl::StatusOr<std::unique_ptr<TermIndex>> Open(std::unique_ptr<RandomReadFile> file, const std::string& name,
                                                         uint32_t groups);
  // Row groups that may have each term, ascending: result i belongs to hash i. Adds stored bytes read to `*bytes_read`.
  absl::StatusOr<std::vector<std::vector<uint32_t>>> Lookup(const std::vector<uint64_t>& hashes,
                                                            uint64_t* bytes_read) const;
  uint64_t entries() const { return entries_; }

  // The whole index in memory, for verifying.
  struct All {
    int bits = 0;
    std::vector<uint64_t> hashes;
    std::vector<uint64_t> begin;  // entry i has groups [begin[i], begin[i + 1])
    std::vector<uint32_t> groups;
    bool Has(uint64_t hash, uint32_t group) const;
  };
  absl::StatusOr<All> LoadAll() const;
  const BlockFileReader& file() const { return *file_; }

 private:
  struct Entries {
    std::vector<uint64_t> hashes;
    std::vector<uint32_t> begin;  // entry i has groups [begin[i], begin[i + 1])
    std::vector<uint32_t> groups;
  };
  TermIndex() = default;
  absl::Status ReadEntries(size_t block, Entries* entries) const;
  bool FindKnown(uint64_t hash, std::vector<uint32_t>* groups) const;
  void Remember(uint64_t hash, const std::vector<uint32_t>& groups) const;

  std::unique_ptr<BlockFileReader> file_;
  uint32_t groups_ = 0;
  int bits_ = 0;
  uint64_t entries_ = 0;
  std::vector<BlockRef> blocks_;
  std::vector<uint64_t> first_hashes_;
  // Row groups of terms asked for lately: to find one decodes hundreds.
  mutable std::mutex mutex_;
  mutable HashMap<uint64_t, std::vector<uint32_t>> known_;
};

}  // namespace braid
