// Remote write 2.0, encoded by hand from the protocol's field numbers.
#include "server/ingest/remote_write_v2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <protozero/pbf_writer.hpp>

#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using protozero::pbf_writer;
using testing::ElementsAre;
using testing::HasSubstr;

// Numbers its symbols as they come.
class Request {
 public:
  Request() { Ref(""); }
  uint32_t Ref(const std::string& symbol) {
    const auto found = std::find(symbols_.begin(), symbols_.end(), symbol);
    if (found != symbols_.end()) return static_cast<uint32_t>(found - symbols_.begin());
    symbols_.push_back(symbol);
    return static_cast<uint32_t>(symbols_.size() - 1);
  }
  std::vector<uint32_t> Refs(const std::vector<std::string>& texts) {
    std::vector<uint32_t> refs;
    for (const std::string& text : texts) refs.push_back(Ref(text));
    return refs;
  }
  // `fill` adds what else the series has.
  template <typename Fill>
  void Series(const std::vector<std::string>& labels, Fill fill) {
    const std::vector<uint32_t> refs = Refs(labels);
    std::string bytes;
    pbf_writer writer(bytes);
    writer.add_packed_uint32(1, refs.begin(), refs.end());
    fill(writer);
    series_.push_back(bytes);
  }
  std::string Bytes(bool symbols_last = false) const {
    std::string body;
    pbf_writer writer(body);
    const auto symbols = [&] {
      for (const std::string& symbol : symbols_) writer.add_string(4, symbol);
    };
    if (!symbols_last) symbols();
    for (const std::string& series : series_) writer.add_message(5, series);
    if (symbols_last) symbols();
    return body;
  }

 private:
  std::vector<std::string> symbols_, series_;
};

void AddSample(pbf_writer& series, double value, int64_t millis) {
  pbf_writer sample(series, 2);
  sample.add_double(1, value);
  sample.add_int64(2, millis);
}

Request Everything() {
  Request request;
  const uint32_t help = request.Ref("Requests."), unit = request.Ref("requests");
  const std::vector<uint32_t> exemplar_refs =
      request.Refs({"trace_id", "0102030405060708090a0b0c0d0e0f10", "user", "u1"});
  request.Series({"__name__", "http_requests_total", "job", "j"}, [&](pbf_writer& series) {
    AddSample(series, 7, 2000);
    {
      pbf_writer exemplar(series, 4);
      exemplar.add_packed_uint32(1, exemplar_refs.begin(), exemplar_refs.end());
      exemplar.add_double(2, 0.5);
      exemplar.add_int64(3, 1500);
    }
    {
      pbf_writer metadata(series, 5);
      metadata.add_enum(1, 1);
      metadata.add_uint32(3, help);
      metadata.add_uint32(4, unit);
    }
    series.add_int64(6, 1000);
  });
  request.Series({"__name__", "latency", "job", "j"}, [](pbf_writer& series) {
    pbf_writer histogram(series, 3);
    histogram.add_uint64(1, 3);
    histogram.add_double(3, 4.5);
    histogram.add_sint32(4, 1);
    {
      pbf_writer span(histogram, 11);
      span.add_sint32(1, 2);
      span.add_uint32(2, 2);
    }
    const int64_t deltas[] = {1, 1};
    histogram.add_packed_sint64(12, std::begin(deltas), std::end(deltas));
    histogram.add_int64(15, 2000);
  });
  return request;
}

TEST(RemoteWriteV2, EverythingInOneMessage) {
  for (const bool symbols_last : {false, true}) {
    WriteBatch batch;
    IngestReport report;
    RemoteWriteCounts counts;
    ASSERT_TRUE(DecodeRemoteWriteV2(Everything().Bytes(symbols_last), &batch, &report, &counts).ok());
    EXPECT_THAT(BatchText(batch),
                ElementsAre("metadata http_requests_total counter unit=requests help=Requests.",
                            "http_requests_total{job=\"j\"} 7 @2000000000",
                            "exemplar of http_requests_total{job=\"j\"} 0.5 @1500000000 "
                            "trace=0102030405060708090a0b0c0d0e0f10 span=0000000000000000 [user=u1]",
                            "http_requests_created{job=\"j\"} 1 @2000000000",
                            "latency{job=\"j\"} schema=1 count=3 sum=4.5 zero=0 +2:1 +3:2 @2000000000"));
    EXPECT_EQ(counts.samples, 1u);
    EXPECT_EQ(counts.histograms, 1u);
    EXPECT_EQ(counts.exemplars, 1u);
    EXPECT_EQ(report.accepted, 2u);
  }
}

// The series of one classic histogram share one created timestamp.
TEST(RemoteWriteV2, ClassicHistogramsHaveOneCreated) {
  Request request;
  for (const char* name : {"h_bucket", "h_sum", "h_count"}) {
    request.Series({"__name__", name, "le", "1"}, [](pbf_writer& series) {
      AddSample(series, 1, 5000);
      pbf_writer(series, 5).add_enum(1, 3);
      series.add_int64(6, 2500);
    });
  }
  WriteBatch batch;
  IngestReport report;
  RemoteWriteCounts counts;
  ASSERT_TRUE(DecodeRemoteWriteV2(request.Bytes(), &batch, &report, &counts).ok());
  EXPECT_THAT(BatchText(batch), ElementsAre("metadata h histogram unit= help=", "h_bucket{le=\"1\"} 1 @5000000000",
                                            "h_created 2.5 @5000000000", "h_sum{le=\"1\"} 1 @5000000000",
                                            "h_count{le=\"1\"} 1 @5000000000"));
  EXPECT_EQ(counts.samples, 3u);
}

TEST(RemoteWriteV2, BadSeriesAreRejectedOneByOne) {
  Request request;
  const auto one = [](pbf_writer& series) { AddSample(series, 1, 0); };
  request.Series({}, one);
  request.Series({"__name__", "a", "x"}, one);
  request.Series({"__name__", "a", "x", "1", "x", "2"}, one);
  request.Series({"job", "nameless"}, one);
  request.Series({"__name__", "far"}, [](pbf_writer& series) { AddSample(series, 1, INT64_MAX / 1000); });
  request.Series({"__name__", "good"}, one);
  WriteBatch batch;
  IngestReport report;
  RemoteWriteCounts counts;
  ASSERT_TRUE(DecodeRemoteWriteV2(request.Bytes(), &batch, &report, &counts).ok());
  EXPECT_EQ(report.rejected, 5u);
  EXPECT_THAT(report.Summary(), HasSubstr("timeseries[1]: a label's name has no value"));
  EXPECT_THAT(report.Summary(), HasSubstr("timeseries[3]: series without a metric name"));
  EXPECT_THAT(BatchText(batch), ElementsAre("good 1 @0"));
  EXPECT_EQ(counts.samples, 1u);
}

// A short request must not unfold to gigabytes by naming one long symbol again and again.
TEST(RemoteWriteV2, RepeatedSymbolsAreBounded) {
  Request request;
  const std::string large(600'000, 'x');
  request.Series({"__name__", large, "b", large}, [](pbf_writer& series) { AddSample(series, 1, 0); });
  for (int i = 0; i < 1000; ++i) {
    request.Series({"__name__", "n" + std::to_string(i), "b", large},
                   [](pbf_writer& series) { AddSample(series, 1, 0); });
  }
  WriteBatch batch;
  IngestReport report;
  RemoteWriteCounts counts;
  EXPECT_EQ(DecodeRemoteWriteV2(request.Bytes(), &batch, &report, &counts).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_LT(batch.byte_size(), WriteBatch::kMaxBatchBytes + (size_t{2} << 20));
  EXPECT_EQ(report.rejected, 1u);
}

}  // namespace
}  // namespace braid::ingest
