#include "tools/log_post.h"

#include "tools/http_client.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kAnswerSeconds = 10;

}  // namespace

LogOutlet::Post PostLogsTo(const std::string& url, const std::string& token) {
  return [url, token](const std::string& body) -> absl::Status {
    const auto answer =
        HttpPost(url, "/v1/logs", "application/x-protobuf", "application/x-protobuf", body, kAnswerSeconds, token);
    if (!answer.ok()) return answer.status();
    if (answer->status / 100 == 2) return absl::OkStatus();
    const std::string message = url + " answers " + std::to_string(answer->status);
    // What OTLP names as worth a retry, and a full disk, which empties again.
    const bool later = answer->status == 429 || answer->status == 502 || answer->status == 503 ||
                       answer->status == 504 || answer->status == 507;
    if (later) return absl::UnavailableError(message);
    return absl::InvalidArgumentError(message + ": " + ErrorText(*answer));
  };
}

std::string DescribeLosses(const DeliveryCounts& counts) {
  std::string text;
  const auto add = [&](uint64_t records, const std::string& what) {
    if (records == 0) return;
    text += (text.empty() ? "" : ", ") + ReadableCount(records) + " log records " + what;
  };
  add(counts.waiting, "could not be delivered");
  add(counts.dropped, "were dropped for want of room");
  add(counts.rejected, "were refused");
  if (!text.empty() && !counts.last_error.empty()) text += " (" + counts.last_error + ")";
  return text;
}

}  // namespace braid
