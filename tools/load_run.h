// Load on a server by several workers, each with its own connection: pacing, retries, latencies, and what was
// acknowledged.
//
// Threads: RunLoad starts and joins its own. Errors: a server that cannot be reached at all.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/types.h"
#include "tools/http_connection.h"
#include "tools/load_body.h"

namespace braid {

struct LoadOptions {
  Endpoint endpoint;
  std::vector<LoadSignal> signals;  // each gets `concurrency` workers
  double rate = 0;                  // records a second of each signal; 0 = as fast as they are taken
  int concurrency = 2;
  Duration length = 10 * kSecond;
  uint64_t batch = 500;  // records of a request
  uint64_t seed = 1;
  std::string run;  // id of this run, on every record
};

// What became of the requests of one signal.
struct LoadCount {
  uint64_t acknowledged = 0;  // records
  uint64_t unknown = 0;       // records of requests whose answer never came: stored or not
  uint64_t refused = 0;       // records that the server would not take
  uint64_t requests = 0;
  uint64_t retries = 0;              // after 429 and 503, once Retry-After had passed
  uint64_t bytes = 0;                // of acknowledged bodies
  std::vector<double> latencies_ms;  // of acknowledged requests
  std::string first_error;
};

// `progress` is called about once a second with the time since the start and the counts so far (without latencies).
absl::StatusOr<std::vector<LoadCount>> RunLoad(
    const LoadOptions& options, const std::function<void(Duration, const std::vector<LoadCount>&)>& progress);

// Bars of a histogram whose bounds are 1, 2, 5, 10, ... of a tenth of a millisecond.
std::string LatencyBars(std::vector<double> latencies_ms);

}  // namespace braid
