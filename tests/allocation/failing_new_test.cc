#include "tests/allocation/failing_new.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace {

constexpr uint64_t kNever = UINT64_MAX;
std::atomic<uint64_t> fail_at{kNever};
std::atomic<bool> fail_for_good{false};
std::atomic<uint64_t> call_count{0};
std::atomic<bool> has_happened{false};
std::atomic<bool> is_armed{false};

bool Fails() {
  if (!is_armed.load(std::memory_order_relaxed)) return false;
  const uint64_t call = call_count.fetch_add(1, std::memory_order_relaxed);
  const uint64_t at = fail_at.load(std::memory_order_relaxed);
  if (call != at && !(fail_for_good.load(std::memory_order_relaxed) && call > at)) return false;
  has_happened.store(true, std::memory_order_relaxed);
  return true;
}

void* Allocate(size_t size, size_t align) noexcept {
  if (Fails()) return nullptr;
  if (size == 0) size = 1;
  if (align <= alignof(std::max_align_t)) return std::malloc(size);
  return std::aligned_alloc(align, (size + align - 1) / align * align);
}
void* AllocateOrThrow(size_t size, size_t align) {
  void* const memory = Allocate(size, align);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return AllocateOrThrow(size, 1); }
void* operator new[](size_t size) { return AllocateOrThrow(size, 1); }
void* operator new(size_t size, std::align_val_t align) { return AllocateOrThrow(size, static_cast<size_t>(align)); }
void* operator new[](size_t size, std::align_val_t align) { return AllocateOrThrow(size, static_cast<size_t>(align)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 1); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Allocate(size, 1); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace braid {

FailingNew::FailingNew(uint64_t n, bool for_good) {
  fail_at = n;
  fail_for_good = for_good;
  call_count = 0;
  has_happened = false;
  is_armed = true;
}
FailingNew::~FailingNew() { is_armed = false; }
uint64_t FailingNew::calls() const { return call_count; }
bool FailingNew::happened() const { return has_happened; }

namespace {

TEST(FailingNewTest, FailsWhenToldTo) {
  std::vector<std::unique_ptr<int>> kept;
  kept.reserve(10);
  int failed = 0;
  for (const bool for_good : {false, true}) {
    FailingNew failing(2, for_good);
    for (int i = 0; i < 5; ++i) {
      try {
        kept.push_back(std::make_unique<int>(i));
      } catch (const std::bad_alloc&) {
        ++failed;
      }
    }
  }
  EXPECT_EQ(failed, 1 + 3);
  EXPECT_EQ(kept.size(), 6u);
}

}  // namespace
}  // namespace braid
