// A hash table from things that are kept elsewhere to their numbers: eight bytes a slot, whatever the things are.
// Threads: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace braid {

class NumberTable {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  // The number that was added with this hash and for which `equals(number)` holds; kNone if there is none.
  template <typename Equals>
  uint32_t Find(uint64_t hash, Equals equals) const {
    if (slots_.empty()) return kNone;
    const auto tag = static_cast<uint32_t>(hash >> 32);
    for (size_t at = tag & (slots_.size() - 1); slots_[at].number != kNone; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].tag == tag && equals(slots_[at].number)) return slots_[at].number;
    }
    return kNone;
  }
  // The next Add will not need memory.
  void MakeRoom() {
    if ((size_ + 1) * 4 > slots_.size() * 3) Grow();
  }
  // REQUIRES: it is not there yet; number < kNone.
  void Add(uint64_t hash, uint32_t number) {
    MakeRoom();
    Place({static_cast<uint32_t>(hash >> 32), number});
    ++size_;
  }
  size_t byte_size() const { return slots_.size() * sizeof(Slot); }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t number = kNone;
  };
  void Place(Slot slot) {
    size_t at = slot.tag & (slots_.size() - 1);
    while (slots_[at].number != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
  void Grow() {
    std::vector<Slot> old(slots_.empty() ? 64 : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number != kNone) Place(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them
  size_t size_ = 0;
};

}  // namespace braid
