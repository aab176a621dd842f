// The counters, gauges and histograms of the generated shop, and their scrapes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"

namespace braid {

class MetricsBook {
 public:
  enum class Family { kRequests, kDuration, kPoolInUse, kPoolSize, kCpu, kMemory, kConsumerLag, kUp };

  void Add(Family family, const std::string& labels, double amount);
  void Set(Family family, const std::string& labels, double value);
  // Counts a request's duration and remembers the trace as exemplar of its bucket until the next scrape.
  void Observe(const std::string& labels, double seconds, const std::string& trace_id, Timestamp time);

  // Records the present value of every series at `time`.
  void Scrape(Timestamp time);
  // All scrapes as OpenMetrics text, family by family as the format wants it.
  absl::Status Write(const std::function<absl::Status(std::string_view)>& sink) const;

  uint64_t samples() const { return samples_; }
  uint64_t series() const { return series_; }
  uint64_t exemplars() const { return exemplars_; }

 private:
  struct Exemplar {
    std::string trace_id;
    double value = 0;
    Timestamp time = 0;
  };
  struct Point {
    Timestamp time;
    double value;
    Exemplar exemplar;  // empty trace_id: none
  };
  struct Series {
    double value = 0;
    Exemplar pending;
    std::vector<Point> points;
  };
  struct HistogramSeries {
    std::vector<Series> buckets;  // cumulative at scrape
    Series sum, count;
  };
  void Record(Series* series, double value, Timestamp time);

  std::map<Family, std::map<std::string, Series>> families_;
  std::map<std::string, HistogramSeries> durations_;
  uint64_t samples_ = 0, series_ = 0, exemplars_ = 0;
};

}  // namespace braid
