#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

#include "braid/query_memory.h"
#include "query/rows/operator.h"
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

void SetQueryMemoryMax(uint64_t bytes) { all_max = bytes; }

uint64_t QueryMemoryUsed() { return all_used; }

struct QueryContext::Shared {
  ~Shared() { all_used -= reserved; }
  std::atomic<uint64_t> reserved{0};
  std::atomic<uint64_t> scanned{0};
  std::mutex mutex;
  std::vector<Note> notes;
};

QueryContext::QueryContext() : shared_(std::make_shared<Shared>()) {}

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
  const auto refuse = [&](uint64_t used, const std::string& of, const char* hint) {
    return MakeError(
        {"E081", std::string(owner) + " needs " + InMiB(bytes) + " more, but " + InMiB(used) + of, 1, 1, 1, hint});
  };
  uint64_t used = 0;
  if (!TakeUpTo(limits.memory_bytes_max, bytes, &shared_->reserved, &used)) {
    return refuse(used, " of the query's memory limit of " + InMiB(limits.memory_bytes_max) + " are in use",
                  "narrow the range, keep fewer columns or raise the limit");
  }
  const uint64_t together = all_max.load(std::memory_order_relaxed);
  if (TakeUpTo(together == 0 ? UINT64_MAX : together, bytes, &all_used, &used)) return absl::OkStatus();
  shared_->reserved.fetch_sub(bytes, std::memory_order_relaxed);
  return refuse(used, " of the " + InMiB(together) + " that all running queries may hold are in use",
                "ask again when other queries are done, narrow the range or keep fewer columns");
}

void QueryContext::Release(uint64_t bytes) {
  uint64_t used = shared_->reserved.load(std::memory_order_relaxed);
  uint64_t given = 0;
  do {
    given = std::min(bytes, used);
  } while (!shared_->reserved.compare_exchange_weak(used, used - given, std::memory_order_relaxed));
  all_used.fetch_sub(given, std::memory_order_relaxed);
}

uint64_t QueryContext::reserved_bytes() const { return shared_->reserved.load(std::memory_order_relaxed); }

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
