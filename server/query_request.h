// The parameters of /v1/query, from a JSON body, a form, a text body or the URL.
//
// Threads: pure functions. Errors: InvalidArgument for whatever is not understood; nothing is silently ignored.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "braid/query.h"
#include "server/http/message.h"

namespace braid::server {

enum class ResultFormat { kJson, kNdjson, kCsv };

struct QueryRequest {
  std::string text;
  QueryOptions options;
  ResultFormat format = ResultFormat::kJson;
};

// `now` is what relative times count from; `limits` are the server's, which a request may lower (rows: also raise).
absl::StatusOr<QueryRequest> ParseQueryRequest(const http::Request& request, Timestamp now, const QueryLimits& limits);

// Rows that a request may ask for at most.
inline constexpr uint64_t kRowsMax = 1'000'000;

}  // namespace braid::server
