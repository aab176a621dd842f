// Windows that share no sample are answered from what parts know of their chunks: the answers are those of the samples.
#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <random>

#include "braid/db.h"
#include "gtest/gtest.h"
#include "query/syntax/parser.h"
#include "query/vector/evaluator.h"

namespace braid {
namespace {

constexpr int kSeries = 12;
constexpr int kSamples = 6000;  // several chunks
constexpr Duration kInterval = 10 * kSecond;

double ValueAt(int series, int i, std::mt19937_64* random) {
  switch (series % 6) {
    case 0: return static_cast<double>(i);
    case 1: return (*random)() % 2 == 0 ? 0.0 : -0.0;
    case 2:
      return (*random)() % 3000 == 0 ? std::numeric_limits<double>::quiet_NaN()
                                     : static_cast<double>((*random)() % 100);
    case 3: return i % 1500 == 700 ? StaleNan() : -static_cast<double>((*random)() % 1000) / 8;
    case 4: return i < 2500 ? std::numeric_limits<double>::quiet_NaN() : 5.0;
    default:
      return (*random)() % 500 == 0 ? std::numeric_limits<double>::infinity() : 0.1 * static_cast<double>(i % 77);
  }
}

// Samples [begin, end) of all series.
void Write(DB* db, int begin, int end) {
  for (int series = 0; series < kSeries; ++series) {
    WriteBatch batch;
    const std::string number = std::to_string(series);
    const LabelView labels[] = {{"__name__", "x"}, {"series", number}};
    const auto ref = batch.AddSeries(labels);
    std::mt19937_64 random(static_cast<uint64_t>(series));
    for (int i = 0; i < end; ++i) {
      const double value = ValueAt(series, i, &random);
      if (i >= begin) batch.AddSample(ref, (i + 1) * kInterval, value);
    }
    ASSERT_TRUE(db->Write(batch).ok());
  }
}

class FoldTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "fold_test";
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<DB> Open(const std::string& name) {
    Options options;
    options.durability = Durability::kBuffered;
    options.background_work = false;
    options.flush_bytes_max = uint64_t{1} << 40;
    auto db = DB::Open(options, folder_ + "/" + name);
    EXPECT_TRUE(db.ok()) << db.status();
    return *std::move(db);
  }

  static VectorResult Evaluate(const DB& db, const std::string& text, const std::vector<Timestamp>& times,
                               ScanStats* stats) {
    const auto expr = ParseVectorExpression(text);
    EXPECT_TRUE(expr.ok()) << expr.status();
    VectorContext context;
    context.snapshot = db.GetSnapshot();
    context.start = times.front();
    context.end = times.back();
    context.stats = stats;
    auto result = EvaluateVector(**expr, times, context);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *std::move(result) : VectorResult();
  }

  // The same by windows that do share samples, which are worked out from the samples: each instant with one right after
  // it, which is left out again.
  static VectorResult EvaluateSamples(const DB& db, const std::string& text, const std::vector<Timestamp>& times) {
    std::vector<Timestamp> doubled;
    for (const Timestamp time : times) doubled.insert(doubled.end(), {time, time + 1});
    VectorResult result = Evaluate(db, text, doubled, nullptr);
    std::vector<VectorSeries> kept;
    for (VectorSeries& series : result.series) {
      VectorSeries every_other{series.labels, {}, {}, {}};
      bool any = false;
      for (size_t i = 0; i < times.size(); ++i) {
        every_other.present.push_back(series.present[2 * i]);
        every_other.values.push_back(series.values[2 * i]);
        any = any || series.present[2 * i] != 0;
      }
      if (any) kept.push_back(std::move(every_other));
    }
    result.series = std::move(kept);
    return result;
  }

  // Bit by bit; NaN is NaN.
  static void ExpectSame(const VectorResult& a, const VectorResult& b, const std::string& what) {
    ASSERT_EQ(a.series.size(), b.series.size()) << what;
    for (size_t s = 0; s < a.series.size(); ++s) {
      EXPECT_EQ(a.series[s].labels, b.series[s].labels) << what;
      EXPECT_EQ(a.series[s].present, b.series[s].present) << what;
      for (size_t i = 0; i < a.series[s].values.size(); ++i) {
        const double v = a.series[s].values[i], w = b.series[s].values[i];
        if (std::isnan(v) && std::isnan(w)) continue;
        EXPECT_EQ(std::bit_cast<uint64_t>(v), std::bit_cast<uint64_t>(w)) << what << " series " << s << " step " << i;
      }
    }
  }

  std::string folder_;
};

TEST_F(FoldTest, AnswersAreThoseOfTheSamples) {
  const auto head = Open("head");  // nothing to fold there
  Write(head.get(), 0, kSamples);
  const auto part = Open("part");
  Write(part.get(), 0, kSamples);
  ASSERT_TRUE(part->Flush().ok());
  const auto both = Open("both");  // a part, and later samples in the head
  Write(both.get(), 0, 4000);
  ASSERT_TRUE(both->Flush().ok());
  Write(both.get(), 4000, kSamples);
  const auto mixed = Open("mixed");  // a part and a head of the same time: nothing may be folded
  Write(mixed.get(), 1000, kSamples);
  ASSERT_TRUE(mixed->Flush().ok());
  Write(mixed.get(), 0, 2500);

  const Timestamp end = kSamples * kInterval;
  const std::vector<std::vector<Timestamp>> grids = {
      {end}, {end / 2}, {end / 3, 2 * (end / 3), end}, {end / 2 + 7 * kSecond, end + 100 * kSecond}};
  for (const char* function : {"count_over_time", "max_over_time", "min_over_time"}) {
    for (const auto& times : grids) {
      for (const char* range : {"60000s", "20000s", "10007s", "10s"}) {
        const std::string text = std::string(function) + "(x[" + range + "])";
        const VectorResult expected = EvaluateSamples(*head, text, times);
        ASSERT_FALSE(expected.series.empty()) << text;
        ExpectSame(Evaluate(*part, text, times, nullptr), expected, "part: " + text);
        ExpectSame(Evaluate(*both, text, times, nullptr), expected, "both: " + text);
        ExpectSame(Evaluate(*mixed, text, times, nullptr), expected, "mixed: " + text);
      }
    }
  }
}

TEST_F(FoldTest, WholeChunksAreNotDecoded) {
  const auto part = Open("part");
  Write(part.get(), 0, kSamples);
  ASSERT_TRUE(part->Flush().ok());
  ScanStats folded, decoded;
  Evaluate(*part, "max_over_time(x{series=\"0\"}[60000s])", {kSamples * kInterval}, &folded);
  Evaluate(*part, "sum_over_time(x{series=\"0\"}[60000s])", {kSamples * kInterval}, &decoded);
  EXPECT_EQ(folded.blocks_read, 0u);
  EXPECT_EQ(decoded.rows_read, static_cast<uint64_t>(kSamples));
}

}  // namespace
}  // namespace braid
