// One GET of a target's metrics, as Prometheus asks.
//
// Threads: runs on the executor of the coroutine that awaits it. Errors: in words for /api/v1/targets: Unavailable
// (nobody answers), DeadlineExceeded, ResourceExhausted (the body is too large), FailedPrecondition (another status
// than 200), InvalidArgument (the answer is no HTTP, or its encoding is damaged).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "braid/types.h"

namespace braid::scrape {

struct FetchRequest {
  std::string address;  // "host:port"
  std::string target;   // "/metrics?x=y"
  Duration timeout = 0;
  uint64_t body_bytes_max = 0;  // decoded
};

struct FetchedMetrics {
  std::string body;  // decoded
  std::string content_type;
};

// `asked` lives until the end. Follows up to ten redirects to other http addresses.
boost::asio::awaitable<absl::StatusOr<FetchedMetrics>> FetchMetrics(const FetchRequest& asked);

}  // namespace braid::scrape
