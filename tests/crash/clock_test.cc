// The machine's clock jumps, stands still, or is wrong by years, and producers send times of 1970 and 2262: nothing is
// lost, and retention removes nothing that the data themselves do not call old.
//
// The clock is moved under the whole process: this program's clock_gettime comes before the C library's.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/fault_file_system.h"

namespace {

std::atomic<int64_t> clock_offset_seconds{0};
std::atomic<int64_t> clock_stands_at{0};  // seconds since the epoch; 0 = it goes

}  // namespace

extern "C" int clock_gettime(clockid_t clock, struct timespec* time) noexcept {
  const long result = syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) {
    const int64_t still = clock_stands_at.load(std::memory_order_relaxed);
    if (still != 0) {
      *time = {still, 0};
    } else {
      time->tv_sec += clock_offset_seconds.load(std::memory_order_relaxed);
    }
  }
  return static_cast<int>(result);
}

namespace braid {
namespace {

constexpr int64_t kHour = 3600, kYear = 365 * 24 * kHour;

class ClockTest : public testing::Test {
 protected:
  void TearDown() override {
    clock_offset_seconds = 0;
    clock_stands_at = 0;
  }
};

TEST_F(ClockTest, TheClockOfThisTestMoves) {
  const auto before = std::chrono::system_clock::now();
  clock_offset_seconds = 10 * kYear;
  EXPECT_GT(std::chrono::system_clock::now() - before, std::chrono::hours(9 * 365 * 24));
  clock_stands_at = 77;
  EXPECT_EQ(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()),
            std::chrono::seconds(77));
}

TEST_F(ClockTest, JumpsLoseNothing) {
  Options options;
  options.background_work = false;
  options.retention = 3 * kHour * kSecond;
  for (const int64_t jump : {int64_t{1}, int64_t{-1}, kHour, -kHour, 10 * kYear, -10 * kYear, int64_t{0}}) {
    FaultFileSystem fs;
    uint64_t number = 0;
    for (int session = 0; session < 2; ++session) {
      auto db = OpenDB(options, "db", &fs);
      ASSERT_TRUE(db.ok()) << db.status();
      for (int i = 0; i < 12; ++i) {
        ASSERT_TRUE(WriteNumbered(db->get(), number++).ok());
        if (i % 4 == 0) {
          ASSERT_TRUE((*db)->Flush().ok());
        }
        // The clock goes and comes back, or stands.
        clock_offset_seconds = i % 2 == 0 ? jump : 0;
        clock_stands_at = jump == 0 && i > 3 ? 1'700'000'000 : 0;
        ASSERT_TRUE((*db)->Tick().ok());
      }
      EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(number)) << "a jump of " << jump << " s";
    }
    const auto image = fs.KillImage();
    auto db = OpenDB(options, "db", image.get());
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(number)) << "a jump of " << jump << " s";
  }
}

TEST_F(ClockTest, TheDBsOwnThreadsGoOnWhileItJumps) {
  FaultFileSystem fs;
  Options options;
  options.retention = 3 * kHour * kSecond;
  options.flush_bytes_max = 20 << 10;
  auto db = OpenDB(options, "db", &fs);
  ASSERT_TRUE(db.ok()) << db.status();
  for (uint64_t n = 0; n < 400; ++n) {
    clock_offset_seconds = n % 3 == 0 ? -10 * kYear : n % 3 == 1 ? 10 * kYear : 0;
    ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  }
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(400));
  EXPECT_GT((*db)->Stats().flushes, 0u);
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE((*db)->Close().ok());
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(60)) << "somebody waits for the wall clock";
}

// Times of 1970, of 2262, and before and after all that; the same time twice; times in any order.
TEST_F(ClockTest, TimesOfTheDataMayBeAnything) {
  FaultFileSystem fs;
  Options options;
  options.background_work = false;
  std::map<Timestamp, double> expected;
  std::vector<Timestamp> times = {0,
                                  1,
                                  -1,
                                  kMinTimestamp,
                                  kMaxTimestamp,
                                  kMaxTimestamp - 1,
                                  kMinTimestamp + 1,
                                  9'223'372'036 * kSecond,
                                  1'700'000'000 * kSecond};
  std::mt19937_64 random(2);
  double value = 0;
  for (int round = 0; round < 6; ++round) {
    auto db = OpenDB(options, "db", &fs);
    ASSERT_TRUE(db.ok()) << db.status();
    std::shuffle(times.begin(), times.end(), random);
    for (const Timestamp time : times) {
      WriteBatch batch;
      const LabelView labels[] = {{"a", "1"}};
      batch.AddSample(batch.AddSeries(labels), time, ++value);
      expected[time] = value;  // the one written last counts
      LogRecord log;
      log.time = time;
      log.message = "at the edge";
      batch.AddLog(batch.AddStream({}), log);
      ASSERT_TRUE((*db)->Write(batch).ok());
    }
    if (round % 2 == 0) {
      ASSERT_TRUE((*db)->Flush().ok());
    }
    if (round == 3) {
      ASSERT_TRUE((*db)->Compact().ok());
    }
    ASSERT_TRUE((*db)->Tick().ok());
    auto scan = (*db)->GetSnapshot()->OpenSeriesScan({});
    ASSERT_TRUE(scan.ok());
    SeriesData data;
    ASSERT_TRUE(*(*scan)->Next(&data));
    ASSERT_EQ(data.times.size(), expected.size());
    for (size_t i = 0; i < data.times.size(); ++i) EXPECT_EQ(data.values[i], expected.at(data.times[i]));
    EXPECT_EQ((*db)->Stats().logs, static_cast<uint64_t>(round + 1) * times.size());
  }
}

}  // namespace
}  // namespace braid
