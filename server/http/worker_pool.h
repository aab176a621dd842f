// Threads that run handlers, with a bounded queue before them.
//
// Threads: all but the destructor may be called from anywhere. The destructor waits for what was submitted.
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

  // Lets the caller run a task itself that counts as one of this pool's: true if a thread would be free for it. Then
  // EndBorrowed follows.
  bool Borrow();
  void EndBorrowed();

 private:
  void Run();

  const size_t queue_max_;
  const size_t running_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  size_t running_ = 0;  // tasks, borrowed ones too
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace braid::http
