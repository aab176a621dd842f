// The query cases of tests/cases/query, each file in every storage state.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/case_runner.h"
#include "tests/support/source_dir.h"
#include "tests/syntax/example_queries.h"

namespace braid {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string Folder(const std::string& name) {
  return testing::TempDir() + "braid_cases_" + std::to_string(getpid()) + "_" + name;
}

std::vector<std::filesystem::path> CaseFiles() {
  std::vector<std::filesystem::path> files;
  const auto folder = SourceDir() / "tests/cases/query";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(QueryCases, EveryFileInEveryState) {
  const auto files = CaseFiles();
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) {
    const CaseReport report = RunCases(file.filename(), ReadFile(file), Folder(file.stem()));
    EXPECT_GT(report.queries, 0) << file;
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
  }
}

TEST(QueryCases, AWrongExpectationIsFound) {
  const std::string text = "load_logs\n  1s a error \"x\"\n\nquery\n  logs{} | stats n = count()\n----\nn\n2\n";
  EXPECT_EQ(RunCases("canary", text, Folder("canary")).failures.size(), 15U);
}

TEST(QueryCases, EveryExampleOfTheLanguageRunsAndExplainsItself) {
  const auto file = SourceDir() / "tests/cases/query/incident.test";
  WriteBatch batch;
  ASSERT_EQ(ParseLoads(ReadFile(file), &batch), "");
  const std::string folder = Folder("examples");
  std::filesystem::remove_all(folder);
  Options options;
  options.background_work = false;
  options.durability = Durability::kBuffered;
  auto db = DB::Open(options, folder);
  ASSERT_TRUE(db.ok()) << db.status();
  ASSERT_TRUE((*db)->Write(batch).ok());
  for (const bool flushed : {false, true}) {
    if (flushed) {
      ASSERT_TRUE((*db)->Flush().ok());
    }
    for (const ExampleQuery& example : kExampleQueries) {
      SCOPED_TRACE(std::string(example.name));
      const auto query = Query::Parse(example.text);
      ASSERT_TRUE(query.ok()) << query.status();
      QueryOptions run;
      run.start = 0;
      run.end = run.now = 3600 * kSecond;
      run.step = 60 * kSecond;
      run.params["trace"] = std::string("a1");
      auto reader = query->Execute((*db)->GetSnapshot(), run);
      ASSERT_TRUE(reader.ok()) << reader.status();
      absl::Status status;
      AsCaseTable(reader->get(), &status);
      EXPECT_TRUE(status.ok()) << status;
      const auto explained = query->Explain((*db)->GetSnapshot(), run);
      EXPECT_TRUE(explained.ok()) << explained.status();
    }
  }
  db->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace braid
