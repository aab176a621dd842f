// The trees that spans form, computed for whole traces at once: parents, fragments, nested-set order, self time,
// critical path.
//
// Broken input is normal here: missing parents, span ids met twice, cycles. Every span gets a place in exactly one
// tree. O(n log n), no recursion.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/operator.h"

namespace braid {

// Spans as parallel arrays, in any order; a trace's spans need not stand together.
struct SpanArrays {
  std::span<const TraceId> trace_ids;
  std::span<const int64_t> span_ids;    // the 64 bits; 0 = none: nobody's parent
  std::span<const int64_t> parent_ids;  // 0 = root
  std::span<const int64_t> starts;
  std::span<const int64_t> ends;  // an end before the start counts as the start
};

struct TraceTree {
  static constexpr uint32_t kNone = UINT32_MAX;

  // Per row.
  std::vector<uint32_t> trace;  // ordinal of its trace, by first row
  // Row of the parent, or kNone for a root. A span is the root of its own fragment if it has no parent id, if no span
  // of the trace has that id, or where a cycle had to be cut (at its earliest span). Of several spans with the
  // parent's id the earliest is taken, then the first row; a span is never its own parent.
  std::vector<uint32_t> parent;
  std::vector<uint32_t> root;   // row of the root of its fragment; its own row for a root
  std::vector<uint32_t> depth;  // 0 for roots
  // Nested sets: position in `order`, and the end of its subtree there: b is below a if and only if
  // position[a] < position[b] and position[b] < subtree_end[a].
  std::vector<uint32_t> position;
  std::vector<uint32_t> subtree_end;
  std::vector<int64_t> self_time;  // duration less the union of its children's intervals, these clipped to the span
  // Whether it lies on the critical path of its trace: walk back from the end of the trace's root; at a span, go on
  // into the child that ended last but not after the walk's instant, then return with that child's start as the new
  // instant; children are clipped to their parents, those wholly outside are passed by (the walk of Jaeger's trace
  // view).
  std::vector<uint8_t> critical;

  // All rows: trace by trace, parents before children, siblings by (start, row).
  std::vector<uint32_t> order;
  std::vector<uint32_t> child_count;  // per row

  // Per trace.
  struct Trace {
    uint32_t begin = 0, end = 0;    // its rows in `order`: also trace.spans
    uint32_t root = 0;              // row of the earliest root without a parent id, else of the earliest root
    int64_t start = 0, finish = 0;  // least start, greatest end; trace.duration is the difference
  };
  std::vector<Trace> traces;
};

// REQUIRES: arrays of one size below 2^32 - 1. Reserves the tree's memory while it works and gives it back; the caller
// accounts for what it keeps (TraceTreeBytes). Cancelled, DeadlineExceeded, ResourceExhausted.
absl::StatusOr<TraceTree> BuildTraceTree(const SpanArrays& spans, QueryContext* context);
uint64_t TraceTreeBytes(size_t spans);

}  // namespace braid
