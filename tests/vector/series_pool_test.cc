// Series worked out on several threads: same results in the same order, errors in their place, no thread left behind.
#include "query/vector/series_pool.h"

#include <atomic>
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
    Fill(at_++, series);
    return true;
  }
  const ScanStats& stats() const override {
    stats_.rows_read = read_;
    return stats_;
  }

 protected:
  void Fill(size_t number, SeriesData* series) {
    for (size_t i = 0; i < samples_; ++i) {
      series->times.push_back(static_cast<Timestamp>(i));
      series->values.push_back(static_cast<double>(number * samples_ + i));
    }
    read_ += samples_;
  }

  const size_t count_, samples_;
  const absl::Status end_;
  size_t at_ = 0;
  std::atomic<uint64_t> read_ = 0;
  mutable ScanStats stats_;
};

// The same with samples that are read later; those of series `broken` cannot be.
class UnreadScan : public CountedScan, public UnreadSeriesScan {
 public:
  UnreadScan(size_t count, size_t samples, absl::Status end, size_t broken = SIZE_MAX)
      : CountedScan(count, samples, std::move(end)), broken_(broken) {}
  absl::StatusOr<bool> NextUnread(UnreadSeries* series) override {
    if (at_ == count_) {
      if (!end_.ok()) return end_;
      return false;
    }
    series->labels = {{"number", std::to_string(at_)}};
    series->samples = samples_;
    series->reader = std::make_unique<Reader>(this, at_++);
    return true;
  }

 private:
  class Reader : public SampleReader {
   public:
    Reader(UnreadScan* scan, size_t number) : scan_(scan), number_(number) {}
    absl::Status Read(SeriesData* series, std::vector<SampleFold>* /*folds*/) override {
      if (number_ == scan_->broken_) return absl::DataLossError("broken");
      scan_->Fill(number_, series);
      return absl::OkStatus();
    }

   private:
    UnreadScan* const scan_;
    const size_t number_;
  };
  const size_t broken_;
};

std::unique_ptr<SeriesScan> MakeScan(bool unread, size_t count, size_t samples, absl::Status end) {
  if (unread) return std::make_unique<UnreadScan>(count, samples, std::move(end));
  return std::make_unique<CountedScan>(count, samples, std::move(end));
}

MemoryHold Hold(uint64_t bytes_max = UINT64_MAX) {
  return {std::make_shared<MemoryBudget>(), bytes_max, "the vector expression"};
}

// Of each series its last value, and nothing of every seventh; says which were looked at.
SeriesWork MakeLast(Annotations* annotations) {
  return [annotations](SeriesData&& data, const std::vector<SampleFold>&, std::vector<EvalSeries>* out) {
    const size_t number = std::stoul(data.labels[0].value);
    if (number % 500 == 0) annotations->PossibleNonCounter(data.labels[0].value, Place());
    if (number % 7 == 0) return absl::OkStatus();
    EvalSeries series(std::move(data.labels), false, 1);
    series.SetFloat(0, data.values.back());
    out->push_back(std::move(series));
    return absl::OkStatus();
  };
}

// How many series come out before the end, and the status of the end.
absl::Status RunAll(SeriesPool* pool, size_t samples, size_t* count, Annotations* annotations) {
  size_t number = 0;
  *count = 0;
  return pool->Each(
      [&](EvalSeries&& series) {
        if (number % 7 == 0) ++number;
        EXPECT_EQ(series.labels[0].value, std::to_string(number));
        EXPECT_EQ(series.values[0], static_cast<double>(number * samples + samples - 1));
        ++number;
        ++*count;
        return absl::OkStatus();
      },
      annotations);
}

TEST(SeriesPool, GivesAllResultsInOrder) {
  for (const bool unread : {false, true}) {
    for (const int threads : {1, 2, 5}) {
      for (const size_t series : {0u, 1u, 90u, 1001u}) {
        SeriesPool pool(MakeScan(unread, series, 1200, absl::OkStatus()), threads, Hold(), MakeLast);
        size_t count;
        Annotations annotations;
        ASSERT_TRUE(RunAll(&pool, 1200, &count, &annotations).ok());
        EXPECT_EQ(count, series - (series + 6) / 7);
        EXPECT_EQ(pool.stats().rows_read, series * 1200);
        std::vector<Note> notes;
        annotations.Flush(&notes);
        EXPECT_EQ(notes.size(), (series + 499) / 500) << "annotations of all threads";
      }
    }
  }
}

TEST(SeriesPool, AnErrorOfTheScanComesAfterTheSeriesBeforeIt) {
  for (const bool unread : {false, true}) {
    for (const int threads : {1, 3}) {
      SeriesPool pool(MakeScan(unread, 700, 1200, absl::DataLossError("torn")), threads, Hold(), MakeLast);
      size_t count;
      Annotations annotations;
      EXPECT_EQ(RunAll(&pool, 1200, &count, &annotations).message(), "torn");
      EXPECT_EQ(count, 600u);
    }
  }
}

TEST(SeriesPool, AnErrorOfReadingComesAfterTheSeriesBeforeIt) {
  for (const int threads : {1, 3}) {
    SeriesPool pool(std::make_unique<UnreadScan>(100'000, 1200, absl::OkStatus(), 350), threads, Hold(), MakeLast);
    size_t count;
    Annotations annotations;
    EXPECT_EQ(RunAll(&pool, 1200, &count, &annotations).message(), "broken");
    EXPECT_EQ(count, 300u);  // of 350 all but every seventh
  }
}

TEST(SeriesPool, RunningOutOfMemoryIsAnError) {
  for (const int threads : {1, 3}) {
    const auto make = [](Annotations*) -> SeriesWork {
      return [](SeriesData&& data, const std::vector<SampleFold>&, std::vector<EvalSeries>*) -> absl::Status {
        if (data.labels[0].value == "350") throw std::bad_alloc();
        return absl::OkStatus();
      };
    };
    SeriesPool pool(MakeScan(true, 1000, 1200, absl::OkStatus()), threads, Hold(), make);
    Annotations annotations;
    const absl::Status status = pool.Each([](EvalSeries&&) { return absl::OkStatus(); }, &annotations);
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  }
}

TEST(SeriesPool, WhatIsReadAndNotPassedOnCountsAsMemory) {
  for (const bool unread : {false, true}) {
    for (const int threads : {1, 3}) {
      size_t count;
      Annotations annotations;
      SeriesPool small(MakeScan(unread, 500, 1200, absl::OkStatus()), threads, Hold(10'000), MakeLast);
      EXPECT_TRUE(absl::IsResourceExhausted(RunAll(&small, 1200, &count, &annotations)));
      EXPECT_EQ(count, 0u);
      // Series that are done with make room for others: some batches at a time are enough for any number.
      SeriesPool enough(MakeScan(unread, 5000, 1200, absl::OkStatus()), threads, Hold(4 << 20), MakeLast);
      EXPECT_TRUE(RunAll(&enough, 1200, &count, &annotations).ok());
      EXPECT_EQ(count, 5000u - (5000 + 6) / 7);
    }
  }
}

TEST(SeriesPool, MayBeLeftInTheMiddle) {
  SeriesPool pool(MakeScan(true, 100'000, 1200, absl::OkStatus()), 3, Hold(), MakeLast);
  size_t left = 200;
  Annotations annotations;
  const absl::Status status = pool.Each(
      [&](EvalSeries&&) { return --left == 0 ? absl::CancelledError("enough") : absl::OkStatus(); }, &annotations);
  EXPECT_EQ(status.message(), "enough");
}

}  // namespace
}  // namespace braid::promql
