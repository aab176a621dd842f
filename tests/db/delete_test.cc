// Deletes against a model: what is chosen is gone from the next snapshot on, and what is not chosen stays, through
// flushes, merges, crashes, reopening, and in readers beside the writer.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "braid/inspect.h"
#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

using Signal = DeleteSpec::Signal;

Options Quiet(bool read_only = false) {
  Options options;
  options.background_work = false;
  options.read_only = read_only;
  return options;
}

// The numbers that are there, by signal.
struct Model {
  std::multiset<uint64_t> numbers[3];

  static bool Chosen(const DeleteSpec& spec, uint64_t n) {
    if (!spec.time.Contains(TimeOf(n))) return false;
    for (const Matcher& matcher : spec.matchers) {
      // Only `name` is matched here, by equality or its negation.
      const bool equal = matcher.value == "series" + std::to_string(n % 3);
      if (equal != (matcher.op == Matcher::Op::kEqual)) return false;
    }
    for (const Predicate& predicate : spec.predicates) {
      const std::string text = predicate.column.name == "pod" ? "pod" + std::to_string(n % 2) : std::to_string(n);
      bool equal = false;
      for (const Value& value : predicate.values) equal = equal || ToText(View(value)) == text;
      if (equal == (predicate.op == Predicate::Op::kNotEqual)) return false;
    }
    return true;
  }
  void Delete(const DeleteSpec& spec) {
    std::erase_if(numbers[static_cast<int>(spec.signal)], [&](uint64_t n) { return Chosen(spec, n); });
  }
};

std::multiset<std::string> Texts(const std::multiset<uint64_t>& numbers, std::string (*text)(uint64_t)) {
  std::multiset<std::string> texts;
  for (uint64_t n : numbers) texts.insert(text(n));
  return texts;
}
std::string TraceOf(uint64_t n) { return ToHex(TraceId{n + 1, 7}); }
std::string LinkOf(uint64_t n) { return ToHex(TraceId{n + 100, 1}); }

void ExpectModel(const Model& model, const Snapshot& snapshot) {
  const auto& [metrics, logs, spans] = model.numbers;
  std::multiset<uint64_t> samples;
  std::set<std::string> series_shown, series_expected, series_listed;
  for (const bool labels_only : {false, true}) {
    SeriesSpec spec;
    spec.labels_only = labels_only;
    auto scan = snapshot.OpenSeriesScan(spec);
    ASSERT_TRUE(scan.ok()) << scan.status();
    SeriesData series;
    while (true) {
      auto more = (*scan)->Next(&series);
      ASSERT_TRUE(more.ok()) << more.status();
      if (!*more) break;
      (labels_only ? series_listed : series_shown).insert(std::string(FindLabel(series.labels, "name")));
      for (double value : series.values) samples.insert(static_cast<uint64_t>(value));
    }
  }
  for (uint64_t n : metrics) series_expected.insert("series" + std::to_string(n % 3));
  EXPECT_EQ(samples, metrics);
  EXPECT_EQ(series_shown, series_expected);
  EXPECT_EQ(series_listed, series_expected);
  EXPECT_EQ(TextsOf(snapshot, Table::kExemplars, "trace_id"), Texts(metrics, TraceOf));
  EXPECT_EQ(TextsOf(snapshot, Table::kLogs, "message"), Texts(logs, MessageOf));
  EXPECT_EQ(TextsOf(snapshot, Table::kSpans, "name"), Texts(spans, MessageOf));
  EXPECT_EQ(TextsOf(snapshot, Table::kEvents, "name"), Texts(spans, MessageOf));
  EXPECT_EQ(TextsOf(snapshot, Table::kLinks, "linked_trace_id"), Texts(spans, LinkOf));
}

DeleteSpec Random(uint64_t next, std::mt19937_64* random) {
  auto below = [&](uint64_t limit) { return (*random)() % limit; };
  DeleteSpec spec;
  spec.signal = static_cast<Signal>(below(3));
  const uint64_t from = below(next + 1);
  spec.time = {TimeOf(from), TimeOf(from + below(next + 1))};
  if (below(6) == 0) spec.time.start = kMinTimestamp;
  if (below(6) == 0) spec.time.end = kMaxTimestamp;
  if (spec.signal == Signal::kMetrics) {
    if (below(4) > 0) {
      spec.matchers.push_back(
          {below(3) > 0 ? Matcher::Op::kEqual : Matcher::Op::kNotEqual, "name", "series" + std::to_string(below(3))});
    }
  } else if (below(2) == 0) {
    Predicate predicate;
    predicate.column = {below(2) == 0 ? ColumnLevel::kAny : ColumnLevel::kResource, "pod"};
    predicate.op = below(3) > 0 ? Predicate::Op::kEqual : Predicate::Op::kNotEqual;
    predicate.values = {"pod" + std::to_string(below(2))};
    spec.predicates.push_back(predicate);
  } else if (below(2) == 0) {
    Predicate predicate;
    predicate.column = {ColumnLevel::kAttribute, "n"};
    predicate.op = Predicate::Op::kIn;
    for (int i = 0; i < 5; ++i) predicate.values.emplace_back(static_cast<int64_t>(below(next + 1)));
    spec.predicates.push_back(predicate);
  }
  if (spec.time == TimeRange() && spec.matchers.empty() && spec.predicates.empty()) spec.time.end = TimeOf(next);
  return spec;
}

class DeleteModelTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(DeleteModelTest, TheStoreShowsWhatTheModelHas) {
  std::mt19937_64 random(GetParam());
  auto below = [&](uint64_t limit) { return random() % limit; };
  auto fs = std::make_unique<FaultFileSystem>();
  auto db = OpenDB(Quiet(), "db", fs.get());
  ASSERT_TRUE(db.ok()) << db.status();
  Model model;
  uint64_t next = 0;
  std::string steps;
  for (int step = 0; step < 60; ++step) {
    SCOPED_TRACE(steps);
    switch (below(9)) {
      case 0:
      case 1:
      case 2:
        steps += " write";
        for (uint64_t count = 1 + below(12); count > 0; --count, ++next) {
          ASSERT_TRUE(WriteNumbered(db->get(), next).ok());
          for (auto& numbers : model.numbers) numbers.insert(next);
        }
        break;
      case 3:
      case 4: {
        steps += " delete";
        std::vector<DeleteSpec> specs;
        for (uint64_t count = 1 + below(2); count > 0; --count) specs.push_back(Random(next, &random));
        // A snapshot taken before still shows everything.
        const Model before = model;
        const auto snapshot = (*db)->GetSnapshot();
        const absl::Status status = (*db)->Delete(specs);
        ASSERT_TRUE(status.ok()) << status;
        for (const DeleteSpec& spec : specs) model.Delete(spec);
        ExpectModel(before, *snapshot);
        break;
      }
      case 5:
        steps += " flush";
        ASSERT_TRUE((*db)->Flush().ok());
        break;
      case 6:
        steps += below(2) == 0 ? " tick" : " compact";
        ASSERT_TRUE((steps.ends_with("tick") ? (*db)->Tick() : (*db)->Compact()).ok());
        break;
      case 7: {
        // Kill or power loss: what was deleted stays deleted.
        steps += " crash";
        auto image = below(2) == 0 ? fs->KillImage() : fs->CrashImage(random());
        *db = nullptr;
        fs = std::move(image);
        db = OpenDB(Quiet(), "db", fs.get());
        ASSERT_TRUE(db.ok()) << db.status();
        break;
      }
      case 8: {
        steps += " reader";
        auto reader = OpenDB(Quiet(/*read_only=*/true), "db", fs.get());
        ASSERT_TRUE(reader.ok()) << reader.status();
        ExpectModel(model, *(*reader)->GetSnapshot());
        break;
      }
    }
    ExpectModel(model, *(*db)->GetSnapshot());
    if (HasFailure()) return;
  }
  // Merges leave nothing of it in the files.
  ASSERT_TRUE((*db)->Flush().ok());
  ASSERT_TRUE((*db)->Compact().ok());
  ExpectModel(model, *(*db)->GetSnapshot());
  const DBStats stats = (*db)->Stats();
  EXPECT_EQ(stats.samples, model.numbers[0].size());
  EXPECT_EQ(stats.logs, model.numbers[1].size());
  EXPECT_EQ(stats.spans, model.numbers[2].size());
  EXPECT_EQ(stats.deletes_pending, 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, DeleteModelTest, ::testing::Range(uint64_t{1}, uint64_t{13}));

TEST(DeleteTest, WhatIsWrittenAfterwardsStays) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(), "db", &fs);
  ASSERT_TRUE(db.ok()) << db.status();
  std::vector<DeleteSpec> everything(3);
  for (int signal = 0; signal < 3; ++signal) {
    everything[static_cast<size_t>(signal)].signal = static_cast<Signal>(signal);
    everything[static_cast<size_t>(signal)].time.start = 0;
  }
  for (int round = 0; round < 3; ++round) {
    for (uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
    EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(20)) << round;
    ASSERT_TRUE((*db)->Delete(everything).ok());
    EXPECT_TRUE(NumbersIn(*(*db)->GetSnapshot()).empty()) << round;
  }
  ASSERT_TRUE((*db)->Tick().ok());
  EXPECT_EQ((*db)->Stats().part_bytes, 0u);
  EXPECT_EQ((*db)->Stats().parts, 0u);
}

TEST(DeleteTest, NothingIsLeftInTheFiles) {
  const std::filesystem::path root =
      std::filesystem::path(::testing::TempDir()) / ("braid_delete_" + std::to_string(::getpid()));
  std::filesystem::remove_all(root);
  auto db = DB::Open(Quiet(), root.string());
  ASSERT_TRUE(db.ok()) << db.status();
  WriteBatch batch;
  for (const char* who : {"kept", "secret"}) {
    Stream stream;
    stream.resource = {{"service.name", std::string(who) + "-service"}};
    LogRecord log;
    log.time = kFirstTime;
    const std::string message = std::string("a message of ") + who + "-message";
    log.message = message;
    batch.AddLog(batch.AddStream(stream), log);
    const std::string name = std::string(who) + "_series";
    const LabelView labels[] = {{"__name__", name}};
    batch.AddSample(batch.AddSeries(labels), kFirstTime, 1);
  }
  ASSERT_TRUE((*db)->Write(batch).ok());
  ASSERT_TRUE((*db)->Flush().ok());
  // What inspect shows of every file.
  auto shown = [&] {
    std::string text;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
      const auto dump = InspectFile(entry.path().string(), 0);
      EXPECT_TRUE(dump.ok()) << entry.path() << dump.status();
      if (dump.ok()) text += *dump;
    }
    return text;
  };
  const std::string before = shown();
  for (const char* text : {"secret-service", "secret_series", "kept-service"}) {
    EXPECT_NE(before.find(text), std::string::npos) << text;
  }
  DeleteSpec logs, series;
  logs.signal = Signal::kLogs;
  logs.predicates = {{{ColumnLevel::kAny, "service.name"}, Predicate::Op::kEqual, {std::string("secret-service")}}};
  series.matchers = {{Matcher::Op::kRegex, "__name__", "secret.*"}};
  ASSERT_TRUE((*db)->Delete({logs, series}).ok());
  ASSERT_TRUE((*db)->Tick().ok());
  ASSERT_TRUE((*db)->Close().ok());
  const std::string after = shown();
  EXPECT_EQ(after.find("secret"), std::string::npos);
  EXPECT_NE(after.find("kept-service"), std::string::npos);
  std::filesystem::remove_all(root);
}

TEST(DeleteTest, BadSpecsAreRefusedAndDeleteNothing) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(), "db", &fs);
  ASSERT_TRUE(db.ok()) << db.status();
  for (uint64_t n = 0; n < 5; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  DeleteSpec good;
  good.matchers = {{Matcher::Op::kEqual, "job", "shop"}};
  auto refused = [&](DeleteSpec spec, const std::string& what) {
    const absl::Status status = (*db)->Delete({good, std::move(spec)});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_NE(status.ToString().find(what), std::string::npos) << status;
  };
  DeleteSpec spec;
  refused(spec, "selector or a time range");
  spec = good;
  spec.time = {2, 1};
  refused(spec, "empty");
  spec = good;
  spec.matchers[0] = {Matcher::Op::kRegex, "job", "("};
  refused(spec, "(");
  spec = good;
  spec.signal = Signal::kLogs;
  refused(spec, "predicates");
  spec = {};
  spec.signal = Signal::kSpans;
  spec.predicates = {{{ColumnLevel::kAny, "n"}, Predicate::Op::kLess, {int64_t{3}}}};
  refused(spec, "equality");
  spec.predicates = {{{ColumnLevel::kBuiltin, "message"}, Predicate::Op::kEqual, {std::string("x")}}};
  refused(spec, "message");
  spec.predicates = {{{ColumnLevel::kAny, "n"}, Predicate::Op::kEqual, {Value()}}};
  refused(spec, "null");
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(5));
}

// A delete is there or not, whichever operation fails, and an acknowledged one for good.
TEST(DeleteTest, AnyOperationMayFail) {
  DeleteSpec spec;
  spec.signal = Signal::kLogs;
  spec.time = {TimeOf(0), TimeOf(9)};
  for (uint64_t fail = 0;; ++fail) {
    FaultFileSystem fs;
    auto db = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(db.ok()) << db.status();
    for (uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
    fs.FailAt(fs.operations() + fail, absl::UnavailableError("injected"));
    const absl::Status status = (*db)->Delete({spec});
    const bool happened = fs.fault_happened();
    fs.ClearFaults();
    const auto shown = TextsOf(*(*db)->GetSnapshot(), Table::kLogs, "message").size();
    EXPECT_EQ(shown, status.ok() ? 10u : 20u) << fail;
    auto image = fs.CrashImage(fail);
    auto after = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(after.ok()) << after.status();
    const auto kept = TextsOf(*(*after)->GetSnapshot(), Table::kLogs, "message").size();
    EXPECT_TRUE(kept == 10u || (kept == 20u && !status.ok())) << fail << " " << kept << " " << status;
    if (!happened) break;
  }
}

TEST(DeleteTest, TheManifestNamesADeleteUntilItIsCarriedOut) {
  FaultFileSystem fs;
  auto db = OpenDB(Quiet(), "db", &fs);
  ASSERT_TRUE(db.ok()) << db.status();
  for (uint64_t n = 0; n < 20; ++n) ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
  DeleteSpec spec;
  spec.time = {TimeOf(3), TimeOf(4)};
  ASSERT_TRUE((*db)->Delete({spec}).ok());
  EXPECT_EQ((*db)->Stats().deletes_pending, 1u);
  // A delete that concerns no part leaves no trace.
  spec.time = {0, 1};
  ASSERT_TRUE((*db)->Delete({spec}).ok());
  EXPECT_EQ((*db)->Stats().deletes_pending, 1u);
  ASSERT_TRUE((*db)->Tick().ok());
  EXPECT_EQ((*db)->Stats().deletes_pending, 0u);
  EXPECT_EQ((*db)->Stats().samples, 18u);
}

}  // namespace
}  // namespace braid
