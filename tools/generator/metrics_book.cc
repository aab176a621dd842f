#include "tools/generator/metrics_book.h"

#include <array>
#include <charconv>

#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr std::array<double, 12> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

struct FamilyText {
  const char* name;    // of the family
  const char* suffix;  // of its samples
  const char* type;
  const char* help;
};

FamilyText TextOf(MetricsBook::Family family) {
  switch (family) {
    case MetricsBook::Family::kRequests: return {"http_requests", "_total", "counter", "Requests answered."};
    case MetricsBook::Family::kDuration: return {"http_request_duration_seconds", "", "histogram", "Time to answer."};
    case MetricsBook::Family::kPoolInUse: return {"db_pool_in_use", "", "gauge", "Connections taken from the pool."};
    case MetricsBook::Family::kPoolSize: return {"db_pool_size", "", "gauge", "Connections of the pool."};
    case MetricsBook::Family::kCpu: return {"process_cpu_seconds", "_total", "counter", "CPU time used."};
    case MetricsBook::Family::kMemory: return {"process_resident_memory_bytes", "", "gauge", "Memory in use."};
    case MetricsBook::Family::kConsumerLag: return {"kafka_consumer_lag", "", "gauge", "Messages not yet read."};
    case MetricsBook::Family::kUp: return {"up", "", "gauge", "1 if the scrape worked."};
  }
  return {"", "", "", ""};
}

std::string Number(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value).ptr);
}

std::string Seconds(Timestamp time) {
  const int64_t ms = time / kMillisecond;
  std::string fraction = std::to_string(ms % 1000);
  return std::to_string(ms / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction;
}

}  // namespace

void MetricsBook::Add(Family family, const std::string& labels, double amount) {
  families_[family][labels].value += amount;
}

void MetricsBook::Set(Family family, const std::string& labels, double value) {
  families_[family][labels].value = value;
}

void MetricsBook::Observe(const std::string& labels, double seconds, const std::string& trace_id, Timestamp time) {
  HistogramSeries& histogram = durations_[labels];
  if (histogram.buckets.empty()) histogram.buckets.resize(kBounds.size() + 1);
  size_t bucket = 0;
  while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
  histogram.buckets[bucket].value += 1;
  histogram.buckets[bucket].pending = {trace_id, seconds, time};
  histogram.sum.value += seconds;
  histogram.count.value += 1;
}

void MetricsBook::Record(Series* series, double value, Timestamp time) {
  if (series->points.empty()) ++series_;
  series->points.push_back({time, value, series->pending});
  if (!series->pending.trace_id.empty()) ++exemplars_;
  series->pending = {};
  ++samples_;
}

void MetricsBook::Scrape(Timestamp time) {
  for (auto& [family, series_of] : families_) {
    for (auto& [labels, series] : series_of) Record(&series, series.value, time);
  }
  for (auto& [labels, histogram] : durations_) {
    double cumulative = 0;
    for (Series& bucket : histogram.buckets) {
      cumulative += bucket.value;
      Record(&bucket, cumulative, time);
    }
    Record(&histogram.sum, histogram.sum.value, time);
    Record(&histogram.count, histogram.count.value, time);
  }
}

absl::Status MetricsBook::Write(const std::function<absl::Status(std::string_view)>& sink) const {
  std::string text;
  const auto header = [&](const FamilyText& family) {
    text +=
        std::string("# HELP ") + family.name + " " + family.help + "\n# TYPE " + family.name + " " + family.type + "\n";
  };
  const auto write = [&](const std::string& name, const std::string& labels, const Series& series) -> absl::Status {
    for (const Point& point : series.points) {
      text += name + "{" + labels + "} " + Number(point.value) + " " + Seconds(point.time);
      if (!point.exemplar.trace_id.empty()) {
        text += " # {trace_id=\"" + point.exemplar.trace_id + "\"} " + Number(point.exemplar.value) + " " +
                Seconds(point.exemplar.time);
      }
      text += '\n';
    }
    if (text.size() > (size_t{1} << 20)) {
      RETURN_IF_ERROR(sink(text));
      text.clear();
    }
    return absl::OkStatus();
  };
  for (const auto& [family, series_of] : families_) {
    const FamilyText words = TextOf(family);
    header(words);
    for (const auto& [labels, series] : series_of) {
      RETURN_IF_ERROR(write(std::string(words.name) + words.suffix, labels, series));
    }
  }
  const FamilyText words = TextOf(Family::kDuration);
  header(words);
  const std::string name = words.name;
  for (const auto& [labels, histogram] : durations_) {
    for (size_t i = 0; i < histogram.buckets.size(); ++i) {
      const std::string bound = i < kBounds.size() ? Number(kBounds[i]) : "+Inf";
      RETURN_IF_ERROR(write(name + "_bucket", labels + ",le=\"" + bound + "\"", histogram.buckets[i]));
    }
    RETURN_IF_ERROR(write(name + "_sum", labels, histogram.sum));
    RETURN_IF_ERROR(write(name + "_count", labels, histogram.count));
  }
  text += "# EOF\n";
  return sink(text);
}

}  // namespace braid
