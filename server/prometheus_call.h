// What the routes of Prometheus' HTTP API share: parameters and errors.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "query/syntax/ast.h"
#include "server/http/message.h"

namespace braid::server {

using Params = std::vector<std::pair<std::string, std::string>>;

// URL and form parameters together.
absl::StatusOr<Params> ParamsOf(const http::Request& request);
const std::string* Find(const Params& params, std::string_view name);  // null if absent

// `invalid parameter "name": message`
absl::Status BadParameter(std::string_view name, std::string_view message);
// The expression of parameter `query`. Errors have Prometheus' words: `invalid parameter "query": 1:4: parse error:
// ...`; what Braid adds as advice is kept apart.
absl::StatusOr<ExprPtr> ParseParameter(const std::string& text);
// `1:4: parse error: ...` of a text that did not parse; other statuses as they are.
absl::Status ParseError(const absl::Status& status, const std::string& text, std::string_view prefix = "");

// {"status":"error","errorType":"...","error":"..."[,"hint":"..."]}: bad_data (400) for what BadParameter and
// ParseError made, execution (422) for what went wrong while an expression was evaluated.
http::Response PrometheusError(const absl::Status& status);

}  // namespace braid::server
