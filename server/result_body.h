// Answers of the query language as bodies.
//
// Threads: pure functions. Errors: what the reader answers; ResourceExhausted for a body that is too large.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "braid/query.h"
#include "server/query_request.h"

namespace braid::server {

// Bytes of one answer; a client that wants more asks with a smaller range or a limit.
inline constexpr size_t kBodyBytesMax = size_t{256} << 20;

// Reads the result to its end and appends it to `*body`.
absl::Status RenderResult(ResultReader* result, ResultFormat format, std::string* body);

}  // namespace braid::server
