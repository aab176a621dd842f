#include "server/prometheus_call.h"

#include <algorithm>

#include "braid/query.h"
#include "query/syntax/parser.h"
#include "server/ingest/json_text.h"
#include "server/prometheus_json.h"
#include "server/router.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

// Marks a status whose message is final; behind it stands the hint.
constexpr std::string_view kHintMark = "\x1f";

// Where Prometheus sees an error that comes from the end of the text.
std::pair<uint32_t, uint32_t> EndOf(const std::string& text) {
  const auto line = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  const size_t start = text.rfind('\n');
  return {line, static_cast<uint32_t>(text.size() - (start == std::string::npos ? 0 : start + 1)) + 1};
}

}  // namespace

absl::StatusOr<Params> ParamsOf(const http::Request& request) {
  Params params = request.query;
  if (request.method == "POST" && !request.body.empty() && !http::ParseForm(request.body, &params)) {
    return absl::InvalidArgumentError("bad % escape in the form");
  }
  return params;
}

const std::string* Find(const Params& params, std::string_view name) {
  for (const auto& [key, value] : params) {
    if (key == name) return &value;
  }
  return nullptr;
}

absl::Status BadParameter(std::string_view name, std::string_view message) {
  return absl::InvalidArgumentError("invalid parameter \"" + std::string(name) + "\": " + std::string(message));
}

absl::Status ParseError(const absl::Status& status, const std::string& text, std::string_view prefix) {
  const std::optional<QueryError> error = ErrorOf(status);
  if (!error) return status;
  // An unclosed bracket is noticed where the text ends.
  const auto [line, column] = error->code == "E015" ? EndOf(text) : std::pair{error->line, error->column};
  std::string message =
      std::string(prefix) + std::to_string(line) + ":" + std::to_string(column) + ": parse error: " + error->message;
  if (error->code == "E009")
    message = std::string(prefix) + "unknown position: parse error: no expression found in input";
  if (!error->hint.empty()) message += std::string(kHintMark) + error->hint;
  return absl::InvalidArgumentError(message);
}

absl::StatusOr<ExprPtr> ParseParameter(const std::string& text) {
  absl::StatusOr<ExprPtr> expr = ParseVectorExpression(text);
  if (!expr.ok()) return ParseError(expr.status(), text, "invalid parameter \"query\": ");
  return expr;
}

http::Response PrometheusError(const absl::Status& status) {
  std::string_view type = "execution";
  int code = 422;
  const std::optional<QueryError> error = ErrorOf(status);
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      // With a place it comes from the evaluation: parse errors have been put into words before.
      if (error) break;
      type = "bad_data";
      code = 400;
      break;
    case absl::StatusCode::kNotFound:
      type = "not_found";
      code = 404;
      break;
    case absl::StatusCode::kDeadlineExceeded:
      type = "timeout";
      code = 503;
      break;
    case absl::StatusCode::kCancelled:
      type = "canceled";
      code = 499;
      break;
    case absl::StatusCode::kUnavailable:
      type = "unavailable";
      code = 503;
      break;
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kDataLoss:
      type = "internal";
      code = 500;
      break;
    default: break;
  }
  std::string message = error ? error->message : MessageOf(status);
  std::string hint = error ? error->hint : "";
  if (const size_t mark = message.find(kHintMark); mark != std::string::npos) {
    hint = message.substr(mark + 1);
    message.resize(mark);
  }
  std::string json = ErrorJson(type, message);
  if (!hint.empty()) {
    json.pop_back();
    json += ",\"hint\":";
    ingest::AppendJsonString(hint, &json);
    json += "}";
  }
  return JsonResponse(code, json);
}

}  // namespace braid::server
