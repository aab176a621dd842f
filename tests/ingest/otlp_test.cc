// OTLP in both of its forms: the same message written twice must make the same batch, and every field must be in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "server/ingest/otlp_json.h"
#include "server/ingest/otlp_metrics.h"
#include "server/ingest/otlp_protobuf.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_writer;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Timestamp kNow = 1'700'000'000'000'000'000;

struct Decoded {
  absl::Status status;
  std::vector<std::string> lines;
  IngestReport report;
};

Decoded Json(OtlpSignal signal, std::string_view body) {
  WriteBatch batch;
  Decoded decoded;
  decoded.status = DecodeOtlpJson(signal, body, kNow, &batch, &decoded.report);
  decoded.lines = BatchText(batch);
  return decoded;
}

Decoded Protobuf(OtlpSignal signal, std::string_view body) {
  WriteBatch batch;
  Decoded decoded;
  decoded.status = DecodeOtlpProtobuf(signal, body, kNow, &batch, &decoded.report);
  decoded.lines = BatchText(batch);
  return decoded;
}

void AddText(pbf_writer& attributes_of, int field, const std::string& key, const std::string& value) {
  pbf_writer pair(attributes_of, field);
  pair.add_string(1, key);
  pbf_writer any(pair, 2);
  any.add_string(1, value);
}

const std::string kTraceBytes = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";
const std::string kSpanBytes = "\xaa\xbb\xcc\xdd\x01\x02\x03\x04";

std::string TraceProtobuf() {
  std::string body;
  pbf_writer request(body);
  pbf_writer resource_spans(request, 1);
  {
    // The resource behind the spans: legal on the wire, and it must still count for them.
    pbf_writer scope_spans(resource_spans, 2);
    {
      pbf_writer span(scope_spans, 2);
      span.add_bytes(1, kTraceBytes);
      span.add_bytes(2, kSpanBytes);
      span.add_string(3, "vendor=1");
      span.add_bytes(4, std::string("\0\0\0\0\0\0\0\7", 8));
      span.add_string(5, "GET /cart");
      span.add_enum(6, 2);
      span.add_fixed64(7, 1000);
      span.add_fixed64(8, 5000);
      AddText(span, 9, "http.route", "/cart");
      {
        pbf_writer pair(span, 9);
        pair.add_string(1, "deep");
        pbf_writer any(pair, 2);
        pbf_writer map(any, 6);
        {
          pbf_writer inner(map, 1);
          inner.add_string(1, "n");
          pbf_writer value(inner, 2);
          value.add_int64(3, -5);
        }
        {
          pbf_writer inner(map, 1);
          inner.add_string(1, "list");
          pbf_writer value(inner, 2);
          pbf_writer list(value, 5);
          {
            pbf_writer element(list, 1);
            element.add_bool(2, true);
          }
          {
            pbf_writer element(list, 1);
            element.add_double(4, 0.5);
          }
        }
      }
      span.add_uint32(10, 1);
      {
        pbf_writer event(span, 11);
        event.add_fixed64(1, 2000);
        event.add_string(2, "exception");
        AddText(event, 3, "exception.type", "Boom");
        event.add_uint32(4, 9);
      }
      span.add_uint32(12, 2);
      {
        pbf_writer link(span, 13);
        link.add_bytes(1, kTraceBytes);
        link.add_bytes(2, kSpanBytes);
        link.add_string(3, "s=2");
        AddText(link, 4, "why", "batch");
        link.add_uint32(5, 4);
        link.add_fixed32(6, 1);
      }
      span.add_uint32(14, 3);
      {
        pbf_writer status(span, 15);
        status.add_string(2, "it broke");
        status.add_enum(3, 2);
      }
      span.add_fixed32(16, 257);
    }
    {
      pbf_writer scope(scope_spans, 1);
      scope.add_string(1, "lib");
      scope.add_string(2, "1.2");
      AddText(scope, 3, "sa", "x");
    }
    scope_spans.add_string(3, "https://scope");
  }
  {
    pbf_writer resource(resource_spans, 1);
    AddText(resource, 1, "service.name", "shop");
  }
  resource_spans.add_string(3, "https://resource");
  return body;
}

constexpr const char* kTraceJson = R"({"unknownField":[1,2],"resourceSpans":[{
  "scopeSpans":[{"schemaUrl":"https://scope","scope":{"name":"lib","version":"1.2","attributes":[{"key":"sa","value":{"stringValue":"x"}}]},
   "spans":[{"traceId":"0102030405060708090A0B0C0D0E0F10","spanId":"aabbccdd01020304","parentSpanId":"0000000000000007",
   "traceState":"vendor=1","name":"GET /cart","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1000","endTimeUnixNano":5000,
   "attributes":[{"key":"http.route","value":{"stringValue":"/cart"}},{"key":"deep","value":{"kvlistValue":{"values":[
     {"key":"n","value":{"intValue":"-5"}},{"key":"list","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":0.5}]}}}]}}}],
   "droppedAttributesCount":1,"events":[{"timeUnixNano":"2000","name":"exception","attributes":[{"key":"exception.type","value":{"stringValue":"Boom"}}],"droppedAttributesCount":9}],
   "droppedEventsCount":2,"links":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"aabbccdd01020304","traceState":"s=2",
     "attributes":[{"key":"why","value":{"stringValue":"batch"}}],"droppedAttributesCount":4,"flags":1}],"droppedLinksCount":3,
   "status":{"message":"it broke","code":2},"flags":257}]}],
  "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"schemaUrl":"https://resource"}]})";

constexpr const char* kTraceText =
    "span {service.name=shop schema=https://resource | lib 1.2 sa=x schema=https://scope} "
    "0102030405060708090a0b0c0d0e0f10/aabbccdd01020304 parent=0000000000000007 'GET /cart' server 1000..5000 "
    "error:it broke state=vendor=1 flags=257 dropped=1,2,3 [http.route=/cart deep.n=int:-5 deep.list=[true,0.5]] "
    "event 'exception' @2000 dropped=9 [exception.type=Boom] "
    "link 0102030405060708090a0b0c0d0e0f10/aabbccdd01020304 state=s=2 flags=1 dropped=4 [why=batch]";

TEST(OtlpTraces, KeepsEveryFieldOfProtobuf) {
  const Decoded decoded = Protobuf(OtlpSignal::kTraces, TraceProtobuf());
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_THAT(decoded.lines, ElementsAre(kTraceText));
  EXPECT_EQ(decoded.report.accepted, 1u);
}

TEST(OtlpTraces, KeepsEveryFieldOfJson) {
  const Decoded decoded = Json(OtlpSignal::kTraces, kTraceJson);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_THAT(decoded.lines, ElementsAre(kTraceText));
}

// Resources and scopes that come again in a body are recognized by their bytes. What a body of many gives must be what
// its pieces give one by one, whatever order they come in.
TEST(OtlpTraces, RepeatedResourcesKeepTheirSpans) {
  const auto piece = [](int resource, int scope, int span_id) {
    std::string body;
    pbf_writer request(body);
    pbf_writer resource_spans(request, 1);
    if (resource > 0) {
      pbf_writer fields(resource_spans, 1);
      AddText(fields, 1, "service.name", std::string(static_cast<size_t>(resource), 's'));
      if (resource == 3) AddText(fields, 1, std::string(300, 'n'), std::string(200, 'v'));
    }
    // Once more: the attributes of both count.
    if (resource == 2) {
      pbf_writer fields(resource_spans, 1);
      AddText(fields, 1, "more", std::to_string(span_id % 2));
    }
    for (int twice = 0; twice < 2; ++twice) {
      pbf_writer scope_spans(resource_spans, 2);
      if (scope + twice > 0) {
        pbf_writer fields(scope_spans, 1);
        fields.add_string(1, std::string(static_cast<size_t>(scope + twice), 'l'));
        AddText(fields, 3, "sa", std::to_string(scope));
      }
      if (scope == 2) scope_spans.add_string(3, "https://scope");
      pbf_writer span(scope_spans, 2);
      // One in five is rejected, perhaps the first of its stream.
      if (span_id % 5 != 0) span.add_bytes(1, kTraceBytes);
      span.add_bytes(2, kSpanBytes);
      span.add_string(5, std::to_string(span_id));
    }
    if (resource == 1) resource_spans.add_string(3, "https://resource");
    return body;
  };
  std::string body;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const std::string one = piece(i * 7 % 4, i * 5 / 4 % 3, i);
    const std::vector<std::string> lines = Protobuf(OtlpSignal::kTraces, one).lines;
    expected.insert(expected.end(), lines.begin(), lines.end());
    body += one;
  }
  const Decoded decoded = Protobuf(OtlpSignal::kTraces, body);
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_EQ(decoded.lines, expected);
  EXPECT_EQ(decoded.report.accepted, 320u);
  EXPECT_EQ(decoded.report.rejected, 80u);
}

// Only so many resources of a body are remembered; the others are read each time that they come.
TEST(OtlpTraces, MoreResourcesThanAreRememberedKeepTheirSpans) {
  std::string body;
  std::vector<std::string> expected;
  for (int i = 0; i < 2600; ++i) {
    std::string one;
    pbf_writer request(one);
    {
      pbf_writer resource_spans(request, 1);
      {
        pbf_writer fields(resource_spans, 1);
        AddText(fields, 1, "service.name", "s" + std::to_string(i % 1300));
      }
      pbf_writer scope_spans(resource_spans, 2);
      pbf_writer span(scope_spans, 2);
      span.add_bytes(1, kTraceBytes);
      span.add_bytes(2, kSpanBytes);
      span.add_string(5, std::to_string(i));
    }
    const std::vector<std::string> lines = Protobuf(OtlpSignal::kTraces, one).lines;
    ASSERT_EQ(lines.size(), 1u);
    expected.push_back(lines[0]);
    body += one;
  }
  EXPECT_EQ(Protobuf(OtlpSignal::kTraces, body).lines, expected);
}

TEST(OtlpTraces, RejectsSpansWithoutIdsAndKeepsTheOthers) {
  const Decoded decoded = Json(OtlpSignal::kTraces, R"({"resourceSpans":[{"scopeSpans":[{"spans":[
    {"traceId":"","spanId":"0000000000000001","name":"a"},
    {"traceId":"00000000000000000000000000000001","spanId":"xyz","name":"b"},
    {"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"c","startTimeUnixNano":"18446744073709551615"},
    {"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"d"}]}]}]})");
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_EQ(decoded.report.accepted, 1u);
  EXPECT_EQ(decoded.report.rejected, 3u);
  EXPECT_EQ(decoded.report.errors[1].place, "resourceSpans[0].scopeSpans[0].spans[1]");
  EXPECT_THAT(decoded.lines[0], HasSubstr("'d'"));
}

TEST(OtlpLogs, BothFormsAgree) {
  std::string body;
  {
    pbf_writer request(body);
    pbf_writer resource_logs(request, 1);
    {
      pbf_writer resource(resource_logs, 1);
      AddText(resource, 1, "service.name", "shop");
    }
    pbf_writer scope_logs(resource_logs, 2);
    pbf_writer log(scope_logs, 2);
    log.add_fixed64(1, 7000);
    log.add_enum(2, 17);
    log.add_string(3, "ERR\xff");
    {
      pbf_writer any(log, 5);
      any.add_string(1, "hello");
    }
    AddText(log, 6, "k", "v");
    log.add_uint32(7, 3);
    log.add_fixed32(8, 1);
    log.add_bytes(9, kTraceBytes);
    log.add_bytes(10, kSpanBytes);
    log.add_fixed64(11, 8000);
    log.add_string(12, "device.app");
  }
  const std::string text =
      "log {service.name=shop |  } @7000 observed=8000 17/ERR\xef\xbf\xbd 'hello' event=device.app "
      "trace=0102030405060708090a0b0c0d0e0f10 span=aabbccdd01020304 flags=1 dropped=3 [k=v]";
  EXPECT_THAT(Protobuf(OtlpSignal::kLogs, body).lines, ElementsAre(text));
  EXPECT_THAT(
      Json(OtlpSignal::kLogs,
           R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
    "scopeLogs":[{"logRecords":[{"timeUnixNano":"7000","observedTimeUnixNano":"8000","severityNumber":"SEVERITY_NUMBER_ERROR","severityText":"ERR\ufffd",
    "body":{"stringValue":"hello"},"attributes":[{"key":"k","value":{"stringValue":"v"}}],"droppedAttributesCount":3,"flags":1,
    "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"aabbccdd01020304","eventName":"device.app"}]}]}]})")
          .lines,
      ElementsAre(text));
}

TEST(OtlpLogs, StructuredBodyIsJsonAndMissingTimesAreFilled) {
  const Decoded decoded = Json(OtlpSignal::kLogs, R"({"resource_logs":[{"scope_logs":[{"log_records":[
    {"severity_text":"warning","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":1}},{"key":"b","value":{"stringValue":"x\"y"}}]}}},
    {"observedTimeUnixNano":"5","body":{"bytesValue":"aGk="}}]}]}]})");
  ASSERT_EQ(decoded.lines.size(), 2u);
  EXPECT_THAT(decoded.lines[0], HasSubstr("@1700000000000000000 observed=0 13/warning '{\"a\":1,\"b\":\"x\\\"y\"}'"));
  EXPECT_THAT(decoded.lines[1], HasSubstr("@5 observed=5 0/ '\"aGk=\"'"));
}

TEST(OtlpJson, RefusesWhatIsNotARequest) {
  EXPECT_EQ(Json(OtlpSignal::kLogs, "[]").status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Json(OtlpSignal::kLogs, "{\"a\":1}").status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Json(OtlpSignal::kLogs, "{\"resourceSpans\":[]}").status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Json(OtlpSignal::kLogs, "{\"resourceLogs\":{}}").status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Json(OtlpSignal::kLogs, "{}").status.ok());
  EXPECT_EQ(Json(OtlpSignal::kLogs, std::string(1 << 20, '[')).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(OtlpJson, DeepValuesAreCutNotFollowed) {
  std::string value = "{\"stringValue\":\"x\"}";
  for (int i = 0; i < 12; ++i) value = "{\"arrayValue\":{\"values\":[" + value + "]}}";
  const Decoded decoded =
      Json(OtlpSignal::kLogs, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":" + value + "}]}]}]}");
  ASSERT_TRUE(decoded.status.ok()) << decoded.status;
  EXPECT_THAT(decoded.lines[0], HasSubstr("[[[[[[[[[[[[\"x\"]]]]]]]]]]]]"));
}

TEST(OtlpProtobuf, DeepValuesAreCutNotFollowed) {
  std::string value;
  pbf_writer(value).add_string(1, "x");
  for (int i = 0; i < 5000; ++i) {
    std::string array, outer;
    pbf_writer(array).add_message(1, value);
    pbf_writer(outer).add_message(5, array);
    value = std::move(outer);
  }
  std::string record, scope, resource, body;
  pbf_writer(record).add_message(5, value);
  pbf_writer(scope).add_message(2, record);
  pbf_writer(resource).add_message(2, scope);
  pbf_writer(body).add_message(1, resource);
  const Decoded decoded = Protobuf(OtlpSignal::kLogs, body);
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_THAT(decoded.lines[0], HasSubstr("null"));
}

// Names by the table of Prometheus' own translator tests and the OpenTelemetry compatibility specification.
TEST(OtlpMetrics, Names) {
  const auto name = [](std::string_view metric, std::string_view unit, OtlpMetricKind kind, bool monotonic) {
    OtlpMetric m;
    m.name = metric;
    m.unit = unit;
    m.kind = kind;
    m.monotonic = monotonic;
    return PrometheusMetricName(m);
  };
  EXPECT_EQ(name("system.io", "By", OtlpMetricKind::kSum, true), "system_io_bytes_total");
  EXPECT_EQ(name("system.io", "By", OtlpMetricKind::kSum, false), "system_io_bytes");
  EXPECT_EQ(name("requests_total", "1", OtlpMetricKind::kSum, true), "requests_total");
  EXPECT_EQ(name("requests_total", "s", OtlpMetricKind::kSum, true), "requests_seconds_total");
  EXPECT_EQ(name("cpu.utilization", "1", OtlpMetricKind::kGauge, false), "cpu_utilization_ratio");
  EXPECT_EQ(name("http.server.duration", "ms", OtlpMetricKind::kHistogram, false), "http_server_duration_milliseconds");
  EXPECT_EQ(name("net.io", "By/s", OtlpMetricKind::kGauge, false), "net_io_bytes_per_second");
  EXPECT_EQ(name("queue.size", "{requests}", OtlpMetricKind::kGauge, false), "queue_size");
  EXPECT_EQ(name("packets", "{packets}/s", OtlpMetricKind::kGauge, false), "packets_per_second");
  EXPECT_EQ(name("active_seconds", "s", OtlpMetricKind::kGauge, false), "active_seconds");
  EXPECT_EQ(name("2xx.count", "", OtlpMetricKind::kGauge, false), "_2xx_count");
  EXPECT_EQ(name("a..b--c", "", OtlpMetricKind::kGauge, false), "a_b_c");
  EXPECT_EQ(PrometheusLabelName("http.route"), "http_route");
  EXPECT_EQ(PrometheusLabelName("0a"), "key_0a");
}

Decoded Metric(const std::string& metric) {
  return Json(OtlpSignal::kMetrics,
              R"({"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
    {"key":"service.namespace","value":{"stringValue":"ns"}},{"key":"service.instance.id","value":{"stringValue":"i1"}},
    {"key":"os.type","value":{"stringValue":"linux"}}]},"scopeMetrics":[{"scope":{"name":"lib"},"metrics":[)" +
                  metric + "]}]}]}");
}
// Labels of every series of that resource, in front of the ones of the point.
const std::string kBase = "instance=\"i1\",job=\"ns/shop\"";
const std::string kTail = "otel_scope_name=\"lib\",service=\"shop\"";
const std::string kTarget =
    "target_info{instance=\"i1\",job=\"ns/shop\",os_type=\"linux\",service=\"shop\",service_instance_id=\"i1\","
    "service_name=\"shop\",service_namespace=\"ns\"} 1 @9000000000";

TEST(OtlpMetrics, SumWithExemplarAndStart) {
  const Decoded decoded = Metric(
      R"({"name":"req","description":"Requests","unit":"1","sum":{"dataPoints":[{"attributes":[{"key":"http.route","value":{"stringValue":"/"}}],
    "startTimeUnixNano":"1000000000","timeUnixNano":"9000000000","asInt":"42","exemplars":[{"timeUnixNano":"8000000000","asDouble":1.5,
    "traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"aabbccdd01020304","filteredAttributes":[{"key":"user","value":{"stringValue":"u"}}]}]}],
    "aggregationTemporality":2,"isMonotonic":true}})");
  const std::string labels = "{http_route=\"/\"," + kBase + "," + kTail + "}";
  EXPECT_THAT(decoded.lines,
              ElementsAre("metadata req_total counter unit=1 help=Requests", "req_total" + labels + " 42 @9000000000",
                          "exemplar of req_total" + labels +
                              " 1.5 @8000000000 trace=0102030405060708090a0b0c0d0e0f10 span=aabbccdd01020304 [user=u]",
                          "req_created" + labels + " 1 @9000000000", kTarget));
  EXPECT_EQ(decoded.report.accepted, 1u);
}

TEST(OtlpMetrics, HistogramBecomesClassicSeries) {
  const Decoded decoded = Metric(
      R"({"name":"lat","unit":"s","histogram":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_CUMULATIVE","dataPoints":[{
    "timeUnixNano":"9000000000","count":"6","sum":7.5,"min":0.1,"max":3,"bucketCounts":["1","2","3"],"explicitBounds":[0.5,1],
    "exemplars":[{"asDouble":0.7,"traceId":"0102030405060708090a0b0c0d0e0f10"}]}]}})");
  const auto series = [&](const std::string& suffix, const std::string& le) {
    return "lat_seconds" + suffix + "{" + kBase + (le.empty() ? "" : ",le=\"" + le + "\"") + "," + kTail + "}";
  };
  EXPECT_THAT(decoded.lines,
              ElementsAre("metadata lat_seconds histogram unit=s help=", series("_bucket", "0.5") + " 1 @9000000000",
                          series("_bucket", "1") + " 3 @9000000000",
                          "exemplar of " + series("_bucket", "1") +
                              " 0.7 @9000000000 trace=0102030405060708090a0b0c0d0e0f10 span=0000000000000000 []",
                          series("_bucket", "+Inf") + " 6 @9000000000", series("_count", "") + " 6 @9000000000",
                          series("_sum", "") + " 7.5 @9000000000", series("_min", "") + " 0.1 @9000000000",
                          series("_max", "") + " 3 @9000000000", kTarget));
}

TEST(OtlpMetrics, ExponentialHistogramIsNative) {
  // Scale 1: base = sqrt(2). OTLP's bucket 0 is (1, base], index 1 here. Scale 10 is merged down to 8.
  const Decoded decoded = Metric(R"({"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
    {"timeUnixNano":"9000000000","count":"10","sum":20,"scale":1,"zeroCount":"1","positive":{"offset":0,"bucketCounts":["2","0","3"]},"negative":{"offset":-2,"bucketCounts":["4"]}},
    {"attributes":[{"key":"k","value":{"stringValue":"v"}}],"timeUnixNano":"9000000000","count":"10","sum":20,"scale":10,"positive":{"offset":-5,"bucketCounts":["1","1","1","1","1","5"]}}]}})");
  EXPECT_THAT(
      decoded.lines,
      ElementsAre("metadata e histogram unit= help=",
                  "e{" + kBase + "," + kTail + "} schema=1 count=10 sum=20 zero=1 +1:2 +3:3 --1:4 @9000000000",
                  "e{" + kBase + ",k=\"v\"," + kTail + "} schema=8 count=10 sum=20 zero=0 +-1:1 +0:4 +1:5 @9000000000",
                  kTarget));
}

TEST(OtlpMetrics, SummaryStaleAndDelta) {
  const Decoded decoded = Metric(
      R"({"name":"s","summary":{"dataPoints":[{"timeUnixNano":"9000000000","count":2,"sum":3,"quantileValues":[{"quantile":0.5,"value":1},{"quantile":1,"value":2}]}]}},
    {"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"9000000000","flags":1}]}},
    {"name":"d","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"startTimeUnixNano":"1","timeUnixNano":"9000000000","asDouble":2}]}})");
  const std::string labels = "{" + kBase + "," + kTail + "}";
  const auto quantile = [&](const std::string& q) {
    return "s{" + kBase + ",otel_scope_name=\"lib\",quantile=\"" + q + "\",service=\"shop\"}";
  };
  EXPECT_THAT(decoded.lines,
              ElementsAre("metadata s summary unit= help=", quantile("0.5") + " 1 @9000000000",
                          quantile("1") + " 2 @9000000000", "s_sum" + labels + " 3 @9000000000",
                          "s_count" + labels + " 2 @9000000000", "metadata g gauge unit= help=",
                          "g" + labels + " stale @9000000000", "metadata d_total gauge unit= help=",
                          "d_total{__temporality__=\"delta\"," + kBase + "," + kTail + "} 2 @9000000000", kTarget));
}

TEST(OtlpMetrics, RejectsPointsThatMakeNoSense) {
  const Decoded decoded = Metric(R"({"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[
    {"timeUnixNano":"9","count":1,"bucketCounts":["1"],"explicitBounds":[1,2]},
    {"timeUnixNano":"9","count":1,"bucketCounts":["1","0","0"],"explicitBounds":[2,1]}]}},
    {"name":"u","sum":{"dataPoints":[{"timeUnixNano":"9","asInt":"1"}]}},
    {"name":"n","gauge":{"dataPoints":[{"timeUnixNano":"9"},{"timeUnixNano":"9","asInt":"x"}]}})");
  ASSERT_TRUE(decoded.status.ok());
  EXPECT_EQ(decoded.report.accepted, 0u);
  EXPECT_EQ(decoded.report.rejected, 5u);
  EXPECT_EQ(decoded.report.errors[0].message, "1 bucket counts for 2 bounds");
}

TEST(OtlpMetrics, LabelsThatBecomeOneNameAreJoined) {
  const Decoded decoded =
      Metric(R"({"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"9000000000","asDouble":1,"attributes":[
    {"key":"a.b","value":{"stringValue":"2"}},{"key":"a-b","value":{"intValue":"1"}}]}]}})");
  EXPECT_THAT(decoded.lines[1], HasSubstr("a_b=\"1;2\""));
}

TEST(OtlpResponses, PartialSuccess) {
  EXPECT_EQ(EncodeOtlpResponseJson(OtlpSignal::kTraces, 0, ""), "{}");
  EXPECT_EQ(EncodeOtlpResponseJson(OtlpSignal::kLogs, 2, "a\"b"),
            "{\"partialSuccess\":{\"rejectedLogRecords\":\"2\",\"errorMessage\":\"a\\\"b\"}}");
  EXPECT_EQ(EncodeOtlpResponseProtobuf(0, ""), "");
  // field 1 {field 1: 2, field 2: "no"}
  EXPECT_EQ(EncodeOtlpResponseProtobuf(2, "no"), std::string("\x0a\x06\x08\x02\x12\x02no"));
  EXPECT_EQ(EncodeRpcStatusProtobuf(3, "no"), std::string("\x08\x03\x12\x02no"));
}

}  // namespace
}  // namespace braid::ingest
