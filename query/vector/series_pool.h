// Works the series of a scan out on several threads: each takes some series, reads their samples and evaluates them,
// and what they come to is passed on in the scan's order.
//
// Few series are worked out in the caller's thread, without the cost of others. The results, and which error ends them,
// do not depend on the number of threads.
// Threads: an object belongs to one thread, and its own threads end with it; each works with a SeriesWork of its own.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "braid/series_fold.h"
#include "braid/snapshot.h"
#include "braid/unread_series.h"
#include "query/memory/memory_budget.h"
#include "query/vector/annotations.h"
#include "query/vector/series_value.h"

namespace braid::promql {

// Appends what a series comes to, which may be nothing. `folds`: of its samples, if the scan folds.
using SeriesWork =
    std::function<absl::Status(SeriesData&& data, const std::vector<SampleFold>& folds, std::vector<EvalSeries>* out)>;
// Makes the work of one thread, which may annotate.
using MakeSeriesWork = absl::FunctionRef<SeriesWork(Annotations* annotations)>;

class SeriesPool {
 public:
  // `threads` = 1: the caller's alone; 0 = as many as the machine has cores. `make` lives as long as the pool. Samples
  // and results that are not yet passed on count into the budget of `hold`.
  SeriesPool(std::unique_ptr<SeriesScan> scan, int threads, MemoryHold hold, MakeSeriesWork make);
  ~SeriesPool();
  SeriesPool(const SeriesPool&) = delete;

  // Everything, in order; `sink` runs in the caller's thread. Called once. Errors: those of scan, work and sink, each
  // after the series before it.
  absl::Status Each(SeriesSink sink, Annotations* annotations);
  // REQUIRES: Each has answered OK.
  const ScanStats& stats() const { return scan_->stats(); }

 private:
  // A run of series that one thread works out.
  struct Batch {
    explicit Batch(MemoryHold own) : hold(std::move(own)) {}

    MemoryHold hold;  // results, and samples that the scan does not leave unread
    std::vector<EvalSeries> results;
    Annotations annotations;
    absl::Status status;  // what ended it after these
    bool last = false;    // the scan has no more
    bool done = false;
  };
  struct Taken {
    UnreadSeries unread;
    SeriesData data;  // if the scan leaves nothing unread
    std::vector<SampleFold> folds;
  };
  struct Worker {
    explicit Worker(MemoryHold own) : hold(std::move(own)) {}

    MemoryHold hold;  // the samples at hand
    Annotations annotations;
    SeriesWork work;
    std::vector<Taken> taken;
    size_t cost = 0;  // of those, in samples
  };

  void StartThreads();
  void RunThread();
  // Works one batch out; false if there is none left.
  bool WorkOnBatch(Worker* worker);
  void TakeSeries(Worker* worker, Batch* batch);
  absl::Status WorkOn(Taken* taken, Worker* worker, Batch* batch) const;
  std::unique_ptr<Worker> MakeWorker() const;

  const std::unique_ptr<SeriesScan> scan_;
  UnreadSeriesScan* const unread_;    // the scan, if it leaves samples unread
  FoldingSeriesScan* const folding_;  // the scan, if it can fold
  const MemoryHold hold_;             // takes nothing itself
  const MakeSeriesWork make_;
  const size_t threads_max_;
  size_t cost_taken_ = 0;  // by the caller's thread before others were started
  bool started_ = false;

  std::mutex scan_mutex_;  // of scan_ and the order of batches; taken before mutex_
  std::mutex mutex_;       // of all below
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Batch>> batches_;  // in order, the first is the next to be passed on
  bool ended_ = false;                          // no batch comes any more
  std::vector<std::thread> threads_;
};

}  // namespace braid::promql
