#include "tests/support/sample_store.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

#include "engine/base/checksum.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr Timestamp kStart = 1'700'000'000 * kSecond;
constexpr int kPatternSamples = 130;  // a little more than one chunk of the head

// Values that each of the sample encodings is best at; the last few mix them.
double PatternValue(int pattern, int i, std::mt19937_64* random) {
  switch (pattern) {
    case 0: return 42;                                               // constant
    case 1: return i * 15 + static_cast<double>((*random)() % 4);    // a counter
    case 2: return static_cast<double>((*random)() % 100000) / 100;  // decimals
    case 3: return std::sin(i * 0.37) * 1e3 + 1e-9 * i;              // full precision
    case 4: return std::bit_cast<double>((*random)());               // any bits at all
    case 5: return i % 40 == 39 ? StaleNan() : 0.5 * (i / 40);       // gaps
    default: return i % 2 == 0 ? static_cast<double>(i) : std::sqrt(i);
  }
}
constexpr int kPatterns = 7;

Histogram PatternHistogram(int i, bool custom) {
  Histogram histogram;
  histogram.schema = custom ? -53 : 3;
  for (int32_t b = 0; b < 6; ++b) {
    histogram.positive.push_back({b, static_cast<double>(i * (b + 1))});
    histogram.count += histogram.positive.back().count;
  }
  if (custom) {
    histogram.custom_bounds = {0.1, 0.5, 1, 2.5, 5};
  } else {
    histogram.zero_threshold = 1e-6;
    histogram.zero_count = i;
    histogram.count += i;
    histogram.negative = {{-4, 1.0 * i}, {2, 3}};
    histogram.count += i + 3;
  }
  histogram.sum = i * 1.25;
  return histogram;
}

void AddLabelled(const std::string& name, WriteBatch* batch, Labels* labels, WriteBatch::SeriesRef* series) {
  *labels = {{"__name__", name}, {"job", "pattern"}};
  const LabelView views[] = {{(*labels)[0].name, (*labels)[0].value}, {(*labels)[1].name, (*labels)[1].value}};
  *series = batch->AddSeries(views);
}

// Adds the pattern series' samples of write `number` to it.
void AddPatterns(uint64_t number, int variant, std::mt19937_64* random, NaiveWrite* write, WriteBatch* batch) {
  const Timestamp start = kStart + static_cast<Timestamp>(number) * 3600 * kSecond;
  Labels labels;
  WriteBatch::SeriesRef series;
  for (int pattern = 0; pattern < kPatterns; ++pattern) {
    AddLabelled("pattern" + std::to_string(pattern), batch, &labels, &series);
    for (int i = 0; i < kPatternSamples; ++i) {
      // Even intervals, and uneven ones.
      const Timestamp time = start + i * 15 * kSecond + (pattern % 2 == 0 ? 0 : static_cast<Timestamp>(i * i % 97));
      double value = PatternValue(pattern, i, random);
      if (variant != 0) value += variant;  // adding nothing would change the bits of a NaN
      batch->AddSample(series, time, value);
      write->samples.push_back({labels, time, value, nullptr});
    }
  }
  for (const bool custom : {false, true}) {
    AddLabelled(custom ? "custom_histogram" : "histogram", batch, &labels, &series);
    for (int i = 0; i < 25; ++i) {
      auto histogram = std::make_shared<Histogram>(PatternHistogram(i, custom));
      const Timestamp time = start + i * 60 * kSecond;
      batch->AddHistogram(series, time, *histogram);
      write->samples.push_back({labels, time, histogram->sum, histogram});
    }
  }
}

bool SameSample(const NaiveSample& a, const NaiveSample& b) {
  if ((a.histogram == nullptr) != (b.histogram == nullptr)) return false;
  if (a.histogram != nullptr && !(*a.histogram == *b.histogram)) return false;
  return std::bit_cast<uint64_t>(a.value) == std::bit_cast<uint64_t>(b.value);
}

std::string TextOf(const NaiveSample& sample) {
  char text[64];
  std::snprintf(text, sizeof(text), "%016llx %.17g",
                static_cast<unsigned long long>(std::bit_cast<uint64_t>(sample.value)), sample.value);
  std::string line = text;
  if (sample.histogram == nullptr) return line;
  const Histogram& h = *sample.histogram;
  line += " schema " + std::to_string(h.schema) + " count " + std::to_string(h.count) + " zero " +
          std::to_string(h.zero_count) + " gauge " + std::to_string(h.is_gauge) + " unknown " +
          std::to_string(h.reset_unknown) + " reset " + std::to_string(h.reset);
  for (const auto* buckets : {&h.positive, &h.negative}) {
    line += buckets == &h.positive ? " +" : " -";
    for (const auto& bucket : *buckets) line += std::to_string(bucket.index) + ":" + std::to_string(bucket.count) + ",";
  }
  for (const double bound : h.custom_bounds) line += " le" + std::to_string(bound);
  return line;
}

}  // namespace

NaiveWrites SampleStore::First(size_t count) const {
  NaiveWrites all;
  for (size_t i = 0; i < count && i < writes.size(); ++i) all.push_back(writes[i].get());
  return all;
}
NaiveWrites SampleStore::All() const { return First(writes.size()); }

absl::StatusOr<SampleStore> WriteSampleStore(DB* db, size_t writes, int variant) {
  SampleStore store;
  std::mt19937_64 random(20);
  for (size_t number = 0; number < writes; ++number) {
    WriteBatch batch;
    NaiveWriteSpec spec;
    spec.around = kStart + static_cast<Timestamp>(number) * 10 * kSecond;
    auto write = std::make_unique<NaiveWrite>(MakeNaiveWrite(number, spec, &random, &batch));
    if (number % (writes / 3) == 0) AddPatterns(number, variant, &random, write.get(), &batch);
    RETURN_IF_ERROR(db->Write(batch));
    store.writes.push_back(std::move(write));
    if (number + 1 == writes / 3 || number + 1 == writes / 3 * 2) RETURN_IF_ERROR(db->Flush());
  }
  return store;
}

StoreAnswer AnswerOf(const Snapshot& snapshot) {
  StoreAnswer answer;
  for (const ScanSpec& spec : AllScans()) {
    auto scan = snapshot.OpenScan(spec);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) continue;
    answer.rows[spec.table] = RowsOf(scan->get(), spec.table);
    const auto& damaged = (*scan)->stats().damaged;
    answer.damaged.insert(answer.damaged.end(), damaged.begin(), damaged.end());
  }
  auto scan = snapshot.OpenSeriesScan({});
  EXPECT_TRUE(scan.ok()) << scan.status();
  if (scan.ok()) {
    answer.series = SamplesOf(scan->get());
    const auto& damaged = (*scan)->stats().damaged;
    answer.damaged.insert(answer.damaged.end(), damaged.begin(), damaged.end());
  }
  answer.metadata = snapshot.Metadata();
  return answer;
}

StoreAnswer AnswerOf(const NaiveWrites& writes) {
  StoreAnswer answer;
  for (const ScanSpec& spec : AllScans()) answer.rows[spec.table] = NaiveRows(writes, spec);
  answer.series = NaiveSamples(writes, {});
  answer.metadata = NaiveMetadata(writes);
  return answer;
}

std::string Difference(const StoreAnswer& expected, const StoreAnswer& found) {
  for (const auto& [table, rows] : expected.rows) {
    const auto other = found.rows.find(table);
    if (other == found.rows.end() || other->second != rows) return std::string(ToString(table)) + ": rows differ";
  }
  const auto same = SameSeries(expected.series, found.series);
  if (!same) return same.message();
  return expected.metadata == found.metadata ? "" : "metadata differ";
}

std::string Altered(const SampleStore& store, const StoreAnswer& expected, const StoreAnswer& found) {
  for (const auto& [table, rows] : found.rows) {
    const auto& all = expected.rows.at(table);
    if (!std::includes(all.begin(), all.end(), rows.begin(), rows.end())) {
      return std::string(ToString(table)) + " has a row that was not written";
    }
  }
  for (const auto& [labels, samples] : found.series) {
    for (const auto& [time, sample] : samples) {
      const auto series = expected.series.find(labels);
      if (series != expected.series.end()) {
        const auto at = series->second.find(time);
        if (at != series->second.end() && SameSample(at->second, sample)) continue;
      }
      bool written = false;
      for (const auto& write : store.writes) {
        for (const NaiveSample& one : write->samples) {
          written = written || (one.time == time && one.labels == labels && SameSample(one, sample));
        }
      }
      if (!written) return ToString(labels) + " has a sample that was not written";
    }
  }
  for (const MetricMetadata& one : found.metadata) {
    bool written = false;
    for (const auto& write : store.writes) {
      written = written || std::find(write->metadata.begin(), write->metadata.end(), one) != write->metadata.end();
    }
    if (!written) return one.metric + " has metadata that were not written";
  }
  return "";
}

std::string TextOf(const StoreAnswer& answer) {
  std::string text;
  for (const auto& [table, rows] : answer.rows) {
    for (const auto& [arrival, row] : rows) text.append(ToString(table)).append(" ").append(row).append("\n");
  }
  for (const auto& [labels, samples] : answer.series) {
    std::string all;
    for (const auto& [time, sample] : samples) all += std::to_string(time) + " " + TextOf(sample) + "\n";
    char hash[32];
    std::snprintf(hash, sizeof(hash), "%016llx", static_cast<unsigned long long>(Hash64(all)));
    text += "samples " + ToString(labels) + ": " + std::to_string(samples.size()) + ", xxh64 of their lines " + hash +
            ", the first: " + all.substr(0, all.find('\n')) + "\n";
  }
  for (const MetricMetadata& one : answer.metadata) {
    text += "metadata " + one.metric + " " + one.type + " " + one.unit + " " + one.help + "\n";
  }
  return text;
}

}  // namespace braid
