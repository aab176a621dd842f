// What changes or copies the store as a whole. Off unless the server has a token.
#include <atomic>
#include <ctime>
#include <functional>
#include <optional>

#include "braid/delete_count.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "server/app.h"
#include "server/delete_request.h"
#include "server/ingest/json_text.h"
#include "server/request_time.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

using Params = std::vector<std::pair<std::string, std::string>>;

http::Response AdminError(const absl::Status& status) {
  const std::optional<QueryError> error = ErrorOf(status);
  const std::string message = error ? std::to_string(error->line) + ":" + std::to_string(error->column) + ": " +
                                          error->message + (error->hint.empty() ? "" : " (" + error->hint + ")")
                                    : MessageOf(status);
  std::string json = "{\"status\":\"error\",\"errorType\":\"";
  json += absl::IsInvalidArgument(status) ? "bad_data" : "execution";
  json += "\",\"error\":";
  ingest::AppendJsonString(message, &json);
  const int code = absl::IsInvalidArgument(status) ? 400 : HttpStatusOf(status, Stage::kWrite);
  return JsonResponse(code, json + "}");
}

http::Response NoContent() {
  http::Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

absl::StatusOr<Params> ParamsOf(const http::Request& request) {
  Params params = request.query;
  if (!request.body.empty() && !http::ParseForm(request.body, &params)) {
    return absl::InvalidArgumentError("bad % escape in the form");
  }
  return params;
}

// `selector` names the parameter that chooses, once or several times. What each chose is counted if `counts` is not
// null.
absl::Status Delete(App* app, const http::Request& request, std::string_view selector, bool prometheus,
                    std::vector<uint64_t>* counts) {
  ASSIGN_OR_RETURN(const Params params, ParamsOf(request));
  TimeRange time;
  std::vector<DeleteSpec> specs;
  for (const auto& [name, value] : params) {
    if (name == selector) {
      ASSIGN_OR_RETURN(specs.emplace_back(), ParseDeleteSelector(value));
      if (prometheus && specs.back().signal != DeleteSpec::Signal::kMetrics) {
        return absl::InvalidArgumentError("this route deletes series; logs and spans go by /v1/delete");
      }
    } else if (name == "start" || name == "end") {
      Timestamp& end = name == "start" ? time.start : time.end;
      ASSIGN_OR_RETURN(end, prometheus ? ParsePrometheusTime(value) : ParseRequestTime(value, app->now()));
    } else {
      // A misspelt end of the range must not delete everything.
      return absl::InvalidArgumentError("unknown parameter '" + name.substr(0, 100) + "'");
    }
  }
  if (specs.empty()) return absl::InvalidArgumentError("no " + std::string(selector) + " parameter provided");
  if (time.empty()) return absl::InvalidArgumentError("end is before start");
  for (DeleteSpec& spec : specs) spec.time = time;
  for (const DeleteSpec& spec : specs) {
    if (counts != nullptr) {
      ASSIGN_OR_RETURN(counts->emplace_back(), CountChosen(*app->db->GetSnapshot(), spec));
    }
  }
  return app->db->Delete(specs);
}

http::Response DeleteAny(App* app, const http::Request& request) {
  std::vector<uint64_t> counts;
  if (const absl::Status status = Delete(app, request, "select", false, &counts); !status.ok()) {
    return AdminError(status);
  }
  std::string json = "{\"deleted\":[";
  for (const uint64_t count : counts) json += (json.back() == '[' ? "" : ",") + std::to_string(count);
  return JsonResponse(200, json + "]}");
}

// Names sort by time and are never the client's.
std::string SnapshotName(Timestamp now) {
  const std::time_t seconds = static_cast<std::time_t>(now / kSecond);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char name[64];
  std::strftime(name, sizeof(name), "%Y%m%dT%H%M%SZ", &parts);
  static std::atomic<unsigned> count{0};
  return std::string(name) + "-" + std::to_string(now % kSecond) + "-" + std::to_string(count++);
}

http::Response Snapshot(App* app) {
  if (app->snapshot_dir.empty()) {
    return AdminError(absl::FailedPreconditionError("this server has no directory for snapshots"));
  }
  const std::string name = SnapshotName(app->now());
  if (const absl::Status status = app->db->Backup(app->snapshot_dir + "/" + name); !status.ok()) {
    return AdminError(status);
  }
  return JsonResponse(200, "{\"status\":\"success\",\"data\":{\"name\":\"" + name + "\"}}");
}

}  // namespace

void AddAdminRoutes(App* app, Router* router) {
  const auto add = [&](const char* methods, const char* path, const char* hint,
                       std::function<http::Response(const http::Request&)> handle) {
    router->Add(methods, path, http::Lane::kSlow, hint,
                [app, handle = std::move(handle)](const http::Request& request, const std::string&) {
                  if (app->admin) return handle(request);
                  return AdminError(absl::PermissionDeniedError(
                      "this route is off until the server has a token (braid serve --token-file FILE)"));
                });
  };
  const auto answer = [](const absl::Status& status) { return status.ok() ? NoContent() : AdminError(status); };
  add("POST PUT", "/api/v1/admin/tsdb/delete_series", "delete series (Prometheus' API; needs a token)",
      [app, answer](const http::Request& request) { return answer(Delete(app, request, "match[]", true, nullptr)); });
  add("POST PUT", "/api/v1/admin/tsdb/clean_tombstones", "carry out deletes on disk now (likewise)",
      [app, answer](const http::Request&) { return answer(app->db->Compact()); });
  add("POST PUT", "/api/v1/admin/tsdb/snapshot", "a copy of the store in its snapshots/ directory (likewise)",
      [app](const http::Request&) { return Snapshot(app); });
  add("POST", "/v1/delete", "delete series, log records or spans (needs a token)",
      [app](const http::Request& request) { return DeleteAny(app, request); });
}

}  // namespace braid::server
