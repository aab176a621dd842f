// Series scans against the naive model, and merges of parts against the part of all their data.
#include "engine/part/part_merge.h"

#include <gtest/gtest.h>
#include <regex.h>

#include "tests/part/part_model.h"

namespace braid {
namespace {

TEST(PartSeries, MatchTheModel) {
  MemoryFileSystem fs;
  ModelData data = RandomData(13, 10, 700);
  auto part = MakePart(&fs, data, "p");
  ASSERT_NE(part, nullptr);
  std::mt19937_64 random(3);
  const char* const kPatterns[] = {"host1.*",      "host1.+",     "",      ".*", ".+", "host1|host22|host333",
                                   "host[0-4]{2}", "metric(1|2)", "job1|", "x"};
  for (int n = 0; n < 60; ++n) {
    SeriesSpec spec;
    for (uint64_t i = random() % 3; i > 0; --i) {
      Matcher matcher;
      const char* const kNames[] = {"__name__", "instance", "job", "absent"};
      matcher.name = kNames[random() % 4];
      matcher.op = static_cast<Matcher::Op>(random() % 4);
      bool regex = matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex;
      matcher.value = regex ? kPatterns[random() % std::size(kPatterns)]
                            : std::string(FindLabel(data.series[random() % data.series.size()].labels, matcher.name));
      spec.matchers.push_back(matcher);
    }
    if (random() % 2 == 0) spec.time = {static_cast<int64_t>(random() % 2000), static_cast<int64_t>(random() % 4000)};
    spec.labels_only = n % 10 == 9;
    auto scan = part->OpenSeriesScan(spec);
    ASSERT_TRUE(scan.ok()) << scan.status();
    SeriesData got;
    // POSIX extended regexes agree with RE2 on these patterns.
    std::vector<regex_t> compiled(spec.matchers.size());
    for (size_t m = 0; m < compiled.size(); ++m) {
      ASSERT_EQ(regcomp(&compiled[m], ("^(" + spec.matchers[m].value + ")$").c_str(), REG_EXTENDED | REG_NOSUB), 0);
    }
    for (const ModelSeries& series : data.series) {
      bool wanted = true;
      for (size_t m = 0; m < spec.matchers.size(); ++m) {
        const Matcher& matcher = spec.matchers[m];
        std::string value(FindLabel(series.labels, matcher.name));
        bool matches = value == matcher.value;
        if (matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex) {
          matches = regexec(&compiled[m], value.c_str(), 0, nullptr, 0) == 0;
        }
        bool negated = matcher.op == Matcher::Op::kNotEqual || matcher.op == Matcher::Op::kNotRegex;
        wanted &= matches != negated;
      }
      std::vector<size_t> inside;
      for (size_t i = 0; i < series.times.size(); ++i) {
        if (spec.time.Contains(series.times[i])) inside.push_back(i);
      }
      if (spec.labels_only) {
        wanted &= series.times.front() <= spec.time.end && spec.time.start <= series.times.back() && !spec.time.empty();
        if (wanted && inside.empty()) {
          // A series whose chunks miss a range between two of them may be left out.
          continue;
        }
      } else {
        wanted &= !inside.empty();
      }
      if (!wanted) continue;
      while (true) {
        auto more = (*scan)->Next(&got);
        ASSERT_TRUE(more.ok() && *more) << n << " " << ToString(series.labels);
        if (!spec.labels_only || got.labels == series.labels) break;
      }
      ASSERT_EQ(got.labels, series.labels);
      if (spec.labels_only) continue;
      ASSERT_EQ(got.times.size(), inside.size());
      for (size_t i = 0; i < inside.size(); ++i) {
        ASSERT_EQ(got.times[i], series.times[inside[i]]);
        ASSERT_EQ(got.values[i], series.values[inside[i]]);
        const Histogram* expected = series.histograms.empty() ? nullptr : series.histograms[inside[i]].get();
        const Histogram* actual = got.histograms.empty() ? nullptr : got.histograms[i].get();
        ASSERT_EQ(actual == nullptr, expected == nullptr);
        if (actual != nullptr) ASSERT_EQ(*actual, *expected);
      }
    }
    for (regex_t& one : compiled) regfree(&one);
    if (spec.labels_only) continue;
    auto more = (*scan)->Next(&got);
    ASSERT_TRUE(more.ok());
    ASSERT_FALSE(*more) << n << " " << ToString(got.labels);
  }
}

TEST(PartMerge, MergeOfPartsIsThePartOfAll) {
  MemoryFileSystem fs;
  ModelData all = RandomData(21, 5000, 40), first = all, second = all;
  for (int table = 0; table < kTableCount; ++table) {
    first.rows[table].clear();
    second.rows[table].clear();
    // Arrival order is kept: the first part has the older rows.
    size_t half = all.rows[table].size() / 2;
    for (size_t i = 0; i < all.rows[table].size(); ++i) {
      (i < half ? first : second).rows[table].push_back(all.rows[table][i]);
    }
  }
  // Half of the samples each, and some in both, where the later part's word counts.
  first.series.clear();
  second.series.clear();
  for (size_t s = 0; s < all.series.size(); ++s) {
    const ModelSeries& series = all.series[s];
    ModelSeries a{series.labels, {}, {}, {}}, b = a;
    for (size_t i = 0; i < series.times.size(); ++i) {
      auto add = [&](ModelSeries* to, double value) {
        to->times.push_back(series.times[i]);
        to->values.push_back(value);
        if (!series.histograms.empty()) to->histograms.push_back(series.histograms[i]);
      };
      if (i % 3 != 1) add(&b, series.values[i]);
      bool is_histogram = !series.histograms.empty() && series.histograms[i] != nullptr;
      if (i % 3 == 1) add(&a, series.values[i]);
      if (i % 3 == 2 && !is_histogram) add(&a, -1);
    }
    if (!a.times.empty()) first.series.push_back(a);
    if (!b.times.empty()) second.series.push_back(b);
  }
  auto part_a = MakePart(&fs, first, "a"), part_b = MakePart(&fs, second, "b"), expected = MakePart(&fs, all, "c");
  ASSERT_TRUE(part_a && part_b && expected);
  auto writer = PartWriter::Create(&fs, "m");
  ASSERT_TRUE(writer.ok());
  absl::Status status = MergeSources({part_a.get(), part_b.get()}, writer->get());
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_TRUE((*writer)->Finish().ok());
  auto merged = Part::Open(&fs, "m", "m");
  ASSERT_TRUE(merged.ok()) << merged.status();
  std::vector<std::string> problems;
  uint64_t blocks = 0;
  ASSERT_TRUE((*merged)->Verify(&problems, nullptr, &blocks).ok());
  EXPECT_EQ(problems, std::vector<std::string>());
  for (int table = 0; table < kTableCount; ++table) {
    auto a = expected->OpenOrderedRows(static_cast<Table>(table)),
         b = (*merged)->OpenOrderedRows(static_cast<Table>(table));
    ASSERT_TRUE(a.ok() && b.ok());
    ASSERT_EQ(a->columns, b->columns);
    RecordBatch x, y;
    while (true) {
      auto more_x = a->scan->Next(&x), more_y = b->scan->Next(&y);
      ASSERT_TRUE(more_x.ok() && more_y.ok()) << more_x.status() << more_y.status();
      ASSERT_EQ(*more_x, *more_y);
      if (!*more_x) break;
      ASSERT_EQ(x.num_rows, y.num_rows);
      for (size_t c = 0; c < x.columns.size(); ++c) {
        for (size_t row = 0; row < x.num_rows; ++row) {
          ASSERT_EQ(x.columns[c].ValueAt(row), y.columns[c].ValueAt(row)) << a->columns[c].name << " row " << row;
        }
      }
    }
  }
  auto a = expected->OpenSeriesScan({}), b = (*merged)->OpenSeriesScan({});
  SeriesData x, y;
  while (true) {
    auto more_x = (*a)->Next(&x), more_y = (*b)->Next(&y);
    ASSERT_TRUE(more_x.ok() && more_y.ok());
    ASSERT_EQ(*more_x, *more_y);
    if (!*more_x) break;
    ASSERT_EQ(x.labels, y.labels);
    ASSERT_EQ(x.times, y.times);
    ASSERT_EQ(x.values, y.values);
  }
}

}  // namespace
}  // namespace braid
