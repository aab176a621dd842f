#include "query/rows/spanset.h"

#include <utility>

#include "query/syntax/status_macros.h"

namespace braid {
namespace {

using Flags = std::vector<uint8_t>;

void CollectLeaves(const Spanset& spanset, std::vector<const Spanset*>* leaves) {
  if (spanset.leaf()) {
    leaves->push_back(&spanset);
    return;
  }
  CollectLeaves(*spanset.left, leaves);
  CollectLeaves(*spanset.right, leaves);
  if (spanset.avoiding != nullptr) CollectLeaves(*spanset.avoiding, leaves);
}

// The parser caps the depth of a spanset, so that recursion over it is safe; over traces there is none.
class Evaluator {
 public:
  Evaluator(const TraceTree& tree, const std::vector<Flags>& leaf_matches, QueryContext* context)
      : tree_(tree), leaf_matches_(leaf_matches), context_(context) {}

  absl::StatusOr<Flags> Evaluate(const Spanset& spanset) {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (spanset.leaf()) {
      if (next_leaf_ >= leaf_matches_.size() || leaf_matches_[next_leaf_].size() != tree_.parent.size()) {
        return absl::InternalError("a spanset needs the matches of each of its leaves");
      }
      return leaf_matches_[next_leaf_++];
    }
    ASSIGN_OR_RETURN(const Flags left, Evaluate(*spanset.left));
    ASSIGN_OR_RETURN(const Flags right, Evaluate(*spanset.right));
    Flags avoided;
    if (spanset.avoiding != nullptr) {
      ASSIGN_OR_RETURN(avoided, Evaluate(*spanset.avoiding));
      if (spanset.op == SpanOp::kSibling || spanset.op == SpanOp::kAnd || spanset.op == SpanOp::kOr) {
        return absl::InvalidArgumentError("`avoiding` needs a path: it goes with > >> < <<");
      }
    }
    return Combine(spanset.op, spanset.mode, left, right, avoided);
  }

 private:
  Flags Combine(SpanOp op, Spanset::Mode mode, const Flags& left, const Flags& right, const Flags& avoided) const {
    if (op == SpanOp::kAnd) return InTracesOfBoth(left, right);
    if (op == SpanOp::kOr) return Or(left, right);
    const Flags partners = PartnersOf(op, left, avoided);
    if (mode == Spanset::Mode::kNot) return Minus(right, partners);
    Flags selected = And(right, partners);
    if (mode == Spanset::Mode::kUnion) {
      // The pairs read from the other side: B has A above it exactly where A has B below it.
      selected = Or(selected, And(left, PartnersOf(Reverse(op), right, avoided)));
    }
    return selected;
  }

  static SpanOp Reverse(SpanOp op) {
    switch (op) {
      case SpanOp::kChild: return SpanOp::kParent;
      case SpanOp::kParent: return SpanOp::kChild;
      case SpanOp::kDescendant: return SpanOp::kAncestor;
      case SpanOp::kAncestor: return SpanOp::kDescendant;
      default: return op;
    }
  }

  // The spans that stand as the right side of `op` to one of `left`.
  Flags PartnersOf(SpanOp op, const Flags& left, const Flags& avoided) const {
    const std::vector<uint32_t>& parent = tree_.parent;
    Flags partners(parent.size(), 0);
    const auto avoid = [&](uint32_t row) { return !avoided.empty() && avoided[row] != 0; };
    switch (op) {
      case SpanOp::kChild:
        for (uint32_t row = 0; row < parent.size(); ++row) {
          if (parent[row] != TraceTree::kNone) partners[row] = left[parent[row]];
        }
        break;
      case SpanOp::kParent:
        for (uint32_t row = 0; row < parent.size(); ++row) {
          if (parent[row] != TraceTree::kNone && left[row] != 0) partners[parent[row]] = 1;
        }
        break;
      case SpanOp::kDescendant:
        for (const uint32_t row : tree_.order) {  // parents first
          const uint32_t above = parent[row];
          if (above == TraceTree::kNone) continue;
          partners[row] = left[above] != 0 || (partners[above] != 0 && !avoid(above)) ? 1 : 0;
        }
        break;
      case SpanOp::kAncestor:
        for (size_t at = tree_.order.size(); at-- > 0;) {  // children first
          const uint32_t row = tree_.order[at];
          const uint32_t above = parent[row];
          if (above == TraceTree::kNone) continue;
          if (left[row] != 0 || (partners[row] != 0 && !avoid(row))) partners[above] = 1;
        }
        break;
      case SpanOp::kSibling: {
        std::vector<uint32_t> matches(parent.size(), 0);  // per parent
        for (uint32_t row = 0; row < parent.size(); ++row) {
          if (parent[row] != TraceTree::kNone && left[row] != 0) ++matches[parent[row]];
        }
        for (uint32_t row = 0; row < parent.size(); ++row) {
          if (parent[row] == TraceTree::kNone) continue;
          const uint32_t others = matches[parent[row]] - (left[row] != 0 ? 1 : 0);
          partners[row] = others > 0 ? 1 : 0;
        }
        break;
      }
      case SpanOp::kAnd:
      case SpanOp::kOr: break;
    }
    return partners;
  }

  Flags InTracesOfBoth(const Flags& left, const Flags& right) const {
    Flags sides(tree_.traces.size(), 0);
    for (size_t row = 0; row < left.size(); ++row) {
      sides[tree_.trace[row]] |= static_cast<uint8_t>((left[row] != 0 ? 1 : 0) | (right[row] != 0 ? 2 : 0));
    }
    Flags selected = Or(left, right);
    for (size_t row = 0; row < selected.size(); ++row) {
      if (sides[tree_.trace[row]] != 3) selected[row] = 0;
    }
    return selected;
  }

  static Flags And(const Flags& a, const Flags& b) {
    Flags out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] & b[i];
    return out;
  }
  static Flags Or(const Flags& a, const Flags& b) {
    Flags out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] | b[i];
    return out;
  }
  static Flags Minus(const Flags& a, const Flags& b) {
    Flags out(a.size());
    for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] != 0 && b[i] == 0 ? 1 : 0;
    return out;
  }

  const TraceTree& tree_;
  const std::vector<Flags>& leaf_matches_;
  QueryContext* context_;
  size_t next_leaf_ = 0;
};

}  // namespace

std::vector<const Spanset*> SpansetLeaves(const Spanset& spanset) {
  std::vector<const Spanset*> leaves;
  CollectLeaves(spanset, &leaves);
  return leaves;
}

absl::StatusOr<std::vector<uint8_t>> EvaluateSpanset(const Spanset& spanset, const TraceTree& tree,
                                                     const std::vector<std::vector<uint8_t>>& leaf_matches,
                                                     QueryContext* context) {
  return Evaluator(tree, leaf_matches, context).Evaluate(spanset);
}

}  // namespace braid
