// A segment written out by hand from docs/format/wal.md; its checksums come from a CRC-32C of its own.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "engine/head/batch_reader.h"
#include "engine/head/wal_reader.h"
#include "engine/head/wal_writer.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

// Store 0x2a, segment 1: the example of the page, then a batch with metadata, a log record and a span, then the end
// mark.
constexpr std::string_view kSegment =
    // Segment header.
    "42524149 4457414c 01000000 00000000 0100000000000000 2a00000000000000 0100000000000000 174d2f25 00000000"
    // At 48: commit 1 defines series 0 {a="1"} and has one sample, 2.5 at time 1000.
    "18000000 8d1653a0 0100000000000000 0000000000000000 01 00 0000 ccb4bd9e"
    "00 00 01  01 00 04 0161 0131  00  0c  01 00 d00f 0000000000000440"
    // At 104: commit 2 refers to series 0, defines stream 0 {service.name="shop"}.
    "93000000 d2482f98 0200000000000000 6800000000000000 01 00 0000 148625b8"
    "01 00 01  01 01  01 00 19 01 0c 736572766963652e6e616d65 05 04 73686f70 00 00 00 00 00  71"
    // Log: time 2000, severity 9, trace 1/2, "hello", a=true, b=-2.
    "05 00 2a  06 d007000000000000 12 0100000000000000 0200000000000000 00 05 68656c6c6f 00  02 0161 02 0162 03 03"
    // Span: 3000 to 3010, trace 1/2, id 7, parent 6, server, "GET".
    "06 00 35  01 b80b000000000000 14 0100000000000000 0200000000000000 0700000000000000 0600000000000000"
    "02 00 00 03 474554 00 00 00 00"
    // Metadata: metric a is a gauge.
    "04 0a  01 61 05 6761756765 00 00"
    // At 283: the end mark; all before it is on disk.
    "00000000 707317bc 0200000000000000 1b01000000000000 02 00 0000 91dd5ccc";

std::string Bytes(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (char c : hex) {
    if (c == ' ') continue;
    const int digit = c <= '9' ? c - '0' : c - 'a' + 10;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<char>(high * 16 + digit));
      high = -1;
    }
  }
  return bytes;
}

WriteBatch FirstBatch() {
  WriteBatch batch;
  const LabelView labels[] = {{"a", "1"}};
  batch.AddSample(batch.AddSeries(labels), 1000, 2.5);
  return batch;
}

WriteBatch SecondBatch() {
  WriteBatch batch;
  const LabelView labels[] = {{"a", "1"}};
  batch.AddSeries(labels);
  Stream stream;
  stream.resource = {{"service.name", std::string("shop")}};
  const auto from = batch.AddStream(stream);
  const AttributeView attributes[] = {{"a", ValueView(true)}, {"b", ValueView(int64_t{-2})}};
  LogRecord log;
  log.time = 2000;
  log.severity_number = 9;
  log.trace_id = {1, 2};
  log.message = "hello";
  log.attributes = attributes;
  batch.AddLog(from, log);
  Span span;
  span.start = 3000;
  span.end = 3010;
  span.trace_id = {1, 2};
  span.span_id = {7};
  span.parent_id = {6};
  span.kind = SpanKind::kServer;
  span.name = "GET";
  batch.AddSpan(from, span);
  batch.AddMetadata({"a", "gauge", "", ""});
  return batch;
}

TEST(WalGoldenTest, WritesTheseBytes) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDir("wal").ok());
  auto writer = WalWriter::Create(&fs, "wal", 0x2a, 1, 1);
  ASSERT_TRUE(writer.ok()) << writer.status();
  auto head = std::make_shared<Head>();
  uint64_t sequence = 0;
  for (const WriteBatch& batch : {FirstBatch(), SecondBatch()}) {
    BatchView view;
    ASSERT_TRUE(CheckBatch(batch, &view).ok());
    Head::Resolved resolved;
    head->Resolve(view, &resolved);
    ASSERT_TRUE((*writer)->AppendCommit(++sequence, {{&resolved, batch.body()}}, head.get()).ok());
    ASSERT_TRUE((*writer)->Sync(true).ok());
  }
  ASSERT_TRUE((*writer)->AppendEnd(sequence).ok());
  ASSERT_TRUE((*writer)->Sync(true).ok());
  EXPECT_EQ(fs.Contents("wal/000000000001.wal"), Bytes(kSegment));
}

TEST(WalGoldenTest, ReadsTheseBytes) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDir("wal").ok());
  fs.SetContents("wal/000000000001.wal", Bytes(kSegment));
  auto reader = WalReader::Open(&fs, "wal/000000000001.wal");
  ASSERT_TRUE(reader.ok());
  WalSegmentHeader header;
  ASSERT_TRUE(*(*reader)->ReadHeader(&header));
  EXPECT_EQ(header.version, 1u);
  EXPECT_EQ(header.store, 0x2au);
  EXPECT_EQ(header.segment, 1u);
  EXPECT_EQ(header.first_sequence, 1u);
  (*reader)->SetPlace(header.store, header.segment);
  auto head = std::make_shared<Head>();
  WalReplayer replayer(head.get(), false);
  uint64_t offset = kWalSegmentHeaderBytes, batches = 0;
  WalRecord record;
  std::string why;
  for (const WriteBatch& batch : {FirstBatch(), SecondBatch()}) {
    ASSERT_TRUE(*(*reader)->ReadRecord(offset, &record, &why)) << why;
    EXPECT_EQ(record.header.kind, WalRecordKind::kCommit);
    EXPECT_EQ(record.header.sequence, batches + 1);
    EXPECT_TRUE(record.plain.ends_with(batch.body()));
    ASSERT_TRUE(replayer.Apply(record.plain, &batches).ok());
    offset = record.end;
  }
  ASSERT_TRUE(*(*reader)->ReadRecord(offset, &record, &why)) << why;
  EXPECT_EQ(record.header.kind, WalRecordKind::kEnd);
  EXPECT_EQ(record.header.synced, offset);
  EXPECT_EQ(record.end, (*reader)->size());

  const auto view = head->View();
  EXPECT_EQ(view->counts().samples, 1u);
  EXPECT_EQ(view->counts().rows[static_cast<int>(Table::kLogs)], 1u);
  EXPECT_EQ(view->counts().rows[static_cast<int>(Table::kSpans)], 1u);
  auto scan = view->OpenSeriesScan({});
  SeriesData data;
  ASSERT_TRUE(*(*scan)->Next(&data));
  EXPECT_EQ(ToString(data.labels), "{a=\"1\"}");
  EXPECT_EQ(data.times, std::vector<Timestamp>{1000});
  EXPECT_EQ(data.values, std::vector<double>{2.5});
  ScanSpec spec;
  for (const char* name : {"time", "level", "message", "trace_id", "a", "b", "service"}) {
    spec.columns.push_back({ColumnLevel::kAny, name});
  }
  RecordBatch rows;
  ASSERT_TRUE(*(*view->OpenScan(spec))->Next(&rows));
  std::string text;
  for (const Column& column : rows.columns) text += ToText(View(column.ValueAt(0))) + " ";
  EXPECT_EQ(text, "2000 info hello 00000000000000010000000000000002 true -2 shop ");
}

// A record is valid nowhere but in its place.
TEST(WalGoldenTest, RecordsOfAnotherPlaceAreNotValid) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDir("wal").ok());
  fs.SetContents("wal/000000000001.wal", Bytes(kSegment));
  auto reader = WalReader::Open(&fs, "wal/000000000001.wal");
  ASSERT_TRUE(reader.ok());
  WalRecord record;
  std::string why;
  for (const auto& [store, segment, valid] : {std::tuple(0x2au, 1u, true), {0x2bu, 1u, false}, {0x2au, 2u, false}}) {
    (*reader)->SetPlace(store, segment);
    EXPECT_EQ(*(*reader)->ReadRecord(kWalSegmentHeaderBytes, &record, &why), valid);
  }
  std::string moved = Bytes(kSegment);
  moved.insert(kWalSegmentHeaderBytes, 1, '\0');
  fs.SetContents("wal/000000000001.wal", moved);
  reader = WalReader::Open(&fs, "wal/000000000001.wal");
  (*reader)->SetPlace(0x2a, 1);
  EXPECT_FALSE(*(*reader)->ReadRecord(kWalSegmentHeaderBytes + 1, &record, &why));
}

}  // namespace
}  // namespace braid
