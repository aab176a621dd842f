// Texts that nobody writes: deep, long, broken. No crash, errors with a place inside the text, time in proportion.
#include <gtest/gtest.h>

#include <random>

#include "query/syntax/parser.h"
#include "tests/syntax/example_queries.h"
#include "tests/syntax/tree_text.h"

namespace braid {
namespace {

std::string Repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

std::string CodeOf(std::string_view text) {
  const auto query = ParseQuery(text);
  return query.ok() ? "" : ErrorOf(query.status())->code;
}

TEST(Limits, NestingStopsAt200) {
  const std::string parens = Repeat("(", 150) + "up" + Repeat(")", 150);
  EXPECT_EQ(CodeOf(parens), "");
  EXPECT_EQ(CodeOf("logs | where " + Repeat("(", 150) + "a" + Repeat(")", 150)), "");
  for (const std::string_view open : {"(", "-", "sum(", "abs(", "1 + (", "2 ^ ", "a or (", "{\"x\"}[5m:] + ("}) {
    EXPECT_EQ(CodeOf(Repeat(open, 5000) + "up"), "E082") << open;
  }
  for (const std::string_view open :
       {"(", "not ", "!", "-", "x in (logs | where ", "abs(", "scalar(logs | where ", "2 ^ "}) {
    EXPECT_EQ(CodeOf("logs | where " + Repeat(open, 5000) + "a"), "E082") << open;
  }
  EXPECT_EQ(CodeOf("spans" + Repeat("(", 5000)), "E082");
  EXPECT_EQ(CodeOf(Repeat("logs | join (", 5000)), "E082");
  EXPECT_EQ(CodeOf("up[" + Repeat("(", 5000)), "E082");
  EXPECT_EQ(CodeOf("up[" + Repeat("-", 5000)), "E082");
}

TEST(Limits, ChainsAndStages) {
  EXPECT_EQ(CodeOf("up" + Repeat(" or up", 499)), "");
  EXPECT_EQ(CodeOf("up" + Repeat(" or up", 501)), "E083");
  EXPECT_EQ(CodeOf("logs | where a" + Repeat(" and a", 501)), "E083");
  EXPECT_EQ(CodeOf("spans{}" + Repeat(" >> {}", 501)), "E083");
  EXPECT_EQ(CodeOf("logs" + Repeat(" | where a and b and c", 900)), "");
  EXPECT_EQ(CodeOf("logs" + Repeat(" | limit 1", 1000)), "");
  EXPECT_EQ(CodeOf("logs" + Repeat(" | limit 1", 1001)), "E084");
  std::string lets;
  for (int i = 0; i < 201; ++i) lets += "let a" + std::to_string(i) + " = up; ";
  EXPECT_EQ(CodeOf(lets + "up"), "E084");
  EXPECT_EQ(CodeOf("logs | where x in (1" + Repeat(", 1", 100000) + ")"), "");
}

TEST(Limits, TextsUpToOneMebibyte) {
  EXPECT_EQ(CodeOf("up" + std::string((1 << 20) - 2, ' ')), "");
  EXPECT_EQ(CodeOf("up" + std::string((1 << 20) - 1, ' ')), "E080");
  EXPECT_EQ(CodeOf("logs |= \"" + std::string(1000000, 'x') + "\""), "");
  EXPECT_EQ(CodeOf(std::string(1 << 20, '{')), "E010");
  EXPECT_EQ(CodeOf(Repeat("let a = up;", 90000)), "E021");
}

// Every outcome is a tree that prints and reads back the same, or an error whose place is inside the text.
void Check(const std::string& text) {
  const auto query = ParseQuery(text);
  if (query.ok()) {
    const std::string printed = Print(**query);
    const auto again = ParseQuery(printed);
    ASSERT_TRUE(again.ok()) << text << "\n" << printed << "\n" << again.status();
    ASSERT_EQ(TreeText(**query), TreeText(**again)) << text << "\n" << printed;
  } else {
    const auto error = ErrorOf(query.status());
    ASSERT_TRUE(error.has_value()) << text;
    ASSERT_EQ(error->code.size(), 4u) << text;
    ASSERT_FALSE(error->message.empty());
    uint32_t line = 1;
    size_t start = 0;
    while (line < error->line) {
      const size_t newline = text.find('\n', start);
      ASSERT_NE(newline, std::string::npos) << text << "\n" << query.status();
      start = newline + 1;
      ++line;
    }
    const size_t end = std::min(text.find('\n', start), text.size());
    ASSERT_GE(error->column, 1u);
    ASSERT_LE(error->column, end - start + 1) << text << "\n" << query.status();
    ASSERT_GE(error->length, 1u);
    ASSERT_LE(error->column + error->length, end - start + 2) << text << "\n" << query.status();
    Format(*error, text);
  }
  (void)ParseVectorExpression(text);
}

TEST(Soup, RandomTokens) {
  const std::string_view kTokens[] = {"logs",
                                      "spans",
                                      "events",
                                      "up",
                                      "rate",
                                      "sum",
                                      "by",
                                      "on",
                                      "in",
                                      "not",
                                      "and",
                                      "or",
                                      "where",
                                      "stats",
                                      "join",
                                      "as",
                                      "within",
                                      "asof",
                                      "offset",
                                      "let",
                                      "x",
                                      "explain",
                                      "over",
                                      "now",
                                      "count",
                                      "top",
                                      "windows",
                                      "pad",
                                      "gap",
                                      "keep",
                                      "scalar",
                                      "level",
                                      "true",
                                      "null",
                                      "bool",
                                      "group_left",
                                      "(",
                                      ")",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      ",",
                                      ";",
                                      ":",
                                      ".",
                                      "..",
                                      "@",
                                      "+",
                                      "-",
                                      "*",
                                      "/",
                                      "%",
                                      "^",
                                      "=",
                                      "==",
                                      "!=",
                                      "<",
                                      "<=",
                                      ">",
                                      ">=",
                                      "=~",
                                      "!~",
                                      "|",
                                      "|=",
                                      "|~",
                                      "||",
                                      "&&",
                                      "!",
                                      ">>",
                                      "<<",
                                      "~",
                                      "!>",
                                      "!>>",
                                      "&>>",
                                      "</",
                                      ":=",
                                      "|>",
                                      "1",
                                      "0x1f",
                                      "1.5",
                                      "5m",
                                      "1h30m",
                                      "10KB",
                                      "\"a\"",
                                      "'b'",
                                      "`c`",
                                      "$p",
                                      "2026-01-31T10:00:00Z",
                                      "attr.\"k\"",
                                      ".y",
                                      "# c\n",
                                      "\n",
                                      "\xC3\xA9",
                                      "\x01",
                                      "\\",
                                      "\"open",
                                      "union",
                                      "context",
                                      "compare",
                                      "sort",
                                      "desc",
                                      "limit",
                                      "dedup",
                                      "json",
                                      "from",
                                      "start",
                                      "end",
                                      "Inf",
                                      "samples",
                                      "avoiding"};
  std::mt19937 random(20260131);
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    const int length = 1 + random() % 24;
    for (int j = 0; j < length; ++j) {
      text += kTokens[random() % std::size(kTokens)];
      if (random() % 4 != 0) text += " ";
    }
    Check(text);
    if (HasFatalFailure()) return;
  }
}

TEST(Soup, MutatedQueries) {
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string text(kExampleQueries[random() % std::size(kExampleQueries)].text);
    const int edits = 1 + random() % 3;
    for (int e = 0; e < edits && !text.empty(); ++e) {
      const size_t at = random() % text.size();
      switch (random() % 5) {
        case 0: text.erase(at, 1 + random() % 8); break;
        case 1: text.insert(at, 1, static_cast<char>(random() % 256)); break;
        case 2: text[at] = static_cast<char>(32 + random() % 95); break;
        case 3: text.insert(at, text.substr(random() % text.size(), random() % 30)); break;
        default: text.resize(at);
      }
    }
    Check(text);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace braid
