// What the server counts about itself. All label values come from fixed lists: no client can make a series.
//
// Threads: any; counters are atomic.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "braid/db.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/http/http_server.h"

namespace braid::server {

enum class Protocol : uint8_t {
  kOtlp,
  kPrometheusText,
  kRemoteWrite,
  kJsonLines,
  kLoki,
  kZipkin,
  kJaeger,
  kElastic,
  kOtlpGrpc,
  kScrape
};
inline constexpr int kProtocolCount = 10;
enum class Reject : uint8_t { kMalformed, kRecord, kTooLarge, kUnsupported, kStorage, kOverload, kSeriesLimit };
inline constexpr int kRejectCount = 7;
enum class QueryApi : uint8_t { kBraid, kPrometheus };
inline constexpr int kQueryApiCount = 2;
enum class Outcome : uint8_t { kOk, kBadQuery, kLimit, kError };
inline constexpr int kOutcomeCount = 4;

std::string_view ProtocolName(Protocol protocol);  // "otlp", ...

class SelfMetrics {
 public:
  void CountRequest(Protocol protocol, uint64_t body_bytes);
  void CountAccepted(Protocol protocol, const WriteBatch::Counts& records);
  // Requests (kRecord: records) that were not taken.
  void CountRejected(Protocol protocol, Reject reason, uint64_t count);
  void CountQuery(QueryApi api, Outcome outcome, Duration time);

  // Prometheus text format 0.0.4.
  std::string Text(const DBStats& db, const http::ServerStats& http, size_t decode_bytes, uint64_t active_series) const;

 private:
  using Counter = std::atomic<uint64_t>;
  static constexpr std::array<double, 12> kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                      0.1,   0.25,   0.5,   1,    5,     30};
  struct PerProtocol {
    Counter requests{0}, bytes{0}, samples{0}, logs{0}, spans{0}, exemplars{0};
    std::array<Counter, kRejectCount> rejected{};
  };
  struct PerApi {
    std::array<Counter, kOutcomeCount> outcomes{};
    std::array<Counter, kSeconds.size() + 1> buckets{};
    Counter nanos{0};
  };
  std::array<PerProtocol, kProtocolCount> protocols_;
  std::array<PerApi, kQueryApiCount> apis_;
};

}  // namespace braid::server
