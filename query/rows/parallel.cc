// Several threads work out the parts of one operator; their batches are put back into its order.
#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/operator.h"
#include "query/rows/reservation.h"
#include "query/rows/worker_threads.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Batches that may wait for one that comes before them; who is further ahead pauses. Bounds memory.
constexpr size_t kWaitingBatchesMax = 64;

class Parallel : public Operator {
 public:
  Parallel(OperatorPtr input, QueryContext* context)
      : input_(std::move(input)),
        context_(context),
        reservation_(context, "batches of several threads"),
        threads_(context->split_small) {}

  ~Parallel() override {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    threads_.Join();
  }

  const Schema& schema() const override { return input_->schema(); }

  std::vector<OperatorPtr> Split(size_t parts) override { return input_->Split(parts); }

  absl::StatusOr<bool> TakeWhole(RecordBatch* rows) override { return input_->TakeWhole(rows); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (!started_) Start();
    if (parts_.empty()) return input_->Next(batch);
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      const bool before_failure = !waiting_.empty() && waiting_.begin()->first <= failed_at_;
      if (!status_.ok() && failed_at_ <= Frontier() && !before_failure) return status_;
      if (Take(batch)) {
        changed_.notify_all();
        return true;
      }
      if (!workers_[0].done && !IsFarAhead(0)) {
        // Nothing is ready: this thread works on its own part.
        lock.unlock();
        threads_.StartIfDue();
        Work(0, /*steps=*/1);
        lock.lock();
        continue;
      }
      if (waiting_.empty() && Frontier() == kDone) return false;
      changed_.wait(lock);
    }
  }

 private:
  static constexpr uint64_t kDone = UINT64_MAX;
  static constexpr size_t kNoEnd = SIZE_MAX;

  struct Worker {
    uint64_t place = 0;  // no batch of an earlier place will come from it
    bool done = false;
  };

  void Start() {
    started_ = true;
    if (context_->threads < 2) return;
    parts_ = input_->Split(static_cast<size_t>(context_->threads));
    workers_.resize(parts_.size());
    statuses_.resize(parts_.size());
    for (size_t i = 1; i < parts_.size(); ++i) {
      // Until its thread runs it holds nobody up: what it would read is left to the others.
      workers_[i].done = true;
      threads_.Add(&statuses_[i], [this, i] {
        {
          std::lock_guard<std::mutex> lock(mutex_);
          if (stop_) return absl::OkStatus();
          // What nobody has taken yet stands behind what the first part is at.
          workers_[i] = {workers_[0].place, false};
        }
        Work(i, kNoEnd);
        return absl::OkStatus();
      });
    }
  }

  // Least place from which batches may still come. REQUIRES: mutex_ is held.
  uint64_t Frontier() const {
    uint64_t least = kDone;
    for (const Worker& worker : workers_) least = worker.done ? least : std::min(least, worker.place);
    return least;
  }

  // The next batch in order, if it is there. REQUIRES: mutex_ is held.
  bool Take(RecordBatch* batch) {
    if (waiting_.empty() || waiting_.begin()->first > Frontier()) return false;
    *batch = std::move(waiting_.begin()->second.batch);
    bytes_ -= waiting_.begin()->second.bytes;
    waiting_.erase(waiting_.begin());
    // Giving back never fails.
    (void)reservation_.Set(bytes_);
    return true;
  }

  // Asks part `number` for up to `steps` batches.
  void Work(size_t number, size_t steps) try {
    for (size_t step = 0; step < steps; ++step) {
      RecordBatch batch;
      absl::StatusOr<bool> more = parts_[number]->Next(&batch);
      const uint64_t place = parts_[number]->place();
      const uint64_t bytes = more.ok() && *more ? ApproximateBytes(batch) : 0;
      std::unique_lock<std::mutex> lock(mutex_);
      Worker& worker = workers_[number];
      if (more.ok() && *more) {
        worker.place = place;
        if (batch.num_rows > 0) {
          if (absl::Status reserved = reservation_.Set(bytes_ + bytes); reserved.ok()) {
            bytes_ += bytes;
            waiting_.emplace(place, Waiting{std::move(batch), bytes});
          } else {
            more = reserved;
          }
        }
      }
      if (!more.ok() && (status_.ok() || place < failed_at_)) {
        status_ = more.status();
        failed_at_ = place;
      }
      // Where another part has failed, what stands before that place is still wanted.
      worker.done = !more.ok() || !*more || stop_ || (!status_.ok() && worker.place >= failed_at_);
      changed_.notify_all();
      // The thread that takes the batches (0) must not wait for itself here.
      while (number > 0 && !worker.done && IsFarAhead(number)) {
        changed_.wait(lock);
        worker.done = stop_ || (!status_.ok() && worker.place >= failed_at_);
      }
      if (worker.done) {
        changed_.notify_all();
        return;
      }
    }
  } catch (const std::bad_alloc&) {
    std::lock_guard<std::mutex> lock(mutex_);
    // Without a text, which would need memory.
    status_ = absl::Status(absl::StatusCode::kResourceExhausted, "");
    failed_at_ = 0;
    workers_[number].done = true;
    changed_.notify_all();
  }

  // REQUIRES: mutex_ is held.
  bool IsFarAhead(size_t number) const {
    const bool much = waiting_.size() > kWaitingBatchesMax || bytes_ > context_->limits.memory_bytes_max / 8;
    return much && workers_[number].place > Frontier();
  }

  struct Waiting {
    RecordBatch batch;
    uint64_t bytes = 0;
  };

  OperatorPtr input_;
  QueryContext* context_;
  bool started_ = false;
  std::vector<OperatorPtr> parts_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // All of these: under the mutex.
  std::vector<Worker> workers_;
  std::multimap<uint64_t, Waiting> waiting_;  // by place; of one place in order
  uint64_t bytes_ = 0;
  Reservation reservation_;
  absl::Status status_;
  uint64_t failed_at_ = 0;
  bool stop_ = false;

  std::vector<absl::Status> statuses_;
  WorkerThreads threads_;
};

}  // namespace

OperatorPtr MakeParallel(OperatorPtr input, QueryContext* context) {
  if (context->threads < 2) return input;
  return std::make_unique<Parallel>(std::move(input), context);
}

}  // namespace braid
