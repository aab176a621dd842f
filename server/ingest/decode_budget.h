// Memory that all request bodies together may take while they are decoded: many small bodies that unfold to much, sent
// at once, are turned away before they add up.
//
// Threads: a budget is shared by many threads; a Share belongs to one.
#pragma once

#include <atomic>
#include <cstddef>

namespace braid::ingest {

class DecodeBudget {
 public:
  explicit DecodeBudget(size_t bytes_max) : bytes_max_(bytes_max) {}
  size_t used() const { return used_.load(std::memory_order_relaxed); }

  // What one body takes; given back at the end of the share's life.
  class Share {
   public:
    // `weight`: bytes of memory for each byte of decoded body: the body, what its decoder holds beside it, the batch.
    Share(DecodeBudget* budget, size_t weight) : budget_(budget), weight_(weight) {}
    ~Share() { budget_->used_ -= taken_; }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    // False, and nothing taken, if a decoded body of `bytes` does not fit beside the others. A body that is alone
    // always fits: the limits of a single body are others.
    bool Grow(size_t bytes) {
      const size_t wanted = bytes * weight_;
      if (wanted <= taken_) return true;
      const size_t before = budget_->used_.fetch_add(wanted - taken_);
      if (before > taken_ && before + (wanted - taken_) > budget_->bytes_max_) {
        budget_->used_ -= wanted - taken_;
        return false;
      }
      taken_ = wanted;
      return true;
    }

   private:
    DecodeBudget* budget_;
    const size_t weight_;
    size_t taken_ = 0;
  };

 private:
  const size_t bytes_max_;
  std::atomic<size_t> used_{0};
};

}  // namespace braid::ingest
