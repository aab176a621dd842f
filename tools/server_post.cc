#include "tools/server_post.h"

#include "tools/http_client.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kAnswerSeconds = 10;

absl::Status PostTo(const Endpoint& endpoint, const char* path, const HttpHeaders& headers, const std::string& body) {
  const auto connection = HttpConnection::Make(endpoint);
  if (!connection.ok()) return connection.status();
  const auto answer = (*connection)->Post(path, headers, body, kAnswerSeconds);
  if (!answer.ok()) return answer.status();
  if (answer->status / 100 == 2) return absl::OkStatus();
  const std::string message = endpoint.url + " answers " + std::to_string(answer->status);
  // What OTLP names as worth a retry, and a full disk, which empties again.
  const bool later = answer->status == 429 || answer->status == 502 || answer->status == 503 || answer->status == 504 ||
                     answer->status == 507;
  if (later) return absl::UnavailableError(message);
  return absl::InvalidArgumentError(message + ": " + ErrorText(*answer));
}

}  // namespace

LogOutlet::Post PostLogsTo(const Endpoint& endpoint) {
  return [endpoint](const std::string& body) {
    return PostTo(
        endpoint, "/v1/logs",
        {{"Connection", "close"}, {"Content-Type", "application/x-protobuf"}, {"Accept", "application/x-protobuf"}},
        body);
  };
}

std::function<absl::Status(const std::string& body)> PostMetricsTo(const Endpoint& endpoint) {
  return [endpoint](const std::string& body) {
    return PostTo(endpoint, "/api/v1/write",
                  {{"Connection", "close"},
                   {"Content-Type", "application/x-protobuf"},
                   {"Content-Encoding", "snappy"},
                   {"X-Prometheus-Remote-Write-Version", "0.1.0"}},
                  body);
  };
}

std::string DescribeLosses(const DeliveryCounts& counts, const std::string& record) {
  std::string text;
  const auto add = [&](uint64_t count, const std::string& what) {
    if (count > 0) text += (text.empty() ? "" : ", ") + ReadableCount(count, record) + " " + what;
  };
  add(counts.waiting, "could not be delivered");
  add(counts.dropped, counts.dropped == 1 ? "was dropped for want of room" : "were dropped for want of room");
  add(counts.rejected, counts.rejected == 1 ? "was refused" : "were refused");
  if (!text.empty() && !counts.last_error.empty()) text += " (" + counts.last_error + ")";
  return text;
}

}  // namespace braid
