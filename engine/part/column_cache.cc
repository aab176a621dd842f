#include "engine/part/column_cache.h"

#include "engine/part/columns.h"
#include "engine/part/part_format.h"

namespace braid {
namespace {

// What an entry costs beside its column: key, map slot, list of blocks.
constexpr size_t kEntryBytes = 256;
// Stands for all row groups of a file.
constexpr uint32_t kAllGroups = UINT32_MAX;
static_assert(kAllGroups >= kMaxRowGroups);

}  // namespace

ColumnCache* ColumnCache::Shared() {
  // Never destroyed: scans of other threads may outlive the statics.
  static auto* const cache = new ColumnCache(kColumnCacheBytes);
  return cache;
}

ColumnCache::Kept* ColumnCache::Touch(const Key& key) {
  if (auto at = young_.find(key); at != young_.end()) return &at->second;
  auto at = old_.find(key);
  if (at == old_.end()) return nullptr;
  Kept kept = std::move(at->second);
  old_.erase(at);
  old_bytes_ -= kept.bytes;
  return Add(key, std::move(kept));
}

bool ColumnCache::Find(const Key& key, Entry* entry) {
  std::lock_guard<std::mutex> lock(mutex_);
  const Kept* kept = Touch(key);
  if (kept == nullptr) return false;
  *entry = kept->entry;
  return true;
}

void ColumnCache::Put(Key key, Entry entry) {
  Kept kept;
  kept.bytes = ColumnBytes(*entry.column) + kEntryBytes;
  // One huge column would push all others out.
  if (kept.bytes > generation_bytes_max_ / 8) return;
  kept.entry = std::move(entry);
  std::lock_guard<std::mutex> lock(mutex_);
  if (young_.contains(key)) return;
  Add(std::move(key), std::move(kept));
}

void ColumnCache::Attach(const Key& key, std::shared_ptr<const CoarseTimes> times) {
  std::lock_guard<std::mutex> lock(mutex_);
  // Who makes something of a column has just found it, so that it is young.
  auto at = young_.find(key);
  if (at == young_.end() || at->second.entry.times != nullptr) return;
  at->second.bytes += times->bytes();
  young_bytes_ += times->bytes();
  at->second.entry.times = std::move(times);
}

std::shared_ptr<TextFilters> ColumnCache::FindFilters(Key key) {
  key.group = kAllGroups;
  std::lock_guard<std::mutex> lock(mutex_);
  const Kept* kept = Touch(key);
  return kept == nullptr ? nullptr : kept->filters;
}

void ColumnCache::AddToFilters(const Key& key, size_t groups, const StringDictionary& texts) {
  Key of_all = key;
  of_all.group = kAllGroups;
  std::shared_ptr<TextFilters> filters = FindFilters(of_all);
  if (filters == nullptr) {
    Kept made;
    made.filters = std::make_shared<TextFilters>(groups);
    made.bytes = made.filters->bytes() + kEntryBytes;
    std::lock_guard<std::mutex> lock(mutex_);
    const Kept* kept = Touch(of_all);
    filters = (kept == nullptr ? Add(of_all, std::move(made)) : kept)->filters;
  }
  const size_t grown = filters->Add(key.group, texts);
  if (grown == 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  // They may have been dropped meanwhile, or others be in their place.
  Kept* const kept = Touch(of_all);
  if (kept == nullptr || kept->filters != filters) return;
  kept->bytes += grown;
  young_bytes_ += grown;
}

ColumnCache::Kept* ColumnCache::Add(Key key, Kept kept) {
  if (young_bytes_ + kept.bytes > generation_bytes_max_) {
    old_ = std::exchange(young_, Generation());
    old_bytes_ = std::exchange(young_bytes_, 0);
  }
  young_bytes_ += kept.bytes;
  return &young_.try_emplace(std::move(key), std::move(kept)).first->second;
}

void ColumnCache::Drop(uint64_t file) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto drop = [file](Generation* generation, size_t* bytes) {
    absl::erase_if(*generation, [&](const auto& item) {
      if (item.first.file != file) return false;
      *bytes -= item.second.bytes;
      return true;
    });
  };
  drop(&young_, &young_bytes_);
  drop(&old_, &old_bytes_);
}

size_t ColumnCache::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return young_bytes_ + old_bytes_;
}

}  // namespace braid
