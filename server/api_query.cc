// /v1/query: the query language over HTTP.
#include <chrono>

#include "engine/base/status_macros.h"
#include "server/app.h"
#include "server/ingest/json_text.h"
#include "server/query_request.h"
#include "server/result_body.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

// {"error":{"code","message"[,"line","column","length"][,"hint"]}}
http::Response ErrorResponse(const absl::Status& status, Stage stage) {
  std::string json = "{\"error\":{\"code\":";
  const std::optional<QueryError> error = ErrorOf(status);
  ingest::AppendJsonString(error && !error->code.empty() ? error->code : std::string(CodeName(status.code())), &json);
  json += ",\"message\":";
  ingest::AppendJsonString(error ? error->message : MessageOf(status), &json);
  if (error) {
    json += ",\"line\":" + std::to_string(error->line) + ",\"column\":" + std::to_string(error->column) +
            ",\"length\":" + std::to_string(error->length);
    if (!error->hint.empty()) {
      json += ",\"hint\":";
      ingest::AppendJsonString(error->hint, &json);
    }
  }
  const int code = HttpStatusOf(status, stage);
  http::Response response = JsonResponse(code, json + "}}\n");
  if (code == 503) response.headers.push_back({"Retry-After", "1"});
  return response;
}

Outcome OutcomeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: return Outcome::kOk;
    case absl::StatusCode::kInvalidArgument: return Outcome::kBadQuery;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded: return Outcome::kLimit;
    default: return Outcome::kError;
  }
}

std::string_view TypeOf(ResultFormat format) {
  switch (format) {
    case ResultFormat::kJson: return "application/json";
    case ResultFormat::kNdjson: return "application/x-ndjson";
    case ResultFormat::kCsv: return "text/csv; charset=utf-8";
  }
  return "application/json";
}

// Fills the body of `*response`, or its stream if the answer is large.
absl::Status Run(App* app, QueryRequest request, http::Response* response) {
  ASSIGN_OR_RETURN(const Query query, Query::Parse(request.text));
  request.options.notes = app->missing;
  ASSIGN_OR_RETURN(std::unique_ptr<ResultReader> result, query.Execute(app->db->GetSnapshot(), request.options));
  const std::shared_ptr<Answer> answer = Answer::Start(std::move(result), request.format, &app->answers);
  bool whole = false;
  RETURN_IF_ERROR(answer->First(&response->body, &whole));
  // JSON has its notes in the body; lines and CSV have them in a header.
  const bool with_header = request.format != ResultFormat::kJson;
  const auto notes = [answer]() -> std::vector<http::Header> {
    std::string text = answer->notes();
    if (text.empty()) return {};
    return {{"Braid-Notes", std::move(text)}};
  };
  if (whole) {
    if (with_header) response->headers = notes();
    return absl::OkStatus();
  }
  if (with_header) {
    response->trailer_names = "Braid-Notes";
    response->trailers_at_end = notes;
  }
  // The last copy of the stream goes when the answer has been sent or the client has gone.
  const std::shared_ptr<void> end(nullptr, [answer](void*) { answer->Abandon(); });
  response->stream = [answer, end](std::string* piece) { return answer->Next(piece); };
  return absl::OkStatus();
}

http::Response HandleQuery(App* app, const http::Request& http_request) {
  const auto begin = std::chrono::steady_clock::now();
  const auto count = [&](const absl::Status& status) {
    app->metrics.CountQuery(QueryApi::kBraid, OutcomeOf(status), (std::chrono::steady_clock::now() - begin).count());
  };
  auto request = ParseQueryRequest(http_request, app->now(), app->limits);
  if (!request.ok()) {
    count(request.status());
    return ErrorResponse(request.status(), Stage::kDecode);
  }
  http::Response response;
  response.content_type = TypeOf(request->format);
  const absl::Status status = Run(app, *std::move(request), &response);
  count(status);
  return status.ok() ? response : ErrorResponse(status, Stage::kQuery);
}

}  // namespace

void AddQueryRoutes(App* app, Router* router) {
  router->Add("GET POST", "/v1/query", http::Lane::kSlow, "the query language: {\"query\": \"up\"} or ?query=up",
              [app](const http::Request& request, const std::string&) { return HandleQuery(app, request); });
}

}  // namespace braid::server
