// Seeded synthetic telemetry of a small shop, all three signals, with one injected incident.
//
// Seven services (frontend, gateway, catalog, cart, checkout, payment, email), several instances each. Requests arrive
// at random; each makes a trace, log lines, and moves counters and histograms that are scraped every 15 s. Some way
// into the run payment is deployed and from then on its statement `UPDATE accounts` waits for locks in bursts: spans of
// payment grow slow or fail, checkout retries, p99 of checkout and payment rises, errors are logged. The same options
// give the same bytes on every machine.
//
// Threads: one generation belongs to one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/types.h"

namespace braid {

struct GeneratorOptions {
  uint64_t seed = 1;
  Timestamp start = 1'767'261'600LL * kSecond;  // 2026-01-01T10:00:00Z
  Duration length = 1800 * kSecond;
  double requests_per_second = 10;
  int instances = 2;  // per service
  bool incident = true;
};

// What was injected and how much was made: the truth to compare answers with.
struct GeneratorTruth {
  Timestamp deploy = 0;
  Timestamp incident_start = 0;
  Timestamp incident_end = 0;
  uint64_t samples = 0;
  uint64_t series = 0;
  uint64_t exemplars = 0;
  uint64_t logs = 0;
  uint64_t error_logs = 0;
  uint64_t spans = 0;
  uint64_t traces = 0;
  uint64_t slow_statements = 0;  // spans `UPDATE accounts` that waited for a lock
};

// Receives the three streams of text as they are made; each call is one whole line, or many, ending in '\n'.
struct GeneratorSinks {
  std::function<absl::Status(std::string_view)> metrics;  // OpenMetrics text with timestamps and exemplars
  std::function<absl::Status(std::string_view)> logs;     // NDJSON
  std::function<absl::Status(std::string_view)> spans;    // OTLP/JSON export requests, one a line
  std::function<void(double done)> progress;              // 0..1; may be null
};

// InvalidArgument for options that Generate would refuse.
absl::Status CheckOptions(const GeneratorOptions& options);
absl::Status Generate(const GeneratorOptions& options, const GeneratorSinks& sinks, GeneratorTruth* truth);

// {"root_cause": {...}, counts}: the truth as JSON.
std::string ToJson(const GeneratorOptions& options, const GeneratorTruth& truth);

}  // namespace braid
