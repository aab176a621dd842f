// The answers shown in docs/: each ```answer block is what the ```braid block above it gives on the page's own data.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/case_runner.h"
#include "tests/support/source_dir.h"

namespace braid {
namespace {

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Fence {
  std::string kind;
  std::string text;  // with the line feed of its last line
};

std::vector<Fence> FencesOf(const std::string& page) {
  std::vector<Fence> fences;
  std::istringstream in(page);
  std::string line;
  bool inside = false;
  while (std::getline(in, line)) {
    if (line.rfind("```", 0) == 0) {
      inside = !inside;
      if (inside) fences.push_back({line.substr(3), ""});
    } else if (inside) {
      fences.back().text += line + "\n";
    }
  }
  return fences;
}

std::string Indented(const std::string& text) {
  std::istringstream in(text);
  std::string out, line;
  while (std::getline(in, line)) out += "  " + line + "\n";
  return out;
}

TEST(DocsAnswers, EveryShownAnswerIsTheAnswer) {
  std::string data;
  for (const Fence& fence : FencesOf(ReadFile(SourceDir() / "docs/query.md"))) {
    if (fence.kind == "load") data = fence.text;
  }
  ASSERT_NE(data, "");
  for (const char* page : {"query.md", "coming-from.md"}) {
    const std::vector<Fence> fences = FencesOf(ReadFile(SourceDir() / "docs" / page));
    std::string cases = data + "\n";
    int answers = 0;
    for (size_t i = 1; i < fences.size(); ++i) {
      const std::string& kind = fences[i].kind;  // "answer", or with its range: "answer 0s 2m 15s"
      if (kind.rfind("answer", 0) != 0) continue;
      ASSERT_EQ(fences[i - 1].kind, "braid") << page << ": an answer without its query:\n" << fences[i].text;
      cases += "query " + (kind == "answer" ? "0s 5m 1m" : kind.substr(7)) + "\n" + Indented(fences[i - 1].text) +
               "----\n" + fences[i].text + "\n";
      ++answers;
    }
    EXPECT_GT(answers, 15) << page;
    const std::string folder = testing::TempDir() + "braid_docs_" + std::to_string(getpid());
    const CaseReport report = RunCases(page, cases, folder);
    for (const std::string& failure : report.failures) ADD_FAILURE() << failure;
  }
}

}  // namespace
}  // namespace braid
