#include "server/scrape/scrape_target.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "engine/base/status_macros.h"
#include "server/ingest/ingest_limits.h"

namespace braid::scrape {
namespace {

constexpr const char* kOwnMetrics[] = {"up", "scrape_duration_seconds", "scrape_samples_scraped",
                                       "scrape_samples_post_metric_relabeling", "scrape_series_added"};

void AppendEscaped(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out->push_back(c);
    } else {
      out->push_back('%');
      out->push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out->push_back(kHex[static_cast<unsigned char>(c) & 15]);
    }
  }
}

std::string TargetOf(const ScrapeJob& job) {
  std::string target = job.metrics_path;
  char separator = target.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : job.params) {
    target.push_back(std::exchange(separator, '&'));
    AppendEscaped(name, &target);
    target.push_back('=');
    AppendEscaped(value, &target);
  }
  return target;
}

}  // namespace

ScrapeTarget::ScrapeTarget(const ScrapeJob& job, const std::string& address, const Labels& labels,
                           const Labels& external_labels, ingest::SeriesGate* gate)
    : job_([&] {
        ScrapeJob own = job;
        own.groups.clear();
        return own;
      }()),
      request_{address, TargetOf(job), job.timeout, job.body_bytes_max},
      gate_(gate) {
  labels_ = {{"job", job.name}, {"instance", address}};
  for (const Label& label : labels) {
    const auto same =
        std::find_if(labels_.begin(), labels_.end(), [&](const Label& l) { return l.name == label.name; });
    if (same == labels_.end()) {
      labels_.push_back(label);
    } else {
      same->value = label.value;
    }
  }
  for (const Label& label : external_labels) {
    if (FindLabel(labels_, label.name).empty()) external_labels_.push_back(label);
  }
  status_.job = job.name;
  status_.url = "http://" + request_.address + request_.target;
  status_.labels = labels_;
  status_.interval = job.interval;
  status_.timeout = job.timeout;
  key_ = job.name + "\n" + status_.url + "\n" + ToString(labels_);
}

ingest::PrometheusTextOptions ScrapeTarget::OptionsAt(Timestamp time) const {
  ingest::PrometheusTextOptions options;
  options.now = time;
  options.labels = labels_;
  options.defaults = external_labels_;
  options.labels_win = !job_.honor_labels;
  options.honor_timestamps = job_.honor_timestamps;
  return options;
}

absl::Status ScrapeTarget::AddBody(const FetchedMetrics& metrics, Timestamp time, WriteBatch* batch,
                                   uint64_t* samples) {
  ingest::PrometheusTextOptions options = OptionsAt(time);
  // Nothing else is believed of the content type: Flask calls everything text/html.
  options.openmetrics = metrics.content_type.starts_with("application/openmetrics-text");
  ingest::PrometheusTextParser parser(std::move(options));
  ingest::IngestReport report;
  report.gate = gate_;
  report.now = time;
  parser.ParseBody(metrics.body, batch, &report);
  *samples = report.accepted;
  if (report.rejected > 0) return absl::InvalidArgumentError(report.Summary());
  if (batch->byte_size() > WriteBatch::kMaxBatchBytes)
    return absl::ResourceExhaustedError("the body unfolds to too much");
  if (job_.sample_limit > 0 && report.accepted > job_.sample_limit) {
    return absl::ResourceExhaustedError("the sample_limit is " + std::to_string(job_.sample_limit) +
                                        ", and the target has " + std::to_string(report.accepted) + " samples");
  }
  current_ = parser.series();
  return absl::OkStatus();
}

void ScrapeTarget::AddOwn(const char* name, double value, Timestamp time, WriteBatch* batch) const {
  std::vector<LabelView> labels = {{kMetricNameLabel, name}};
  for (const Label& label : labels_) labels.push_back({label.name, label.value});
  for (const Label& label : external_labels_) labels.push_back({label.name, label.value});
  batch->AddSample(batch->AddSeries(labels), time, value);
}

void ScrapeTarget::AddScrape(const absl::StatusOr<FetchedMetrics>& metrics, Timestamp time, Duration duration,
                             WriteBatch* batch) {
  uint64_t samples = 0;
  absl::Status result = metrics.status();
  current_.clear();
  if (result.ok()) {
    WriteBatch body;
    result = AddBody(*metrics, time, &body, &samples);
    if (result.ok()) *batch = std::move(body);
  }
  if (!result.ok()) current_.clear();
  uint64_t added = 0;
  for (const auto& [text, seen] : current_) added += last_.contains(text) ? 0 : 1;
  ingest::PrometheusTextParser stale(OptionsAt(time));
  for (const auto& [text, seen] : last_) {
    // A series that brings its own times says itself when it ends.
    if (!seen.timed && !current_.contains(text)) stale.AddStale(text, time, batch);
  }
  const auto count = [&](uint64_t number) { return result.ok() ? static_cast<double>(number) : 0; };
  const double values[] = {result.ok() ? 1.0 : 0.0, static_cast<double>(duration) / 1e9, static_cast<double>(samples),
                           count(samples), count(added)};
  for (size_t i = 0; i < std::size(kOwnMetrics); ++i) AddOwn(kOwnMetrics[i], values[i], time, batch);
  std::lock_guard lock(mutex_);
  status_.error = result.ok() ? "" : std::string(Str(result.message()));
  status_.last = time;
  status_.duration = duration;
}

void ScrapeTarget::Commit(const absl::Status& stored) {
  if (stored.ok()) {
    last_ = std::move(current_);
    has_reported_ = true;
    return;
  }
  std::lock_guard lock(mutex_);
  status_.error = "not stored: " + std::string(Str(stored.message()));
}

void ScrapeTarget::AddEnd(Timestamp time, WriteBatch* batch) {
  ingest::PrometheusTextParser stale(OptionsAt(time));
  for (const auto& [text, seen] : last_) {
    if (!seen.timed) stale.AddStale(text, time, batch);
  }
  if (!has_reported_) return;
  for (const char* name : kOwnMetrics) AddOwn(name, std::bit_cast<double>(kStaleNanBits), time, batch);
}

TargetStatus ScrapeTarget::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace braid::scrape
