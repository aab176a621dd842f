#include "tools/capture/delivery.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace braid {

// Shared with the thread, which may outlive the object if a send hangs.
struct Delivery::State {
  explicit State(DeliveryOptions delivery_options) : options(std::move(delivery_options)) {}

  const DeliveryOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Parcel> queue;
  size_t bytes = 0;
  bool sending = false;  // the first parcel is under way and cannot be dropped
  bool stopping = false;
  bool ended = false;
  DeliveryCounts counts;

  static bool IsWorthARetry(const absl::Status& status) {
    return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded ||
           status.code() == absl::StatusCode::kResourceExhausted;
  }

  void Run() {
    std::unique_lock<std::mutex> lock(mutex);
    Duration pause = options.retry_min;
    bool failing = false;
    while (true) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (stopping) break;
      sending = true;
      const auto send = queue.front().send;
      lock.unlock();
      const absl::Status status = send();
      lock.lock();
      sending = false;
      std::string note;
      if (!status.ok()) counts.last_error = std::string(status.message().data(), status.message().size());
      const bool again = !status.ok() && IsWorthARetry(status);
      if (again) {
        if (!failing) {
          note = counts.last_error + "; keeping what comes, up to " + std::to_string(options.bytes_max >> 20) +
                 " MB, and trying again";
        }
      } else {
        const Parcel& parcel = queue.front();
        (status.ok() ? counts.delivered : counts.rejected) += parcel.records;
        if (!status.ok()) note = std::to_string(parcel.records) + " records were refused: " + counts.last_error;
        if (status.ok() && failing) {
          note = "delivering again";
          if (counts.dropped > 0)
            note += "; " + std::to_string(counts.dropped) + " records were dropped for want of room";
        }
        pause = options.retry_min;
        counts.waiting -= parcel.records;
        bytes -= parcel.bytes;
        queue.pop_front();
        changed.notify_all();
      }
      failing = again;
      if (!note.empty() && options.note != nullptr) {
        lock.unlock();
        options.note(note);
        lock.lock();
      }
      if (again) {
        changed.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return stopping; });
        pause = std::min(2 * pause, options.retry_max);
      }
    }
    ended = true;
    changed.notify_all();
  }
};

Delivery::Delivery(DeliveryOptions options) : state_(std::make_shared<State>(std::move(options))) {
  std::thread([state = state_] { state->Run(); }).detach();
}

Delivery::~Delivery() { Close(0); }

void Delivery::Put(Parcel parcel) {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  state_->bytes += parcel.bytes;
  state_->counts.waiting += parcel.records;
  state_->queue.push_back(std::move(parcel));
  const size_t kept = state_->sending ? 1 : 0;
  while (state_->bytes > state_->options.bytes_max && state_->queue.size() > kept + 1) {
    const auto oldest = state_->queue.begin() + static_cast<std::ptrdiff_t>(kept);
    state_->bytes -= oldest->bytes;
    state_->counts.dropped += oldest->records;
    state_->counts.waiting -= oldest->records;
    state_->queue.erase(oldest);
  }
  state_->changed.notify_all();
}

DeliveryCounts Delivery::counts() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->counts;
}

DeliveryCounts Delivery::Close(Duration grace) {
  std::unique_lock<std::mutex> lock(state_->mutex);
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(grace);
  state_->changed.wait_until(lock, until, [this] { return state_->queue.empty(); });
  state_->stopping = true;
  state_->changed.notify_all();
  // A send that is under way may take as long as its own time limit; it is not waited for beyond a moment.
  state_->changed.wait_for(lock, std::chrono::milliseconds(500), [this] { return state_->ended; });
  return state_->counts;
}

}  // namespace braid
