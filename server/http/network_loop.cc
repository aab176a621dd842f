#include "server/http/network_loop.h"

#include <system_error>
#include <utility>

namespace braid::http {

namespace {

// One at the network, one with a task of its own; what comes meanwhile goes to the worker pools.
constexpr size_t kThreads = 2;

}  // namespace

void NetworkLoop::Start() {
  for (size_t i = 0; i < kThreads; ++i) {
    try {
      threads_.emplace_back([this] { Run(); });
    } catch (const std::system_error&) {
      // One alone does the network and leaves all tasks to the pools.
      if (threads_.empty()) throw;
      return;
    }
  }
}

bool NetworkLoop::RunAfterHandler(std::function<void()> task) {
  if (next_ != nullptr) return false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_ == 0) return false;
  }
  // Nobody else can take a place among the waiting: whoever waits goes on waiting until this thread's turn is over.
  next_ = std::move(task);
  return true;
}

void NetworkLoop::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++waiting_;
    turn_free_.wait(lock, [this] { return !turn_taken_; });
    --waiting_;
    turn_taken_ = true;
    lock.unlock();
    bool ended = false;
    while (next_ == nullptr && !ended) ended = io_->run_one() == 0;
    std::function<void()> task = std::exchange(next_, nullptr);
    lock.lock();
    turn_taken_ = false;
    lock.unlock();
    turn_free_.notify_one();
    if (task != nullptr) task();
    task = nullptr;  // what it holds is released before the next turn
    if (ended) return;
    lock.lock();
  }
}

void NetworkLoop::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace braid::http
