// Random telemetry, and what a store of it must answer: the contract of braid/snapshot.h computed row by row from plain
// lists. Every row of every table carries the attribute `arrival`, unique in its table and ascending as rows are
// written.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "braid/snapshot.h"
#include "braid/write_batch.h"

namespace braid {

struct NaiveSample {
  Labels labels;
  Timestamp time = 0;
  double value = 0;                            // of a histogram its sum
  std::shared_ptr<const Histogram> histogram;  // null = a float
};

struct NaiveRow {
  Timestamp time = 0;
  Timestamp end = 0;  // spans; elsewhere the time
  TraceId trace_id;
  int64_t arrival = 0;
  std::string text;  // all of NaiveColumns, as NaiveText writes them
};

// One batch.
struct NaiveWrite {
  uint64_t number = 0;
  std::vector<NaiveSample> samples;
  std::vector<NaiveRow> rows[kTableCount];
  std::vector<MetricMetadata> metadata;
  TimeRange times{kMaxTimestamp, kMinTimestamp};  // of everything
};

struct NaiveWriteSpec {
  Timestamp around = 1'700'000'000 * kSecond;
  Duration spread = 40 * kSecond;  // times are within this before `around`; whole seconds, so that many are equal
  bool extremes = false;           // also times at the ends of what an int64 holds
};

// The write of that number, made of random values: it always has at least one log record. Also fills `*batch`.
NaiveWrite MakeNaiveWrite(uint64_t number, const NaiveWriteSpec& spec, std::mt19937_64* random, WriteBatch* batch);

// The columns of a table that are compared.
const std::vector<ColumnRef>& NaiveColumns(Table table);

// Writes that are there, in their order.
using NaiveWrites = std::vector<const NaiveWrite*>;

// What scans must return.
std::multimap<int64_t, std::string> NaiveRows(const NaiveWrites& writes, const ScanSpec& spec);
using NaiveSeries = std::map<Labels, std::map<Timestamp, NaiveSample>>;
NaiveSeries NaiveSamples(const NaiveWrites& writes, const SeriesSpec& spec);
std::vector<MetricMetadata> NaiveMetadata(const NaiveWrites& writes);

// What a scan returns, by arrival. Fails the test if rows that are equal in their order's key are not in arrival order.
std::multimap<int64_t, std::string> RowsOf(Scan* scan, Table table);
// Without labels in the samples: their series has them. Fails the test if series or samples are not in order.
NaiveSeries SamplesOf(SeriesScan* scan);
// The same series with the same bits. Says where they differ.
::testing::AssertionResult SameSeries(const NaiveSeries& expected, const NaiveSeries& found);

ScanSpec RandomScanSpec(Table table, const NaiveWriteSpec& of, std::mt19937_64* random);
SeriesSpec RandomSeriesSpec(const NaiveWriteSpec& of, std::mt19937_64* random);

// Compares every table, the series and the metadata of a Snapshot or Source with the model; one line per difference.
template <typename Reader>
void ExpectSame(const NaiveWrites& writes, const Reader& reader, const std::vector<ScanSpec>& scans,
                const std::vector<SeriesSpec>& series_scans) {
  for (const ScanSpec& spec : scans) {
    auto scan = reader.OpenScan(spec);
    ASSERT_TRUE(scan.ok()) << scan.status();
    const auto found = RowsOf(scan->get(), spec.table);
    const auto expected = NaiveRows(writes, spec);
    EXPECT_EQ(found.size(), expected.size()) << ToString(spec.table);
    EXPECT_TRUE(found == expected) << ToString(spec.table) << ": rows differ";
  }
  for (const SeriesSpec& spec : series_scans) {
    auto scan = reader.OpenSeriesScan(spec);
    ASSERT_TRUE(scan.ok()) << scan.status();
    EXPECT_TRUE(SameSeries(NaiveSamples(writes, spec), SamplesOf(scan->get())));
  }
  EXPECT_TRUE(reader.Metadata() == NaiveMetadata(writes)) << "metadata differ";
}

// A scan of everything in each table.
std::vector<ScanSpec> AllScans();

}  // namespace braid
