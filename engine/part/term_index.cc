#include "engine/part/term_index.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/column_codec.h"
#include "engine/part/bit_io.h"

namespace braid {
namespace {

// Runs are merged by so many parts of the space of hashes, each of which fits into the cache.
constexpr size_t kBuckets = 256;
constexpr int kBucketShift = 64 - 8;
// Terms that a reader remembers, and how many it is asked for at once at most if it is to: those of conditions, not the
// ids of thousands of traces.
constexpr size_t kRememberedMax = 64;
constexpr size_t kRememberedAtOnce = 16;

static_assert(kMaxRowGroups <= (uint32_t{1} << kTermGroupBits));

// Least-significant-digit radix sort by the hash alone; pairs of one hash keep their order.
void SortByHash(TermPairs* pairs) {
  constexpr int kDigitBits = kTermHashBits / 4;
  constexpr size_t kDigits = size_t{1} << kDigitBits;
  static_assert(kTermHashBits % 4 == 0);
  TermPairs other(pairs->size());
  for (int shift = kTermGroupBits; shift < 64; shift += kDigitBits) {
    std::array<size_t, kDigits> begin{};
    for (uint64_t pair : *pairs) ++begin[(pair >> shift) % kDigits];
    size_t at = 0;
    for (size_t& count : begin) at += std::exchange(count, at);
    for (uint64_t pair : *pairs) other[begin[(pair >> shift) % kDigits]++] = pair;
    pairs->swap(other);
  }
}

int GroupRice(uint32_t groups, uint64_t count) {
  return count >= groups ? 0 : static_cast<int>(std::bit_width(groups / count)) - 1;
}

}  // namespace

// Sorted, unique pairs of all runs, bucket by bucket.
class TermIndexWriter::Merge {
 public:
  // REQUIRES: the writer's pairs are sorted. `file` has its runs, if there are any.
  Merge(const TermIndexWriter& writer, const RandomReadFile* file)
      : pairs_(writer.pairs_), runs_(writer.runs_), waiting_(RunOf(writer.pairs_)), file_(file) {}
  // False at the end. `*pairs` is valid until the next call.
  absl::StatusOr<bool> Next(std::span<const uint64_t>* pairs) {
    if (bucket_ == kBuckets) return false;
    const size_t bucket = bucket_++;
    *pairs = std::span(pairs_).subspan(waiting_.begin[bucket], waiting_.begin[bucket + 1] - waiting_.begin[bucket]);
    if (runs_.empty()) return true;
    // Earlier runs have lower row groups where groups came in order, so that a sort by hash sorts the pairs.
    merged_.clear();
    for (const Run& run : runs_) RETURN_IF_ERROR(Read(run, bucket));
    merged_.insert(merged_.end(), pairs->begin(), pairs->end());
    SortByHash(&merged_);
    if (!std::is_sorted(merged_.begin(), merged_.end())) std::sort(merged_.begin(), merged_.end());
    merged_.erase(std::unique(merged_.begin(), merged_.end()), merged_.end());
    *pairs = merged_;
    return true;
  }

 private:
  absl::Status Read(const Run& run, size_t bucket) {
    const size_t begin = run.begin[bucket], count = run.begin[bucket + 1] - begin;
    if (count == 0) return absl::OkStatus();
    RETURN_IF_ERROR(file_->Read(run.offset + begin * 8, count * 8, &bytes_));
    if (bytes_.size() != count * 8) return absl::UnavailableError("the scratch file of a term index is cut short");
    const size_t before = merged_.size();
    merged_.resize(before + count);
    std::memcpy(merged_.data() + before, bytes_.data(), bytes_.size());
    return absl::OkStatus();
  }

  const TermPairs& pairs_;
  const std::vector<Run>& runs_;
  const Run waiting_;  // of pairs_
  const RandomReadFile* file_;
  size_t bucket_ = 0;
  std::string bytes_;
  TermPairs merged_;
};

TermIndexWriter::TermIndexWriter(FileSystem* fs, std::string spill_path, size_t pairs_max)
    : fs_(fs), spill_path_(std::move(spill_path)), pairs_max_(pairs_max), recent_(kRecentPairs, ~uint64_t{0}) {}

TermIndexWriter::~TermIndexWriter() {
  if (spill_ == nullptr) return;
  spill_.reset();
  fs_->Remove(spill_path_).IgnoreError();
}

void TermIndexWriter::SortPairs() {
  if (sorted_ == pairs_.size()) return;
  if (ascending_) {
    SortByHash(&pairs_);
  } else {
    std::sort(pairs_.begin(), pairs_.end());
  }
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  sorted_ = pairs_.size();
}

absl::Status TermIndexWriter::Add(uint64_t hash, uint32_t group) {
  if (AddedLately(hash, group)) return absl::OkStatus();
  const uint64_t pair = PairOf(hash, group);
  recent_[PlaceOf(hash)] = pair;
  ascending_ = ascending_ && group >= last_group_;
  last_group_ = group;
  if (pairs_.size() == pairs_.capacity())
    pairs_.reserve(std::min(pairs_max_, std::max<size_t>(1024, 2 * pairs_.size())));
  pairs_.push_back(pair);
  return pairs_.size() < pairs_max_ ? absl::OkStatus() : Spill();
}

TermIndexWriter::Run TermIndexWriter::RunOf(const TermPairs& pairs) {
  Run run{0, std::vector<size_t>(kBuckets + 1)};
  for (size_t bucket = 1; bucket <= kBuckets; ++bucket) {
    const auto before = [&](uint64_t pair) { return pair >> kBucketShift < bucket; };
    const auto from = pairs.begin() + static_cast<ptrdiff_t>(run.begin[bucket - 1]);
    run.begin[bucket] = static_cast<size_t>(std::partition_point(from, pairs.end(), before) - pairs.begin());
  }
  return run;
}

absl::Status TermIndexWriter::Spill() {
  SortPairs();
  if (spill_ == nullptr) {
    ASSIGN_OR_RETURN(spill_, fs_->OpenAppend(spill_path_, /*keep=*/false));
  }
  runs_.push_back(RunOf(pairs_));
  runs_.back().offset = spill_->size();
  RETURN_IF_ERROR(spill_->Append({reinterpret_cast<const char*>(pairs_.data()), pairs_.size() * 8}));
  pairs_.clear();
  sorted_ = 0;
  last_group_ = 0;
  ascending_ = true;
  return absl::OkStatus();
}

absl::Status TermIndexWriter::Write(BlockFileWriter* file, uint32_t groups) {
  SortPairs();
  std::unique_ptr<RandomReadFile> spilled;
  if (spill_ != nullptr) {
    ASSIGN_OR_RETURN(spilled, fs_->OpenRead(spill_path_));
  }
  // Two passes: the first counts terms, which decides how many bits of a hash are worth keeping.
  std::span<const uint64_t> pairs;
  uint64_t terms = 0, last = 0;
  for (Merge merge(*this, spilled.get());;) {
    ASSIGN_OR_RETURN(bool more, merge.Next(&pairs));
    if (!more) break;
    for (const uint64_t pair : pairs) {
      if (terms == 0 || pair >> kTermGroupBits != last) ++terms;
      last = pair >> kTermGroupBits;
    }
  }
  int bits = std::min(kTermHashBits, static_cast<int>(std::bit_width(terms)) + kTermGuardBits);

  std::vector<uint64_t> hashes;
  std::vector<std::vector<uint32_t>> lists;
  std::vector<int64_t> sizes, first_hashes;
  uint64_t first_offset = file->size(), entries = 0;
  auto flush = [&]() -> absl::Status {
    if (hashes.empty()) return absl::OkStatus();
    uint64_t mean = (hashes.back() - hashes.front()) / hashes.size();
    int k = mean == 0 ? 0 : static_cast<int>(std::bit_width(mean)) - 1;
    BitWriter out;
    for (size_t i = 0; i < hashes.size(); ++i) {
      if (i > 0) out.PutRice(hashes[i] - hashes[i - 1], k);
      auto& list = lists[i];
      std::sort(list.begin(), list.end());
      list.erase(std::unique(list.begin(), list.end()), list.end());
      out.PutGamma(list.size());
      int group_k = GroupRice(groups, list.size());
      for (size_t g = 0; g < list.size(); ++g) out.PutRice(g == 0 ? list[0] : list[g] - list[g - 1] - 1, group_k);
    }
    std::string plain;
    PutVarint(&plain, hashes.size());
    PutByte(&plain, static_cast<uint8_t>(k));
    plain += out.Finish();
    ASSIGN_OR_RETURN(BlockRef ref, file->AddBlock(BlockType::kTerms, Compression::kNone, plain));
    sizes.push_back(ref.size);
    first_hashes.push_back(static_cast<int64_t>(hashes.front()));
    entries += hashes.size();
    hashes.clear();
    lists.clear();
    return absl::OkStatus();
  };
  for (Merge merge(*this, spilled.get());;) {
    ASSIGN_OR_RETURN(bool more, merge.Next(&pairs));
    if (!more) break;
    for (const uint64_t pair : pairs) {
      const uint64_t hash = pair >> (64 - bits);
      if (hashes.empty() || hashes.back() != hash) {
        if (hashes.size() == kTermsPerBlock) RETURN_IF_ERROR(flush());
        hashes.push_back(hash);
        lists.emplace_back();
      }
      lists.back().push_back(static_cast<uint32_t>(pair & ((uint64_t{1} << kTermGroupBits) - 1)));
    }
  }
  RETURN_IF_ERROR(flush());
  std::string directory;
  PutVarint(&directory, groups);
  PutVarint(&directory, static_cast<uint64_t>(bits));
  PutVarint(&directory, entries);
  PutVarint(&directory, sizes.size());
  PutVarint(&directory, first_offset);
  PutBytes(&directory, EncodeInts(sizes));
  PutBytes(&directory, EncodeInts(first_hashes));
  ASSIGN_OR_RETURN(BlockRef ref, file->AddBlock(BlockType::kDirectory, Compression::kNone, directory));
  file->AddSection("directory", ref);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TermIndex>> TermIndex::Open(FileSystem* fs, const std::string& path,
                                                           const std::string& name, uint32_t groups) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> file, fs->OpenRead(path));
  return Open(std::move(file), name, groups);
}

absl::StatusOr<std::unique_ptr<TermIndex>> TermIndex::Open(std::unique_ptr<RandomReadFile> file,
                                                           const std::string& name, uint32_t groups) {
  std::unique_ptr<TermIndex> index(new TermIndex);
  ASSIGN_OR_RETURN(index->file_, BlockFileReader::Open(std::move(file), name, FileKind::kTermIndex));
  index->groups_ = groups;
  std::string plain;
  RETURN_IF_ERROR(index->file_->ReadSection("directory", BlockType::kDirectory, &plain));
  Decoder in(plain);
  uint64_t groups_written, bits, blocks, offset;
  std::string_view sizes_bytes, hashes_bytes;
  std::vector<int64_t> sizes, hashes;
  // A block takes at least its header in the file.
  if (!in.ReadVarint(&groups_written) || groups_written != groups || !in.ReadVarintMax(kTermHashBits, &bits) ||
      bits == 0 || !in.ReadVarint(&index->entries_) ||
      !in.ReadVarintMax(index->file_->size() / kBlockHeaderBytes, &blocks) || !in.ReadVarint(&offset) ||
      !in.ReadBytes(&sizes_bytes) || !in.ReadBytes(&hashes_bytes) || !in.done() ||
      !DecodeInts(sizes_bytes, blocks, &sizes).ok() || !DecodeInts(hashes_bytes, blocks, &hashes).ok()) {
    return absl::DataLossError(absl::StrCat(name, ": directory does not parse"));
  }
  index->bits_ = static_cast<int>(bits);
  for (size_t i = 0; i < blocks; ++i) {
    if (sizes[i] < 0 || sizes[i] > UINT32_MAX || hashes[i] < 0 || (i > 0 && hashes[i] <= hashes[i - 1])) {
      return absl::DataLossError(absl::StrCat(name, ": directory does not parse"));
    }
    index->blocks_.push_back({offset, static_cast<uint32_t>(sizes[i])});
    index->first_hashes_.push_back(static_cast<uint64_t>(hashes[i]));
    offset += static_cast<uint64_t>(sizes[i]);
  }
  return index;
}

absl::Status TermIndex::ReadEntries(size_t block, Entries* entries) const {
  auto damage = [&] {
    return absl::DataLossError(absl::StrCat(file_->name(), " block ", blocks_[block].offset, ": terms do not parse"));
  };
  std::string plain;
  RETURN_IF_ERROR(file_->ReadBlock(blocks_[block], BlockType::kTerms, &plain));
  Decoder in(plain);
  uint64_t count;
  uint8_t k;
  if (!in.ReadVarintMax(kTermsPerBlock, &count) || !in.ReadByte(&k) || k >= kTermHashBits) return damage();
  entries->hashes.clear();
  entries->groups.clear();
  entries->begin.assign(1, 0);
  BitReader bits(in.rest());
  uint64_t hash = first_hashes_[block];
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t step, size, group = 0;
    if (i > 0) {
      if (!bits.ReadRice(k, &step)) return damage();
      hash += step;
    }
    if (!bits.ReadGamma(&size) || size > groups_) return damage();
    int group_k = GroupRice(groups_, size);
    for (uint64_t g = 0; g < size; ++g) {
      if (!bits.ReadRice(group_k, &step)) return damage();
      group = g == 0 ? step : group + step + 1;
      if (group >= groups_) return damage();
      entries->groups.push_back(static_cast<uint32_t>(group));
    }
    entries->hashes.push_back(hash);
    entries->begin.push_back(static_cast<uint32_t>(entries->groups.size()));
  }
  return absl::OkStatus();
}

bool TermIndex::FindKnown(uint64_t hash, std::vector<uint32_t>* groups) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto at = known_.find(hash);
  if (at == known_.end()) return false;
  *groups = at->second;
  return true;
}

void TermIndex::Remember(uint64_t hash, const std::vector<uint32_t>& groups) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (known_.size() >= kRememberedMax) known_.clear();
  known_.try_emplace(hash, groups);
}

absl::StatusOr<std::vector<std::vector<uint32_t>>> TermIndex::Lookup(const std::vector<uint64_t>& hashes,
                                                                     uint64_t* bytes_read) const {
  std::vector<std::vector<uint32_t>> found(hashes.size());
  std::vector<size_t> order(hashes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return hashes[a] < hashes[b]; });
  size_t loaded = blocks_.size(), counted = blocks_.size();
  const bool few = hashes.size() <= kRememberedAtOnce;
  Entries entries;
  for (size_t i : order) {
    uint64_t hash = hashes[i] >> (64 - bits_);
    auto after = std::upper_bound(first_hashes_.begin(), first_hashes_.end(), hash);
    if (after == first_hashes_.begin()) continue;
    size_t block = static_cast<size_t>(after - first_hashes_.begin()) - 1;
    // What is known counts as read, so that an answer does not depend on what was asked before.
    if (block != counted) *bytes_read += blocks_[block].size;
    counted = block;
    if (few && FindKnown(hash, &found[i])) continue;
    if (block != loaded) {
      RETURN_IF_ERROR(ReadEntries(block, &entries));
      loaded = block;
    }
    auto at = std::lower_bound(entries.hashes.begin(), entries.hashes.end(), hash);
    if (at != entries.hashes.end() && *at == hash) {
      size_t entry = static_cast<size_t>(at - entries.hashes.begin());
      found[i].assign(entries.groups.begin() + entries.begin[entry], entries.groups.begin() + entries.begin[entry + 1]);
    }
    if (few) Remember(hash, found[i]);
  }
  return found;
}

bool TermIndex::All::Has(uint64_t hash, uint32_t group) const {
  auto at = std::lower_bound(hashes.begin(), hashes.end(), hash >> (64 - bits));
  if (at == hashes.end() || *at != hash >> (64 - bits)) return false;
  size_t entry = static_cast<size_t>(at - hashes.begin());
  return std::binary_search(groups.begin() + static_cast<ptrdiff_t>(begin[entry]),
                            groups.begin() + static_cast<ptrdiff_t>(begin[entry + 1]), group);
}

absl::StatusOr<TermIndex::All> TermIndex::LoadAll() const {
  All all;
  all.bits = bits_;
  all.begin = {0};
  Entries entries;
  for (size_t block = 0; block < blocks_.size(); ++block) {
    RETURN_IF_ERROR(ReadEntries(block, &entries));
    uint64_t base = all.groups.size();
    all.hashes.insert(all.hashes.end(), entries.hashes.begin(), entries.hashes.end());
    all.groups.insert(all.groups.end(), entries.groups.begin(), entries.groups.end());
    for (size_t i = 1; i < entries.begin.size(); ++i) all.begin.push_back(base + entries.begin[i]);
  }
  return all;
}

}  // namespace braid
