// PromQL as Prometheus 3 evaluates it: left-open ranges, 5-minute look-back, staleness, label matching, histograms.
//
// Evaluation is over a sorted list of instants, not a start/end/step triple, so that a join can ask for a vector at
// exactly the times of its rows.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/query.h"
#include "braid/snapshot.h"
#include "query/memory/memory_budget.h"
#include "query/syntax/ast.h"

namespace braid {

// One series on the instants of the evaluation. `present[i] == 0`: no sample at instant i.
struct VectorSeries {
  Labels labels;
  std::vector<uint8_t> present;
  std::vector<double> values;
  std::vector<std::shared_ptr<const Histogram>> histograms;  // empty if there is none; else an entry per instant
};

enum class VectorType : uint8_t { kVector, kScalar, kString, kMatrix };

struct VectorResult {
  VectorType type = VectorType::kVector;
  std::vector<VectorSeries> series;          // ascending labels unless the expression sorts; kScalar: one, no labels
  bool sorted = false;                       // sort() and friends decided the order (instant evaluation)
  std::string text;                          // kString
  std::vector<SeriesData> matrix;            // kMatrix: a bare range selector at one instant
  std::shared_ptr<const MemoryHold> memory;  // what all this counts for in the query's memory; may be null
};

// A `(pipeline)` operand, evaluated on the given instants.
using PipelineEvaluator =
    std::function<absl::StatusOr<VectorResult>(const Pipeline& pipeline, const std::vector<Timestamp>& times)>;
// A `let` used as operand by its name.
using LetEvaluator =
    std::function<absl::StatusOr<VectorResult>(const std::string& name, const std::vector<Timestamp>& times)>;

struct VectorContext {
  std::shared_ptr<const Snapshot> snapshot;
  Timestamp start = 0;  // of the query, for @ start()
  Timestamp end = 0;
  Duration step = 0;           // of the query; 0 if it asks for one instant
  Duration subquery_step = 0;  // default step of sub-queries; 0 = `step`, or a minute if that is 0 too
  Duration lookback = 300 * kSecond;
  const std::map<std::string, Value>* params = nullptr;
  QueryLimits limits;
  // What the evaluation takes its memory from, up to limits.memory_bytes_max; null: a budget of its own.
  std::shared_ptr<MemoryBudget> memory;
  int threads = 0;  // that may work on it; 0 = as many as the machine has cores
  std::shared_ptr<const std::atomic<bool>> cancel;
  Timestamp deadline_monotonic = 0;  // 0 = none
  PipelineEvaluator evaluate_pipeline;
  LetEvaluator evaluate_let;
  std::vector<Note>* notes = nullptr;  // annotations are appended, each text once
  ScanStats* stats = nullptr;          // what was read is added
};

// REQUIRES: `times` ascending, without repeats, not empty.
absl::StatusOr<VectorResult> EvaluateVector(const Expr& expr, const std::vector<Timestamp>& times,
                                            const VectorContext& context);

// From when to when an expression reads if its instants lie in `times`; empty if it reads nothing. For
// explain and for bounds of sources.
TimeRange ReadRange(const Expr& expr, TimeRange times, const VectorContext& context);

}  // namespace braid
