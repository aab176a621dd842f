// Which targets are scraped, how often, and what is put on their series: from the command line or from the part of
// Prometheus' configuration file that fits here.
//
// Threads: values and pure functions. Errors: InvalidArgument with file, line and key.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/types.h"

namespace braid::scrape {

// The most that one answer may have, decoded; also what body_size_limit is if it is not given.
inline constexpr uint64_t kBodyBytesMax = uint64_t{64} << 20;

struct TargetGroup {
  std::vector<std::string> targets;  // "host:port", "[::1]:port"
  Labels labels;
};

// A `scrape_config`, with Prometheus' names and defaults.
struct ScrapeJob {
  std::string name;
  Duration interval = 60 * kSecond;
  Duration timeout = 10 * kSecond;  // at most the interval
  std::string metrics_path = "/metrics";
  std::vector<std::pair<std::string, std::string>> params;
  bool honor_labels = false;
  bool honor_timestamps = true;
  uint64_t sample_limit = 0;  // 0 = none
  uint64_t body_bytes_max = kBodyBytesMax;
  std::vector<TargetGroup> groups;
};

struct ScrapeConfig {
  std::vector<ScrapeJob> jobs;
  Labels external_labels;          // on every series that does not have them
  std::vector<std::string> notes;  // what stands in the file and is passed over
};

// `text` is YAML; `file` goes into messages. Read are `global` (scrape_interval, scrape_timeout, external_labels) and
// `scrape_configs` (job_name, static_configs, metrics_path, scheme http, params, scrape_interval, scrape_timeout,
// honor_labels, honor_timestamps, sample_limit, body_size_limit). Any other key is an error, but for those of rules and
// alerts, which are noted.
absl::StatusOr<ScrapeConfig> ParseScrapeConfig(const std::string& text, const std::string& file);

// "host:port" or "host:port/path", each every 15 s under the job "scrape".
absl::StatusOr<ScrapeConfig> ParseScrapeList(const std::vector<std::string>& targets);

}  // namespace braid::scrape
