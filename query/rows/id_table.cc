#include "query/rows/id_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "query/rows/key_table.h"

namespace braid {
namespace {

// Rows whose slots, and then the keys that stand in them, are fetched ahead of their turn.
constexpr size_t kAhead = 16;

bool IsId(Type type) { return type == Type::kTraceId || type == Type::kSpanId; }

}  // namespace

bool IdTable::Fits(const std::vector<Type>& types) {
  return !types.empty() && types.size() <= kColumnsMax && std::all_of(types.begin(), types.end(), IsId);
}

IdTable::IdTable(std::vector<Type> types) : types_(std::move(types)) {
  for (const Type type : types_) width_ += type == Type::kTraceId ? 2 : 1;
}

bool IdTable::ReadKey(const std::vector<Column>& keys, size_t row, Words* words) const {
  size_t at = 0;
  for (size_t i = 0; i < types_.size(); ++i) {
    const Column& column = keys[i];
    if (column.type != types_[i] || (!column.valid.empty() && column.valid[row] == 0)) return false;
    if (column.type == Type::kTraceId) {
      (*words)[at++] = column.trace_ids[row].high;
      (*words)[at++] = column.trace_ids[row].low;
    } else {
      (*words)[at++] = static_cast<uint64_t>(column.ints[row]);
    }
  }
  return true;
}

uint64_t IdTable::HashOf(const Words& words) const {
  uint64_t hash = 0;
  for (size_t i = 0; i < width_; ++i) {
    hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
    hash ^= hash >> 32;
  }
  return hash;
}

void IdTable::PrefetchKeys(const uint64_t* hashes, size_t count) const {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t entry = slots_[hashes[i] & (slots_.size() - 1)];
    if (entry != 0) __builtin_prefetch(&words_[(entry - 1) * width_]);
  }
}

size_t IdTable::SlotOf(const Words& words, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const uint32_t entry = slots_[slot];
    if (entry == 0) return slot;
    const uint64_t* known = &words_[(entry - 1) * width_];
    uint64_t differs = 0;
    for (size_t i = 0; i < width_; ++i) differs |= known[i] ^ words[i];
    if (differs == 0) return slot;
  }
}

void IdTable::Assign(const std::vector<Column>& keys, size_t rows, std::vector<uint32_t>* numbers) {
  numbers->assign(rows, kNoKey);
  slots_.assign(std::bit_ceil(rows * 2 + 2), 0);
  words_.reserve(rows * width_);
  std::array<Words, kAhead> words;
  std::array<uint64_t, kAhead> hashes;
  std::array<bool, kAhead> known;
  for (size_t begin = 0; begin < rows; begin += kAhead) {
    const size_t count = std::min(kAhead, rows - begin);
    for (size_t i = 0; i < count; ++i) {
      known[i] = ReadKey(keys, begin + i, &words[i]);
      hashes[i] = known[i] ? HashOf(words[i]) : 0;
      __builtin_prefetch(&slots_[hashes[i] & (slots_.size() - 1)]);
    }
    PrefetchKeys(hashes.data(), count);
    for (size_t i = 0; i < count; ++i) {
      if (!known[i]) continue;
      uint32_t& entry = slots_[SlotOf(words[i], hashes[i])];
      if (entry == 0) {
        words_.insert(words_.end(), words[i].begin(), words[i].begin() + static_cast<ptrdiff_t>(width_));
        entry = static_cast<uint32_t>(++size_);
      }
      (*numbers)[begin + i] = entry - 1;
    }
  }
}

void IdTable::Find(const std::vector<Column>& keys, size_t rows, std::vector<uint32_t>* numbers) const {
  numbers->assign(rows, kNoKey);
  if (size_ == 0) return;
  std::array<Words, kAhead> words;
  std::array<uint64_t, kAhead> hashes;
  std::array<bool, kAhead> known;
  for (size_t begin = 0; begin < rows; begin += kAhead) {
    const size_t count = std::min(kAhead, rows - begin);
    for (size_t i = 0; i < count; ++i) {
      known[i] = ReadKey(keys, begin + i, &words[i]);
      hashes[i] = known[i] ? HashOf(words[i]) : 0;
      __builtin_prefetch(&slots_[hashes[i] & (slots_.size() - 1)]);
    }
    PrefetchKeys(hashes.data(), count);
    for (size_t i = 0; i < count; ++i) {
      if (!known[i]) continue;
      // Numbers are one less than entries; a free slot gives kNoKey.
      (*numbers)[begin + i] = slots_[SlotOf(words[i], hashes[i])] - 1;
    }
  }
}

}  // namespace braid
