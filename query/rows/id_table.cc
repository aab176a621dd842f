#include "query/rows/id_table.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/functional/function_ref.h"
#include "query/rows/key_table.h"
#include "query/rows/worker_threads.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Words of the widest key.
constexpr size_t kWordsMax = 2 * IdTable::kColumnsMax;
// Rows whose bucket, and then the keys that stand in it, are fetched ahead of their turn.
constexpr size_t kAhead = 16;
// Keys of a bucket that are compared one after another, and that are sorted by insertion.
constexpr size_t kFewKeys = 16;
// Buckets among which the keys of one first id are spread.
constexpr uint64_t kSpread = 64;
// Leading bits of a bucket that tell its run. Rows below which the work is not shared out among threads.
constexpr int kRunBits = 8;
constexpr size_t kThreadRowsMin = 65'536;
constexpr size_t kStretchesOfThread = 4;

bool IsId(Type type) { return type == Type::kTraceId || type == Type::kSpanId; }

// Does `work` for 0 … count - 1, shared out among the threads. One that cannot start leaves its share to the others.
absl::Status ShareOut(size_t threads, size_t count, absl::FunctionRef<void(size_t)> work) {
  std::atomic<size_t> next = 0;
  const auto take = [&] {
    for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) work(i);
    return absl::OkStatus();
  };
  std::vector<absl::Status> statuses(threads);
  {
    WorkerThreads workers(/*at_once=*/true);
    for (size_t i = 1; i < threads; ++i) workers.Add(&statuses[i], take);
    workers.StartIfDue();
    statuses[0] = take();
  }
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

template <size_t kWidth>
void CopyKey(const uint64_t* from, uint64_t* to) {
  for (size_t i = 0; i < kWidth; ++i) to[i] = from[i];
}

template <size_t kWidth>
bool Precedes(const uint64_t* a, const uint64_t* b) {
  for (size_t i = 0; i < kWidth; ++i) {
    if (a[i] != b[i]) return a[i] < b[i];
  }
  return false;
}

template <size_t kWidth>
bool IsSame(const uint64_t* a, const uint64_t* b) {
  uint64_t differs = 0;
  for (size_t i = 0; i < kWidth; ++i) differs |= a[i] ^ b[i];
  return differs == 0;
}

}  // namespace

// The columns of a key by place.
class IdTable::Reader {
 public:
  void Add(const Column& column) {
    Source& source = sources_[count_++];
    source.traces = column.type == Type::kTraceId ? column.trace_ids.data() : nullptr;
    source.spans = column.ints.data();
    source.valid = column.valid.empty() ? nullptr : column.valid.data();
  }
  // False if a part is null.
  bool Read(size_t row, uint64_t* words) const {
    for (size_t i = 0; i < count_; ++i) {
      const Source& source = sources_[i];
      if (source.valid != nullptr && source.valid[row] == 0) return false;
      if (source.traces != nullptr) {
        *words++ = source.traces[row].high;
        *words++ = source.traces[row].low;
      } else {
        *words++ = static_cast<uint64_t>(source.spans[row]);
      }
    }
    return true;
  }

 private:
  struct Source {
    const TraceId* traces = nullptr;
    const int64_t* spans = nullptr;
    const uint8_t* valid = nullptr;
  };
  std::array<Source, kColumnsMax> sources_;
  size_t count_ = 0;
};

bool IdTable::Fits(const std::vector<Type>& types) {
  return !types.empty() && types.size() <= kColumnsMax && std::all_of(types.begin(), types.end(), IsId);
}

IdTable::IdTable(std::vector<Type> types) : types_(std::move(types)) {
  for (size_t i = 0; i < types_.size(); ++i) {
    const bool wide = types_[i] == Type::kTraceId;
    width_ += wide ? 2 : 1;
    columns_.insert(wide && !first_wide_ ? columns_.begin() : columns_.end(), i);
    first_wide_ = first_wide_ || wide;
  }
}

bool IdTable::Open(const std::vector<const Column*>& keys, Reader* reader) const {
  for (const size_t column : columns_) {
    if (keys[column]->type != types_[column]) return false;
    reader->Add(*keys[column]);
  }
  return true;
}

template <size_t kWidth>
uint64_t IdTable::BucketOf(const uint64_t* words) const {
  const TraceId id = FirstId(words);
  uint64_t leading = 0;
  if (bucket_bits_ > 0) {
    leading = id.high;
    if (skipped_bits_ >= 64) {
      leading = id.low << (skipped_bits_ - 64);
    } else if (skipped_bits_ > 0) {
      leading = id.high << skipped_bits_ | id.low >> (64 - skipped_bits_);
    }
    leading >>= 64 - bucket_bits_;
  }
  uint64_t others = 0;
  for (size_t i = first_wide_ ? 2 : 1; i < kWidth; ++i) others = (others ^ words[i]) * 0x9e3779b97f4a7c15ULL;
  return leading + (others >> 32) % kSpread;
}

// Puts the keys of one run of buckets after the other in order: of buckets, then of keys, then of rows.
template <size_t kWidth>
class IdTable::RunSorter {
 public:
  RunSorter(IdTable* table, uint32_t* rows) : table_(table), words_(table->words_.get()), rows_(rows) {}

  // The buckets [first, last), whose keys stand in [begin, end).
  void Sort(size_t first, size_t last, size_t begin, size_t end) {
    keys_.assign(words_ + begin * kWidth, words_ + end * kWidth);
    key_rows_.assign(rows_ + begin, rows_ + end);
    key_buckets_.resize(end - begin);
    uint32_t* const starts = table_->starts_.data();
    std::fill(starts + first, starts + last, 0);
    for (size_t i = 0; i < key_buckets_.size(); ++i) {
      key_buckets_[i] = static_cast<uint32_t>(table_->BucketOf<kWidth>(keys_.data() + i * kWidth));
      ++starts[key_buckets_[i]];
    }
    auto place = static_cast<uint32_t>(begin);
    for (size_t bucket = first; bucket < last; ++bucket) place += std::exchange(starts[bucket], place);
    // A bucket's start moves to its end while it fills up, and then back.
    for (size_t i = 0; i < key_buckets_.size(); ++i) {
      const size_t to = starts[key_buckets_[i]]++;
      CopyKey<kWidth>(keys_.data() + i * kWidth, KeyAt(to));
      rows_[to] = key_rows_[i];
    }
    for (size_t bucket = first, start = begin; bucket < last; ++bucket) {
      const size_t bucket_end = starts[bucket];
      if (bucket_end - start > 1) SortBucket(start, bucket_end);
      starts[bucket] = static_cast<uint32_t>(start);
      start = bucket_end;
    }
  }

  // Leaves of equal keys one, at the front of the run, and tells how many there are. Of each the place of its first row
  // goes to `begins`, at the key's place; buckets start where their first key now is.
  size_t DropRepeats(size_t first, size_t last, size_t begin, size_t end, uint32_t* begins) {
    uint32_t* const starts = table_->starts_.data();
    size_t kept = begin;
    for (size_t bucket = first, place = begin; bucket < last; ++bucket) {
      const size_t bucket_first = place, bucket_end = bucket + 1 < last ? starts[bucket + 1] : end;
      starts[bucket] = static_cast<uint32_t>(kept);
      for (; place < bucket_end; ++place) {
        if (place > bucket_first && IsSame<kWidth>(KeyAt(place), KeyAt(kept - 1))) continue;
        if (place != kept) CopyKey<kWidth>(KeyAt(place), KeyAt(kept));
        begins[kept++] = static_cast<uint32_t>(place);
      }
    }
    return kept - begin;
  }

 private:
  uint64_t* KeyAt(size_t place) const { return words_ + place * kWidth; }

  void SortBucket(size_t begin, size_t end) {
    if (end - begin > kFewKeys) return SortLarge(begin, end);
    for (size_t i = begin + 1; i < end; ++i) {
      if (!Precedes<kWidth>(KeyAt(i), KeyAt(i - 1))) continue;
      std::array<uint64_t, kWidth> key;
      CopyKey<kWidth>(KeyAt(i), key.data());
      const uint32_t row = rows_[i];
      size_t at = i;
      for (; at > begin && Precedes<kWidth>(key.data(), KeyAt(at - 1)); --at) {
        CopyKey<kWidth>(KeyAt(at - 1), KeyAt(at));
        rows_[at] = rows_[at - 1];
      }
      CopyKey<kWidth>(key.data(), KeyAt(at));
      rows_[at] = row;
    }
  }

  void SortLarge(size_t begin, size_t end) {
    std::vector<uint32_t> places(end - begin);
    std::iota(places.begin(), places.end(), static_cast<uint32_t>(begin));
    const auto before = [&](uint32_t a, uint32_t b) { return Precedes<kWidth>(KeyAt(a), KeyAt(b)); };
    if (std::is_sorted(places.begin(), places.end(), before)) return;
    std::stable_sort(places.begin(), places.end(), before);
    std::vector<uint64_t> sorted(places.size() * kWidth);
    std::vector<uint32_t> sorted_rows(places.size());
    for (size_t i = 0; i < places.size(); ++i) {
      CopyKey<kWidth>(KeyAt(places[i]), sorted.data() + i * kWidth);
      sorted_rows[i] = rows_[places[i]];
    }
    std::copy(sorted.begin(), sorted.end(), KeyAt(begin));
    std::copy(sorted_rows.begin(), sorted_rows.end(), rows_ + begin);
  }

  IdTable* const table_;
  uint64_t* const words_;
  uint32_t* const rows_;
  // Of the run at hand, as they stood before.
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> key_rows_;
  std::vector<uint32_t> key_buckets_;
};

template <size_t kWidth>
absl::Status IdTable::BuildRows(const Reader& reader, size_t rows, size_t threads, std::vector<uint32_t>* begins,
                                std::vector<uint32_t>* order) {
  // Stretches of rows, which threads take one after another.
  struct Stretch {
    size_t begin = 0, end = 0, known = 0;
    TraceId least, greatest;
    std::vector<uint32_t> run_places;  // of each run: how many keys, then where the next goes
  };
  if (rows < kThreadRowsMin) threads = 1;
  std::vector<Stretch> stretches(threads == 1 ? 1 : threads * kStretchesOfThread);
  for (size_t i = 0; i < stretches.size(); ++i) {
    stretches[i].begin = rows * i / stretches.size();
    stretches[i].end = rows * (i + 1) / stretches.size();
  }
  RETURN_IF_ERROR(ShareOut(threads, stretches.size(), [&](size_t i) {
    Stretch& stretch = stretches[i];
    std::array<uint64_t, kWordsMax> key;
    for (size_t row = stretch.begin; row < stretch.end; ++row) {
      if (!reader.Read(row, key.data())) continue;
      const TraceId id = FirstId(key.data());
      if (stretch.known == 0 || id < stretch.least) stretch.least = id;
      if (stretch.known == 0 || stretch.greatest < id) stretch.greatest = id;
      ++stretch.known;
    }
  }));
  size_t known = 0;
  for (const Stretch& stretch : stretches) {
    if (stretch.known == 0) continue;
    if (known == 0 || stretch.least < least_) least_ = stretch.least;
    if (known == 0 || greatest_ < stretch.greatest) greatest_ = stretch.greatest;
    known += stretch.known;
  }
  if (known == 0) {
    begins->push_back(0);
    return absl::OkStatus();
  }
  const uint64_t high = least_.high ^ greatest_.high, low = least_.low ^ greatest_.low;
  skipped_bits_ = high != 0 ? std::countl_zero(high) : 64 + std::countl_zero(low);
  bucket_bits_ = skipped_bits_ == 128 ? 0 : std::bit_width(known);
  const size_t buckets = (size_t{1} << bucket_bits_) + kSpread - 1;
  starts_.resize(buckets + 1);
  words_ = std::make_unique_for_overwrite<uint64_t[]>(known * kWidth);
  order->resize(known);
  begins->resize(known + 1);
  // First by runs of buckets, of which each fits the near caches, then each run by bucket.
  const int run_shift = std::max(0, bucket_bits_ - kRunBits);
  const size_t runs = (buckets >> run_shift) + 1;
  const auto run_of = std::make_unique_for_overwrite<uint32_t[]>(rows);
  RETURN_IF_ERROR(ShareOut(threads, stretches.size(), [&](size_t i) {
    Stretch& stretch = stretches[i];
    stretch.run_places.resize(runs);
    std::array<uint64_t, kWordsMax> key;
    for (size_t row = stretch.begin; row < stretch.end; ++row) {
      run_of[row] = kNoKey;
      if (!reader.Read(row, key.data())) continue;
      run_of[row] = static_cast<uint32_t>(BucketOf<kWidth>(key.data()) >> run_shift);
      ++stretch.run_places[run_of[row]];
    }
  }));
  std::vector<uint32_t> run_starts(runs + 1);
  uint32_t next_place = 0;
  for (size_t run = 0; run < runs; ++run) {
    run_starts[run] = next_place;
    for (Stretch& stretch : stretches) next_place += std::exchange(stretch.run_places[run], next_place);
  }
  run_starts[runs] = next_place;
  uint32_t* const placed = order->data();
  RETURN_IF_ERROR(ShareOut(threads, stretches.size(), [&](size_t i) {
    Stretch& stretch = stretches[i];
    std::array<uint64_t, kWordsMax> key;
    for (size_t row = stretch.begin; row < stretch.end; ++row) {
      if (run_of[row] == kNoKey) continue;
      reader.Read(row, key.data());
      const size_t place = stretch.run_places[run_of[row]]++;
      CopyKey<kWidth>(key.data(), words_.get() + place * kWidth);
      placed[place] = static_cast<uint32_t>(row);
    }
  }));
  std::vector<uint32_t> run_keys(runs);
  RETURN_IF_ERROR(ShareOut(threads, runs, [&](size_t run) {
    const size_t first = run << run_shift, last = std::min(buckets, first + (size_t{1} << run_shift));
    RunSorter<kWidth> sorter(this, placed);
    sorter.Sort(first, last, run_starts[run], run_starts[run + 1]);
    run_keys[run] =
        static_cast<uint32_t>(sorter.DropRepeats(first, last, run_starts[run], run_starts[run + 1], begins->data()));
  }));
  // The runs' keys move together.
  for (size_t run = 0; run < runs; ++run) {
    const size_t from = run_starts[run], moved = from - size_;
    if (moved > 0) {
      std::copy_n(words_.get() + from * kWidth, run_keys[run] * kWidth, words_.get() + size_ * kWidth);
      std::copy_n(begins->data() + from, run_keys[run], begins->data() + size_);
      const size_t first = run << run_shift, last = std::min(buckets, first + (size_t{1} << run_shift));
      for (size_t bucket = first; bucket < last; ++bucket) starts_[bucket] -= static_cast<uint32_t>(moved);
    }
    size_ += run_keys[run];
  }
  starts_.back() = static_cast<uint32_t>(size_);
  begins->resize(size_ + 1);
  begins->back() = static_cast<uint32_t>(known);
  return absl::OkStatus();
}

template <size_t kWidth>
uint32_t IdTable::FindIn(uint32_t begin, uint32_t end, const uint64_t* words) const {
  const uint64_t* const known = words_.get();
  if (end - begin > kFewKeys) {
    const uint32_t last = end;
    while (begin < end) {
      const uint32_t middle = begin + (end - begin) / 2;
      if (Precedes<kWidth>(known + middle * kWidth, words)) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    end = std::min(begin + 1, last);
  }
  for (uint32_t number = begin; number < end; ++number) {
    if (IsSame<kWidth>(known + number * kWidth, words)) return number;
  }
  return kNoKey;
}

template <size_t kWidth>
void IdTable::FindRows(const Reader& reader, size_t rows, uint32_t* numbers) const {
  struct Ahead {
    std::array<uint64_t, kWidth> words;
    uint32_t begin, end;  // of its bucket
    bool known;
  };
  std::array<Ahead, kAhead> ahead;
  std::array<uint64_t, kAhead> buckets;
  const uint32_t* const starts = starts_.data();
  for (size_t begin = 0; begin < rows; begin += kAhead) {
    const size_t count = std::min(kAhead, rows - begin);
    for (size_t i = 0; i < count; ++i) {
      Ahead& row = ahead[i];
      row.known = reader.Read(begin + i, row.words.data());
      if (!row.known) continue;
      const TraceId id = FirstId(row.words.data());
      row.known = !(id < least_) && !(greatest_ < id);
      if (!row.known) continue;
      buckets[i] = BucketOf<kWidth>(row.words.data());
      __builtin_prefetch(starts + buckets[i]);
    }
    for (size_t i = 0; i < count; ++i) {
      Ahead& row = ahead[i];
      if (!row.known) continue;
      row.begin = starts[buckets[i]];
      row.end = starts[buckets[i] + 1];
      __builtin_prefetch(words_.get() + row.begin * kWidth);
    }
    for (size_t i = 0; i < count; ++i) {
      const Ahead& row = ahead[i];
      numbers[begin + i] = row.known ? FindIn<kWidth>(row.begin, row.end, row.words.data()) : kNoKey;
    }
  }
}

absl::Status IdTable::Build(const std::vector<const Column*>& keys, size_t rows, size_t threads,
                            std::vector<uint32_t>* begins, std::vector<uint32_t>* order) {
  begins->clear();
  order->clear();
  Reader reader;
  if (!Open(keys, &reader)) {
    begins->push_back(0);
    return absl::OkStatus();
  }
  switch (width_) {
    case 1: return BuildRows<1>(reader, rows, threads, begins, order);
    case 2: return BuildRows<2>(reader, rows, threads, begins, order);
    case 3: return BuildRows<3>(reader, rows, threads, begins, order);
    case 4: return BuildRows<4>(reader, rows, threads, begins, order);
    case 5: return BuildRows<5>(reader, rows, threads, begins, order);
    case 6: return BuildRows<6>(reader, rows, threads, begins, order);
    case 7: return BuildRows<7>(reader, rows, threads, begins, order);
    default: return BuildRows<8>(reader, rows, threads, begins, order);
  }
}

void IdTable::Find(const std::vector<const Column*>& keys, size_t rows, std::vector<uint32_t>* numbers) const {
  numbers->assign(rows, kNoKey);
  Reader reader;
  if (size_ == 0 || !Open(keys, &reader)) return;
  switch (width_) {
    case 1: return FindRows<1>(reader, rows, numbers->data());
    case 2: return FindRows<2>(reader, rows, numbers->data());
    case 3: return FindRows<3>(reader, rows, numbers->data());
    case 4: return FindRows<4>(reader, rows, numbers->data());
    case 5: return FindRows<5>(reader, rows, numbers->data());
    case 6: return FindRows<6>(reader, rows, numbers->data());
    case 7: return FindRows<7>(reader, rows, numbers->data());
    default: return FindRows<8>(reader, rows, numbers->data());
  }
}

}  // namespace braid
