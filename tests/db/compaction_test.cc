// Which parts are merged: how often bytes are rewritten, how many parts stand, and what is left alone.
#include "engine/db/compaction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace braid {
namespace {

PartEntry Part(uint64_t bytes, TimeRange time) {
  PartEntry part;
  part.bytes = bytes;
  part.time = time;
  return part;
}

// Parts that come one after another, each from one flush, merged as the store does it.
class Flushes {
 public:
  Flushes(const CompactionLimits& limits, bool of_rows) : limits_(limits), of_rows_(of_rows) {}

  void Add(uint64_t bytes, TimeRange time) {
    parts_.push_back(Part(bytes, time));
    (of_rows_ ? parts_.back().rows[0] : parts_.back().samples) = bytes / 20;
    flushed_ += bytes;
    written_ += bytes;
    limits_.flush_bytes = flushed_ / ++flushes_;
    while (true) {
      const auto [begin, end] = PickMerge(parts_, limits_);
      if (begin == end) break;
      ASSERT_GE(end - begin, 2u);
      ASSERT_LE(end, parts_.size());
      ASSERT_LE(end - begin, limits_.merge_parts_max);
      PartEntry merged = Part(0, {kMaxTimestamp, kMinTimestamp});
      for (size_t i = begin; i < end; ++i) {
        merged.bytes += parts_[i].bytes;
        merged.samples += parts_[i].samples;
        merged.rows[0] += parts_[i].rows[0];
        merged.time = {std::min(merged.time.start, parts_[i].time.start),
                       std::max(merged.time.end, parts_[i].time.end)};
      }
      ASSERT_LE(merged.bytes, limits_.part_bytes_max);
      written_ += merged.bytes;
      parts_.erase(parts_.begin() + static_cast<ptrdiff_t>(begin), parts_.begin() + static_cast<ptrdiff_t>(end));
      parts_.insert(parts_.begin() + static_cast<ptrdiff_t>(begin), merged);
    }
    parts_max_ = std::max(parts_max_, parts_.size());
  }

  double amplification() const { return static_cast<double>(written_) / static_cast<double>(flushed_); }
  size_t parts_max() const { return parts_max_; }
  const std::vector<PartEntry>& parts() const { return parts_; }

 private:
  CompactionLimits limits_;
  bool of_rows_;
  std::vector<PartEntry> parts_;
  uint64_t flushes_ = 0, flushed_ = 0, written_ = 0;
  size_t parts_max_ = 0;
};

TEST(CompactionTest, BytesAreRewrittenSeldomAndPartsAreFew) {
  struct Sizes {
    const char* name;
    double amplification_max;
    std::function<double(std::mt19937_64&)> next;  // megabytes
  };
  const Sizes all[] = {
      {"equal", 4, [](std::mt19937_64&) { return 6.0; }},
      {"nearly equal", 4, [](std::mt19937_64& random) { return std::uniform_real_distribution(5.0, 7.0)(random); }},
      {"lognormal", 4.2, [](std::mt19937_64& random) { return 6 * std::lognormal_distribution(0.0, 0.7)(random); }},
      {"some tiny", 4, [](std::mt19937_64& random) { return random() % 3 == 0 ? 0.1 : 6.0; }},
      {"of every size", 5, [](std::mt19937_64& random) { return std::lognormal_distribution(0.0, 2.0)(random); }}};
  for (const Sizes& sizes : all) {
    for (const bool of_rows : {false, true}) {
      SCOPED_TRACE(std::string(sizes.name) + (of_rows ? ", rows" : ", samples"));
      std::mt19937_64 random(1);
      Flushes flushes(LimitsFor(0, 0), of_rows);
      for (int i = 0; i < 1000 && !HasFatalFailure(); ++i) {
        flushes.Add(static_cast<uint64_t>(sizes.next(random) * 1e6) + 1, {i * kSecond, i * kSecond + kSecond - 1});
        // A small store has few parts, though it is far from its share of rewriting.
        if (i == 49) {
          EXPECT_LE(flushes.amplification(), 3.0);
          EXPECT_LE(flushes.parts_max(), 16u);
        }
      }
      EXPECT_LE(flushes.amplification(), sizes.amplification_max);
      EXPECT_LE(flushes.parts_max(), 24u);
      EXPECT_GE(flushes.amplification(), 2.0) << "nothing is merged";
    }
  }
}

TEST(CompactionTest, SixFlushesOfRowsAreLeftAlone) {
  for (const bool of_rows : {false, true}) {
    Flushes flushes(LimitsFor(0, 0), of_rows);
    for (int i = 0; i < 6; ++i) flushes.Add(1000, {i * kSecond, i * kSecond + kSecond - 1});
    EXPECT_EQ(flushes.parts().size(), of_rows ? 6u : 3u);
    flushes.Add(1000, {6 * kSecond, 7 * kSecond - 1});
    EXPECT_EQ(flushes.parts().size(), of_rows ? 1u : 4u);
  }
}

TEST(CompactionTest, RetentionStaysSharp) {
  const Duration hour = 3600 * kSecond, retention = 240 * hour;
  const CompactionLimits limits = LimitsFor(retention, 0);
  Flushes flushes(limits, /*of_rows=*/false);
  for (int i = 0; i < 240; ++i) flushes.Add(1000, {i * hour, i * hour + hour - 1});
  for (const PartEntry& part : flushes.parts()) EXPECT_LE(part.time.end - part.time.start, retention / 10);
  EXPECT_LE(flushes.parts().size(), 60u);
}

TEST(CompactionTest, OneOversizedNeighbourHoldsUpNobody) {
  CompactionLimits limits;
  limits.part_bytes_max = 1000;
  // 600 may grow no more; the four on its right are merged, those on its left still wait.
  std::vector<PartEntry> parts;
  for (const uint64_t bytes : {10, 10, 10, 600, 10, 10, 10, 10}) parts.push_back(Part(bytes, {0, 1}));
  EXPECT_EQ(PickMerge(parts, limits), (std::pair<size_t, size_t>{4, 8}));
  parts.pop_back();
  const auto [begin, end] = PickMerge(parts, limits);
  EXPECT_EQ(begin, end);
  // What together would be too large is left alone as well.
  parts.assign(12, Part(300, {0, 1}));
  const auto [from, to] = PickMerge(parts, limits);
  EXPECT_EQ(from, to);
}

// A delete that waits, or many parts, must not make the store rewrite itself over and over.
TEST(CompactionTest, ManyFinishedPartsAreNotManyThatWait) {
  CompactionLimits limits;
  limits.part_bytes_max = 1000;
  std::vector<PartEntry> parts(100, Part(900, {0, 1}));
  for (const uint64_t bytes : {100, 10}) parts.push_back(Part(bytes, {0, 1}));
  const auto [begin, end] = PickMerge(parts, limits);
  EXPECT_EQ(begin, end);
}

}  // namespace
}  // namespace braid
