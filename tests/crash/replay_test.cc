// A long WAL is replayed as a stream: the time follows its length, and the memory follows what the store holds, not the
// length of the file.
//   BRAID_TEST_WAL_MB=n   (16)
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>

#include "engine/db/open.h"
#include "tests/support/case_count.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

constexpr Timestamp kStart = 1'700'000'000 * kSecond;
constexpr int kSeries = 2000;

Options LongLog() {
  Options options;
  options.background_work = false;
  options.durability = Durability::kBuffered;
  options.flush_bytes_max = uint64_t{16} << 30;
  return options;
}

void FillBatch(uint64_t round, std::mt19937_64* random, WriteBatch* batch) {
  for (int s = 0; s < kSeries; ++s) {
    const std::string instance = "i" + std::to_string(s);
    const LabelView labels[] = {{"__name__", "requests"}, {"instance", instance}};
    batch->AddSample(batch->AddSeries(labels), kStart + static_cast<Timestamp>(round) * kSecond,
                     static_cast<double>((*random)() % 100000) * 0.01);
  }
  Stream stream;
  stream.resource = {{"service.name", std::string("shop")}};
  const auto from = batch->AddStream(stream);
  for (int i = 0; i < 300; ++i) {
    const std::string message = "request " + std::to_string((*random)()) + " took " + std::to_string((*random)() % 900);
    LogRecord log;
    log.time = kStart + static_cast<Timestamp>(round) * kSecond + i;
    log.message = message;
    batch->AddLog(from, log);
  }
}

uint64_t WalBytes(const stdfs::path& path) {
  uint64_t bytes = 0;
  for (const auto& entry : stdfs::directory_iterator(path / "wal")) bytes += entry.file_size();
  return bytes;
}

// Peak memory in KB of a process that does `work`, which returns 0 when all is well.
template <typename Work>
long PeakOf(const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  int status = 0;
  rusage usage = {};
  EXPECT_EQ(::wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  return usage.ru_maxrss;
}

TEST(ReplayTest, ALongWalIsReplayedAsAStream) {
  const ScratchDir scratch;
  const stdfs::path path =
      (std::getenv("BRAID_TEST_WAL_DIR") != nullptr ? stdfs::path(std::getenv("BRAID_TEST_WAL_DIR")) : scratch.path()) /
      "db";
  const uint64_t megabytes = CaseCount("WAL_MB", 16);
  const long writing = PeakOf([&] {
    auto db = DB::Open(LongLog(), path.string());
    if (!db.ok()) return 1;
    std::mt19937_64 random(1);
    for (uint64_t round = 0; WalBytes(path) < megabytes << 20; ++round) {
      WriteBatch batch;
      FillBatch(round, &random, &batch);
      if (!(*db)->Write(batch).ok()) return 1;
    }
    ::_exit(0);  // without closing, as a crash
  });
  const uint64_t bytes = WalBytes(path);
  ASSERT_GE(bytes, megabytes << 20);
  const auto before = std::chrono::steady_clock::now();
  const long replaying = PeakOf([&] {
    auto db = DB::Open(LongLog(), path.string());
    if (!db.ok() || (*db)->Stats().samples == 0 || (*db)->Stats().wal_bytes != bytes) return 1;
    ::_exit(0);
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  std::printf("WAL of %.1f MB: replayed in %.2f s; peak memory %.0f MB, of the writer %.0f MB\n",
              static_cast<double>(bytes) / 1048576, seconds, static_cast<double>(replaying) / 1024,
              static_cast<double>(writing) / 1024);
  // As much as the writer needed for the same rows, and a fixed amount.
  EXPECT_LT(replaying, writing + writing / 5 + (32 << 10));
}

}  // namespace
}  // namespace braid
