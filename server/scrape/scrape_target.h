// What a target has said, as a batch: its samples, the metrics about the scrape itself, and staleness markers for what
// it does not say any more. Follows Prometheus' scrape loop, so that `up` and its like mean the same here.
//
// Threads: one at a time, but for status(), which may be called from any.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/prometheus_text.h"
#include "server/scrape/metrics_fetch.h"
#include "server/scrape/scrape_config.h"

namespace braid::scrape {

// For /api/v1/targets.
struct TargetStatus {
  std::string job, url;
  Labels labels;       // job, instance and those of its group
  std::string error;   // of the last scrape; empty if it went well
  Timestamp last = 0;  // 0: not scraped yet
  Duration duration = 0;
  Duration interval = 0, timeout = 0;
};

class ScrapeTarget {
 public:
  // `gate` may be null; it outlives the target.
  ScrapeTarget(const ScrapeJob& job, const std::string& address, const Labels& labels, const Labels& external_labels,
               ingest::SeriesGate* gate);

  const FetchRequest& request() const { return request_; }
  Duration interval() const { return job_.interval; }
  const std::string& key() const { return key_; }  // tells targets apart

  // Appends what came of the scrape that began at `time`. A body with a line that cannot be read fails as a whole.
  void AddScrape(const absl::StatusOr<FetchedMetrics>& metrics, Timestamp time, Duration duration, WriteBatch* batch);
  // The batch is stored, or is not: what the next scrape compares itself with.
  void Commit(const absl::Status& stored);
  // Staleness markers for all, as the target is not scraped any more.
  void AddEnd(Timestamp time, WriteBatch* batch);

  TargetStatus status() const;

 private:
  using SeenSeries = ingest::PrometheusTextParser::SeenSeries;
  ingest::PrometheusTextOptions OptionsAt(Timestamp time) const;
  absl::Status AddBody(const FetchedMetrics& metrics, Timestamp time, WriteBatch* batch, uint64_t* samples);
  void AddOwn(const char* name, double value, Timestamp time, WriteBatch* batch) const;

  const ScrapeJob job_;  // without its groups
  FetchRequest request_;
  ingest::SeriesGate* const gate_;
  Labels labels_;           // of the target
  Labels external_labels_;  // that series may have themselves
  std::string key_;
  SeenSeries last_;     // series of the last scrape that is stored
  SeenSeries current_;  // of the one in hand
  bool has_reported_ = false;
  mutable std::mutex mutex_;
  TargetStatus status_;
};

}  // namespace braid::scrape
