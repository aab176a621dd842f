// Content encodings and remote write.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <protozero/pbf_writer.hpp>
#include <random>

#include "server/ingest/content_encoding.h"
#include "server/ingest/remote_write.h"
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
    EXPECT_EQ(decoded->view(), text);
    EXPECT_EQ(DecodeContent(c.coding, c.encoded + "x", DecodeLimits()).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DecodeContent(c.coding, c.encoded.substr(0, c.encoded.size() - 9), DecodeLimits()).status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(DecodeContent(c.coding, "", DecodeLimits()).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(DecodeContent(Coding::kGzip, Gzip("a") + Gzip("b"), DecodeLimits())->view(), "ab");
  EXPECT_EQ(ParseContentEncoding("br").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ParseContentEncoding("gzip, gzip").status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(*ParseContentEncoding(" GZIP "), Coding::kGzip);
}

TEST(DecodedBody, KeepsItsBytesFromTheHeapToPagesOfItsOwn) {
  std::string text;
  std::mt19937 random(2);
  DecodedBody body;
  EXPECT_EQ(body.view(), "");
  while (text.size() < (size_t{5} << 20)) {
    const std::string piece(random() % 100'000, static_cast<char>('a' + random() % 26));
    text += piece;
    if (random() % 2 == 0) {
      body.Append(piece);
    } else {
      std::copy(piece.begin(), piece.end(), body.Extend(piece.size()));
    }
    ASSERT_EQ(body.size(), text.size());
    if (random() % 8 == 0) {
      DecodedBody moved = std::move(body);
      body = std::move(moved);
    }
  }
  EXPECT_TRUE(body.view() == text);
  EXPECT_TRUE(DecodedBody(text).view() == text);
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

}  // namespace
}  // namespace braid::ingest
