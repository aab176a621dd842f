// Query cases: our own in tests/cases/promql, and any directory of promqltest files named by BRAID_PROMQLTEST_DIR.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/promql_test_runner.h"
#include "tests/support/source_dir.h"

namespace braid {
namespace {

std::vector<std::filesystem::path> CaseFiles(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The states of a store in which every case must give the same answers.
enum class State { kHead, kFlushed, kReopened, kCompacted };

const char* NameOf(State state) {
  switch (state) {
    case State::kHead: return "head";
    case State::kFlushed: return "flushed";
    case State::kReopened: return "reopened";
    case State::kCompacted: return "compacted";
  }
  return "";
}

class CaseRun {
 public:
  explicit CaseRun(State state) : state_(state) {}
  ~CaseRun() { std::filesystem::remove_all(path_); }

  PromqlTestReport RunFile(const std::filesystem::path& file) {
    const OpenStore open = [this] {
      std::filesystem::remove_all(path_);
      return Open();
    };
    const SettleStore settle = [this](std::unique_ptr<DB>* db) {
      if (state_ == State::kHead) return;
      EXPECT_TRUE((*db)->Flush().ok());
      if (state_ == State::kReopened) {
        db->reset();
        *db = Open();
      }
      if (state_ == State::kCompacted) {
        EXPECT_TRUE((*db)->Compact().ok());
      }
    };
    PromqlTestReport report = RunPromqlTest(ReadFile(file), open, settle);
    for (const std::string& failure : report.failures) {
      std::printf("%s (%s): %s\n", file.filename().c_str(), NameOf(state_), failure.c_str());
    }
    return report;
  }

 private:
  std::unique_ptr<DB> Open() {
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto db = DB::Open(options, path_);
    EXPECT_TRUE(db.ok()) << db.status().ToString();
    return db.ok() ? std::move(*db) : nullptr;
  }

  const State state_;
  const std::string path_ = testing::TempDir() + "braid_promql_" + std::to_string(getpid());
};

class PromqlCases : public testing::TestWithParam<State> {};

TEST_P(PromqlCases, OwnCasesPass) {
  const auto files = CaseFiles(SourceDir() / "tests/cases/promql");
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    const PromqlTestReport report = CaseRun(GetParam()).RunFile(file);
    EXPECT_GT(report.evals, 0) << file;
    EXPECT_EQ(report.passed, report.evals) << file;
    EXPECT_TRUE(report.failures.empty()) << file;
  }
}

TEST_P(PromqlCases, PrometheusCasesPass) {
  const char* folder = std::getenv("BRAID_PROMQLTEST_DIR");
  if (folder == nullptr) GTEST_SKIP() << "promqltest: not run, BRAID_PROMQLTEST_DIR is not set";
  int passed = 0, evals = 0;
  for (const auto& file : CaseFiles(folder)) {
    const PromqlTestReport report = CaseRun(GetParam()).RunFile(file);
    std::printf("%s: %d of %d\n", file.filename().c_str(), report.passed, report.evals);
    passed += report.passed;
    evals += report.evals;
  }
  std::printf("promqltest: %d of %d evals pass (%s)\n", passed, evals, NameOf(GetParam()));
  EXPECT_EQ(passed, evals);
}

INSTANTIATE_TEST_SUITE_P(States, PromqlCases,
                         testing::Values(State::kHead, State::kFlushed, State::kReopened, State::kCompacted),
                         [](const auto& info) { return std::string(NameOf(info.param)); });

// A runner that passes everything would prove nothing.
TEST(PromqlCaseRunner, NoticesWrongExpectations) {
  const std::string text =
      "load 1m\n"
      "  x{a=\"1\"} 1 2 3\n"
      "\n"
      "eval instant at 2m x\n"
      "  x{a=\"1\"} 4\n"
      "\n"
      "eval instant at 2m x\n"
      "\n"
      "eval instant at 2m x\n"
      "  expect fail\n"
      "\n"
      "eval instant at 2m sum(x)\n"
      "  {} 3\n"
      "  {a=\"2\"} 3\n"
      "\n"
      "eval instant at 2m rate(x[2m])\n"
      "  expect no_info\n"
      "  {a=\"1\"} 0.016666666\n"
      "\n"
      "eval range from 0 to 2m step 1m x\n"
      "  x{a=\"1\"} 1 2 3\n";
  Options options;
  options.durability = Durability::kMemory;
  options.background_work = false;
  const std::string path = testing::TempDir() + "braid_promql_runner_" + std::to_string(getpid());
  const PromqlTestReport report = RunPromqlTest(text, [&] {
    std::filesystem::remove_all(path);
    return *DB::Open(options, path);
  });
  EXPECT_EQ(report.evals, 6);
  EXPECT_EQ(report.passed, 1);
  std::filesystem::remove_all(path);
}

}  // namespace
}  // namespace braid
