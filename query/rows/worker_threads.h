// Threads of one operator: they end before it does, and what they throw does not end the process. They are started when
// the operator has been at work for a while: starting one costs as much as many a query.
//
// Threads: belongs to one; the work runs on others.
#pragma once

#include <chrono>
#include <functional>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace braid {

class WorkerThreads {
 public:
  // `at_once`: does not wait for that.
  explicit WorkerThreads(bool at_once) : due_(std::chrono::steady_clock::now()) {
    if (!at_once) due_ += kWorthAThread;
  }
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads() { Join(); }

  // Runs `work`, which answers a status, on a thread of its own as soon as StartIfDue finds that it is time; Join makes
  // `*status` readable. It never runs if the rest is done before, or the system gives no thread: others must be able to
  // do its work.
  void Add(absl::Status* status, std::function<absl::Status()> work) { waiting_.push_back({status, std::move(work)}); }
  void StartIfDue() {
    if (waiting_.empty() || std::chrono::steady_clock::now() < due_) return;
    for (Waiting& next : waiting_) {
      try {
        threads_.emplace_back([status = next.status, work = std::move(next.work)] {
          try {
            *status = work();
          } catch (const std::bad_alloc&) {
            // Without a text, which would need memory.
            *status = absl::Status(absl::StatusCode::kResourceExhausted, "");
          }
        });
      } catch (const std::system_error&) {
        break;
      }
    }
    waiting_.clear();
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  static constexpr auto kWorthAThread = std::chrono::microseconds(100);

  struct Waiting {
    absl::Status* status;
    std::function<absl::Status()> work;
  };

  std::chrono::steady_clock::time_point due_;
  std::vector<Waiting> waiting_;
  std::vector<std::thread> threads_;
};

}  // namespace braid
