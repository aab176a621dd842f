#include "query/memory/memory_budget.h"

#include <algorithm>
#include <string>

#include "braid/query_memory.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

// Of all queries of the process.
std::atomic<uint64_t> all_used{0};
std::atomic<uint64_t> all_max{0};

// Adds to `*used` unless that would be more than `limit`; false then, with what is used in `*found`.
bool TakeUpTo(uint64_t limit, uint64_t bytes, std::atomic<uint64_t>* used, uint64_t* found) {
  *found = used->load(std::memory_order_relaxed);
  do {
    if (bytes > limit || *found > limit - bytes) return false;
  } while (!used->compare_exchange_weak(*found, *found + bytes, std::memory_order_relaxed));
  return true;
}

std::string InMiB(uint64_t bytes) {
  const uint64_t mebibytes = bytes >> 20, tenths = (bytes & ((uint64_t{1} << 20) - 1)) * 10 >> 20;
  return std::to_string(mebibytes) + "." + std::to_string(tenths) + " MiB";
}

}  // namespace

void SetQueryMemoryMax(uint64_t bytes) { all_max = bytes; }

uint64_t QueryMemoryUsed() { return all_used; }

MemoryBudget::~MemoryBudget() { all_used -= used_; }

absl::Status MemoryBudget::Reserve(uint64_t bytes, uint64_t bytes_max, const char* owner) {
  const auto refuse = [&](uint64_t used, const std::string& of, const char* hint) {
    return MakeError(
        {"E081", std::string(owner) + " needs " + InMiB(bytes) + " more, but " + InMiB(used) + of, 1, 1, 1, hint});
  };
  uint64_t used = 0;
  if (!TakeUpTo(bytes_max, bytes, &used_, &used)) {
    return refuse(used, " of the query's memory limit of " + InMiB(bytes_max) + " are in use",
                  "narrow the range, keep fewer columns or raise the limit");
  }
  const uint64_t together = all_max.load(std::memory_order_relaxed);
  if (TakeUpTo(together == 0 ? UINT64_MAX : together, bytes, &all_used, &used)) return absl::OkStatus();
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  return refuse(used, " of the " + InMiB(together) + " that all running queries may hold are in use",
                "ask again when other queries are done, narrow the range or keep fewer columns");
}

void MemoryBudget::Release(uint64_t bytes) {
  uint64_t used = used_.load(std::memory_order_relaxed);
  uint64_t given = 0;
  do {
    given = std::min(bytes, used);
  } while (!used_.compare_exchange_weak(used, used - given, std::memory_order_relaxed));
  all_used.fetch_sub(given, std::memory_order_relaxed);
}

MemoryHold& MemoryHold::operator=(MemoryHold&& other) noexcept {
  if (this == &other) return *this;
  Drop();
  budget_ = std::move(other.budget_);
  bytes_max_ = other.bytes_max_;
  owner_ = other.owner_;
  held_ = std::exchange(other.held_, 0);
  return *this;
}

absl::Status MemoryHold::Add(uint64_t bytes) {
  if (absl::Status status = budget_->Reserve(bytes, bytes_max_, owner_); !status.ok()) return status;
  held_ += bytes;
  return absl::OkStatus();
}

absl::Status MemoryHold::Set(uint64_t bytes) {
  if (bytes > held_) return Add(bytes - held_);
  budget_->Release(held_ - bytes);
  held_ = bytes;
  return absl::OkStatus();
}

uint64_t MemoryHold::room() const { return bytes_max_ - std::min(bytes_max_, budget_->used()); }

void MemoryHold::Drop() {
  if (budget_ != nullptr) budget_->Release(std::exchange(held_, 0));
}

}  // namespace braid
