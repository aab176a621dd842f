// Writes that can be told apart: write number n has a sample, an exemplar, a log record, a span with an event and a
// link, all made of n. Reading them back shows which writes a snapshot sees, and that it sees each of them whole.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "braid/db.h"

namespace braid {

inline constexpr Timestamp kFirstTime = 1'700'000'000 * kSecond;

inline Timestamp TimeOf(uint64_t n) { return kFirstTime + static_cast<Timestamp>(n) * kSecond; }
inline std::string MessageOf(uint64_t n) { return "order " + std::to_string(n) + " took a while"; }

inline void AddNumbered(uint64_t n, WriteBatch* batch) {
  const std::string series_name = "series" + std::to_string(n % 3);
  const LabelView labels[] = {{"name", series_name}, {"job", "shop"}};
  const WriteBatch::SeriesRef series = batch->AddSeries(labels);
  batch->AddSample(series, TimeOf(n), static_cast<double>(n));
  const TraceId trace{n + 1, 7};
  Exemplar exemplar;
  exemplar.time = TimeOf(n);
  exemplar.value = static_cast<double>(n);
  exemplar.trace_id = trace;
  batch->AddExemplar(series, exemplar);

  Stream stream;
  stream.resource = {{"service.name", std::string("shop")}, {"pod", "pod" + std::to_string(n % 2)}};
  const WriteBatch::StreamRef from = batch->AddStream(stream);
  const AttributeView attributes[] = {{"n", static_cast<int64_t>(n)}};
  const std::string message = MessageOf(n);
  LogRecord log;
  log.time = TimeOf(n);
  log.message = message;
  log.trace_id = trace;
  log.attributes = attributes;
  batch->AddLog(from, log);

  SpanEvent event;
  event.time = TimeOf(n) + 5;
  event.name = message;
  SpanLink link;
  link.trace_id = {n + 100, 1};
  link.span_id = {n + 1};
  Span span;
  span.trace_id = trace;
  span.span_id = {n + 1};
  span.name = message;
  span.start = TimeOf(n);
  span.end = TimeOf(n) + 10;
  span.attributes = attributes;
  span.events = {&event, 1};
  span.links = {&link, 1};
  batch->AddSpan(from, span);
}

inline absl::Status WriteNumbered(DB* db, uint64_t n) {
  WriteBatch batch;
  AddNumbered(n, &batch);
  return db->Write(batch);
}

// The values of one column of a table.
inline std::multiset<std::string> TextsOf(const Snapshot& snapshot, Table table, const std::string& column) {
  ScanSpec spec;
  spec.table = table;
  spec.columns = {{ColumnLevel::kAny, column}};
  std::multiset<std::string> texts;
  auto scan = snapshot.OpenScan(spec);
  EXPECT_TRUE(scan.ok()) << scan.status();
  if (!scan.ok()) return texts;
  RecordBatch batch;
  while (true) {
    auto more = (*scan)->Next(&batch);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    for (size_t row = 0; row < batch.num_rows; ++row) texts.insert(ToText(View(batch.columns[0].ValueAt(row))));
  }
  EXPECT_TRUE((*scan)->stats().damaged.empty());
  return texts;
}

// The numbers of the writes in the snapshot, ascending. Fails the test if a write is there in part, twice, or changed.
inline std::vector<uint64_t> NumbersIn(const Snapshot& snapshot) {
  std::vector<uint64_t> numbers;
  std::map<uint64_t, std::string> samples;
  auto scan = snapshot.OpenSeriesScan({});
  EXPECT_TRUE(scan.ok()) << scan.status();
  if (!scan.ok()) return numbers;
  SeriesData series;
  while (true) {
    auto more = (*scan)->Next(&series);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    for (size_t i = 0; i < series.times.size(); ++i) {
      const auto n = static_cast<uint64_t>(series.values[i]);
      EXPECT_EQ(series.times[i], TimeOf(n));
      EXPECT_EQ(FindLabel(series.labels, "name"), "series" + std::to_string(n % 3));
      numbers.push_back(n);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  std::multiset<std::string> messages, ids, attributes, links;
  for (uint64_t n : numbers) {
    messages.insert(MessageOf(n));
    ids.insert(ToHex(TraceId{n + 1, 7}));
    attributes.insert(std::to_string(n));
    links.insert(ToHex(TraceId{n + 100, 1}));
  }
  EXPECT_EQ(TextsOf(snapshot, Table::kLogs, "message"), messages);
  EXPECT_EQ(TextsOf(snapshot, Table::kLogs, "n"), attributes);
  EXPECT_EQ(TextsOf(snapshot, Table::kSpans, "name"), messages);
  EXPECT_EQ(TextsOf(snapshot, Table::kSpans, "trace_id"), ids);
  EXPECT_EQ(TextsOf(snapshot, Table::kEvents, "name"), messages);
  EXPECT_EQ(TextsOf(snapshot, Table::kLinks, "linked_trace_id"), links);
  EXPECT_EQ(TextsOf(snapshot, Table::kExemplars, "trace_id"), ids);
  return numbers;
}

inline std::vector<uint64_t> FirstNumbers(uint64_t count) {
  std::vector<uint64_t> numbers(count);
  for (uint64_t n = 0; n < count; ++n) numbers[n] = n;
  return numbers;
}

}  // namespace braid
