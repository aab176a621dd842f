// Query cases: our own in tests/cases/promql, and any directory of promqltest files named by BRAID_PROMQLTEST_DIR.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/promql_test_runner.h"

namespace braid {
namespace {

std::unique_ptr<DB> OpenInMemory(int number) {
  Options options;
  options.durability = Durability::kMemory;
  options.background_work = false;
  const std::string path = testing::TempDir() + "braid_promql_" + std::to_string(getpid()) + "_" + std::to_string(number);
  std::filesystem::remove_all(path);
  auto db = DB::Open(options, path);
  EXPECT_TRUE(db.ok()) << db.status().ToString();
  return db.ok() ? std::move(*db) : nullptr;
}

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

PromqlTestReport RunFile(const std::filesystem::path& path) {
  int opened = 0;
  std::string last;
  const OpenStore open = [&] { return OpenInMemory(opened); };
  PromqlTestReport report = RunPromqlTest(ReadFile(path), open);
  for (const std::string& failure : report.failures) {
    std::printf("%s: %s\n", path.filename().c_str(), failure.c_str());
  }
  return report;
}

TEST(PromqlCases, OwnCasesPass) {
  const auto files = CaseFiles(std::filesystem::path(BRAID_SOURCE_DIR) / "tests/cases/promql");
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    const PromqlTestReport report = RunFile(file);
    EXPECT_GT(report.evals, 0) << file;
    EXPECT_EQ(report.passed, report.evals) << file;
    EXPECT_TRUE(report.failures.empty()) << file;
  }
}

TEST(PromqlCases, PrometheusCasesPass) {
  const char* folder = std::getenv("BRAID_PROMQLTEST_DIR");
  if (folder == nullptr) GTEST_SKIP() << "promqltest: not run, BRAID_PROMQLTEST_DIR is not set";
  int passed = 0, evals = 0;
  for (const auto& file : CaseFiles(folder)) {
    const PromqlTestReport report = RunFile(file);
    std::printf("%s: %d of %d\n", file.filename().c_str(), report.passed, report.evals);
    passed += report.passed;
    evals += report.evals;
  }
  std::printf("promqltest: %d of %d evals pass\n", passed, evals);
  EXPECT_EQ(passed, evals);
}

}  // namespace
}  // namespace braid
