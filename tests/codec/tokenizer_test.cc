#include "engine/codec/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace braid {
namespace {

std::vector<std::string> Tokens(std::string_view text) {
  std::vector<std::string> tokens;
  ForEachToken(text, [&](std::string_view token) { tokens.emplace_back(token); });
  return tokens;
}

using Strings = std::vector<std::string>;

TEST(TokenizerTest, WordsDigitsUnderscoresAndHighBytes) {
  EXPECT_EQ(Tokens("GET /api/v1/user_id=42 HTTP/1.1 gr\xc3\xbc\xc3\x9f"
                   "e x"),
            (Strings{"GET", "api", "v1", "user_id", "42", "HTTP",
                     "gr\xc3\xbc\xc3\x9f"
                     "e"}));
  EXPECT_EQ(Tokens(""), Strings{});
  EXPECT_EQ(Tokens("a b c"), Strings{});
  EXPECT_EQ(Tokens(std::string("ab\0cd", 5)), (Strings{"ab", "cd"}));
}

TEST(TokenizerTest, LongRunsAreCut) {
  const std::string run(130, 'x');
  EXPECT_EQ(Tokens(run), (Strings{std::string(64, 'x'), std::string(64, 'x'), "xx"}));
  EXPECT_EQ(Tokens(std::string(65, 'x')), (Strings{std::string(64, 'x')}));  // the rest is too short
}

TEST(TokenizerTest, RequiredTokensDoNotTouchTheEnds) {
  EXPECT_EQ(RequiredTokens("connection refused by peer"), (Strings{"refused", "by"}));
  EXPECT_EQ(RequiredTokens(" connection refused "), (Strings{"connection", "refused"}));
  EXPECT_EQ(RequiredTokens("timeout"), Strings{});
  EXPECT_EQ(RequiredTokens(""), Strings{});
  EXPECT_EQ(RequiredTokens("="), Strings{});
  const std::string run(64, 'x');
  EXPECT_EQ(RequiredTokens("=" + run), Strings{run});        // its first piece is whole whatever follows
  EXPECT_EQ(RequiredTokens("=" + run + "y"), Strings{run});  // "y" may go on
  EXPECT_EQ(RequiredTokens(run + "="), Strings{});           // may begin earlier
}

TEST(TokenizerTest, EveryMessageWithTheLiteralHasItsRequiredTokens) {
  std::mt19937 random(5);
  const auto text = [&](size_t size_max) {
    std::string made(random() % (size_max + 1), ' ');
    for (char& c : made) c = random() % 40 == 0 ? '-' : static_cast<char>('a' + random() % 3);
    return made;
  };
  size_t required_count = 0;
  for (int round = 0; round < 5000; ++round) {
    const std::string literal = text(200);
    const Strings message = Tokens(text(100) + literal + text(100));
    for (const std::string& token : RequiredTokens(literal)) {
      ++required_count;
      ASSERT_NE(std::find(message.begin(), message.end(), token), message.end()) << literal;
    }
  }
  EXPECT_GT(required_count, 1000u);
}

}  // namespace
}  // namespace braid
