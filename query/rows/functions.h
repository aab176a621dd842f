// The functions of row position other than those the binder knows itself (start, end, step, scalar).
//
// Threads: immutable tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"

namespace braid {

// abs ceil floor round ln exp sqrt    of numbers; of durations abs ceil floor round stay durations (whole seconds)
// lower upper len(text)               len counts characters
// contains(text, part)                bool; false for null
// replace(text, regex, with)          every match; with may use \1
// extract(text, regex)                first group of the first match, or the whole match; null without one
// pattern(text)                       numbers, hex strings and UUIDs become <_>
// coalesce(a, b, ...)                 first that is not null
// if(condition, a [, b])              b defaults to null
// bucket(x, size)                     x rounded down to a multiple of size: numbers, durations, timestamps
// hour(t)                             0..23, UTC
// True if `name` is one of them.
bool IsRowFunction(std::string_view name);

// Errors: InvalidArgument without place, for wrong numbers of arguments, bad patterns and the like. Evaluating answers
// Cancelled, DeadlineExceeded, or ResourceExhausted where the values that are made do not fit the memory of `context`,
// which must outlive the expression; null: no limits.
absl::StatusOr<RowExpressionPtr> MakeFunction(std::string_view name, std::vector<RowExpressionPtr> arguments,
                                              QueryContext* context);

// The shape of a message: see pattern() above. `_` stands for every run that differs from request to request.
std::string PatternOf(std::string_view text);

}  // namespace braid
