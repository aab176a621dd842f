// What is to be deleted, as people write it: a series selector, or logs{...} or spans{...} of the query language.
//
// Threads: pure functions. Errors: InvalidArgument says what a delete's selector may be; a text that does not parse
// carries a QueryError.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "braid/delete_spec.h"

namespace braid::server {

// `up{job="x"}`, `logs{service = "shop", level = error}`, `spans{name in ("a", "b")}`. Conditions on logs and spans are
// `=` and `in` with literals, joined by `,` or `and`; the time is the caller's.
absl::StatusOr<DeleteSpec> ParseDeleteSelector(std::string_view text);

}  // namespace braid::server
