// Bytes that no WriteBatch wrote: refused, or taken for the batch that they happen to be; never a crash.
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "engine/base/coding.h"
#include "engine/head/batch_reader.h"
#include "engine/head/wal_reader.h"
#include "tests/support/naive_store.h"

namespace braid {
namespace {

std::string Mutated(std::string bytes, std::mt19937_64* random) {
  for (uint64_t i = (*random)() % 3 + 1; i > 0; --i) {
    if (bytes.empty()) return std::string(1, static_cast<char>((*random)()));
    const size_t at = (*random)() % bytes.size();
    switch ((*random)() % 6) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << ((*random)() % 8))); break;
      case 1: bytes[at] = static_cast<char>((*random)()); break;
      case 2: bytes.resize(at); break;
      case 3: bytes.erase(at, (*random)() % 9); break;
      case 4: bytes.insert(at, bytes.substr((*random)() % bytes.size(), (*random)() % 20)); break;
      default: bytes.replace(at, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"); break;
    }
  }
  return bytes;
}

// Reads all that a head holds.
void ReadAll(const Source& view) {
  for (ScanSpec spec : AllScans()) {
    auto scan = view.OpenScan(spec);
    ASSERT_TRUE(scan.ok());
    RecordBatch batch;
    size_t rows = 0;
    while (*(*scan)->Next(&batch)) rows += batch.num_rows;
    EXPECT_EQ(rows, view.counts().rows[static_cast<int>(spec.table)]);
    view.Columns(spec.table);
  }
  auto scan = view.OpenSeriesScan({});
  ASSERT_TRUE(scan.ok());
  SeriesData data;
  while (*(*scan)->Next(&data)) EXPECT_EQ(data.times.size(), data.values.size());
}

TEST(BatchMutationTest, BodiesAreRefusedOrRead) {
  std::mt19937_64 random(1);
  NaiveWriteSpec spec;
  spec.extremes = true;
  uint64_t refused = 0, taken = 0;
  for (uint64_t n = 0; n < 1500; ++n) {
    WriteBatch batch;
    MakeNaiveWrite(n, spec, &random, &batch);
    BatchView view;
    ASSERT_TRUE(CheckBatch(batch, &view).ok());
    const std::string body = Mutated(std::string(batch.body()), &random);
    if (!CheckBody(body, view.series.size(), view.streams.size()).ok()) {
      ++refused;
      continue;
    }
    ++taken;
    auto head = std::make_shared<Head>();
    Head::Resolved resolved;
    head->Resolve(view, &resolved);
    head->Apply(resolved, body);
    head->Publish();
    if (taken % 4 == 0) ReadAll(*head->View());
  }
  EXPECT_GT(refused, 250u);
  EXPECT_GT(taken, 50u);
}

TEST(BatchMutationTest, LabelsAndStreamsAreRefusedOrRead) {
  std::mt19937_64 random(2);
  for (uint64_t n = 0; n < 1500; ++n) {
    WriteBatch batch;
    MakeNaiveWrite(n, {}, &random, &batch);
    BatchView view;
    ASSERT_TRUE(CheckBatch(batch, &view).ok());
    for (std::string_view series : view.series) {
      const std::string bytes = Mutated(std::string(series), &random);
      Labels labels;
      if (!CheckLabels(bytes).ok()) continue;
      ASSERT_TRUE(DecodeLabels(bytes, &labels));
      ASSERT_FALSE(labels.empty());
      for (size_t i = 0; i < labels.size(); ++i) {
        ASSERT_FALSE(labels[i].value.empty());
        ASSERT_TRUE(i == 0 || labels[i - 1].name < labels[i].name);
      }
    }
    for (std::string_view bytes : view.streams) {
      const std::string mutated = Mutated(std::string(bytes), &random);
      Stream stream;
      if (CheckStream(mutated).ok()) {
        ASSERT_TRUE(DecodeStream(mutated, &stream));
      }
    }
  }
}

TEST(BatchMutationTest, CommitsApplyWholeOrNotAtAll) {
  std::mt19937_64 random(3);
  uint64_t applied = 0;
  for (uint64_t n = 0; n < 1000; ++n) {
    WriteBatch batch;
    MakeNaiveWrite(n, {}, &random, &batch);
    BatchView view;
    ASSERT_TRUE(CheckBatch(batch, &view).ok());
    // A commit of one batch that defines all it names (docs/format/wal.md).
    std::string commit("\0\0\1", 3);
    for (const auto* section : {&view.series, &view.streams}) {
      PutVarint(&commit, section->size());
      for (std::string_view bytes : *section) {
        PutVarint(&commit, 0);
        PutBytes(&commit, bytes);
      }
    }
    PutBytes(&commit, view.body);
    auto head = std::make_shared<Head>();
    WalReplayer replayer(head.get(), n % 2 == 0);
    uint64_t batches = 0;
    const absl::Status status = replayer.Apply(Mutated(commit, &random), &batches);
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(status)) << status;
      head->Publish();
      EXPECT_TRUE(head->cut().empty());
      // And the commit as it was can still follow.
      ASSERT_TRUE(WalReplayer(head.get(), false).Apply(commit, &batches).ok());
    } else {
      ++applied;
    }
    if (n % 8 == 0) ReadAll(*head->View());
  }
  EXPECT_GT(applied, 10u);
}

}  // namespace
}  // namespace braid
