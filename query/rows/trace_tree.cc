#include "query/rows/trace_tree.h"

#include <algorithm>
#include <utility>

#include "engine/memory/hash_map.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr uint32_t kNone = TraceTree::kNone;
// Asking the clock for every trace would cost more than small traces do.
constexpr size_t kSpansPerCheck = 65'536;

int64_t EndOf(const SpanArrays& spans, uint32_t row) { return std::max(spans.starts[row], spans.ends[row]); }

// Saturating: spans may carry any times.
int64_t Length(int64_t start, int64_t end) {
  int64_t length;
  return __builtin_sub_overflow(end, start, &length) ? INT64_MAX : length;
}

class TreeBuilder {
 public:
  TreeBuilder(const SpanArrays& spans, QueryContext* context)
      : spans_(spans), context_(context), size_(static_cast<uint32_t>(spans.trace_ids.size())) {}

  absl::StatusOr<TraceTree> Build() {
    GroupByTrace();
    tree_.parent.assign(size_, kNone);
    tree_.root.assign(size_, kNone);
    tree_.depth.assign(size_, 0);
    tree_.position.assign(size_, 0);
    tree_.subtree_end.assign(size_, 0);
    tree_.self_time.assign(size_, 0);
    tree_.critical.assign(size_, 0);
    tree_.child_count.assign(size_, 0);
    tree_.order.resize(size_);
    child_begin_.assign(size_, 0);
    children_.resize(size_);
    walk_.assign(size_, 0);
    size_t unchecked = 0;
    for (TraceTree::Trace& trace : tree_.traces) {
      unchecked += trace.end - trace.begin;
      if (unchecked >= kSpansPerCheck) {
        RETURN_IF_ERROR(context_->CheckAlive());
        unchecked = 0;
      }
      FindParents(trace);
      CutCycles(trace);
      ListChildren(trace);
      Number(&trace);
      SelfTimes(trace);
      MarkCriticalPath(trace);
    }
    return std::move(tree_);
  }

 private:
  // Fills `trace`, `traces` and sorted_: rows by (trace, start, row).
  void GroupByTrace() {
    HashMap<std::pair<uint64_t, uint64_t>, uint32_t> ordinals;
    tree_.trace.resize(size_);
    for (uint32_t row = 0; row < size_; ++row) {
      const TraceId id = spans_.trace_ids[row];
      if (row > 0 && spans_.trace_ids[row - 1] == id) {
        tree_.trace[row] = tree_.trace[row - 1];
      } else {
        const auto [slot, fresh] = ordinals.try_emplace({id.high, id.low}, static_cast<uint32_t>(tree_.traces.size()));
        if (fresh) tree_.traces.emplace_back();
        tree_.trace[row] = slot->second;
      }
      ++tree_.traces[tree_.trace[row]].end;
    }
    uint32_t begin = 0;
    for (TraceTree::Trace& trace : tree_.traces) {
      const uint32_t count = trace.end;
      trace.begin = trace.end = begin;
      begin += count;
    }
    sorted_.resize(size_);
    for (uint32_t row = 0; row < size_; ++row) sorted_[tree_.traces[tree_.trace[row]].end++] = row;
    for (const TraceTree::Trace& trace : tree_.traces) {
      std::stable_sort(sorted_.begin() + trace.begin, sorted_.begin() + trace.end,
                       [&](uint32_t a, uint32_t b) { return spans_.starts[a] < spans_.starts[b]; });
    }
  }

  void FindParents(const TraceTree::Trace& trace) {
    // (id, place in sorted_): the first of equal ids is the earliest span.
    ids_.clear();
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const int64_t id = spans_.span_ids[sorted_[place]];
      if (id != 0) ids_.emplace_back(id, place);
    }
    std::sort(ids_.begin(), ids_.end());
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t row = sorted_[place];
      const int64_t wanted = spans_.parent_ids[row];
      if (wanted == 0) continue;
      auto found = std::lower_bound(ids_.begin(), ids_.end(), std::pair<int64_t, uint32_t>(wanted, 0));
      if (found != ids_.end() && found->first == wanted && found->second == place) ++found;
      if (found != ids_.end() && found->first == wanted) tree_.parent[row] = sorted_[found->second];
    }
  }

  // Follows parents from every span; a walk that meets itself has found a cycle.
  void CutCycles(const TraceTree::Trace& trace) {
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t walk = sorted_[place] + 1;  // never 0
      uint32_t row = sorted_[place];
      while (row != kNone && walk_[row] == 0) {
        walk_[row] = walk;
        row = tree_.parent[row];
      }
      if (row == kNone || walk_[row] != walk) continue;
      uint32_t earliest = row;
      for (uint32_t next = tree_.parent[row]; next != row; next = tree_.parent[next]) {
        const auto key = std::pair(spans_.starts[next], next);
        if (key < std::pair(spans_.starts[earliest], earliest)) earliest = next;
      }
      tree_.parent[earliest] = kNone;
    }
  }

  void ListChildren(const TraceTree::Trace& trace) {
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t parent = tree_.parent[sorted_[place]];
      if (parent != kNone) ++tree_.child_count[parent];
    }
    uint32_t begin = trace.begin;
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t row = sorted_[place];
      child_begin_[row] = begin;
      begin += tree_.child_count[row];
      tree_.child_count[row] = 0;
    }
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t row = sorted_[place];
      const uint32_t parent = tree_.parent[row];
      if (parent != kNone) children_[child_begin_[parent] + tree_.child_count[parent]++] = row;
    }
  }

  std::span<uint32_t> ChildrenOf(uint32_t row) {
    return {children_.data() + child_begin_[row], tree_.child_count[row]};
  }

  void Number(TraceTree::Trace* trace) {
    stack_.clear();
    trace->root = kNone;
    bool found_true_root = false;
    trace->start = INT64_MAX;
    trace->finish = INT64_MIN;
    for (uint32_t place = trace->end; place-- > trace->begin;) {
      const uint32_t row = sorted_[place];
      trace->start = std::min(trace->start, spans_.starts[row]);
      trace->finish = std::max(trace->finish, EndOf(spans_, row));
      if (tree_.parent[row] != kNone) continue;
      stack_.push_back(row);
      // Going from the last to the first, the earliest of the better sort is met last.
      const bool true_root = spans_.parent_ids[row] == 0;
      if (true_root || !found_true_root) trace->root = row;
      found_true_root = found_true_root || true_root;
    }
    uint32_t at = trace->begin;
    while (!stack_.empty()) {
      const uint32_t row = stack_.back();
      stack_.pop_back();
      const uint32_t parent = tree_.parent[row];
      tree_.root[row] = parent == kNone ? row : tree_.root[parent];
      tree_.depth[row] = parent == kNone ? 0 : tree_.depth[parent] + 1;
      tree_.position[row] = at;
      tree_.subtree_end[row] = at + 1;
      tree_.order[at++] = row;
      const std::span<uint32_t> children = ChildrenOf(row);
      stack_.insert(stack_.end(), children.rbegin(), children.rend());
    }
    for (at = trace->end; at-- > trace->begin;) {
      const uint32_t row = tree_.order[at];
      const uint32_t parent = tree_.parent[row];
      if (parent != kNone) {
        tree_.subtree_end[parent] = std::max(tree_.subtree_end[parent], tree_.subtree_end[row]);
      }
    }
  }

  void SelfTimes(const TraceTree::Trace& trace) {
    for (uint32_t place = trace.begin; place < trace.end; ++place) {
      const uint32_t row = sorted_[place];
      const int64_t end = EndOf(spans_, row);
      int64_t covered_to = spans_.starts[row];
      int64_t self = Length(covered_to, end);
      for (uint32_t child : ChildrenOf(row)) {  // by start
        const int64_t from = std::max(covered_to, spans_.starts[child]);
        const int64_t to = std::min(end, EndOf(spans_, child));
        if (to <= from) continue;
        self -= Length(from, to);
        covered_to = to;
      }
      tree_.self_time[row] = std::max<int64_t>(self, 0);
    }
  }

  struct Visit {
    uint32_t row;
    uint32_t next_child;  // in the children by end
    int64_t start, end;   // clipped to the parent
    int64_t instant;      // where the walk stands
  };

  // The children of a span on the path, by clipped end, last first; those outside it at the back.
  void OrderChildrenByEnd(const Visit& visit) {
    const std::span<uint32_t> children = ChildrenOf(visit.row);
    std::sort(children.begin(), children.end(), [&](uint32_t a, uint32_t b) {
      const int64_t end_a = std::min(visit.end, EndOf(spans_, a));
      const int64_t end_b = std::min(visit.end, EndOf(spans_, b));
      if (end_a != end_b) return end_a > end_b;
      return std::pair(spans_.starts[a], a) < std::pair(spans_.starts[b], b);
    });
  }

  void MarkCriticalPath(const TraceTree::Trace& trace) {
    visits_.clear();
    const int64_t finish = EndOf(spans_, trace.root);
    visits_.push_back({trace.root, 0, spans_.starts[trace.root], finish, finish});
    tree_.critical[trace.root] = 1;
    OrderChildrenByEnd(visits_.back());
    while (!visits_.empty()) {
      Visit& visit = visits_.back();
      const std::span<uint32_t> children = ChildrenOf(visit.row);
      uint32_t child = kNone;
      int64_t start = 0;
      int64_t end = 0;
      while (visit.next_child < children.size()) {
        const uint32_t candidate = children[visit.next_child++];
        const bool outside = spans_.starts[candidate] > visit.end || EndOf(spans_, candidate) < visit.start;
        start = std::max(visit.start, spans_.starts[candidate]);
        end = std::min(visit.end, EndOf(spans_, candidate));
        if (outside || end > visit.instant) continue;
        child = candidate;
        break;
      }
      if (child == kNone) {
        const int64_t returned_at = visit.start;
        visits_.pop_back();
        if (!visits_.empty()) visits_.back().instant = returned_at;
        continue;
      }
      tree_.critical[child] = 1;
      visits_.push_back({child, 0, start, end, end});
      OrderChildrenByEnd(visits_.back());
    }
  }

  const SpanArrays& spans_;
  QueryContext* context_;
  uint32_t size_;
  TraceTree tree_;
  std::vector<uint32_t> sorted_;
  std::vector<uint32_t> child_begin_;
  std::vector<uint32_t> children_;
  std::vector<uint32_t> walk_;
  std::vector<std::pair<int64_t, uint32_t>> ids_;
  std::vector<uint32_t> stack_;
  std::vector<Visit> visits_;
};

}  // namespace

uint64_t TraceTreeBytes(size_t spans) {
  // Eight 32-bit columns, self time, critical, and at most one trace per span.
  return spans * (8 * sizeof(uint32_t) + sizeof(int64_t) + 1 + sizeof(TraceTree::Trace));
}

absl::StatusOr<TraceTree> BuildTraceTree(const SpanArrays& spans, QueryContext* context) {
  Reservation reservation(context, "trace tree");
  // Beside the tree: sorted rows, children, walks, ids, the table of traces.
  RETURN_IF_ERROR(reservation.Set(TraceTreeBytes(spans.trace_ids.size()) + spans.trace_ids.size() * 64));
  return TreeBuilder(spans, context).Build();
}

}  // namespace braid
