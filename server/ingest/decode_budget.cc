#include "server/ingest/decode_budget.h"

#include <algorithm>

namespace braid::ingest {
namespace {

// Memory for a byte of batch: its text with the slack of growing, and the commit that it is written as.
constexpr size_t kBatchWeight = 3;
// A batch takes its share in steps, so that most records find it taken.
constexpr size_t kBatchStepBytes = size_t{64} << 10;

}  // namespace

size_t DecodeBudget::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

DecodeBudget::Share::Share(DecodeBudget* budget, size_t weight) : budget_(budget), weight_(weight) {
  std::lock_guard lock(budget_->mutex_);
  number_ = ++budget_->last_number_;
  budget_->shares_.insert(number_);
}

DecodeBudget::Share::~Share() {
  std::lock_guard lock(budget_->mutex_);
  budget_->shares_.erase(number_);
  budget_->used_ -= taken_;
}

bool DecodeBudget::Share::Grow(size_t bytes) {
  const size_t wanted = bytes * weight_;
  if (wanted <= body_) return true;
  if (!Take(wanted + batch_)) return false;
  body_ = wanted;
  return true;
}

bool DecodeBudget::Share::GrowBatch(size_t bytes) {
  const size_t held = bytes * kBatchWeight;
  if (held <= batch_) return true;
  // A step at once, but a small batch takes what it is.
  const size_t wanted = held < kBatchStepBytes ? std::min(2 * held, kBatchStepBytes) : held + kBatchStepBytes;
  if (!Take(body_ + wanted)) return false;
  batch_ = wanted;
  return true;
}

bool DecodeBudget::Share::Take(size_t wanted) {
  std::lock_guard lock(budget_->mutex_);
  const bool first = *budget_->shares_.begin() == number_;
  if (!first && budget_->used_ + (wanted - taken_) > budget_->bytes_max_) return false;
  budget_->used_ += wanted - taken_;
  taken_ = wanted;
  return true;
}

}  // namespace braid::ingest
