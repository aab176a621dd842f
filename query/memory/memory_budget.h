// The memory of one query: it takes from its own limit and from what all queries of the process may hold together
// (braid/query_memory.h).
//
// Threads: all methods of a MemoryBudget may be called from any thread; a MemoryHold belongs to one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"

namespace braid {

class MemoryBudget {
 public:
  MemoryBudget() = default;
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;
  ~MemoryBudget();  // gives back what is still held

  // Takes `bytes`, before they are allocated, unless the query would then hold more than `bytes_max` or all queries
  // more than they may: ResourceExhausted (E081), which names `owner`, its size and what to change.
  absl::Status Reserve(uint64_t bytes, uint64_t bytes_max, const char* owner);
  void Release(uint64_t bytes);
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> used_{0};
};

// Bytes that one owner holds of a budget; given back when it goes.
class MemoryHold {
 public:
  // `owner` names the holder in errors; it must be a literal. `bytes_max`: the limit of the query.
  MemoryHold(std::shared_ptr<MemoryBudget> budget, uint64_t bytes_max, const char* owner)
      : budget_(std::move(budget)), bytes_max_(bytes_max), owner_(owner) {}
  MemoryHold(MemoryHold&& other) noexcept
      : budget_(std::move(other.budget_)),
        bytes_max_(other.bytes_max_),
        owner_(other.owner_),
        held_(std::exchange(other.held_, 0)) {}
  MemoryHold& operator=(MemoryHold&& other) noexcept;
  ~MemoryHold() { Drop(); }

  // Holds so many more bytes.
  absl::Status Add(uint64_t bytes);
  // Holds `bytes` in all from now on.
  absl::Status Set(uint64_t bytes);
  uint64_t held() const { return held_; }
  // Another hold of the same budget, with nothing in it.
  MemoryHold Sibling() const { return {budget_, bytes_max_, owner_}; }
  // What the query may still take for itself.
  uint64_t room() const;

 private:
  void Drop();

  std::shared_ptr<MemoryBudget> budget_;
  uint64_t bytes_max_;
  const char* owner_;
  uint64_t held_ = 0;
};

}  // namespace braid
