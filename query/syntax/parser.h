// From text to AST: recursive descent, at most two tokens of look-ahead, nesting at most 200 deep.
// Grammar: docs/query.md, section "Grammar".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "braid/query.h"
#include "query/syntax/ast.h"

namespace braid {

// The whole query. Errors carry a QueryError.
absl::StatusOr<std::shared_ptr<const QueryAst>> ParseQuery(std::string_view text);
// One PromQL expression and nothing else, for Prometheus' own API and tests. Checks types as Prometheus does; error
// texts are Prometheus' where a client would match on them.
absl::StatusOr<ExprPtr> ParseVectorExpression(std::string_view text);

// Canonical text; parsing it gives an equal tree.
std::string Print(const QueryAst& query);
std::string Print(const Pipeline& pipeline);
std::string Print(const Expr& expr);

// A status that carries `error`.
absl::Status MakeError(QueryError error);
// The same with the place of a node.
absl::Status ErrorAt(const Place& place, std::string code, std::string message, std::string hint = "");

}  // namespace braid
