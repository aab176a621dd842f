// Memory that all request bodies together may take while they are decoded: many small bodies that unfold to much, sent
// at once, are turned away before they add up. The one that came first always goes on, so that there is progress
// however many come: the budget may be exceeded by what a single body may take.
//
// Threads: a budget is shared by many threads; a Share belongs to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>

namespace braid::ingest {

class DecodeBudget {
 public:
  static constexpr size_t kBytesMax = size_t{512} << 20;

  explicit DecodeBudget(size_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}
  // Before the first share.
  void set_bytes_max(size_t bytes_max) { bytes_max_ = bytes_max; }
  size_t used() const;

  // What one body takes; given back at the end of the share's life.
  class Share {
   public:
    // `weight`: bytes of memory for each byte of decoded body: the body and what its decoder holds beside it.
    Share(DecodeBudget* budget, size_t weight);
    ~Share();
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    // False, and nothing taken, if a decoded body of `bytes` does not fit beside the others.
    bool Grow(size_t bytes);
    // The same for the batch that it is decoded to, which may be many times the body: a record of two bytes takes
    // dozens there. Cheap to ask after each record.
    bool GrowBatch(size_t bytes);

   private:
    bool Take(size_t wanted);

    DecodeBudget* budget_;
    const size_t weight_;
    uint64_t number_ = 0;  // in the order of coming
    size_t body_ = 0;      // memory for the body
    size_t batch_ = 0;     // and for the batch
    size_t taken_ = 0;     // both
  };

 private:
  size_t bytes_max_;
  mutable std::mutex mutex_;
  uint64_t last_number_ = 0;
  std::set<uint64_t> shares_;
  size_t used_ = 0;
};

}  // namespace braid::ingest
