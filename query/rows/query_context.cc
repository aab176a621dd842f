#include <algorithm>
#include <chrono>

#include "query/rows/operator.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

std::string InMiB(uint64_t bytes) {
  const uint64_t tenths = bytes * 10 / (uint64_t{1} << 20);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

}  // namespace

int Schema::Find(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

absl::Status QueryContext::CheckAlive() const {
  if (cancel != nullptr && cancel->load(std::memory_order_relaxed))
    return absl::CancelledError("the query was cancelled");
  if (deadline_steady_ns != 0) {
    const auto now_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    if (now_ns > deadline_steady_ns) {
      return absl::DeadlineExceededError("the query ran longer than its time limit of " +
                                         std::to_string(limits.time_max / kMillisecond) +
                                         " ms; narrow its range or raise the limit");
    }
  }
  return absl::OkStatus();
}

absl::Status QueryContext::Reserve(uint64_t bytes, const char* owner) {
  if (bytes > limits.memory_bytes_max || reserved_ > limits.memory_bytes_max - bytes) {
    return MakeError({"E081",
                      std::string(owner) + " needs " + InMiB(bytes) + " more, but " + InMiB(reserved_) +
                          " of the query's memory limit of " + InMiB(limits.memory_bytes_max) + " are in use",
                      1, 1, 1, "narrow the range, keep fewer columns or raise the limit"});
  }
  reserved_ += bytes;
  return absl::OkStatus();
}

void QueryContext::Release(uint64_t bytes) { reserved_ -= std::min(bytes, reserved_); }

void QueryContext::AddNote(std::string kind, std::string text) {
  for (const Note& note : notes_) {
    if (note.kind == kind && note.text == text) return;
  }
  notes_.push_back(Note{std::move(kind), std::move(text)});
}

}  // namespace braid
