// The type check of vector expressions, in Prometheus' order and words.
#pragma once

#include <optional>
#include <string>

#include "query/syntax/ast.h"
#include "query/syntax/function_table.h"

namespace braid {

// The type that an expression has whatever the data. REQUIRES: a vector expression.
ExprType TypeOf(const Expr& expr);

struct VectorProblem {
  std::string code;
  std::string message;
  std::string hint;
  Place place;
};
// The first thing that is wrong with `expr`, or nothing. Pipelines inside have been checked when they were parsed.
std::optional<VectorProblem> CheckVector(const Expr& expr);

// What a pipeline starts from, as an error shows it: "logs{...}" or the name of a `let`.
std::string SourceOf(const Pipeline& pipeline);

// Sources of events where a vector should stand: what to say and what to write instead. `function` may be empty;
// `grouping` is that of the aggregation around it; `range` as written, or empty.
VectorProblem EventsAsVector(const Place& place, std::string_view source, std::string_view function,
                             const std::vector<std::string>& grouping, std::string_view range);

}  // namespace braid
