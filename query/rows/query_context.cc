#include <chrono>
#include <mutex>
#include <utility>

#include "query/rows/operator.h"
#include "query/syntax/parser.h"

namespace braid {
int Schema::Find(std::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

struct QueryContext::Shared {
  std::atomic<uint64_t> scanned{0};
  std::mutex mutex;
  std::vector<Note> notes;
};

QueryContext::QueryContext() : shared_(std::make_shared<Shared>()), memory_(std::make_shared<MemoryBudget>()) {}

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
  return memory_->Reserve(bytes, limits.memory_bytes_max, owner);
}

void QueryContext::Release(uint64_t bytes) { memory_->Release(bytes); }

uint64_t QueryContext::reserved_bytes() const { return memory_->used(); }

absl::Status QueryContext::CountScanned(uint64_t bytes) {
  const uint64_t scanned = shared_->scanned.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (limits.scan_bytes_max == 0 || scanned <= limits.scan_bytes_max) return absl::OkStatus();
  return MakeError({"E085",
                    "the query reads more than its limit of " + std::to_string(limits.scan_bytes_max) + " stored bytes",
                    1, 1, 1, "narrow its range or its conditions, or raise the limit"});
}

void QueryContext::AddNote(std::string kind, std::string text) {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  for (const Note& note : shared_->notes) {
    if (note.kind == kind && note.text == text) return;
  }
  shared_->notes.push_back(Note{std::move(kind), std::move(text)});
}

std::vector<Note> QueryContext::notes() const {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->notes;
}

std::vector<OperatorPtr> Operator::Split(size_t) { return {}; }

}  // namespace braid
