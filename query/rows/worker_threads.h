// Threads of one operator: they end before it does, and what they throw does not end the process.
//
// Threads: belongs to one; the work runs on others.
#pragma once

#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace braid {

class WorkerThreads {
 public:
  WorkerThreads() = default;
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;
  ~WorkerThreads() { Join(); }

  // Runs `work`, which answers a status, on a thread of its own; Join makes `*status` readable. False if the system
  // gives no thread: then others must do the work.
  template <typename Work>
  bool Start(absl::Status* status, Work work) {
    try {
      threads_.emplace_back([status, work = std::move(work)] {
        try {
          *status = work();
        } catch (const std::bad_alloc&) {
          // Without a text, which would need memory.
          *status = absl::Status(absl::StatusCode::kResourceExhausted, "");
        }
      });
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }
  void Join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace braid
