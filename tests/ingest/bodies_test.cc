// Content encodings, remote write, and every decoder against damaged bodies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <protozero/pbf_writer.hpp>
#include <random>
#include <sstream>

#include "server/ingest/container_log.h"
#include "server/ingest/content_encoding.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/log_lines.h"
#include "server/ingest/otlp_json.h"
#include "server/ingest/otlp_protobuf.h"
#include "server/ingest/prometheus_text.h"
#include "server/ingest/remote_write.h"
#include "server/ingest/sniff.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_writer;
using testing::ElementsAre;

std::string Deflated(std::string_view text, int window) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
std::string Gzip(std::string_view text) { return Deflated(text, 31); }
std::string Zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}
std::string Snappy(std::string_view text) {
  std::string out;
  snappy::Compress(text.data(), text.size(), &out);
  return out;
}

TEST(ContentEncoding, RoundTripsAndDamage) {
  std::string text;
  std::mt19937 random(1);
  while (text.size() < 300'000) text += "line " + std::to_string(random()) + "\n";
  struct Case {
    Coding coding;
    std::string encoded;
  };
  for (const Case& c : {Case{Coding::kGzip, Gzip(text)}, Case{Coding::kDeflate, Deflated(text, 15)},
                        Case{Coding::kDeflate, Deflated(text, -15)}, Case{Coding::kZstd, Zstd(text)},
                        Case{Coding::kSnappy, Snappy(text)}}) {
    const auto decoded = DecodeContent(c.coding, c.encoded, DecodeLimits());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, text);
    EXPECT_EQ(DecodeContent(c.coding, c.encoded + "x", DecodeLimits()).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DecodeContent(c.coding, c.encoded.substr(0, c.encoded.size() - 9), DecodeLimits()).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DecodeContent(c.coding, "", DecodeLimits()).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(*DecodeContent(Coding::kGzip, Gzip("a") + Gzip("b"), DecodeLimits()), "ab");
  EXPECT_EQ(ParseContentEncoding("br").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ParseContentEncoding("gzip, gzip").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(*ParseContentEncoding(" GZIP "), Coding::kGzip);
}

TEST(ContentEncoding, BombsAreCut) {
  const std::string zeros(size_t{40} << 20, '\0');
  for (const auto& [coding, encoded] : {std::pair{Coding::kGzip, Gzip(zeros)}, std::pair{Coding::kZstd, Zstd(zeros)}}) {
    EXPECT_LT(encoded.size(), 100'000u);
    EXPECT_EQ(DecodeContent(coding, encoded, DecodeLimits()).status().code(), absl::StatusCode::kResourceExhausted);
  }
  // Twenty bytes that claim 4 GB: refused by the claim alone.
  std::string claim = "\xff\xff\xff\xff\x0f";
  claim.resize(20, '\0');
  EXPECT_EQ(DecodeContent(Coding::kSnappy, claim, DecodeLimits()).status().code(),
            absl::StatusCode::kResourceExhausted);
  // 12 MB from 20 bytes is within the bounds and still impossible.
  claim = std::string("\x80\x80\x80\x06", 4) + std::string(16, '\0');
  EXPECT_EQ(DecodeContent(Coding::kSnappy, claim, DecodeLimits()).status().code(), absl::StatusCode::kInvalidArgument);
}

void AddLabel(pbf_writer& series, const std::string& name, const std::string& value) {
  pbf_writer label(series, 1);
  label.add_string(1, name);
  label.add_string(2, value);
}

std::string RemoteWriteBody() {
  std::string body;
  pbf_writer request(body);
  {
    pbf_writer series(request, 1);
    AddLabel(series, "__name__", "up");
    AddLabel(series, "job", "j");
    {
      pbf_writer sample(series, 2);
      sample.add_double(1, 1.5);
      sample.add_int64(2, 1000);
    }
    {
      pbf_writer exemplar(series, 3);
      AddLabel(exemplar, "trace_id", "0102030405060708090a0b0c0d0e0f10");
      AddLabel(exemplar, "u", "v");
      exemplar.add_double(2, 7);
      exemplar.add_int64(3, 999);
    }
    {
      // Spans {offset -1, length 2}, {offset 3, length 1}: buckets -1, 0, 4 with deltas 2, 1, -2: counts 2, 3, 1.
      pbf_writer histogram(series, 4);
      histogram.add_uint64(1, 7);
      histogram.add_double(3, 9.5);
      histogram.add_sint32(4, 2);
      histogram.add_uint64(6, 1);
      {
        pbf_writer span(histogram, 11);
        span.add_sint32(1, -1);
        span.add_uint32(2, 2);
      }
      {
        pbf_writer span(histogram, 11);
        span.add_sint32(1, 3);
        span.add_uint32(2, 1);
      }
      const int64_t deltas[] = {2, 1, -2};
      histogram.add_packed_sint64(12, std::begin(deltas), std::end(deltas));
      histogram.add_int64(15, 2000);
    }
  }
  {
    pbf_writer metadata(request, 3);
    metadata.add_enum(1, 2);
    metadata.add_string(2, "up");
    metadata.add_string(4, "Is it?");
  }
  return body;
}

TEST(RemoteWrite, SamplesExemplarsHistogramsMetadata) {
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeRemoteWrite(RemoteWriteBody(), &batch, &report).ok());
  EXPECT_THAT(BatchText(batch),
              ElementsAre("up{job=\"j\"} 1.5 @1000000000",
                          "exemplar of up{job=\"j\"} 7 @999000000 trace=0102030405060708090a0b0c0d0e0f10 "
                          "span=0000000000000000 [u=v]",
                          "up{job=\"j\"} schema=2 count=7 sum=9.5 zero=1 +-1:2 +0:3 +4:1 @2000000000",
                          "metadata up gauge unit= help=Is it?"));
  EXPECT_EQ(report.accepted, 2u);
}

// The short way for ordinary series against the general one, which a field that nobody knows makes the decoder take.
TEST(RemoteWrite, OrdinarySeriesAreReadAsAnyOther) {
  std::mt19937_64 random(5);
  std::string plain, general;
  {
    pbf_writer plain_request(plain), general_request(general);
    for (int n = 0; n < 2000; ++n) {
      std::vector<std::pair<std::string, std::string>> labels;
      if (random() % 20 != 0) labels.emplace_back("__name__", std::string(1 + random() % 130, 'm'));
      for (uint64_t i = 0; i <= random() % 6; ++i) {
        labels.emplace_back(std::string(1, static_cast<char>('a' + 2 * i)) + std::string(random() % 140, 'n'),
                            random() % 20 == 0 ? "" : std::string(1 + random() % 130, 'v'));
      }
      if (random() % 20 == 0) labels.back().second = "\xc3\xa4\xff";
      if (random() % 20 == 0) labels.push_back(labels.front());
      if (random() % 4 == 0) std::reverse(labels.begin(), labels.end());
      const int64_t odd[] = {0, 1, 127, 128, -1, 1'700'000'000'123, INT64_MAX / 1'000'000, INT64_MAX, INT64_MIN};
      std::vector<std::pair<double, int64_t>> samples;
      for (uint64_t i = 0; i < random() % 4; ++i)
        samples.emplace_back(static_cast<double>(random()), odd[random() % 9]);
      const bool leave_zeros = random() % 2 == 0;
      for (auto [request, foreign] : {std::pair(&plain_request, false), std::pair(&general_request, true)}) {
        pbf_writer series(*request, 1);
        if (foreign) series.add_uint64(15, 1);
        for (const auto& [name, value] : labels) AddLabel(series, name, value);
        for (const auto& [value, time] : samples) {
          pbf_writer sample(series, 2);
          if (value != 0 || !leave_zeros) sample.add_double(1, value);
          if (time != 0 || !leave_zeros) sample.add_int64(2, time);
        }
      }
    }
  }
  WriteBatch plain_batch, general_batch;
  IngestReport plain_report, general_report;
  ASSERT_TRUE(DecodeRemoteWrite(plain, &plain_batch, &plain_report).ok());
  ASSERT_TRUE(DecodeRemoteWrite(general, &general_batch, &general_report).ok());
  EXPECT_EQ(plain_batch.series_section(), general_batch.series_section());
  EXPECT_EQ(plain_batch.body(), general_batch.body());
  EXPECT_EQ(plain_report.accepted, general_report.accepted);
  EXPECT_EQ(plain_report.rejected, general_report.rejected);
  EXPECT_GT(plain_report.rejected, 0u);
  EXPECT_GT(plain_report.accepted, 1000u);
}

TEST(RemoteWrite, RejectsBadSeriesOneByOne) {
  std::string body;
  pbf_writer request(body);
  const auto series = [&](std::initializer_list<std::pair<const char*, const char*>> labels) {
    pbf_writer writer(request, 1);
    for (const auto& [name, value] : labels) AddLabel(writer, name, value);
    pbf_writer sample(writer, 2);
    sample.add_double(1, 1);
  };
  series({});
  series({{"a", "1"}, {"a", "2"}});
  series({{"a", ""}});
  series({{"__name__", "good"}});
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeRemoteWrite(body, &batch, &report).ok());
  EXPECT_EQ(report.rejected, 3u);
  EXPECT_EQ(report.errors[1].place, "timeseries[1]");
  EXPECT_THAT(BatchText(batch), ElementsAre("good 1 @0"));
}

// Flips, cuts, repeats and splices bytes; whatever comes out must be decoded or refused, and a batch that a decoder
// fills must be one that the engine takes.
class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}
  std::string operator()(std::string text) {
    const int steps = 1 + static_cast<int>(random_() % 4);
    for (int i = 0; i < steps && !text.empty(); ++i) {
      const size_t at = random_() % text.size();
      switch (random_() % 6) {
        case 0: text[at] = static_cast<char>(random_()); break;
        case 1: text[at] = static_cast<char>(text[at] ^ (1 << random_() % 8)); break;
        case 2: text.resize(at); break;
        case 3: text.insert(at, text.substr(random_() % text.size(), random_() % 40)); break;
        case 4: text.erase(at, random_() % 20); break;
        default: text.insert(at, 1, "\"{}[]:,\\\n\r\0#"[random_() % 12]); break;
      }
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

template <typename Decode>
void Fuzz(const std::vector<std::string>& seeds, int rounds, const Decode& decode) {
  for (int round = 0; round < rounds; ++round) {
    Mutator mutate(static_cast<uint32_t>(round));
    const std::string body = mutate(seeds[static_cast<size_t>(round) % seeds.size()]);
    WriteBatch batch;
    IngestReport report;
    if (!decode(body, &batch, &report)) continue;
    BatchView view;
    const absl::Status status = CheckBatch(batch, &view);
    ASSERT_TRUE(status.ok()) << "seed " << round << ": " << status;
    ASSERT_LE(batch.byte_size(), 64 * body.size() + 100'000) << "seed " << round;
  }
}

const char* const kLogsJson =
    R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"kvlistValue":{"values":[{"key":"a","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}},"traceId":"0102030405060708090a0b0c0d0e0f10"}]}]}]})";
const char* const kMetricsJson =
    R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"h","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"9","count":"3","sum":1,"bucketCounts":["1","2"],"explicitBounds":[1],"exemplars":[{"asDouble":1}]}]}},{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"9","count":"3","scale":3,"positive":{"offset":1,"bucketCounts":["1","2"]}}]}}]}]}]})";

std::string MetricsProtobuf() {
  std::string point, histogram, metric, scope, resource, body;
  {
    pbf_writer writer(point);
    writer.add_fixed64(3, 9);
    writer.add_fixed64(4, 3);
    const uint64_t counts[] = {1, 2};
    writer.add_packed_fixed64(6, std::begin(counts), std::end(counts));
    const double bounds[] = {1};
    writer.add_packed_double(7, std::begin(bounds), std::end(bounds));
  }
  pbf_writer histogram_writer(histogram);
  histogram_writer.add_message(1, point);
  histogram_writer.add_enum(2, 2);
  pbf_writer metric_writer(metric);
  metric_writer.add_string(1, "h");
  metric_writer.add_message(9, histogram);
  pbf_writer(scope).add_message(2, metric);
  pbf_writer(resource).add_message(2, scope);
  pbf_writer(body).add_message(1, resource);
  return body;
}

TEST(Fuzz, OtlpJson) {
  OtlpJsonDecoder decoder;
  Fuzz({kLogsJson, kMetricsJson}, 10'000, [&](const std::string& body, WriteBatch* batch, IngestReport* report) {
    OtlpJsonDecoder::Signals signals;
    return decoder.Decode(body, 1, batch, report, &signals).ok();
  });
}

TEST(Fuzz, OtlpProtobuf) {
  Fuzz({MetricsProtobuf()}, 10'000, [](const std::string& body, WriteBatch* batch, IngestReport* report) {
    WriteBatch other;
    (void)DecodeOtlpProtobuf(OtlpSignal::kTraces, body, 1, &other, report);
    (void)DecodeOtlpProtobuf(OtlpSignal::kLogs, body, 1, &other, report);
    return DecodeOtlpProtobuf(OtlpSignal::kMetrics, body, 1, batch, report).ok();
  });
}

TEST(Fuzz, RemoteWrite) {
  Fuzz({RemoteWriteBody()}, 10'000, [](const std::string& body, WriteBatch* batch, IngestReport* report) {
    return DecodeRemoteWrite(body, batch, report).ok();
  });
}

TEST(Fuzz, PrometheusText) {
  Fuzz({"# HELP a b\\n\n# TYPE a counter\n# UNIT a s\na_total{b=\"c\\\"d\",e=\"f\"} 1.5 12.25 # {trace_id=\"0102\"} 1 "
        "2\n"
        "{\"q.r\",s=\"t\"} NaN\nh_bucket{le=\"+Inf\"} 0x1p3 -1\n# EOF\n"},
       10'000, [](const std::string& body, WriteBatch* batch, IngestReport* report) {
         (void)SniffFormat(body);
         PrometheusTextParser(PrometheusTextOptions{}).ParseBody(body, batch, report);
         return true;
       });
}

TEST(Fuzz, JsonLinesAndLogLines) {
  Fuzz(
      {R"({"message":"m","ts":"2023-01-30T11:58:52.797987762Z","level":30,"a":{"b":[1,{"c":null}]},"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","service":"s"})"
       "\n2023-01-30 11:58:52,797 ERROR [x]\nTraceback (most recent call last):\n  File\nA: b\n"
       "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /?a HTTP/1.1\" 200 5 \"r\" \"a\"\n"
       "level=info msg=\"a \\\"b\" trace_id=01 n=1\n\x1b[31mpanic: x\x1b[0m\ngoroutine 1 [running]:\nE1130 "
       "15:04:05.1 1 a.go:1] b\nNov  3 15:04:05 h p: q\n"},
      10'000, [](const std::string& body, WriteBatch* batch, IngestReport* report) {
        (void)SniffFormat(body);
        JsonLinesParser(JsonLinesOptions{}).ParseBody(body, batch, report);
        LogLinesParser lines(LogLinesOptions{});
        BatchLogSink sink;
        sink.set_batch(batch);
        std::istringstream text(body);
        for (std::string line; std::getline(text, line);) lines.ParseLine(line, 1, &sink, report);
        lines.Finish(&sink, report);
        return true;
      });
}

TEST(Fuzz, ContainerLines) {
  Fuzz({R"({"log":"a \u001b[0m\n","stream":"stderr","time":"2023-11-14T22:13:20.5Z"})",
        "2023-11-14T22:13:20.5Z stdout P:x part"},
       10'000, [](const std::string& body, WriteBatch*, IngestReport*) {
         ContainerLine line;
         for (const ContainerFormat format : {ContainerFormat::kDocker, ContainerFormat::kCri}) {
           (void)ParseContainerLine(format, body, &line);
         }
         (void)SniffContainerFormat(body);
         (void)ContainerOfPath(body);
         return true;
       });
}

TEST(Fuzz, ContentEncoding) {
  const std::string text = "some text that is compressed, some text that is compressed, and some more";
  const std::vector<std::pair<Coding, std::string>> seeds = {{Coding::kGzip, Gzip(text)},
                                                             {Coding::kDeflate, Deflated(text, 15)},
                                                             {Coding::kZstd, Zstd(text)},
                                                             {Coding::kSnappy, Snappy(text)}};
  DecodeLimits limits;
  limits.decoded_bytes_max = 1 << 20;
  for (int round = 0; round < 10'000; ++round) {
    Mutator mutate(static_cast<uint32_t>(round));
    const auto& [coding, seed] = seeds[static_cast<size_t>(round) % seeds.size()];
    const auto decoded = DecodeContent(coding, mutate(seed), limits);
    if (decoded.ok()) {
      ASSERT_LE(decoded->size(), limits.decoded_bytes_max);
    }
  }
}

}  // namespace
}  // namespace braid::ingest
