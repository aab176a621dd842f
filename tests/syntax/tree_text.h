// A tree as an S-expression with every grouping shown, so that tests can tell precedence without the printer's help.
#pragma once

#include <string>

#include "query/syntax/ast.h"

namespace braid {

std::string TreeText(const Expr& expr);
std::string TreeText(const Pipeline& pipeline);
std::string TreeText(const QueryAst& query);

}  // namespace braid
