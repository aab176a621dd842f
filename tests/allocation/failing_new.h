// This program's operator new, which fails when told to: once at the n-th call, or from then on.
//
// Threads: counts the calls of all threads; arm it while only one works.
#pragma once

#include <cstdint>

namespace braid {

// While it lives, the n-th call (from 0) of operator new throws std::bad_alloc, and those after it too if `for_good`.
class FailingNew {
 public:
  explicit FailingNew(uint64_t n, bool for_good = false);
  ~FailingNew();
  FailingNew(const FailingNew&) = delete;
  FailingNew& operator=(const FailingNew&) = delete;
  uint64_t calls() const;  // so far
  bool happened() const;   // a call has failed
};

}  // namespace braid
