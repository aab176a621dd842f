// Reading ahead: same series in the same order, errors in their place, no thread left behind.
#include "query/vector/series_reader.h"

#include <string>

#include "gtest/gtest.h"

namespace braid::promql {
namespace {

// `count` series of `samples` samples each, then the end or an error.
class CountedScan : public SeriesScan {
 public:
  CountedScan(size_t count, size_t samples, absl::Status end)
      : count_(count), samples_(samples), end_(std::move(end)) {}
  absl::StatusOr<bool> Next(SeriesData* series) override {
    if (at_ == count_) {
      if (!end_.ok()) return end_;
      return false;
    }
    series->labels = {{"number", std::to_string(at_)}};
    for (size_t i = 0; i < samples_; ++i) {
      series->times.push_back(static_cast<Timestamp>(i));
      series->values.push_back(static_cast<double>(at_ * samples_ + i));
    }
    ++at_;
    stats_.rows_read += samples_;
    return true;
  }
  const ScanStats& stats() const override { return stats_; }

 private:
  const size_t count_, samples_;
  const absl::Status end_;
  size_t at_ = 0;
  ScanStats stats_;
};

MemoryHold Hold(uint64_t bytes_max = UINT64_MAX) {
  return {std::make_shared<MemoryBudget>(), bytes_max, "the vector expression"};
}

// Series read until the end; the status of the end.
absl::Status ReadAll(SeriesReader* reader, size_t samples, size_t* count) {
  *count = 0;
  SeriesData series;
  while (true) {
    const absl::StatusOr<bool> more = reader->Next(&series);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    EXPECT_EQ(series.labels[0].value, std::to_string(*count));
    EXPECT_EQ(series.values.size(), samples);
    EXPECT_EQ(series.values.back(), static_cast<double>(*count * samples + samples - 1));
    ++*count;
  }
}

TEST(SeriesReader, GivesAllSeriesInOrder) {
  for (const int threads : {1, 2}) {
    for (const size_t series : {0u, 1u, 90u, 1000u}) {
      SeriesReader reader(std::make_unique<CountedScan>(series, 1200, absl::OkStatus()), threads, Hold());
      size_t count;
      ASSERT_TRUE(ReadAll(&reader, 1200, &count).ok());
      EXPECT_EQ(count, series);
      EXPECT_EQ(reader.stats().rows_read, series * 1200);
      SeriesData data;
      EXPECT_FALSE(*reader.Next(&data)) << "the end stays the end";
    }
  }
}

TEST(SeriesReader, AnErrorComesAfterTheSeriesBeforeIt) {
  for (const int threads : {1, 2}) {
    SeriesReader reader(std::make_unique<CountedScan>(500, 1200, absl::DataLossError("torn")), threads, Hold());
    size_t count;
    const absl::Status status = ReadAll(&reader, 1200, &count);
    EXPECT_EQ(count, 500u);
    EXPECT_EQ(status.message(), "torn");
  }
}

TEST(SeriesReader, WhatIsReadAheadCountsAsMemory) {
  for (const int threads : {1, 2}) {
    size_t count;
    SeriesReader small(std::make_unique<CountedScan>(500, 1200, absl::OkStatus()), threads, Hold(10'000));
    EXPECT_TRUE(absl::IsResourceExhausted(ReadAll(&small, 1200, &count)));
    EXPECT_EQ(count, 0u);
    // Series that are done with make room for others: some batches at a time are enough for any number.
    SeriesReader enough(std::make_unique<CountedScan>(5000, 1200, absl::OkStatus()), threads, Hold(4 << 20));
    EXPECT_TRUE(ReadAll(&enough, 1200, &count).ok());
    EXPECT_EQ(count, 5000u);
  }
}

TEST(SeriesReader, MayBeLeftInTheMiddle) {
  SeriesReader reader(std::make_unique<CountedScan>(100'000, 1200, absl::OkStatus()), 2, Hold());
  SeriesData series;
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(*reader.Next(&series));
}

}  // namespace
}  // namespace braid::promql
