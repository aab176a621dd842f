// Properties of evaluation on random data: instants are independent of each other, and window functions agree with
// plain definitions.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include "braid/db.h"
#include "braid/query_memory.h"
#include "query/syntax/parser.h"
#include "query/vector/evaluator.h"

namespace braid {
namespace {

struct Sample {
  Timestamp time;
  double value;
};

class VectorProperties : public testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    const std::string path = testing::TempDir() + "braid_vector_properties_" + std::to_string(getpid());
    std::filesystem::remove_all(path);
    auto db = DB::Open(options, path);
    ASSERT_TRUE(db.ok()) << db.status().ToString();
    db_ = std::move(*db);
    Fill();
  }

  // Counters with resets, gauges with gaps, stale markers and odd values, a few histograms; irregular times.
  void Fill() {
    WriteBatch batch;
    for (int series = 0; series < 12; ++series) {
      const bool counter = series % 2 == 0;
      const std::string name = counter ? "jobs_total" : "load";
      const std::string host = "h" + std::to_string(series / 2), zone = series % 3 == 0 ? "a" : "b";
      const LabelView labels[] = {{"__name__", name}, {"host", host}, {"zone", zone}};
      const auto ref = batch.AddSeries(labels);
      double value = static_cast<double>(random_() % 100);
      Timestamp time = 0;
      for (int i = 0; i < 240; ++i) {
        time += static_cast<Timestamp>(5'000 + random_() % 20'000) * kMillisecond;
        if (random_() % 40 == 0) time += 400 * kSecond;
        const int dice = static_cast<int>(random_() % 60);
        if (counter) {
          value = dice == 0 ? 1 : value + static_cast<double>(random_() % 1000) / 8;
        } else {
          value = dice == 0 ? std::nan("") : static_cast<double>(random_() % 2000) / 7 - 100;
        }
        if (dice == 1) {
          batch.AddSample(ref, time, StaleNan());
          continue;
        }
        batch.AddSample(ref, time, value);
        samples_[{{"__name__", name}, {"host", host}, {"zone", zone}}].push_back({time, value});
        end_ = std::max(end_, time);
      }
    }
    for (int series = 0; series < 3; ++series) {
      const std::string host = "h" + std::to_string(series);
      const LabelView labels[] = {{"__name__", "latency"}, {"host", host}};
      const auto ref = batch.AddSeries(labels);
      Histogram histogram;
      for (int i = 0; i < 100; ++i) {
        if (i % 37 == 36) histogram = Histogram();
        histogram.schema = 1;
        for (int32_t bucket = 0; bucket < 4; ++bucket) {
          if (histogram.positive.size() <= static_cast<size_t>(bucket)) histogram.positive.push_back({bucket, 0});
          const double more = static_cast<double>(random_() % 5);
          histogram.positive[bucket].count += more;
          histogram.count += more;
          histogram.sum += more * bucket;
        }
        batch.AddHistogram(ref, (i + 1) * 30 * kSecond, histogram);
      }
    }
    for (const char* bound : {"0.1", "1", "+Inf"}) {
      const LabelView labels[] = {{"__name__", "size_bucket"}, {"le", bound}};
      const auto ref = batch.AddSeries(labels);
      double value = 0;
      for (int i = 0; i < 100; ++i) batch.AddSample(ref, (i + 1) * 30 * kSecond, value += std::strlen(bound));
    }
    ASSERT_TRUE(db_->Write(batch).ok());
  }

  VectorContext Context(std::vector<Note>* notes) const {
    VectorContext context;
    context.snapshot = db_->GetSnapshot();
    context.start = 0;
    context.end = end_;
    context.step = 60 * kSecond;
    context.notes = notes;
    return context;
  }

  VectorResult Evaluate(const std::string& text, const std::vector<Timestamp>& times) const {
    const auto expr = ParseVectorExpression(text);
    EXPECT_TRUE(expr.ok()) << text << ": " << expr.status().ToString();
    std::vector<Note> notes;
    auto result = EvaluateVector(**expr, times, Context(&notes));
    EXPECT_TRUE(result.ok()) << text << ": " << result.status().ToString();
    return result.ok() ? std::move(*result) : VectorResult();
  }

  std::vector<Timestamp> RandomInstants(size_t count) {
    std::vector<Timestamp> times;
    for (size_t i = 0; i < count; ++i) {
      times.push_back(static_cast<Timestamp>(random_() % static_cast<uint64_t>(end_ / kMillisecond)) * kMillisecond);
    }
    std::sort(times.begin(), times.end());
    times.erase(std::unique(times.begin(), times.end()), times.end());
    return times;
  }

  std::mt19937_64 random_{20260131};
  std::unique_ptr<DB> db_;
  std::map<Labels, std::vector<Sample>> samples_;
  Timestamp end_ = 0;
};

bool Same(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= 1e-9 * std::max(std::fabs(a), std::fabs(b));
}

// A vector expression of at most `depth` levels that cannot fail on this data.
std::string RandomVector(std::mt19937_64* random, int depth) {
  const auto pick = [random](std::vector<const char*> choices) {
    return std::string(choices[(*random)() % choices.size()]);
  };
  const std::string selector =
      pick({"jobs_total", "load", "load{zone=\"a\"}", "jobs_total offset 3m", "latency", "load @ 900"});
  if (depth == 0) return selector;
  const std::string range = pick({"[1m]", "[5m]", "[30m]", "[10m] offset 2m", "[4m] @ 1200"});
  const std::string metric = pick({"jobs_total", "load", "latency"});
  const auto inner = [&] { return RandomVector(random, depth - 1); };
  switch ((*random)() % 12) {
    case 0:
      return pick({"rate", "increase", "delta", "irate", "idelta", "resets", "changes"}) + "(" + metric + range + ")";
    case 1:
      return pick({"sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "count_over_time",
                   "last_over_time", "stddev_over_time", "present_over_time", "deriv", "first_over_time",
                   "ts_of_max_over_time"}) +
             "(" + metric + range + ")";
    case 2: return "quantile_over_time(0.3, " + metric + range + ")";
    case 3:
      return pick({"sum", "avg", "min", "max", "count", "stddev", "group"}) +
             pick({" by (zone) ", " without (host) ", " "}) + "(" + inner() + ")";
    case 4:
      return pick({"topk", "bottomk", "quantile"}) + pick({" by (zone) ", " "}) + "(" + pick({"1", "0.5", "2"}) + ", " +
             inner() + ")";
    case 5:
      return "(" + inner() + ") " + pick({"+", "*", ">", "<= bool", "/", "!="}) + " " +
             pick({"2", "0.5", "time() % 50"});
    case 6:
      return "sum by (host) (" + inner() + ") " + pick({"+", "-", "and", "or", "unless"}) + " sum by (host) (" +
             inner() + ")";
    case 7: return pick({"abs", "sgn", "round", "-", "timestamp"}) + "(" + inner() + ")";
    case 8: return "max_over_time((" + inner() + ")" + pick({"[10m:1m]", "[5m:37s]", "[8m:2m] offset 1m"}) + ")";
    case 9: return "histogram_quantile(0.9, " + pick({"rate(latency[5m])", "rate(size_bucket[5m])", "latency"}) + ")";
    case 10: return "absent(" + inner() + ")";
    default: return pick({"histogram_count", "histogram_avg", "histogram_stddev"}) + "(sum(rate(latency[5m])))";
  }
}

TEST_F(VectorProperties, EveryInstantIsIndependentOfTheOthers) {
  for (int round = 0; round < 150; ++round) {
    const std::string text = RandomVector(&random_, 1 + round % 3);
    const std::vector<Timestamp> times = RandomInstants(9);
    const VectorResult all = Evaluate(text, times);
    for (size_t i = 0; i < times.size(); ++i) {
      std::map<Labels, std::pair<double, const Histogram*>> expected, got;
      const VectorResult one = Evaluate(text, {times[i]});
      for (const VectorSeries& s : one.series) {
        expected[s.labels] = {s.values[0], s.histograms.empty() ? nullptr : s.histograms[0].get()};
      }
      for (const VectorSeries& s : all.series) {
        if (s.present[i] != 0) got[s.labels] = {s.values[i], s.histograms.empty() ? nullptr : s.histograms[i].get()};
      }
      ASSERT_EQ(expected.size(), got.size()) << text << " at " << times[i];
      for (const auto& [labels, point] : expected) {
        ASSERT_TRUE(got.count(labels)) << text << " " << ToString(labels);
        const auto& other = got[labels];
        ASSERT_TRUE(Same(point.first, other.first)) << text << " " << point.first << " " << other.first;
        ASSERT_EQ(point.second == nullptr, other.second == nullptr) << text;
        if (point.second != nullptr) {
          ASSERT_TRUE(Same(point.second->count, other.second->count)) << text;
          ASSERT_EQ(point.second->positive.size(), other.second->positive.size()) << text;
        }
      }
    }
  }
}

TEST_F(VectorProperties, WindowFunctionsAgreeWithTheirDefinitions) {
  const Duration range = 300 * kSecond;
  const std::vector<Timestamp> times = RandomInstants(60);
  const auto window = [&](const std::vector<Sample>& samples, Timestamp at) {
    std::vector<Sample> in;
    for (const Sample& s : samples) {
      if (s.time > at - range && s.time <= at) in.push_back(s);
    }
    return in;
  };
  using Definition = std::function<std::optional<double>(const std::vector<Sample>&, Timestamp)>;
  const std::vector<std::pair<std::string, Definition>> functions = {
      {"sum_over_time",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         long double sum = 0;
         for (const Sample& s : w) sum += s.value;
         return static_cast<double>(sum);
       }},
      {"avg_over_time",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         long double sum = 0;
         for (const Sample& s : w) sum += s.value;
         return static_cast<double>(sum / w.size());
       }},
      {"max_over_time",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         double max = std::nan("");
         for (const Sample& s : w) max = std::fmax(max, s.value);
         return max;
       }},
      {"min_over_time",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         double min = std::nan("");
         for (const Sample& s : w) min = std::fmin(min, s.value);
         return min;
       }},
      {"changes",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         double n = 0;
         for (size_t i = 1; i < w.size(); ++i) {
           const bool both_nan = std::isnan(w[i].value) && std::isnan(w[i - 1].value);
           if (w[i].value != w[i - 1].value && !both_nan) ++n;
         }
         return n;
       }},
      {"rate",
       [&](const auto& w, Timestamp at) -> std::optional<double> {
         // The documented rule: growth with resets, stretched to the ends of the window unless a sample is missing
         // there.
         if (w.size() < 2) return std::nullopt;
         double growth = 0;
         for (size_t i = 1; i < w.size(); ++i) {
           growth += w[i].value < w[i - 1].value ? w[i].value : w[i].value - w[i - 1].value;
         }
         const double covered = static_cast<double>(w.back().time - w[0].time) / 1e9;
         const double usual = covered / static_cast<double>(w.size() - 1);
         double before = static_cast<double>(w[0].time - (at - range)) / 1e9;
         double after = static_cast<double>(at - w.back().time) / 1e9;
         if (before >= usual * 1.1) before = usual / 2;
         if (after >= usual * 1.1) after = usual / 2;
         if (growth > 0 && w[0].value >= 0) before = std::min(before, covered * w[0].value / growth);
         return growth * (covered + before + after) / covered / 300;
       }},
      {"quantile_over_time",
       [](const auto& w, Timestamp) -> std::optional<double> {
         if (w.empty()) return std::nullopt;
         std::vector<double> sorted;
         for (const Sample& s : w) sorted.push_back(s.value);
         std::sort(sorted.begin(), sorted.end(),
                   [](double a, double b) { return std::isnan(a) ? !std::isnan(b) : a < b; });
         const double rank = 0.7 * static_cast<double>(sorted.size() - 1);
         const size_t low = static_cast<size_t>(rank);
         const size_t high = std::min(low + 1, sorted.size() - 1);
         return sorted[low] * (1 - (rank - static_cast<double>(low))) +
                sorted[high] * (rank - static_cast<double>(low));
       }},
  };
  for (const auto& [name, definition] : functions) {
    const std::string metric = name == "rate" ? "jobs_total" : "load";
    const std::string text = name + "(" + (name == "quantile_over_time" ? "0.7, " : "") + metric + "[5m])";
    const VectorResult result = Evaluate(text, times);
    size_t points = 0;
    for (const auto& [labels, samples] : samples_) {
      if (FindLabel(labels, "__name__") != metric) continue;
      const VectorSeries* found = nullptr;
      for (const VectorSeries& s : result.series) {
        if (FindLabel(s.labels, "host") == FindLabel(labels, "host") &&
            FindLabel(s.labels, "zone") == FindLabel(labels, "zone"))
          found = &s;
      }
      for (size_t i = 0; i < times.size(); ++i) {
        const std::optional<double> expected = definition(window(samples, times[i]), times[i]);
        const bool present = found != nullptr && found->present[i] != 0;
        ASSERT_EQ(present, expected.has_value()) << text << ToString(labels) << " at " << times[i];
        if (!present) continue;
        ++points;
        ASSERT_TRUE(Same(*expected, found->values[i])) << text << " " << *expected << " " << found->values[i];
      }
    }
    EXPECT_GT(points, 50u) << text;
  }
}

TEST_F(VectorProperties, LimitsAndCancellationEndAnEvaluation) {
  const auto expr = ParseVectorExpression("jobs_total");
  ASSERT_TRUE(expr.ok());
  std::vector<Note> notes;
  VectorContext context = Context(&notes);
  context.limits.series_max = 3;
  const auto limited = EvaluateVector(**expr, {1000 * kSecond}, context);
  ASSERT_FALSE(limited.ok());
  EXPECT_EQ(limited.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(limited.status().message()).find("series_max"), std::string::npos);

  context = Context(&notes);
  context.limits.memory_bytes_max = 1000;
  EXPECT_EQ(EvaluateVector(**expr, {1000 * kSecond}, context).status().code(), absl::StatusCode::kResourceExhausted);

  context = Context(&notes);
  context.cancel = std::make_shared<std::atomic<bool>>(true);
  EXPECT_EQ(EvaluateVector(**expr, {1000 * kSecond}, context).status().code(), absl::StatusCode::kCancelled);

  context = Context(&notes);
  context.deadline_monotonic = 1;
  EXPECT_EQ(EvaluateVector(**expr, {1000 * kSecond}, context).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(VectorProperties, MemoryIsTakenFromTheQueryAndFromAllQueries) {
  const auto evaluate = [&](const std::string& text, VectorContext context) -> std::string {
    const auto expr = ParseVectorExpression(text);
    EXPECT_TRUE(expr.ok()) << text;
    std::vector<Timestamp> times;
    for (int i = 1; i <= 1000; ++i) times.push_back(i * 3 * kSecond);
    const auto result = EvaluateVector(**expr, times, context);
    if (result.ok()) return "";
    EXPECT_TRUE(absl::IsResourceExhausted(result.status())) << text << ": " << result.status();
    return std::string(result.status().message());
  };
  std::vector<Note> notes;
  const uint64_t before = QueryMemoryUsed();
  {
    const auto expr = ParseVectorExpression("jobs_total");
    ASSERT_TRUE(expr.ok());
    VectorContext context = Context(&notes);
    context.memory = std::make_shared<MemoryBudget>();
    const auto result = EvaluateVector(**expr, {1000 * kSecond, 2000 * kSecond}, context);
    ASSERT_TRUE(result.ok());
    // The result counts as long as it is there.
    EXPECT_GT(QueryMemoryUsed(), before);
    EXPECT_EQ(QueryMemoryUsed() - before, context.memory->used());
  }
  EXPECT_EQ(QueryMemoryUsed(), before);

  // What the query holds already is missing to its expressions, and so is what other queries hold.
  const std::string fits = "sum(rate(jobs_total[5m]))";
  VectorContext context = Context(&notes);
  context.memory = std::make_shared<MemoryBudget>();
  EXPECT_EQ(evaluate(fits, context), "");
  MemoryHold rest(context.memory, context.limits.memory_bytes_max, "rows");
  ASSERT_TRUE(rest.Add(context.limits.memory_bytes_max - 1000).ok());
  EXPECT_NE(evaluate(fits, context).find("the query's memory limit"), std::string::npos);
  ASSERT_TRUE(rest.Set(0).ok());
  SetQueryMemoryMax(before + 1000);
  EXPECT_NE(evaluate(fits, context).find("all running queries"), std::string::npos);
  SetQueryMemoryMax(0);
  EXPECT_EQ(evaluate(fits, context), "");

  // Little data, and much that would be made of it.
  context.limits.memory_bytes_max = 8 << 20;
  std::string doubled = "jobs_total", joined = "jobs_total", nested = "time()";
  for (int i = 0; i < 40; ++i) {
    doubled = "label_replace(" + doubled + R"_(, "host", "$1$1", "host", "(.*)"))_";
    joined = "label_join(" + joined + R"_(, "host", "", "host", "host"))_";
    nested = "time() + (" + nested + ")";
  }
  const std::vector<std::string> texts = {doubled, joined, "max_over_time(vector(1)[1y:1ms])",
                                          "sum_over_time((vector(0) + " + nested + ")[1d:1s])",
                                          "max_over_time(jobs_total[1h:10ms])"};
  for (const std::string& text : texts) {
    EXPECT_NE(evaluate(text, context), "") << text;
  }
  EXPECT_EQ(QueryMemoryUsed(), before);
}

TEST_F(VectorProperties, ReadRangeCoversWhatIsRead) {
  std::vector<Note> notes;
  const VectorContext context = Context(&notes);
  const auto range = [&](const std::string& text) {
    const auto expr = ParseVectorExpression(text);
    EXPECT_TRUE(expr.ok()) << text;
    return ReadRange(**expr, {1000 * kSecond, 2000 * kSecond}, context);
  };
  EXPECT_EQ(range("load"), (TimeRange{700 * kSecond + 1, 2000 * kSecond}));
  EXPECT_EQ(range("rate(load[1m] offset 10s)"), (TimeRange{930 * kSecond + 1, 1990 * kSecond}));
  EXPECT_EQ(range("load @ 50"), (TimeRange{-250 * kSecond + 1, 50 * kSecond}));
  EXPECT_EQ(range("max_over_time(rate(load[1m])[5m:30s])"), (TimeRange{640 * kSecond + 2, 2000 * kSecond}));
  EXPECT_TRUE(range("vector(1)").empty());
}

}  // namespace
}  // namespace braid
