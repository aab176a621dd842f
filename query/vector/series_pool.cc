#include "query/vector/series_pool.h"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "query/syntax/status_macros.h"

namespace braid::promql {
namespace {

// Samples (a series counts as some) that are worked out before a thread is worth its start: some 0.1 ms.
constexpr size_t kDirectSamples = 3'000;
constexpr size_t kSamplesOfSeries = 64;
// Samples and series of a batch, and batches that may wait: together they stay near the second-level cache of a core.
constexpr size_t kBatchSamples = 8'192;
constexpr size_t kBatchesMax = 16;

size_t ThreadsOf(int threads) {
  if (threads > 0) return static_cast<size_t>(threads);
  return std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace

SeriesPool::SeriesPool(std::unique_ptr<SeriesScan> scan, int threads, MemoryHold hold, MakeSeriesWork make)
    : scan_(std::move(scan)),
      unread_(dynamic_cast<UnreadSeriesScan*>(scan_.get())),
      folding_(dynamic_cast<FoldingSeriesScan*>(scan_.get())),
      hold_(std::move(hold)),
      make_(make),
      threads_max_(ThreadsOf(threads)) {}

SeriesPool::~SeriesPool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::unique_ptr<SeriesPool::Worker> SeriesPool::MakeWorker() const {
  auto worker = std::make_unique<Worker>(hold_.Sibling());
  worker->work = make_(&worker->annotations);
  return worker;
}

void SeriesPool::StartThreads() {
  started_ = true;
  try {
    while (threads_.size() + 1 < threads_max_) threads_.emplace_back([this] { RunThread(); });
  } catch (const std::system_error&) {
    // The system gives no more: fewer do the work.
  }
}

void SeriesPool::RunThread() {
  try {
    const std::unique_ptr<Worker> worker = MakeWorker();
    do {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return ended_ || batches_.size() < kBatchesMax; });
    } while (WorkOnBatch(worker.get()));
  } catch (const std::bad_alloc&) {
    // Nothing that it has taken is left undone, so that the other threads do the rest.
  }
}

void SeriesPool::TakeSeries(Worker* worker, Batch* batch) {
  worker->taken.clear();
  worker->cost = 0;
  const size_t cost_max = threads_max_ > 1 && !started_ ? kDirectSamples : kBatchSamples;
  while (worker->cost < cost_max) {
    Taken taken;
    const absl::StatusOr<bool> more =
        unread_ != nullptr ? unread_->NextUnread(&taken.unread) : scan_->Next(&taken.data);
    if (!more.ok() || !*more) {
      batch->status = more.status();
      batch->last = true;
      return;
    }
    if (unread_ == nullptr) {
      batch->status = batch->hold.Add(BytesOf(taken.data));
      if (!batch->status.ok()) {
        batch->last = true;
        return;
      }
    }
    worker->cost += kSamplesOfSeries + (unread_ != nullptr ? taken.unread.samples : taken.data.times.size());
    if (unread_ == nullptr && folding_ != nullptr) taken.folds = folding_->folds();
    worker->taken.push_back(std::move(taken));
  }
}

absl::Status SeriesPool::WorkOn(Taken* taken, Worker* worker, Batch* batch) const {
  if (unread_ != nullptr) {
    taken->data.labels = std::move(taken->unread.labels);
    RETURN_IF_ERROR(taken->unread.reader->Read(&taken->data, &taken->folds));
    taken->unread.reader = nullptr;
    RETURN_IF_ERROR(worker->hold.Set(BytesOf(taken->data)));
    if (taken->data.times.empty() && taken->folds.empty()) return absl::OkStatus();
  }
  const size_t before = batch->results.size();
  RETURN_IF_ERROR(worker->work(std::move(taken->data), taken->folds, &batch->results));
  for (size_t i = before; i < batch->results.size(); ++i) {
    RETURN_IF_ERROR(batch->hold.Add(batch->results[i].MemoryBytes()));
  }
  return absl::OkStatus();
}

bool SeriesPool::WorkOnBatch(Worker* worker) {
  Batch* batch = nullptr;
  absl::Status worked;
  try {
    auto owned = std::make_unique<Batch>(hold_.Sibling());
    std::unique_lock<std::mutex> scan_lock(scan_mutex_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (ended_) return false;
      batches_.push_back(std::move(owned));
      batch = batches_.back().get();
    }
    TakeSeries(worker, batch);
    if (batch->last) {
      const std::lock_guard<std::mutex> lock(mutex_);
      ended_ = true;
    }
    scan_lock.unlock();
    for (Taken& taken : worker->taken) {
      worked = WorkOn(&taken, worker, batch);
      if (!worked.ok()) break;
    }
  } catch (const std::bad_alloc&) {
    if (batch == nullptr) throw;  // nothing was taken
    // Without a text, which would need memory.
    worked = absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    batch->annotations = std::exchange(worker->annotations, Annotations());
    if (!worked.ok()) {
      batch->status = worked;
      ended_ = true;
    }
    batch->done = true;
  }
  changed_.notify_all();
  return true;
}

absl::Status SeriesPool::Each(SeriesSink sink, Annotations* annotations) {
  const std::unique_ptr<Worker> own = MakeWorker();
  while (true) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!batches_.empty() && batches_.front()->done) {
      const std::unique_ptr<Batch> batch = std::move(batches_.front());
      batches_.pop_front();
      lock.unlock();
      changed_.notify_all();
      annotations->Add(batch->annotations);
      for (EvalSeries& series : batch->results) RETURN_IF_ERROR(sink(std::move(series)));
      RETURN_IF_ERROR(batch->status);
      if (batch->last) return absl::OkStatus();
      continue;
    }
    if (!ended_ && batches_.size() < kBatchesMax) {
      lock.unlock();
      if (WorkOnBatch(own.get())) cost_taken_ += own->cost;
      if (!started_ && !ended_ && threads_max_ > 1 && cost_taken_ >= kDirectSamples) StartThreads();
      continue;
    }
    changed_.wait(lock);
  }
}

}  // namespace braid::promql
