#include "engine/codec/chunk.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace braid {
namespace {

struct Series {
  std::vector<Timestamp> times;
  std::vector<double> values;
};

std::vector<uint64_t> BitsOf(const std::vector<double>& values) {
  std::vector<uint64_t> bits;
  for (double value : values) bits.push_back(std::bit_cast<uint64_t>(value));
  return bits;
}

void ExpectSame(const std::string& chunk, const Series& series) {
  Series back;
  std::vector<std::shared_ptr<const Histogram>> histograms;
  const absl::Status status = DecodeChunk(chunk, &back.times, &back.values, &histograms);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(back.times, series.times);
  ASSERT_EQ(BitsOf(back.values), BitsOf(series.values));
  ASSERT_TRUE(histograms.empty());
}

constexpr int kShapes = 14;

double OddValue(std::mt19937_64& random) {
  const double odd[] = {0.0,
                        -0.0,
                        StaleNan(),
                        std::bit_cast<double>(uint64_t{0xfff8000000000123}),
                        std::bit_cast<double>(uint64_t{0x7ff0000000000001}),
                        HUGE_VAL,
                        -HUGE_VAL,
                        std::numeric_limits<double>::denorm_min(),
                        -std::numeric_limits<double>::denorm_min(),
                        std::numeric_limits<double>::max(),
                        std::numeric_limits<double>::lowest(),
                        std::numeric_limits<double>::min(),
                        9007199254740993.0,
                        9223372036854775808.0,
                        -9223372036854775808.0,
                        1e17,
                        0.1,
                        1e-17,
                        5e-324};
  return odd[random() % std::size(odd)];
}

Series MakeSeries(std::mt19937_64& random, size_t count, int shape) {
  Series series;
  const int64_t units[] = {1, 1'000, 1'000'000, 1'000'000'000};
  int64_t unit = units[random() % 4];
  Timestamp time = static_cast<int64_t>(random() % 2'000'000'000) * 1'000'000'000;
  double running = 0;
  const int time_shape = static_cast<int>(random() % 6);
  for (size_t i = 0; i < count; ++i) {
    switch (time_shape) {
      case 0: time += 15'000'000'000; break;
      case 1: time += 15'000'000'000 + static_cast<int64_t>(random() % 5) * 1'000'000; break;
      case 2: time += static_cast<int64_t>(1 + random() % 1'000'000) * unit; break;
      case 3: time += random() % 50 == 0 ? 3600'000'000'000 : 1'000'000'000; break;
      case 4: time += i > count / 2 ? 1 + static_cast<int64_t>(random() % 100) : 1'000'000'000; break;  // unit changes
      default: time += static_cast<int64_t>(random() % (uint64_t{1} << 52)); break;
    }
    series.times.push_back(time += 1);
    if (time_shape != 5) series.times.back() = --time;
    double value = 0;
    switch (shape) {
      case 0: value = 42; break;
      case 1: value = running += static_cast<double>(random() % 100); break;
      case 2: value = std::round(running += static_cast<double>(random() % 200) - 100) / 100; break;
      case 3: value = static_cast<double>(random() % 1000) * 1e-7; break;
      case 4: value = running += 0.001; break;
      case 5: value = std::bit_cast<double>(random()); break;
      case 6: value = static_cast<double>(random() >> 11) * 0x1p-53; break;
      case 7: value = OddValue(random); break;
      case 8: value = random() % 30 == 0 ? OddValue(random) : static_cast<double>(random() % 50) / 10; break;
      case 9: value = i % 100 < 90 ? 1.5 : StaleNan(); break;
      case 10: value = static_cast<double>(random() % 2); break;
      case 11: value = running = random() % 20 == 0 ? std::bit_cast<double>(random()) : running; break;
      case 12: value = static_cast<double>(1'500'000'000'000 + 4096 * (random() % 100000)); break;
      default: value = std::sin(static_cast<double>(i) / 50) * 1e3; break;
    }
    series.values.push_back(value);
  }
  return series;
}

TEST(ChunkTest, RoundTripsBitExactly) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 1000; ++round) {
    const Series series = MakeSeries(random, 1 + random() % (round % 10 == 0 ? 2000 : 150), round % kShapes);
    ExpectSame(EncodeChunk(series.times, series.values), series);
    GorillaAppender appender;
    for (size_t i = 0; i < series.times.size(); ++i) appender.Append(series.times[i], series.values[i]);
    EXPECT_EQ(appender.count(), series.times.size());
    EXPECT_EQ(appender.first_time(), series.times.front());
    EXPECT_EQ(appender.last_time(), series.times.back());
    ExpectSame(appender.Finish(), series);
    if (testing::Test::HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(ChunkTest, ExtremeTimes) {
  const Series series = {{INT64_MIN, -1, 0, 1, INT64_MAX}, {1, 2, 3, 4, 5}};
  ExpectSame(EncodeChunk(series.times, series.values), series);
  GorillaAppender appender;
  for (size_t i = 0; i < series.times.size(); ++i) appender.Append(series.times[i], series.values[i]);
  ExpectSame(appender.Finish(), series);
}

TEST(ChunkTest, AppendingGoesOnAfterFinish) {
  std::mt19937_64 random(12);
  const Series series = MakeSeries(random, 300, 1);
  GorillaAppender appender;
  Series so_far;
  for (size_t i = 0; i < series.times.size(); ++i) {
    appender.Append(series.times[i], series.values[i]);
    so_far.times.push_back(series.times[i]);
    so_far.values.push_back(series.values[i]);
    if (i % 37 == 0) ExpectSame(appender.Finish(), so_far);
  }
}

TEST(ChunkTest, AppendsToWhatIsThere) {
  const std::string chunk = EncodeChunk(std::vector<Timestamp>{5, 6}, std::vector<double>{1, 2});
  std::vector<Timestamp> times = {1};
  std::vector<double> values = {9};
  ASSERT_TRUE(DecodeChunk(chunk, &times, &values, nullptr).ok());
  EXPECT_EQ(times, (std::vector<Timestamp>{1, 5, 6}));
  EXPECT_FALSE(DecodeChunk("\x09\x01", &times, &values, nullptr).ok());
  EXPECT_EQ(times.size(), 3u);
  EXPECT_EQ(values.size(), 3u);
}

// Sizes that the design promises for a scrape every 15 s.
TEST(ChunkTest, CostsWhatItShould) {
  std::mt19937_64 random(13);
  const auto bytes_of = [&](auto next) {
    Series series;
    double value = 1000;
    for (int64_t i = 0; i < 1000; ++i) {
      series.times.push_back(1'700'000'000'123'000'000 + i * 15'000'000'000);
      series.values.push_back(value = next(value));
    }
    return static_cast<double>(EncodeChunk(series.times, series.values).size()) / 1000;
  };
  EXPECT_LT(bytes_of([](double v) { return v; }), 0.03);
  EXPECT_LT(bytes_of([](double v) { return v + 3; }), 0.03);
  EXPECT_LT(bytes_of([&](double v) { return v + static_cast<double>(random() % 20); }), 0.75);
  EXPECT_LT(bytes_of([&](double) { return std::round(static_cast<double>(random() % 100)) / 10; }), 0.95);
  EXPECT_LT(bytes_of([&](double v) { return random() % 30 == 0 ? v + 1 : v; }), 0.2);
  EXPECT_LT(bytes_of([&](double) { return static_cast<double>(random() % 100) * 1e-7; }), 1.2);
  GorillaAppender appender;
  for (int64_t i = 0; i < 120; ++i) appender.Append(1'700'000'000'123'000'000 + i * 15'000'000'000, 7);
  EXPECT_LT(appender.Finish().size(), 60u);
}

std::string Hex(const std::string& bytes) {
  std::string text;
  for (unsigned char c : bytes) {
    text += "0123456789abcdef"[c >> 4];
    text += "0123456789abcdef"[c & 15];
  }
  return text;
}

// Read off docs/format/chunk.md by hand.
TEST(ChunkTest, GoldenBytes) {
  std::vector<Timestamp> times;
  for (int64_t i = 1; i <= 20; ++i) times.push_back(i * 1'000'000'000);
  // Constant: type 3, 20 samples, times linear from zigzag(1e9) by zigzag(1e9); 1.0 = 3ff0... reversed is f03f.
  EXPECT_EQ(Hex(EncodeChunk(times, std::vector<double>(20, 1.0))),
            "031401"
            "80a8d6b907"
            "80a8d6b907"
            "00bfe003");
  // Decimal: type 4, 4 samples, form 1, e = 1, no exceptions, mantissas 5 6 8 7 in two bits after base zigzag(5).
  times.resize(4);
  EXPECT_EQ(Hex(EncodeChunk(times, std::vector<double>{0.5, 0.6, 0.8, 0.7})),
            "040401"
            "80a8d6b907"
            "80a8d6b907"
            "010100"
            "02020ab4");
  // Gorilla: type 1, 3 samples, unit 3 (seconds), first time zigzag(1); then 64 bits of 1.0; delta2 1 = 10 0000001;
  // value 0; delta2 0 = 0; value 2.0: XOR 7ff0..., leading 1, 11 bits: 11 00001 001011 11111111111.
  GorillaAppender appender;
  appender.Append(1'000'000'000, 1);
  appender.Append(2'000'000'000, 1);
  appender.Append(3'000'000'000, 2);
  EXPECT_EQ(Hex(appender.Finish()),
            "01030302"
            "3ff0000000000000"
            // 10000000 10 0 11000 01001011 11111111 111 -> grouped by eight below
            "80984bffe0");
}

Histogram MakeHistogram(std::mt19937_64& random, int round) {
  Histogram histogram;
  histogram.schema = round % 5 == 0 ? -53 : static_cast<int32_t>(random() % 12) - 4;
  histogram.zero_threshold = 1e-128;
  histogram.zero_count = static_cast<double>(random() % 10);
  histogram.count = static_cast<double>(random() % 100000);
  histogram.sum = static_cast<double>(random()) / 7;
  histogram.is_gauge = random() % 2 == 0;
  histogram.reset_unknown = random() % 2 == 0;
  int32_t index = static_cast<int32_t>(random() % 100) - 50;
  for (size_t i = random() % 20; i > 0; --i) {
    histogram.positive.push_back({index, static_cast<double>(random() % 1000)});
    index += 1 + static_cast<int32_t>(random() % 3);
  }
  if (random() % 2 == 0) histogram.negative.push_back({INT32_MIN, 0.5});
  if (random() % 2 == 0) histogram.negative.push_back({INT32_MAX, 0});
  if (histogram.schema == -53) histogram.custom_bounds = {0.1, 0.5, HUGE_VAL};
  return histogram;
}

std::string HistogramChunk(std::mt19937_64& random, std::vector<Timestamp>* times,
                           std::vector<std::shared_ptr<const Histogram>>* histograms, int round) {
  Histogram current = MakeHistogram(random, round);
  for (int64_t i = 0; i < 40; ++i) {
    if (random() % 15 == 0) current = MakeHistogram(random, round);
    for (auto& bucket : current.positive) bucket.count += static_cast<double>(random() % 5);
    times->push_back(i * 1'000'000'000);
    histograms->push_back(std::make_shared<Histogram>(current));
  }
  return EncodeHistogramChunk(*times, *histograms);
}

TEST(ChunkTest, HistogramsRoundTrip) {
  std::mt19937_64 random(14);
  for (int round = 0; round < 60; ++round) {
    std::vector<Timestamp> times, times_back;
    std::vector<double> sums;
    std::vector<std::shared_ptr<const Histogram>> histograms, back;
    const std::string chunk = HistogramChunk(random, &times, &histograms, round);
    ASSERT_TRUE(DecodeChunk(chunk, &times_back, &sums, &back).ok());
    EXPECT_EQ(times_back, times);
    ASSERT_EQ(back.size(), histograms.size());
    for (size_t i = 0; i < back.size(); ++i) {
      EXPECT_EQ(*back[i], *histograms[i]);
      EXPECT_EQ(sums[i], histograms[i]->sum);
      std::string one;
      EncodeHistogram(*histograms[i], &one);
      Histogram single;
      Decoder decoder(one);
      ASSERT_TRUE(ReadHistogram(&decoder, &single) && decoder.done());
      EXPECT_EQ(single, *histograms[i]);
    }
  }
}

TEST(ChunkTest, DamagedBytesAreRefusedOrMakeValues) {
  std::mt19937_64 random(15);
  std::vector<std::string> chunks;
  for (int shape = 0; shape < kShapes; ++shape) {
    const Series series = MakeSeries(random, 200, shape);
    chunks.push_back(EncodeChunk(series.times, series.values));
    GorillaAppender appender;
    for (size_t i = 0; i < series.times.size(); ++i) appender.Append(series.times[i], series.values[i]);
    chunks.push_back(appender.Finish());
    std::vector<Timestamp> times;
    std::vector<std::shared_ptr<const Histogram>> histograms;
    chunks.push_back(HistogramChunk(random, &times, &histograms, shape));
  }
  size_t refused = 0;
  for (const std::string& good : chunks) {
    for (size_t i = 0; i < good.size(); i += i < 64 ? 1 : 1 + good.size() / 150) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (random() % 4 == 0 ? 0xff : 1 << random() % 8));
      for (const std::string& bytes : {bad, good.substr(0, i), bad.substr(0, i + 1)}) {
        Series back;
        std::vector<std::shared_ptr<const Histogram>> histograms;
        const absl::Status status = DecodeChunk(bytes, &back.times, &back.values, &histograms);
        refused += status.ok() ? 0 : 1;
        EXPECT_TRUE(status.ok() || absl::IsDataLoss(status));
        EXPECT_LE(back.times.size(), kMaxChunkSamples);
        EXPECT_EQ(back.times.size(), back.values.size());
      }
    }
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace braid
