#include "server/prometheus_json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

#include "query/vector/histogram_math.h"
#include "query/vector/number_text.h"
#include "server/ingest/json_text.h"

namespace braid::server {
namespace {

constexpr size_t kAnnotationsMax = 10;  // of warnings and of infos that an answer lists, as in Prometheus

using ingest::AppendJsonString;

void AppendNumberText(double value, std::string* out) {
  out->push_back('"');
  promql::AppendFixedText(value, out);
  out->push_back('"');
}

void AppendBucket(int boundaries, double lower, double upper, double count, bool* first, std::string* out) {
  if (!*first) out->push_back(',');
  *first = false;
  out->append("[").append(std::to_string(boundaries)).push_back(',');
  AppendNumberText(lower, out);
  out->push_back(',');
  AppendNumberText(upper, out);
  out->push_back(',');
  AppendNumberText(count, out);
  out->push_back(']');
}

// Buckets from the lowest to the highest; the first number says which ends belong to it (0: upper, 1: lower, 3: both).
void AppendHistogram(const Histogram& histogram, std::string* out) {
  out->append("{\"count\":");
  AppendNumberText(histogram.count, out);
  out->append(",\"sum\":");
  AppendNumberText(histogram.sum, out);
  out->append(",\"buckets\":[");
  bool first = true;
  const bool custom = promql::HasCustomBuckets(histogram);
  for (auto bucket = histogram.negative.rbegin(); bucket != histogram.negative.rend(); ++bucket) {
    if (bucket->count == 0) continue;
    AppendBucket(1, -promql::ExponentialBound(histogram.schema, bucket->index),
                 -promql::ExponentialBound(histogram.schema, bucket->index - 1), bucket->count, &first, out);
  }
  // As there, a difference's negative count is not shown here.
  if (histogram.zero_count > 0) {
    AppendBucket(3, -histogram.zero_threshold, histogram.zero_threshold, histogram.zero_count, &first, out);
  }
  for (const Histogram::Bucket& bucket : histogram.positive) {
    if (bucket.count == 0) continue;
    const double upper = promql::BucketBound(histogram, bucket.index);
    double lower = custom ? (bucket.index > 0 ? promql::BucketBound(histogram, bucket.index - 1) : -INFINITY)
                          : promql::ExponentialBound(histogram.schema, bucket.index - 1);
    // The lowest custom bucket has both its ends.
    AppendBucket(custom && bucket.index == 0 ? 3 : 0, lower, upper, bucket.count, &first, out);
  }
  out->append("]}");
}

void AppendPoint(std::string_view time, double value, std::string* out) {
  out->push_back('[');
  out->append(time);
  out->push_back(',');
  AppendNumberText(value, out);
  out->push_back(']');
}

void AppendHistogramPoint(std::string_view time, const Histogram& histogram, std::string* out) {
  out->push_back('[');
  out->append(time);
  out->push_back(',');
  AppendHistogram(histogram, out);
  out->push_back(']');
}

// "values":[...] and "histograms":[...], each only if it has points. `point(i)`: value, histogram or null; false where
// there is none.
template <typename TimeTexts, typename Point>
void AppendPoints(const TimeTexts& times, size_t count, bool any_histogram, const Point& point, std::string* out) {
  for (const bool histograms : {false, true}) {
    if (histograms && !any_histogram) return;
    bool first = true;
    for (size_t i = 0; i < count; ++i) {
      double value;
      const Histogram* histogram = nullptr;
      if (!point(i, &value, &histogram) || (histogram != nullptr) != histograms) continue;
      if (first) out->append(histograms ? ",\"histograms\":[" : ",\"values\":[");
      if (!first) out->push_back(',');
      first = false;
      if (histograms) {
        AppendHistogramPoint(times[i], *histogram, out);
      } else {
        AppendPoint(times[i], value, out);
      }
    }
    if (!first) out->push_back(']');
  }
}

const Histogram* HistogramAt(const std::vector<std::shared_ptr<const Histogram>>& histograms, size_t i) {
  return i < histograms.size() ? histograms[i].get() : nullptr;
}

}  // namespace

void AppendLabels(const Labels& labels, std::string* out) {
  out->push_back('{');
  for (size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) out->push_back(',');
    AppendJsonString(labels[i].name, out);
    out->push_back(':');
    AppendJsonString(labels[i].value, out);
  }
  out->push_back('}');
}

void AppendPrometheusTime(Timestamp time, std::string* out) {
  int64_t millis = time / kMillisecond;
  if (time % kMillisecond < 0) --millis;
  if (millis < 0) {
    out->push_back('-');
    millis = -millis;
  }
  out->append(std::to_string(millis / 1000));
  if (const int64_t fraction = millis % 1000; fraction != 0) {
    char text[8];
    std::snprintf(text, sizeof text, ".%03d", static_cast<int>(fraction));
    std::string_view digits = text;
    while (digits.back() == '0') digits.remove_suffix(1);
    out->append(digits);
  }
}

// Times as text, each made once for all the series that have points at it.
class VectorResultWriter::TimeTexts {
 public:
  explicit TimeTexts(const std::vector<Timestamp>& times) {
    ends_.reserve(times.size());
    for (const Timestamp time : times) {
      AppendPrometheusTime(time, &texts_);
      ends_.push_back(texts_.size());
    }
  }
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(texts_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string texts_;
  std::vector<size_t> ends_;
};

VectorResultWriter::VectorResultWriter(VectorResult result, const std::vector<Timestamp>& times, bool range)
    : result_(std::move(result)), range_(range), times_(std::make_unique<TimeTexts>(times)) {}

VectorResultWriter::~VectorResultWriter() = default;

bool VectorResultWriter::Next(size_t size, std::string* out) {
  if (done_) return false;
  if (!begun_) Begin(out);
  begun_ = true;
  const bool matrix = result_.type == VectorType::kMatrix;
  const size_t count = matrix ? result_.matrix.size() : result_.series.size();
  const size_t begin = out->size();
  while (!done_ && at_ < count && out->size() - begin < size) {
    matrix ? AppendSeries(result_.matrix[at_], out) : AppendSeries(result_.series[at_], out);
    ++at_;
  }
  if (!done_ && at_ == count) {
    out->push_back(']');
    done_ = true;
  }
  return true;
}

// Up to the first series; texts and scalars as a whole.
void VectorResultWriter::Begin(std::string* out) {
  if (result_.type == VectorType::kString) {
    out->append("\"resultType\":\"string\",\"result\":[").append((*times_)[0]).push_back(',');
    AppendJsonString(result_.text, out);
    out->push_back(']');
    done_ = true;
  } else if (result_.type == VectorType::kScalar && !range_) {
    out->append("\"resultType\":\"scalar\",\"result\":");
    const bool present = !result_.series.empty() && !result_.series[0].values.empty();
    AppendPoint((*times_)[0], present ? result_.series[0].values[0] : NAN, out);
    done_ = true;
  } else {
    const bool matrix = range_ || result_.type == VectorType::kMatrix;
    out->append(matrix ? "\"resultType\":\"matrix\",\"result\":[" : "\"resultType\":\"vector\",\"result\":[");
  }
}

void VectorResultWriter::AppendSeries(const SeriesData& series, std::string* out) {
  out->append(first_ ? "{\"metric\":" : ",{\"metric\":");
  first_ = false;
  AppendLabels(series.labels, out);
  AppendPoints(
      TimeTexts(series.times), series.times.size(), !series.histograms.empty(),
      [&](size_t i, double* value, const Histogram** histogram) {
        *value = series.values[i];
        *histogram = HistogramAt(series.histograms, i);
        return true;
      },
      out);
  out->push_back('}');
}

void VectorResultWriter::AppendSeries(const VectorSeries& series, std::string* out) {
  const auto present = [&](size_t i) { return series.present.empty() || series.present[i] != 0; };
  if (!range_ && !present(0)) return;
  out->append(first_ ? "{\"metric\":" : ",{\"metric\":");
  first_ = false;
  AppendLabels(series.labels, out);
  if (range_) {
    AppendPoints(
        *times_, times_->size(), !series.histograms.empty(),
        [&](size_t i, double* value, const Histogram** histogram) {
          *value = series.values[i];
          *histogram = HistogramAt(series.histograms, i);
          return present(i);
        },
        out);
  } else if (const Histogram* histogram = HistogramAt(series.histograms, 0); histogram != nullptr) {
    out->append(",\"histogram\":");
    AppendHistogramPoint((*times_)[0], *histogram, out);
  } else {
    out->append(",\"value\":");
    AppendPoint((*times_)[0], series.values[0], out);
  }
  out->push_back('}');
}

std::string SuccessJson(const std::string& data, const std::vector<Note>& notes) {
  return "{\"status\":\"success\",\"data\":" + data + EndOfSuccessJson(notes);
}

std::string EndOfSuccessJson(const std::vector<Note>& notes) {
  std::string json;
  for (const char* kind : {"warning", "info"}) {
    bool first = true;
    size_t annotations = 0;
    for (const Note& note : notes) {
      // Notes of other kinds ("partial", "cut") matter more than an annotation: they are warnings here.
      const bool is_info = note.kind == "info";
      if (is_info != (kind == std::string_view("info"))) continue;
      if (note.kind == kind && ++annotations > kAnnotationsMax) continue;
      json += first ? (is_info ? ",\"infos\":[" : ",\"warnings\":[") : ",";
      first = false;
      AppendJsonString(note.text, &json);
    }
    if (annotations > kAnnotationsMax) {
      json += ",\"" + std::to_string(annotations - kAnnotationsMax) + " more " + kind + " annotations omitted\"";
    }
    if (!first) json += "]";
  }
  return json + "}";
}

std::string ErrorJson(std::string_view type, std::string_view message) {
  std::string json = "{\"status\":\"error\",\"errorType\":";
  AppendJsonString(type, &json);
  json += ",\"error\":";
  AppendJsonString(message, &json);
  return json + "}";
}

}  // namespace braid::server
