#include "query/vector/series_reader.h"

#include <new>
#include <system_error>
#include <utility>

#include "query/syntax/status_macros.h"
#include "query/vector/series_value.h"

namespace braid::promql {
namespace {

// Samples (a series counts as some) that are read before a thread is worth its start: about a millisecond.
constexpr size_t kDirectSamples = 100'000;
constexpr size_t kSamplesOfSeries = 64;
// Samples of a batch, and batches that may wait: together they stay inside the second-level cache of a core.
constexpr size_t kBatchSamples = 8'192;
constexpr size_t kBatchesMax = 8;

size_t CostOf(const SeriesData& series) { return series.times.size() + kSamplesOfSeries; }

}  // namespace

SeriesReader::SeriesReader(std::unique_ptr<SeriesScan> scan, int threads, MemoryHold hold)
    : scan_(std::move(scan)),
      folding_(dynamic_cast<FoldingSeriesScan*>(scan_.get())),
      may_read_ahead_(threads > 1 || (threads == 0 && std::thread::hardware_concurrency() > 1)),
      current_(std::move(hold)),
      batch_(MakeBatch()) {}

SeriesReader::~SeriesReader() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

SeriesReader::Batch SeriesReader::ReadBatch() {
  Batch batch = MakeBatch();
  for (size_t cost = 0; cost < kBatchSamples;) {
    SeriesData series;
    const absl::StatusOr<bool> more = scan_->Next(&series);
    if (!more.ok() || !*more) {
      batch.status = more.status();
      batch.last = true;
      break;
    }
    cost += CostOf(series);
    batch.status = batch.hold.Add(BytesOf(series));
    if (!batch.status.ok()) {
      batch.last = true;
      break;
    }
    batch.series.push_back(std::move(series));
    if (folding_ != nullptr) batch.folds.push_back(folding_->folds());
  }
  return batch;
}

void SeriesReader::ReadAhead() {
  for (bool last = false; !last;) {
    Batch batch = MakeBatch();
    try {
      batch = ReadBatch();
    } catch (const std::bad_alloc&) {
      batch.status = absl::Status(absl::StatusCode::kResourceExhausted, "");
      batch.last = true;
    }
    last = batch.last;
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return stop_ || waiting_.size() < kBatchesMax; });
    if (stop_) return;
    waiting_.push_back(std::move(batch));
    lock.unlock();
    changed_.notify_all();
  }
}

// False if the batch at hand was the last.
bool SeriesReader::NextBatch() {
  if (batch_.last) return false;
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !waiting_.empty(); });
  batch_ = std::move(waiting_.front());
  waiting_.pop_front();
  at_ = 0;
  lock.unlock();
  changed_.notify_all();
  return true;
}

absl::StatusOr<bool> SeriesReader::Next(SeriesData* series) {
  if (!ahead_) {
    *series = SeriesData();
    ASSIGN_OR_RETURN(const bool more, scan_->Next(series));
    if (!more) return false;
    RETURN_IF_ERROR(current_.Set(BytesOf(*series)));
    if (folding_ != nullptr) folds_ = folding_->folds();
    read_directly_ += CostOf(*series);
    if (may_read_ahead_ && read_directly_ >= kDirectSamples) {
      may_read_ahead_ = false;
      try {
        thread_ = std::thread([this] { ReadAhead(); });
        ahead_ = true;
      } catch (const std::system_error&) {
        // No thread is to be had: this one goes on by itself.
      }
    }
    return true;
  }
  while (at_ == batch_.series.size()) {
    if (NextBatch()) continue;
    // The thread has ended, so that the scan's counts may be read.
    if (thread_.joinable()) thread_.join();
    if (!batch_.status.ok()) return batch_.status;
    return false;
  }
  if (folding_ != nullptr) folds_ = std::move(batch_.folds[at_]);
  *series = std::move(batch_.series[at_++]);
  return true;
}

}  // namespace braid::promql
