#include "server/http/worker_pool.h"

#include <utility>

namespace braid::http {

WorkerPool::WorkerPool(int threads, size_t queue_max)
    : queue_max_(queue_max), running_max_(static_cast<size_t>(threads)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::Submit(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

bool WorkerPool::Borrow() {
  std::lock_guard lock(mutex_);
  if (!queue_.empty() || running_ >= running_max_) return false;
  ++running_;
  return true;
}

void WorkerPool::EndBorrowed() {
  {
    std::lock_guard lock(mutex_);
    --running_;
    if (queue_.empty()) return;
  }
  wake_.notify_one();
}

void WorkerPool::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return queue_.empty() ? stopping_ : running_ < running_max_; });
    if (queue_.empty()) return;
    std::function<void()> task = std::move(queue_.front());
    queue_.pop_front();
    ++running_;
    lock.unlock();
    task();
    task = nullptr;  // what it holds is released outside the lock
    lock.lock();
    --running_;
  }
}

}  // namespace braid::http
