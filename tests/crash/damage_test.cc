// Flipped bits, zeroed sectors, blocks and files that stand in each other's place, old content where new was written:
// a store refuses with a reason, sets aside, reports what is missing, or answers as before. It never answers with
// something that was not written.
//   BRAID_TEST_DAMAGES=n   (20000)
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/sample_store.h"

namespace braid {
namespace {

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

class DamageTest : public testing::Test {
 protected:
  static constexpr size_t kWrites = 6;

  void SetUp() override {
    auto db = OpenDB(Quiet(), "db", &fs_);
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = WriteSampleStore(db->get(), kWrites);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    whole_ = AnswerOf(store_.All());
    ASSERT_EQ(Difference(whole_, AnswerOf(*(*db)->GetSnapshot())), "");
    indexed_ = AskByIndexes(*(*db)->GetSnapshot(), /*use_indexes=*/false);
    ASSERT_EQ(AskByIndexes(*(*db)->GetSnapshot(), true).rows, indexed_.rows);
    ASSERT_TRUE((*db)->Close().ok());
    for (const std::string& file : fs_.Files()) {
      if (file != "db/LOCK") originals_.emplace_back(file, fs_.Contents(file));
    }
    // Another store of the same layout, with other values.
    FaultFileSystem other;
    auto twin = OpenDB(Quiet(), "db", &other);
    ASSERT_TRUE(twin.ok());
    ASSERT_TRUE(WriteSampleStore(twin->get(), kWrites, /*variant=*/1).ok());
    ASSERT_TRUE((*twin)->Close().ok());
    for (const std::string& file : other.Files()) twin_[file] = other.Contents(file);
  }

  const std::pair<std::string, std::string>& RandomFile(std::mt19937_64* random) const {
    return originals_[(*random)() % originals_.size()];
  }

  // Questions that indexes answer: by traces, by values, by label matchers.
  struct IndexedAnswer {
    std::vector<std::multiset<std::string>> rows;  // a set for each question
    bool reported = false;                         // some block could not be read
  };
  static IndexedAnswer AskByIndexes(const Snapshot& snapshot, bool use_indexes) {
    IndexedAnswer answer;
    for (int table = 0; table < kTableCount; ++table) {
      for (const bool by_trace : {true, false}) {
        ScanSpec spec;
        spec.table = static_cast<Table>(table);
        spec.columns = {{ColumnLevel::kAttribute, "arrival"}, {ColumnLevel::kAny, "service"}};
        spec.use_indexes = use_indexes;
        if (by_trace) {
          spec.trace_ids =
              std::make_shared<std::vector<TraceId>>(std::vector<TraceId>{{3ull << 60, 3}, {7ull << 60, 7}});
        } else {
          Predicate predicate;
          predicate.column = {ColumnLevel::kAny, "service"};
          predicate.values = {std::string("shop1")};
          spec.predicates = {predicate};
        }
        auto& rows = answer.rows.emplace_back();
        auto scan = snapshot.OpenScan(spec);
        EXPECT_TRUE(scan.ok()) << scan.status();
        if (!scan.ok()) continue;
        RecordBatch batch;
        while (true) {
          auto more = (*scan)->Next(&batch);
          EXPECT_TRUE(more.ok()) << more.status();
          if (!more.ok() || !*more) break;
          for (size_t row = 0; row < batch.num_rows; ++row) {
            const std::string service = ToText(View(batch.columns[1].ValueAt(row)));
            if (by_trace || service == "shop1") rows.insert(ToText(View(batch.columns[0].ValueAt(row))) + service);
          }
        }
        answer.reported = answer.reported || !(*scan)->stats().damaged.empty();
      }
    }
    // Words of messages that stand in one part alone.
    for (const char* message : {"order 0 took a while", "order 3 took a while"}) {
      ScanSpec spec;
      spec.columns = {{ColumnLevel::kAttribute, "arrival"}, {ColumnLevel::kBuiltin, "message"}};
      spec.use_indexes = use_indexes;
      spec.terms = {message};
      auto& rows = answer.rows.emplace_back();
      auto scan = snapshot.OpenScan(spec);
      EXPECT_TRUE(scan.ok()) << scan.status();
      if (!scan.ok()) continue;
      RecordBatch batch;
      while (true) {
        auto more = (*scan)->Next(&batch);
        EXPECT_TRUE(more.ok()) << more.status();
        if (!more.ok() || !*more) break;
        for (size_t row = 0; row < batch.num_rows; ++row) {
          if (ToText(View(batch.columns[1].ValueAt(row))) != message) continue;
          rows.insert(ToText(View(batch.columns[0].ValueAt(row))));
        }
      }
      answer.reported = answer.reported || !(*scan)->stats().damaged.empty();
    }
    using Op = Matcher::Op;
    for (const Matcher& matcher :
         {Matcher{Op::kEqual, "job", "pattern"}, Matcher{Op::kRegex, "__name__", "pattern[0-3]"},
          Matcher{Op::kNotEqual, "job", "pattern"}}) {
      SeriesSpec spec;
      spec.matchers = {matcher};
      auto& rows = answer.rows.emplace_back();
      auto scan = snapshot.OpenSeriesScan(spec);
      EXPECT_TRUE(scan.ok()) << scan.status();
      if (!scan.ok()) continue;
      for (const auto& [labels, samples] : SamplesOf(scan->get())) {
        rows.insert(ToString(labels) + " " + std::to_string(samples.size()));
      }
      answer.reported = answer.reported || !(*scan)->stats().damaged.empty();
    }
    return answer;
  }

  // Opens a store of which the file has that content, and asks it for everything. What became of it:
  enum Outcome { kRefused, kReported, kHarmless };
  void Check(const std::string& file, const std::string& bytes, const std::string& what) {
    Check({{file, bytes}}, what);
  }
  void Check(const std::vector<std::pair<std::string, std::string>>& changed, const std::string& what) {
    const auto image = fs_.KillImage();
    for (const auto& [file, bytes] : changed) image->SetContents(file, bytes);
    SCOPED_TRACE(what);
    auto db = OpenDB(Quiet(), "db", image.get());
    if (!db.ok()) {
      ASSERT_TRUE(absl::IsDataLoss(db.status()) || absl::IsFailedPrecondition(db.status())) << db.status();
      ASSERT_NE(db.status().ToString().find("db/"), std::string::npos) << "names no file: " << db.status();
      ++outcomes_[kRefused];
      return;
    }
    const StoreAnswer found = AnswerOf(*(*db)->GetSnapshot());
    if (Difference(whole_, found).empty()) {
      const IndexedAnswer indexed = AskByIndexes(*(*db)->GetSnapshot(), true);
      // A damaged index costs its help, or says so; rows that nothing is wrong with are never hidden.
      if (!indexed.reported) {
        ASSERT_EQ(indexed.rows, indexed_.rows) << "an index hides rows, or invents them";
      }
      ++outcomes_[indexed.reported ? kReported : kHarmless];
      return;
    }
    ASSERT_EQ(Altered(store_, whole_, found), "");
    const bool torn = may_be_torn_ && (*db)->Stats().torn_bytes > 0;
    ASSERT_TRUE(!(*db)->Stats().quarantined.empty() || !found.damaged.empty() || torn)
        << "missing without a word: " << Difference(whole_, found);
    ++outcomes_[kReported];
  }

  void Print(const char* what) const {
    std::printf("%s: %llu refused, %llu answered with a report, %llu harmless\n", what,
                static_cast<unsigned long long>(outcomes_[kRefused]),
                static_cast<unsigned long long>(outcomes_[kReported]),
                static_cast<unsigned long long>(outcomes_[kHarmless]));
  }

  FaultFileSystem fs_;
  SampleStore store_;
  StoreAnswer whole_;
  IndexedAnswer indexed_;
  std::vector<std::pair<std::string, std::string>> originals_;
  std::map<std::string, std::string> twin_;
  uint64_t outcomes_[3] = {};
  // Damage that reaches the end mark of the WAL looks like a torn end: nothing is left that says otherwise.
  static bool ReachesEndMark(const std::string& file, size_t size, size_t damage_end) {
    return file.ends_with(".wal") && damage_end + 32 > size;
  }
  bool may_be_torn_ = false;
};

// Where the blocks of a file of a part are, as docs/format/block_file.md has it: offsets and sizes.
std::vector<std::pair<size_t, size_t>> BlocksOf(const std::string& bytes) {
  std::vector<std::pair<size_t, size_t>> blocks;
  for (size_t at = 36; at + 14 <= bytes.size() - 32;) {
    size_t stored = 0;
    for (int i = 3; i >= 0; --i) stored = stored << 8 | static_cast<uint8_t>(bytes[at + 6 + static_cast<size_t>(i)]);
    if (stored > bytes.size() || at + 14 + stored > bytes.size() - 32) break;
    blocks.emplace_back(at, 14 + stored);
    at += 14 + stored;
  }
  return blocks;
}

TEST_F(DamageTest, FlippedBits) {
  const uint64_t cases = CaseCount("DAMAGES", 20000) * 9 / 10;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + cases; ++seed) {
    std::mt19937_64 random(seed);
    const auto& [file, original] = RandomFile(&random);
    std::string bytes = original;
    // Mostly one bit; sometimes several close by, as a bad cell or cable makes them.
    const size_t at = random() % bytes.size();
    for (uint64_t flips = random() % 4 == 0 ? random() % 6 + 1 : 1; flips > 0; --flips) {
      const size_t near = std::min(bytes.size() - 1, at + (flips > 1 ? random() % 16 : 0));
      bytes[near] = static_cast<char>(bytes[near] ^ (1 << (random() % 8)));
    }
    may_be_torn_ = ReachesEndMark(file, bytes.size(), at + 16);
    Check(file, bytes, "BRAID_TEST_FIRST_SEED=" + std::to_string(seed) + ": " + file + " at " + std::to_string(at));
    if (HasFailure()) return;
  }
  EXPECT_GT(outcomes_[kRefused], 0u);
  EXPECT_GT(outcomes_[kReported], 0u);
  Print("flipped bits");
}

TEST_F(DamageTest, ZeroedSectorsAndSwappedBlocks) {
  const uint64_t cases = CaseCount("DAMAGES", 20000) / 10;
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + cases; ++seed) {
    std::mt19937_64 random(seed);
    const auto& [file, original] = RandomFile(&random);
    std::string bytes = original;
    std::string what = "BRAID_TEST_FIRST_SEED=" + std::to_string(seed) + ": " + file;
    const auto blocks =
        file.find("parts/") == std::string::npos ? std::vector<std::pair<size_t, size_t>>() : BlocksOf(bytes);
    if (random() % 3 == 0 || blocks.size() < 2) {
      // A sector of 512 bytes or a page of 4 KB, zeroed or never written.
      const size_t sector = random() % 2 == 0 ? 512 : 4096;
      const size_t at = random() % (bytes.size() / sector + 1) * sector;
      for (size_t i = at; i < std::min(bytes.size(), at + sector); ++i) bytes[i] = '\0';
      may_be_torn_ = ReachesEndMark(file, bytes.size(), at + sector);
      what += ": zeros at " + std::to_string(at);
    } else {
      // A block that is valid elsewhere: of this file, or the same of the twin.
      const auto& [at, size] = blocks[random() % blocks.size()];
      const auto& [from, from_size] = blocks[random() % blocks.size()];
      std::string block = original.substr(from, from_size);
      const auto twin = twin_.find(file);
      if (random() % 2 == 0 && twin != twin_.end() && twin->second.size() == bytes.size()) {
        block = twin->second.substr(at, size);
      }
      block.resize(size);
      bytes.replace(at, size, block);
      may_be_torn_ = false;
      what += ": another block at " + std::to_string(at);
    }
    if (bytes == original) continue;
    Check(file, bytes, what);
    if (HasFailure()) return;
  }
  Print("zeroed sectors and swapped blocks");
}

// Two parts of one layout, whose blocks at one place have one size: what checks in the one must not check in the other,
// nor a few blocks further on.
TEST(SwappedBlocksTest, ABlockThatIsValidElsewhere) {
  FaultFileSystem fs;
  std::multiset<std::string> whole;
  const auto rows_of = [](const Snapshot& snapshot, bool* reported) {
    std::multiset<std::string> rows;
    for (int table = 0; table < kTableCount; ++table) {
      ScanSpec spec;
      spec.table = static_cast<Table>(table);
      for (const char* name : {"time", "n", "name", "message", "trace_id", "span_id", "linked_trace_id", "pod"}) {
        spec.columns.push_back({ColumnLevel::kAny, name});
      }
      auto scan = snapshot.OpenScan(spec);
      EXPECT_TRUE(scan.ok()) << scan.status();
      RecordBatch batch;
      while (scan.ok() && (*scan)->Next(&batch).value_or(false)) {
        for (size_t row = 0; row < batch.num_rows; ++row) {
          std::string text = std::to_string(table);
          for (const Column& column : batch.columns) text += " " + ToText(View(column.ValueAt(row)));
          rows.insert(text);
        }
      }
      *reported = *reported || !(*scan)->stats().damaged.empty();
    }
    auto scan = snapshot.OpenSeriesScan({});
    EXPECT_TRUE(scan.ok()) << scan.status();
    SeriesData series;
    while (scan.ok() && (*scan)->Next(&series).value_or(false)) {
      for (size_t i = 0; i < series.times.size(); ++i) {
        rows.insert(ToString(series.labels) + std::to_string(series.times[i]) + " " + std::to_string(series.values[i]));
      }
    }
    *reported = *reported || !(*scan)->stats().damaged.empty();
    return rows;
  };
  {
    auto db = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(db.ok()) << db.status();
    for (const uint64_t n : {12, 13, 14, 18, 19, 20}) {
      ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
      if (n % 6 == 2) {
        ASSERT_TRUE((*db)->Flush().ok());
      }
    }
    ASSERT_EQ(NumbersIn(*(*db)->GetSnapshot()), (std::vector<uint64_t>{12, 13, 14, 18, 19, 20}));
    bool reported = false;
    whole = rows_of(*(*db)->GetSnapshot(), &reported);
    ASSERT_FALSE(reported);
    ASSERT_TRUE((*db)->Close().ok());
  }
  uint64_t cases = 0, of_another_part = 0;
  const std::string first = "db/parts/000000000001/", second = "db/parts/000000000002/";
  for (const std::string& file : fs.Files()) {
    if (!file.starts_with(first) && !file.starts_with(second)) continue;
    const std::string other = (file.starts_with(first) ? second : first) + file.substr(first.size());
    const std::string bytes = fs.Contents(file);
    for (const auto& [at, size] : BlocksOf(bytes)) {
      for (const std::string& source : {other, file}) {
        const std::string from = fs.Contents(source);
        for (const auto& [from_at, from_size] : BlocksOf(from)) {
          const std::string block = from.substr(from_at, from_size);
          const bool same_place = from_at == at;
          if (from_size != size || block == bytes.substr(at, size) || (source == other && !same_place)) continue;
          const auto image = fs.KillImage();
          std::string damaged = bytes;
          damaged.replace(at, size, block);
          image->SetContents(file, damaged);
          SCOPED_TRACE(file + " has at " + std::to_string(at) + " the block at " + std::to_string(from_at) + " of " +
                       source);
          auto db = OpenDB(Quiet(), "db", image.get());
          ASSERT_TRUE(db.ok()) << db.status();
          bool reported = !(*db)->Stats().quarantined.empty();
          const auto rows = rows_of(*(*db)->GetSnapshot(), &reported);
          ASSERT_TRUE(std::includes(whole.begin(), whole.end(), rows.begin(), rows.end())) << "a row was never written";
          ASSERT_TRUE(reported || rows == whole) << "rows are missing without a word";
          ++cases;
          if (source == other) ++of_another_part;
        }
      }
    }
  }
  EXPECT_GT(cases, 30u);
  EXPECT_GT(of_another_part, 10u);
  std::printf("%llu blocks of one size in each other's place\n", static_cast<unsigned long long>(cases));
}

// Each file replaced by each other file of its store, and by the same of the twin; two files exchanged.
TEST_F(DamageTest, SwappedFiles) {
  for (const auto& [file, original] : originals_) {
    for (const auto& [other, bytes] : originals_) {
      if (file == other) continue;
      Check(file, bytes, file + " holds " + other);
      if (file < other) Check({{file, bytes}, {other, original}}, file + " exchanged with " + other);
      if (HasFailure()) return;
    }
    const auto twin = twin_.find(file);
    if (twin != twin_.end()) Check(file, twin->second, file + " of another store");
    if (HasFailure()) return;
  }
  // A whole part in the place of another.
  const std::string first = "db/parts/000000000001/", second = "db/parts/000000000002/";
  for (const auto& [from, to] : {std::pair(first, second), std::pair(second, first)}) {
    std::vector<std::pair<std::string, std::string>> changed;
    for (const auto& [file, bytes] : originals_) {
      if (file.starts_with(from)) changed.emplace_back(to + file.substr(from.size()), bytes);
    }
    Check(changed, to + " holds the files of " + from);
  }
  Print("swapped files");
}

// A write that never arrived: each file as it was at earlier moments, or not there.
TEST_F(DamageTest, OldContent) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(), "db", &fs);
  ASSERT_TRUE(db.ok());
  std::map<std::string, std::set<std::string>> history;
  SampleStore store;
  std::mt19937_64 random(4);
  for (size_t number = 0; number < 13; ++number) {
    WriteBatch batch;
    NaiveWriteSpec spec;
    store.writes.push_back(std::make_unique<NaiveWrite>(MakeNaiveWrite(number, spec, &random, &batch)));
    ASSERT_TRUE((*db)->Write(batch).ok());
    if (number % 3 == 2) {
      ASSERT_TRUE((*db)->Flush().ok());
    }
    if (number == 8) {
      ASSERT_TRUE((*db)->Compact().ok());
    }
    for (const std::string& file : fs.Files()) history[file].insert(fs.Contents(file));
  }
  ASSERT_TRUE((*db)->Close().ok());
  const StoreAnswer whole = AnswerOf(store.All());
  uint64_t cases = 0;
  for (const Recovery mode : {Recovery::kRefuse, Recovery::kSalvage}) {
    for (const auto& [file, contents] : history) {
      if (file == "db/LOCK") continue;
      for (const std::string& content : contents) {
        if (content == fs.Contents(file)) continue;
        const auto image = fs.KillImage();
        const bool is_live = !image->Contents(file).empty();
        // A file that was removed has lost its removal.
        std::string name;
        image->CreateDir(file.substr(0, file.rfind('/'))).IgnoreError();
        image->SetContents(file, content);
        SCOPED_TRACE(file + " as it was before, " + (is_live ? "live" : "removed"));
        ++cases;
        Options options = Quiet();
        options.recovery = mode;
        auto opened = OpenDB(options, "db", image.get());
        if (!opened.ok()) {
          ASSERT_TRUE(absl::IsDataLoss(opened.status()) || absl::IsFailedPrecondition(opened.status()))
              << opened.status();
          continue;
        }
        const StoreAnswer found = AnswerOf(*(*opened)->GetSnapshot());
        if (Difference(whole, found).empty()) continue;
        ASSERT_EQ(Altered(store, whole, found), "");
        ASSERT_FALSE((*opened)->Stats().quarantined.empty()) << Difference(whole, found);
        // Nothing that the manifest should have named was removed for good: it is set aside.
        *opened = nullptr;
        for (const std::string& live : fs.Files()) {
          if (live == file || live.find("parts/") == std::string::npos) continue;
          bool kept = false;
          for (const std::string& left : image->Files()) kept = kept || image->Contents(left) == fs.Contents(live);
          ASSERT_TRUE(kept) << live << " was removed";
        }
      }
    }
  }
  EXPECT_GT(cases, 20u);
  std::printf("old content: %llu cases\n", static_cast<unsigned long long>(cases));
}

}  // namespace
}  // namespace braid
