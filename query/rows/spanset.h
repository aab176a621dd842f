// Structural operators over spans: > >> < << ~ && ||, plain, negated (!) and with their left side (&), `avoiding`.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/operator.h"
#include "query/rows/trace_tree.h"
#include "query/syntax/ast.h"

namespace braid {

// The leaves in the order in which EvaluateSpanset wants their matches: left, right, avoiding; depth first.
std::vector<const Spanset*> SpansetLeaves(const Spanset& spanset);

// Which spans the spanset selects: one 0/1 per row of the tree. `leaf_matches[i]` has one 0/1 per row: whether the span
// satisfies the matchers of leaf i.
//   A > B   B whose parent is an A           A >> B  B with an A above
//   A < B   B that is the parent of an A     A << B  B with an A below
//   A ~ B   B with an A among the other children of its parent
//   A && B  A and B of the traces that have both     A || B  A and B
// !op is B without those of op; &op adds the A that take part in a pair. `avoiding C`: pairs of >> and << count only if
// no C stands strictly between the two; > and < have nothing between. InvalidArgument for `avoiding` with ~ && ||.
absl::StatusOr<std::vector<uint8_t>> EvaluateSpanset(const Spanset& spanset, const TraceTree& tree,
                                                     const std::vector<std::vector<uint8_t>>& leaf_matches,
                                                     QueryContext* context);

}  // namespace braid
