#include "server/ingest/decode_budget.h"

namespace braid::ingest {

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
  if (wanted <= taken_) return true;
  std::lock_guard lock(budget_->mutex_);
  const bool first = *budget_->shares_.begin() == number_;
  if (!first && budget_->used_ + (wanted - taken_) > budget_->bytes_max_) return false;
  budget_->used_ += wanted - taken_;
  taken_ = wanted;
  return true;
}

}  // namespace braid::ingest
