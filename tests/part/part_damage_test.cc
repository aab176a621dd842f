// Flipped bytes and cut or swapped files: answers are the same or the damage is reported; no value is ever altered.
#include <gtest/gtest.h>

#include <set>

#include "tests/part/memory_file_system.h"
#include "tests/part/part_model.h"

namespace braid {
namespace {

// Everything that scans of a source show, each row or series as one text, and what they report.
struct Answer {
  std::multiset<std::string> rows;
  std::vector<std::string> damaged;
};

std::vector<ScanSpec> Specs() {
  std::vector<ScanSpec> specs;
  for (int table = 0; table < kTableCount; ++table) {
    ScanSpec spec;
    spec.table = static_cast<Table>(table);
    for (const char* name : {"row", "attr0", "attr4", "rare3"}) spec.columns.push_back({ColumnLevel::kAttribute, name});
    for (const auto& [name, type] : BuiltinColumns(spec.table)) spec.columns.push_back({ColumnLevel::kBuiltin, name});
    specs.push_back(spec);
    // The scan must not filter rows by itself here, or its answer would depend on whether the index could be read:
    // equality is exact in either case.
    Predicate predicate;
    predicate.column = {ColumnLevel::kAttribute, "attr0"};
    predicate.values = {std::string("v1")};
    spec.predicates = {predicate};
    specs.push_back(spec);
  }
  specs[1].terms = {"request 1"};
  return specs;
}

Answer Ask(const Source& source) {
  Answer answer;
  int number = 0;
  for (const ScanSpec& spec : Specs()) {
    std::string prefix = std::to_string(number++) + ":";
    auto scan = source.OpenScan(spec);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) continue;
    RecordBatch batch;
    while (true) {
      auto more = (*scan)->Next(&batch);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) break;
      for (size_t row = 0; row < batch.num_rows; ++row) {
        std::string text = prefix;
        for (const Column& column : batch.columns) text += ToText(View(column.ValueAt(row))) + "|";
        answer.rows.insert(text);
      }
    }
    const auto& damaged = (*scan)->stats().damaged;
    answer.damaged.insert(answer.damaged.end(), damaged.begin(), damaged.end());
  }
  for (const char* name : {"", "metric1"}) {
    SeriesSpec spec;
    if (*name != 0) spec.matchers = {{Matcher::Op::kEqual, "__name__", name}};
    auto scan = source.OpenSeriesScan(spec);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) continue;
    SeriesData series;
    while (true) {
      auto more = (*scan)->Next(&series);
      EXPECT_TRUE(more.ok()) << more.status();
      if (!more.ok() || !*more) break;
      for (size_t i = 0; i < series.times.size(); ++i) {
        answer.rows.insert(name + ToString(series.labels) + std::to_string(series.times[i]) + "=" +
                           std::to_string(series.values[i]));
      }
    }
    const auto& damaged = (*scan)->stats().damaged;
    answer.damaged.insert(answer.damaged.end(), damaged.begin(), damaged.end());
  }
  return answer;
}

class PartDamage : public testing::Test {
 protected:
  void SetUp() override {
    auto writer = PartWriter::Create(&fs_, "p");
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(WriteModel(RandomData(31, 250, 25), writer->get()).ok());
    good_ = Ask(**Part::Open(&fs_, "p", "p"));
    ASSERT_GT(good_.rows.size(), 500u);
    ASSERT_TRUE(good_.damaged.empty());
    for (const auto& [path, bytes] : fs_.files) originals_[path] = *bytes;
  }

  // What holds whatever happened to the files.
  void Check(const std::string& trace) {
    SCOPED_TRACE(trace);
    auto part = Part::Open(&fs_, "p", "p");
    if (!part.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(part.status()) || absl::IsFailedPrecondition(part.status())) << part.status();
      return;
    }
    Answer answer = Ask(**part);
    EXPECT_TRUE(std::includes(good_.rows.begin(), good_.rows.end(), answer.rows.begin(), answer.rows.end()))
        << "a value was altered";
    if (answer.rows.size() < good_.rows.size()) {
      EXPECT_FALSE(answer.damaged.empty()) << "rows are missing without a word";
    }
    std::vector<std::string> problems;
    uint64_t blocks = 0;
    EXPECT_TRUE((*part)->Verify(&problems, nullptr, &blocks).ok());
    EXPECT_FALSE(problems.empty()) << "Verify saw nothing";
  }
  void Restore(const std::string& path) { *fs_.files[path] = originals_[path]; }

  MemoryFileSystem fs_;
  std::map<std::string, std::string> originals_;
  Answer good_;
};

TEST_F(PartDamage, FlippedBytes) {
  std::mt19937_64 random(1);
  for (const auto& [path, bytes] : originals_) {
    for (int n = 0; n < 7; ++n) {
      size_t at = n == 0 ? bytes.size() - 40 : random() % bytes.size();
      (*fs_.files[path])[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
      Check(path + " at " + std::to_string(at));
      Restore(path);
      if (HasFailure()) return;
    }
  }
}

TEST_F(PartDamage, CutAndMissingFiles) {
  for (const auto& [path, bytes] : originals_) {
    for (size_t size : {size_t{0}, size_t{30}, bytes.size() / 2, bytes.size() - 1}) {
      *fs_.files[path] = bytes.substr(0, size);
      Check(path + " cut to " + std::to_string(size));
      Restore(path);
    }
    auto file = fs_.files[path];
    fs_.files.erase(path);
    Check(path + " missing");
    fs_.files[path] = file;
  }
}

TEST_F(PartDamage, FilesOfAnotherPart) {
  // Same data, hence the same layout; only ids differ.
  auto writer = PartWriter::Create(&fs_, "q");
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(WriteModel(RandomData(31, 250, 25), writer->get()).ok());
  for (const auto& [path, bytes] : originals_) {
    if (path == "p/meta") continue;
    *fs_.files[path] = *fs_.files["q" + path.substr(1)];
    Check(path + " of another part");
    Restore(path);
  }
}

TEST_F(PartDamage, MergeRefusesDamage) {
  std::string& logs = *fs_.files["p/logs"];
  logs[60] = static_cast<char>(logs[60] ^ 1);
  auto part = Part::Open(&fs_, "p", "p");
  ASSERT_TRUE(part.ok());
  auto rows = (*part)->OpenOrderedRows(Table::kLogs);
  ASSERT_TRUE(rows.ok());
  RecordBatch batch;
  EXPECT_TRUE(absl::IsDataLoss(rows->scan->Next(&batch).status()));
}

}  // namespace
}  // namespace braid
