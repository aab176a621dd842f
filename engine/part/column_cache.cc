#include "engine/part/column_cache.h"

#include "engine/part/columns.h"

namespace braid {
namespace {

// What an entry costs beside its column: key, map slot, list of blocks.
constexpr size_t kEntryBytes = 256;

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

std::shared_ptr<const TextFilter> ColumnCache::FindFilter(const Key& key) {
  std::lock_guard<std::mutex> lock(mutex_);
  const Kept* kept = Touch(key);
  return kept == nullptr ? nullptr : kept->entry.filter;
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
