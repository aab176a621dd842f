#include "server/scrape/scrape_config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "engine/base/status_macros.h"

namespace braid::scrape {
namespace {

constexpr Duration kListInterval = 15 * kSecond;

struct Unit {
  std::string_view name;
  int64_t factor;
};

// A number and one of the units, e.g. "15s", "64MB"; of durations several in a row: "1m30s".
bool ParseUnits(std::string_view text, std::initializer_list<Unit> units, bool repeated, int64_t* total) {
  *total = 0;
  bool any = false;
  while (!text.empty() && (!any || repeated)) {
    int64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec != std::errc() || number < 0) return false;
    text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
    const size_t end = std::min(text.find_first_of("0123456789"), text.size());
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text.substr(0, end); });
    int64_t part = 0;
    if (unit == units.end() || __builtin_mul_overflow(number, unit->factor, &part) ||
        __builtin_add_overflow(*total, part, total)) {
      return false;
    }
    text.remove_prefix(end);
    any = true;
  }
  return any && text.empty();
}

bool ParseDuration(std::string_view text, Duration* duration) {
  return ParseUnits(text,
                    {{"ms", kMillisecond},
                     {"s", kSecond},
                     {"m", 60 * kSecond},
                     {"h", 3600 * kSecond},
                     {"d", 86400 * kSecond},
                     {"w", 7 * 86400 * kSecond},
                     {"y", 365 * 86400 * kSecond}},
                    true, duration);
}

bool IsLabelName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// "host:port" with nothing else in it.
bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0 || text.find_first_of("/?#@ \t") != std::string_view::npos)
    return false;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) return false;
  unsigned number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  return read.ec == std::errc() && read.ptr == port.data() + port.size() && number > 0 && number < 65536;
}

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  absl::StatusOr<ScrapeConfig> Read(const YAML::Node& root) {
    ScrapeConfig config;
    if (!root.IsMap()) return Bad(root, "the file is not a map with the keys global and scrape_configs");
    RETURN_IF_ERROR(CheckKeys(root, "the file", {"global", "scrape_configs", "rule_files", "alerting"}));
    for (const char* passed_over : {"rule_files", "alerting"}) {
      if (root[passed_over] && !root[passed_over].IsNull()) {
        config.notes.push_back(file_ + ": " + passed_over + " is passed over: rules are not evaluated here");
      }
    }
    ScrapeJob defaults;
    if (const YAML::Node global = root["global"]; global && !global.IsNull()) {
      RETURN_IF_ERROR(
          CheckKeys(global, "global", {"scrape_interval", "scrape_timeout", "external_labels", "evaluation_interval"}));
      RETURN_IF_ERROR(TakeDuration(global, "scrape_interval", &defaults.interval));
      if (!global["scrape_timeout"]) defaults.timeout = std::min(defaults.timeout, defaults.interval);
      RETURN_IF_ERROR(TakeDuration(global, "scrape_timeout", &defaults.timeout));
      RETURN_IF_ERROR(TakeLabels(global, "external_labels", &config.external_labels));
    }
    const YAML::Node jobs = root["scrape_configs"];
    if (!jobs || !jobs.IsSequence()) return Bad(root, "scrape_configs is not a list of jobs");
    for (const YAML::Node& node : jobs) {
      ScrapeJob job = defaults;
      RETURN_IF_ERROR(ReadJob(node, &job));
      for (const ScrapeJob& other : config.jobs) {
        if (other.name == job.name) return Bad(node, "there are two jobs named '" + job.name + "'");
      }
      config.jobs.push_back(std::move(job));
    }
    return config;
  }

 private:
  absl::Status Bad(const YAML::Node& node, const std::string& what) const {
    return absl::InvalidArgumentError(file_ + ":" + std::to_string(node.Mark().line + 1) + ": " + what);
  }

  absl::Status CheckKeys(const YAML::Node& map, const std::string& where,
                         std::initializer_list<std::string_view> known) const {
    if (!map.IsMap()) return Bad(map, where + " is not a map");
    for (const auto& entry : map) {
      const std::string key = entry.first.Scalar();
      if (std::find(known.begin(), known.end(), key) != known.end()) continue;
      std::string names;
      for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
      return Bad(entry.first, "'" + key + "' is not supported in " + where + "; supported are " + names);
    }
    return absl::OkStatus();
  }

  // Each leaves `*value` alone if the key is absent.
  absl::Status TakeText(const YAML::Node& map, const char* key, std::string* value) const {
    const YAML::Node node = map[key];
    if (!node) return absl::OkStatus();
    if (!node.IsScalar()) return Bad(node, std::string(key) + " is not a text");
    *value = node.Scalar();
    return absl::OkStatus();
  }
  absl::Status TakeDuration(const YAML::Node& map, const char* key, Duration* value) const {
    std::string text;
    RETURN_IF_ERROR(TakeText(map, key, &text));
    if (!map[key]) return absl::OkStatus();
    if (!ParseDuration(text, value) || *value <= 0) {
      return Bad(map[key], std::string(key) + ": '" + text + "' is not a duration such as 15s or 1m30s");
    }
    return absl::OkStatus();
  }
  absl::Status TakeBool(const YAML::Node& map, const char* key, bool* value) const {
    const YAML::Node node = map[key];
    if (!node || YAML::convert<bool>::decode(node, *value)) return absl::OkStatus();
    return Bad(node, std::string(key) + " is neither true nor false");
  }
  absl::Status TakeNumber(const YAML::Node& map, const char* key, bool bytes, uint64_t* value) const {
    std::string text;
    RETURN_IF_ERROR(TakeText(map, key, &text));
    if (!map[key]) return absl::OkStatus();
    int64_t number = 0;
    constexpr int64_t kKilo = 1024;
    const bool ok =
        ParseUnits(text, {{"", 1}}, false, &number) || (bytes && ParseUnits(text,
                                                                            {{"B", 1},
                                                                             {"KB", kKilo},
                                                                             {"KiB", kKilo},
                                                                             {"MB", kKilo * kKilo},
                                                                             {"MiB", kKilo * kKilo},
                                                                             {"GB", kKilo * kKilo * kKilo},
                                                                             {"GiB", kKilo * kKilo * kKilo}},
                                                                            false, &number));
    if (!ok)
      return Bad(map[key], std::string(key) + ": '" + text + "' is not a number" + (bytes ? " such as 10MB" : ""));
    *value = static_cast<uint64_t>(number);
    return absl::OkStatus();
  }
  absl::Status TakeLabels(const YAML::Node& map, const char* key, Labels* labels) const {
    const YAML::Node node = map[key];
    if (!node || node.IsNull()) return absl::OkStatus();
    if (!node.IsMap()) return Bad(node, std::string(key) + " is not a map of names to values");
    for (const auto& entry : node) {
      if (!IsLabelName(entry.first.Scalar())) {
        return Bad(entry.first, "'" + entry.first.Scalar() + "' is not a label name");
      }
      if (!entry.second.IsScalar()) return Bad(entry.second, "the value of " + entry.first.Scalar() + " is not a text");
      labels->push_back({entry.first.Scalar(), entry.second.Scalar()});
    }
    return absl::OkStatus();
  }

  absl::Status ReadJob(const YAML::Node& node, ScrapeJob* job) const {
    RETURN_IF_ERROR(
        CheckKeys(node, "a scrape config",
                  {"job_name", "static_configs", "metrics_path", "scheme", "params", "scrape_interval",
                   "scrape_timeout", "honor_labels", "honor_timestamps", "sample_limit", "body_size_limit"}));
    RETURN_IF_ERROR(TakeText(node, "job_name", &job->name));
    if (job->name.empty()) return Bad(node, "a scrape config has no job_name");
    RETURN_IF_ERROR(TakeText(node, "metrics_path", &job->metrics_path));
    if (!job->metrics_path.starts_with('/')) return Bad(node["metrics_path"], "metrics_path does not begin with /");
    std::string scheme = "http";
    RETURN_IF_ERROR(TakeText(node, "scheme", &scheme));
    if (scheme != "http") return Bad(node["scheme"], "scheme '" + scheme + "' is not supported, only http");
    RETURN_IF_ERROR(TakeDuration(node, "scrape_interval", &job->interval));
    if (!node["scrape_timeout"]) job->timeout = std::min(job->timeout, job->interval);
    RETURN_IF_ERROR(TakeDuration(node, "scrape_timeout", &job->timeout));
    if (job->timeout > job->interval) {
      return Bad(node, "scrape_timeout of job '" + job->name + "' is longer than its scrape_interval");
    }
    RETURN_IF_ERROR(TakeBool(node, "honor_labels", &job->honor_labels));
    RETURN_IF_ERROR(TakeBool(node, "honor_timestamps", &job->honor_timestamps));
    RETURN_IF_ERROR(TakeNumber(node, "sample_limit", false, &job->sample_limit));
    RETURN_IF_ERROR(TakeNumber(node, "body_size_limit", true, &job->body_bytes_max));
    if (job->body_bytes_max == 0 || job->body_bytes_max > kBodyBytesMax) job->body_bytes_max = kBodyBytesMax;
    RETURN_IF_ERROR(ReadParams(node["params"], job));
    return ReadGroups(node["static_configs"], node, job);
  }

  absl::Status ReadParams(const YAML::Node& params, ScrapeJob* job) const {
    if (!params || params.IsNull()) return absl::OkStatus();
    if (!params.IsMap()) return Bad(params, "params is not a map of names to lists");
    for (const auto& entry : params) {
      if (!entry.second.IsSequence()) return Bad(entry.second, "params." + entry.first.Scalar() + " is not a list");
      for (const YAML::Node& value : entry.second) {
        if (!value.IsScalar()) return Bad(value, "a value of params." + entry.first.Scalar() + " is not a text");
        job->params.emplace_back(entry.first.Scalar(), value.Scalar());
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadGroups(const YAML::Node& groups, const YAML::Node& node, ScrapeJob* job) const {
    if (!groups || !groups.IsSequence()) return Bad(node, "job '" + job->name + "' has no list static_configs");
    for (const YAML::Node& entry : groups) {
      RETURN_IF_ERROR(CheckKeys(entry, "static_configs", {"targets", "labels"}));
      TargetGroup group;
      const YAML::Node targets = entry["targets"];
      if (!targets || !targets.IsSequence()) return Bad(entry, "targets is not a list");
      for (const YAML::Node& target : targets) {
        if (!target.IsScalar() || !IsHostPort(target.Scalar())) {
          return Bad(target, "a target is not HOST:PORT: '" + (target.IsScalar() ? target.Scalar() : "") + "'");
        }
        group.targets.push_back(target.Scalar());
      }
      RETURN_IF_ERROR(TakeLabels(entry, "labels", &group.labels));
      job->groups.push_back(std::move(group));
    }
    return absl::OkStatus();
  }

  std::string file_;
};

}  // namespace

absl::StatusOr<ScrapeConfig> ParseScrapeConfig(const std::string& text, const std::string& file) {
  try {
    return Reader(file).Read(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(file + ":" + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

absl::StatusOr<ScrapeConfig> ParseScrapeList(const std::vector<std::string>& targets) {
  ScrapeConfig config;
  for (const std::string& text : targets) {
    std::string address = text;
    if (address.starts_with("http://")) address.erase(0, 7);
    const size_t slash = std::min(address.find('/'), address.size());
    const std::string path = slash < address.size() ? address.substr(slash) : "/metrics";
    address.resize(slash);
    if (!IsHostPort(address)) {
      return absl::InvalidArgumentError("scrape target '" + text + "' is not HOST:PORT or HOST:PORT/PATH");
    }
    ScrapeJob* job = nullptr;
    for (ScrapeJob& other : config.jobs) {
      if (other.metrics_path == path) job = &other;
    }
    if (job == nullptr) {
      job = &config.jobs.emplace_back();
      job->name = "scrape";
      job->interval = kListInterval;
      job->metrics_path = path;
      job->groups.emplace_back();
    }
    job->groups[0].targets.push_back(address);
  }
  return config;
}

}  // namespace braid::scrape
