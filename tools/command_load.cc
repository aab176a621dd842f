// `braid load`: load with real protocol bodies, and the check that what was acknowledged can be queried.
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "engine/base/status_macros.h"
#include "tools/command.h"
#include "tools/http_client.h"
#include "tools/load_run.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kQueryTimeoutSeconds = 120;

const char* NameOf(LoadSignal signal) {
  return signal == LoadSignal::kMetrics ? "metrics" : signal == LoadSignal::kLogs ? "logs" : "traces";
}
const char* UnitOf(LoadSignal signal) {
  return signal == LoadSignal::kMetrics ? "samples" : signal == LoadSignal::kLogs ? "lines" : "spans";
}

// How many records of the run a query finds.
absl::StatusOr<uint64_t> CountStored(const LoadOptions& options, LoadSignal signal, Timestamp begin) {
  std::string query = "samples{metric = \"braid_load_requests_total\", run = $run} | stats n = count()";
  if (signal == LoadSignal::kLogs) query = "logs{service = \"braid-load\", load.run = $run} | stats n = count()";
  if (signal == LoadSignal::kTraces) query = "spans{service = \"braid-load\", load.run = $run} | stats n = count()";
  std::string body = "{\"query\":\"";
  for (const char c : query) {
    if (c == '"') body += '\\';
    body += c;
  }
  body += "\",\"params\":{\"run\":\"" + options.run + "\"},\"start\":" + std::to_string(begin - 60 * kSecond) +
          ",\"end\":" + std::to_string(Now() + 3600 * kSecond) + "}";
  ASSIGN_OR_RETURN(const HttpAnswer answer, HttpPost(options.endpoint, "/v1/query", "application/json",
                                                     "application/json", body, kQueryTimeoutSeconds));
  if (answer.status != 200) return absl::UnavailableError(std::to_string(answer.status) + " " + answer.body);
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  uint64_t count = 0;
  if (parser.parse(answer.body).get(document) != simdjson::SUCCESS ||
      document["rows"].at(0).at(0).get(count) != simdjson::SUCCESS) {
    return absl::InternalError("the server's answer cannot be read: " + answer.body.substr(0, 200));
  }
  return count;
}

double Quantile(const std::vector<double>& sorted, double fraction) {
  return sorted.empty()
             ? 0
             : sorted[std::min(sorted.size() - 1, static_cast<size_t>(fraction * static_cast<double>(sorted.size())))];
}

void Report(LoadSignal signal, LoadCount count, double seconds) {
  std::sort(count.latencies_ms.begin(), count.latencies_ms.end());
  std::printf("%s: %s %s acknowledged in %s requests, %s/s, %s/s\n", NameOf(signal),
              ReadableCount(count.acknowledged).c_str(), UnitOf(signal), ReadableCount(count.requests).c_str(),
              ReadableCount(static_cast<uint64_t>(static_cast<double>(count.acknowledged) / seconds)).c_str(),
              ReadableBytes(static_cast<uint64_t>(static_cast<double>(count.bytes) / seconds)).c_str());
  std::printf("  latency ms: p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f\n", Quantile(count.latencies_ms, 0.5),
              Quantile(count.latencies_ms, 0.9), Quantile(count.latencies_ms, 0.99),
              Quantile(count.latencies_ms, 0.999), Quantile(count.latencies_ms, 1));
  if (count.retries + count.refused + count.unknown > 0) {
    std::printf("  %s retries after 429 or 503, %s records refused, %s with no answer; first: %s\n",
                ReadableCount(count.retries).c_str(), ReadableCount(count.refused).c_str(),
                ReadableCount(count.unknown).c_str(), Printable(count.first_error).c_str());
  }
  std::fputs(LatencyBars(count.latencies_ms).c_str(), stdout);
}

// What was acknowledged must be there; what had no answer may be.
bool IsStored(const LoadOptions& options, LoadSignal signal, const LoadCount& count, Timestamp begin) {
  const absl::StatusOr<uint64_t> stored = CountStored(options, signal, begin);
  if (!stored.ok()) {
    std::printf("%s: the check failed: %s\n", NameOf(signal), std::string(stored.status().message()).c_str());
    return false;
  }
  const bool good = *stored >= count.acknowledged && *stored <= count.acknowledged + count.unknown;
  std::printf("%s: %s of %s acknowledged %s are found%s\n", NameOf(signal), ReadableCount(*stored).c_str(),
              ReadableCount(count.acknowledged).c_str(), UnitOf(signal), good ? "" : ": WRONG");
  return good;
}

}  // namespace

int RunLoadCommand(const LoadSettings& settings) {
  LoadOptions options = settings.options;
  absl::StatusOr<Endpoint> endpoint = ReadEndpoint(settings.server);
  if (!endpoint.ok()) return Fail(std::string(endpoint.status().message()));
  options.endpoint = *std::move(endpoint);
  for (const std::string& name : settings.signals) {
    options.signals.push_back(name == "metrics" ? LoadSignal::kMetrics
                              : name == "logs"  ? LoadSignal::kLogs
                                                : LoadSignal::kTraces);
  }
  const Timestamp begin = Now();
  options.run = std::to_string(begin) + "-" + std::to_string(getpid());
  ProgressBar bar("load", settings.quiet);
  const auto total = static_cast<uint64_t>(options.length / kMillisecond);
  const auto progress = [&](Duration elapsed, const std::vector<LoadCount>& counts) {
    std::string text;
    for (size_t i = 0; i < counts.size(); ++i) {
      text += (i > 0 ? ", " : "") + ReadableCount(counts[i].acknowledged) + " " + UnitOf(options.signals[i]);
      if (counts[i].refused + counts[i].unknown > 0) {
        text += " (" + ReadableCount(counts[i].refused + counts[i].unknown) + " not taken)";
      }
    }
    bar.Update(std::min(total, static_cast<uint64_t>(elapsed / kMillisecond)), total, text);
  };
  const absl::StatusOr<std::vector<LoadCount>> counts = RunLoad(options, progress);
  if (!counts.ok()) return Fail(std::string(counts.status().message()));
  const double seconds = static_cast<double>(Now() - begin) / static_cast<double>(kSecond);
  bar.Finish("done");
  bool good = true;
  for (size_t i = 0; i < counts->size(); ++i) Report(options.signals[i], (*counts)[i], seconds);
  for (size_t i = 0; i < counts->size(); ++i) {
    good = IsStored(options, options.signals[i], (*counts)[i], begin) && good;
    good = good && (*counts)[i].acknowledged > 0 && (*counts)[i].refused == 0;
  }
  return good ? 0 : 1;
}

}  // namespace braid
