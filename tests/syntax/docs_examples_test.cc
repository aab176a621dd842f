// The page about the language tells the truth: its examples parse, its code table is whole.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "query/syntax/parser.h"
#include "tests/support/source_dir.h"
#include "tests/syntax/tree_text.h"

namespace braid {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// The queries of all ```braid blocks; an empty line parts two of them.
std::vector<std::string> Queries(const std::string& page) {
  std::vector<std::string> queries;
  std::istringstream in(page);
  std::string line, query;
  bool inside = false;
  const auto finish = [&] {
    if (!query.empty()) queries.push_back(query);
    query.clear();
  };
  while (std::getline(in, line)) {
    if (line == "```braid") {
      inside = true;
    } else if (inside && line == "```") {
      finish();
      inside = false;
    } else if (inside && line.empty()) {
      finish();
    } else if (inside) {
      query += line + "\n";
    }
  }
  return queries;
}

TEST(Docs, ExamplesParseAndPrintStably) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SourceDir() / "docs")) {
    if (entry.path().extension() != ".md") continue;
    for (const std::string& text : Queries(ReadFile(entry.path()))) {
      const auto query = ParseQuery(text);
      ASSERT_TRUE(query.ok()) << entry.path() << "\n" << Format(*ErrorOf(query.status()), text);
      const auto again = ParseQuery(Print(**query));
      ASSERT_TRUE(again.ok()) << Print(**query);
      EXPECT_EQ(TreeText(**query), TreeText(**again)) << text;
      ++count;
    }
  }
  EXPECT_GT(count, 40u);
}

TEST(Docs, CodeTableHoldsEveryCode) {
  const std::string page = ReadFile(SourceDir() / "docs" / "query.md");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(SourceDir() / "query")) {
    if (entry.path().extension() != ".cc") continue;
    const std::string source = ReadFile(entry.path());
    for (size_t at = source.find("\"E0"); at != std::string::npos; at = source.find("\"E0", at + 1)) {
      const std::string code = source.substr(at + 1, 4);
      if (source.substr(at + 5, 1) != "\"") continue;
      EXPECT_NE(page.find("| " + code + " |"), std::string::npos) << code << " of " << entry.path();
    }
  }
}

}  // namespace
}  // namespace braid
