// Why a selector of series finds nothing.
//
// Threads: free functions.
#pragma once

#include <string>
#include <vector>

#include "query/rows/operator.h"
#include "query/syntax/ast.h"

namespace braid {

// The selectors of a vector expression, from left to right; those of pipelines inside it are not among them.
void CollectSelectors(const Expr& expr, std::vector<const Selector*>* selectors);

// What is wrong with the matchers: no such metric, no series with one of the values, none with all of them, none in
// `range`. "" if series match, or the store cannot be asked.
std::string WhyNoSeries(const std::vector<Matcher>& matchers, TimeRange range, const QueryContext& context);

// The same for the first selector of the expression that finds nothing.
std::string WhyNoSeries(const Expr& expr, TimeRange range, const QueryContext& context);

}  // namespace braid
