// What one operator holds of the query's memory; given back when the operator goes.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "query/rows/operator.h"

namespace braid {

class Reservation {
 public:
  // `owner` names the operator in errors; it must be a literal.
  Reservation(QueryContext* context, const char* owner) : context_(context), owner_(owner) {}
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() { context_->Release(held_); }

  // Holds `bytes` in all from now on.
  absl::Status Set(uint64_t bytes) {
    if (bytes > held_) {
      if (absl::Status status = context_->Reserve(bytes - held_, owner_); !status.ok()) return status;
    } else {
      context_->Release(held_ - bytes);
    }
    held_ = bytes;
    return absl::OkStatus();
  }
  absl::Status Add(uint64_t bytes) { return Set(held_ + bytes); }
  // Takes over what someone else has already reserved (Drain).
  void Adopt(uint64_t bytes) { held_ += bytes; }
  uint64_t held() const { return held_; }

 private:
  QueryContext* context_;
  const char* owner_;
  uint64_t held_ = 0;
};

// Drain, with its memory held by `reservation`.
absl::StatusOr<RecordBatch> DrainInto(Operator* op, QueryContext* context, Reservation* reservation);

}  // namespace braid
