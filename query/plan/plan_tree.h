// The tree that `explain` shows and the counters that `explain analyze`, stage reports and notes read.
//
// Threads: a tree belongs to the thread of its query.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "braid/query.h"
#include "braid/snapshot.h"
#include "query/rows/operator.h"

namespace braid {

// One source or stage. Filled while planning; the counters while running.
struct PlanNode {
  std::string text;                  // the stage or source as written
  std::string role;                  // of the root of a sub-tree: "let p99", "join o", "in errs"; "" for the body's
  std::vector<std::string> details;  // "pushed status = error", "join hash, right side first", ...
  std::vector<std::unique_ptr<PlanNode>> children;  // input first, then sub-queries
  bool is_source = false;
  Table table = Table::kLogs;
  bool is_table = false;       // reads `table`
  TimeRange range;             // of a source
  double rows_estimated = -1;  // -1 = unknown
  double bytes_estimated = -1;

  uint64_t rows = 0;  // given out
  uint64_t batches = 0;
  int64_t time_ns = 0;     // in this node and below
  int64_t prepare_ns = 0;  // of a vector expression, which is worked out before rows are asked for
  bool ran = false;        // asked for rows at least once
  ScanStats scan;          // of a source

  PlanNode* Add(std::unique_ptr<PlanNode> child) {
    children.push_back(std::move(child));
    return children.back().get();
  }
};

// Nanoseconds of a clock that never goes back: what the times of nodes are differences of.
int64_t PlanClock();

// Counts what `op` gives into `*node`, which must outlive it.
OperatorPtr Measure(OperatorPtr op, PlanNode* node);

// The tree as text, one node a line; with what happened if `analyze`.
std::string ExplainText(const PlanNode& root, bool analyze);

// Sources first, in order of execution; sub-queries before the stage that uses them.
std::vector<StageReport> ReportStages(const PlanNode& root);

}  // namespace braid
