// What Prometheus' protobuf messages have in common: native histograms and the types of metrics.
//
// Threads: pure functions. Errors: a problem in words; protozero's exceptions for bytes that are no such message.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <span>
#include <string>
#include <string_view>

#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid::ingest {

// A message `prometheus.Histogram`, which is `io.prometheus.write.v2.Histogram` too: times are milliseconds. "" or why
// the histogram is impossible.
std::string DecodePrometheusHistogram(protozero::pbf_reader message, Timestamp* time, Histogram* histogram);

// `prometheus.MetricMetadata.MetricType` and that of version 2, which count alike up to "stateset".
const char* PrometheusTypeName(int32_t type);

// Of a series: "" or what is wrong with its labels. `labels` are as sent.
std::string ProblemOfLabels(std::span<const LabelView> labels);
// The same of a series, which has a metric name as well.
std::string ProblemOfSeries(std::span<const LabelView> labels);

// Trace and span id of an exemplar, by the names that senders give them; false for other labels.
bool TakeExemplarId(std::string_view name, std::string_view value, Exemplar* exemplar);

// Milliseconds to a Timestamp; false beyond its range.
bool TimeOfMillis(int64_t millis, Timestamp* time);

}  // namespace braid::ingest
