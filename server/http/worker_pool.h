// Threads that run handlers, with a bounded queue before them.
//
// Threads: Submit may be called from anywhere. The destructor waits for what was submitted.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace braid::http {

class WorkerPool {
 public:
  WorkerPool(int threads, size_t queue_max);
  ~WorkerPool();
  // False, and nothing done, if `queue_max` tasks are waiting already.
  bool Submit(std::function<void()> task);

 private:
  void Run();

  const size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace braid::http
