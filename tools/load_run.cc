#include "tools/load_run.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>

#include "engine/base/status_macros.h"
#include "tools/command.h"
#include "tools/http_connection.h"

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

// A server may ask for any wait; a run is not longer than its user wants because of it.
constexpr int kRetryAfterMaxSeconds = 30;
constexpr int kAnswerSeconds = 60;

struct Protocol {
  const char* path;
  HttpHeaders headers;
};
Protocol ProtocolOf(LoadSignal signal) {
  switch (signal) {
    case LoadSignal::kMetrics:
      return {"/api/v1/write",
              {{"Content-Type", "application/x-protobuf"},
               {"Content-Encoding", "snappy"},
               {"X-Prometheus-Remote-Write-Version", "0.1.0"}}};
    case LoadSignal::kLogs: return {"/v1/logs", {{"Content-Type", "application/x-protobuf"}}};
    case LoadSignal::kTraces: break;
  }
  return {"/v1/traces", {{"Content-Type", "application/x-protobuf"}}};
}

class Worker {
 public:
  Worker(const LoadOptions& options, LoadSignal signal, int number, Clock::time_point begin)
      : options_(options),
        protocol_(ProtocolOf(signal)),
        maker_(signal, options.run, number, options.batch, options.seed),
        begin_(begin) {}

  absl::Status Connect() {
    ASSIGN_OR_RETURN(connection_, HttpConnection::Make(options_.endpoint));
    return absl::OkStatus();
  }

  void Run() {
    const Clock::time_point end = begin_ + std::chrono::nanoseconds(options_.length);
    const double rate = options_.rate / options_.concurrency;
    const auto interval =
        std::chrono::nanoseconds(rate > 0 ? static_cast<int64_t>(static_cast<double>(options_.batch) / rate * 1e9) : 0);
    Clock::time_point next = Clock::now();
    while (Clock::now() < end) {
      if (rate > 0) {
        std::this_thread::sleep_until(std::min(next, end));
        if (Clock::now() >= end) break;
        next += interval;
      }
      Send(maker_.Next(Now()), end);
    }
  }

  LoadCount Count(bool latencies) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    LoadCount count = count_;
    if (!latencies) count.latencies_ms.clear();
    return count;
  }

 private:
  void Send(const LoadBody& body, Clock::time_point end) {
    while (true) {
      const Clock::time_point sent = Clock::now();
      const absl::StatusOr<HttpAnswer> answer =
          connection_->Post(protocol_.path, protocol_.headers, body.bytes, kAnswerSeconds);
      const double took = std::chrono::duration<double, std::milli>(Clock::now() - sent).count();
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        ++count_.requests;
        if (!answer.ok()) {
          count_.unknown += body.records;
          Note(std::string(answer.status().message()));
        } else if (answer->status < 300) {
          count_.acknowledged += body.records;
          count_.bytes += body.bytes.size();
          count_.latencies_ms.push_back(took);
          return;
        } else if (answer->status != 429 && answer->status != 503) {
          count_.refused += body.records;
          Note(std::to_string(answer->status) + " " + answer->body.substr(0, 200));
          return;
        } else {
          ++count_.retries;
        }
      }
      if (!answer.ok()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        return;
      }
      const int wait = std::clamp(answer->retry_after_seconds, 0, kRetryAfterMaxSeconds);
      const auto pause = wait > 0 ? Clock::duration(std::chrono::seconds(wait)) : std::chrono::milliseconds(100);
      if (Clock::now() + pause >= end) {
        const std::lock_guard<std::mutex> lock(mutex_);
        count_.refused += body.records;
        Note(std::to_string(answer->status) + " until the end of the run");
        return;
      }
      std::this_thread::sleep_for(pause);
    }
  }
  void Note(const std::string& error) {
    if (count_.first_error.empty()) count_.first_error = error;
  }

  const LoadOptions& options_;
  const Protocol protocol_;
  LoadBodyMaker maker_;
  const Clock::time_point begin_;
  std::unique_ptr<HttpConnection> connection_;
  mutable std::mutex mutex_;
  LoadCount count_;
};

void Add(LoadCount&& from, LoadCount* to) {
  to->acknowledged += from.acknowledged;
  to->unknown += from.unknown;
  to->refused += from.refused;
  to->requests += from.requests;
  to->retries += from.retries;
  to->bytes += from.bytes;
  to->latencies_ms.insert(to->latencies_ms.end(), from.latencies_ms.begin(), from.latencies_ms.end());
  if (to->first_error.empty()) to->first_error = std::move(from.first_error);
}

}  // namespace

absl::StatusOr<std::vector<LoadCount>> RunLoad(
    const LoadOptions& options, const std::function<void(Duration, const std::vector<LoadCount>&)>& progress) {
  const Clock::time_point begin = Clock::now();
  std::vector<std::unique_ptr<Worker>> workers;  // those of one signal stand together
  for (const LoadSignal signal : options.signals) {
    for (int i = 0; i < options.concurrency; ++i) {
      workers.push_back(std::make_unique<Worker>(options, signal, i, begin));
      RETURN_IF_ERROR(workers.back()->Connect());
    }
  }
  const auto counts = [&](bool latencies) {
    std::vector<LoadCount> all(options.signals.size());
    for (size_t i = 0; i < workers.size(); ++i) {
      Add(workers[i]->Count(latencies), &all[i / static_cast<size_t>(options.concurrency)]);
    }
    return all;
  };
  std::atomic<size_t> running{workers.size()};
  std::vector<std::thread> threads;
  for (auto& worker : workers) {
    threads.emplace_back([&running, &worker] {
      worker->Run();
      --running;
    });
  }
  Clock::time_point shown = begin;
  while (running > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (Clock::now() - shown < std::chrono::seconds(1)) continue;
    shown = Clock::now();
    progress(std::chrono::duration_cast<std::chrono::nanoseconds>(shown - begin).count(), counts(false));
  }
  for (std::thread& thread : threads) thread.join();
  return counts(true);
}

std::string LatencyBars(std::vector<double> latencies_ms) {
  if (latencies_ms.empty()) return "";
  std::sort(latencies_ms.begin(), latencies_ms.end());
  std::string out;
  size_t at = 0;
  double low = 0, high = 0.1;
  for (int step = 0; at < latencies_ms.size(); ++step) {
    const size_t begin = at;
    while (at < latencies_ms.size() && latencies_ms[at] < high) ++at;
    if (begin > 0 || at > begin) {
      const size_t count = at - begin;
      const size_t width = count == 0 ? 0 : std::max<size_t>(1, count * 50 / latencies_ms.size());
      char line[160];
      std::snprintf(line, sizeof line, "%9.1f .. %-9.1f ms %10zu %6.2f %%  ", low, high, count,
                    100.0 * static_cast<double>(count) / static_cast<double>(latencies_ms.size()));
      out += line + std::string(width, '#') + "\n";
    }
    low = high;
    high *= step % 3 == 1 ? 2.5 : 2;
  }
  return out;
}

}  // namespace braid
