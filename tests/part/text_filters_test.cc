// Filters of texts: what is there is never ruled out, in whichever row group and part it is; most of what is not is.
#include "engine/part/text_filters.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/part/random_text.h"

namespace braid {
namespace {

// Row groups of texts, each more than the one before.
std::vector<std::vector<std::string>> RandomGroups(std::mt19937* random, size_t groups, size_t texts_max) {
  std::vector<std::vector<std::string>> all(groups);
  for (size_t group = 0; group < groups; ++group) {
    const size_t texts = group * texts_max / groups;
    for (size_t i = 0; i < texts; ++i) all[group].push_back(RandomText(random, 200, 20));
  }
  return all;
}

std::shared_ptr<const StringDictionary> Dictionary(const std::vector<std::string>& texts) {
  return StringDictionary::Make(std::vector<std::string_view>(texts.begin(), texts.end()));
}

TEST(TextFiltersTest, NeverRulesOutWhatIsThere) {
  std::mt19937 random(8);
  const auto groups = RandomGroups(&random, 30, 4000);
  TextFilters filters(groups.size());
  for (size_t group = 0; group < groups.size(); ++group) {
    if (group % 7 != 3) filters.Add(static_cast<uint32_t>(group), *Dictionary(groups[group]));
  }
  for (int round = 0; round < 3000; ++round) {
    const uint32_t group = 1 + random() % (groups.size() - 1);
    const std::vector<std::string>& texts = groups[group];
    const size_t number = random() % texts.size();
    const std::string& text = texts[number];
    if (text.empty()) continue;
    const size_t begin = random() % text.size();
    const std::string literal = text.substr(begin, 1 + random() % 20), other = text.substr(begin / 2, 9);
    const auto parts = filters.PartsWith(group, literal);
    ASSERT_EQ(parts.has_value(), group % 7 != 3);
    if (parts) {
      uint32_t part = 0;
      while ((part + 1) * texts.size() / parts->count <= number) ++part;
      ASSERT_TRUE(parts->may >> part & 1) << text << ": " << literal;
    }
    std::vector<uint8_t> left(groups.size(), 1);
    filters.Prune({literal, other}, &left);
    ASSERT_EQ(left[group], 1) << text << ": " << literal << ", " << other;
  }
}

TEST(TextFiltersTest, RulesOutMostOfWhatIsNot) {
  std::mt19937 random(9);
  const auto groups = RandomGroups(&random, 20, 8000);
  TextFilters filters(groups.size());
  size_t grown = filters.bytes();
  for (size_t group = 0; group < groups.size(); ++group) {
    grown += filters.Add(static_cast<uint32_t>(group), *Dictionary(groups[group]));
    EXPECT_EQ(filters.Add(static_cast<uint32_t>(group), *Dictionary(groups[group])), 0u) << "known";
  }
  EXPECT_EQ(filters.bytes(), grown);
  size_t left_groups = 0, left_parts = 0, parts_of_all = 0;
  for (int i = 0; i < 300; ++i) {
    std::string word;
    while (word.size() < 11) word += static_cast<char>('a' + random() % 20);
    std::vector<uint8_t> left(groups.size(), 1);
    filters.Prune({word}, &left);
    for (uint32_t group = 0; group < groups.size(); ++group) {
      left_groups += left[group];
      const auto parts = filters.PartsWith(group, word);
      EXPECT_EQ(left[group] != 0, parts->may != 0);
      for (uint32_t part = 0; part < parts->count; ++part) left_parts += parts->may >> part & 1;
      parts_of_all += parts->count;
    }
  }
  EXPECT_LT(left_parts, parts_of_all / 8);
  EXPECT_LT(left_groups, 300 * groups.size() / 2);
}

TEST(TextFiltersTest, StopsGrowing) {
  constexpr uint32_t kGroups = 50;
  const auto texts = Dictionary(std::vector<std::string>(64, std::string(60'000, 'x')));
  TextFilters filters(kGroups);
  uint32_t known = 0;
  for (uint32_t group = 0; group < kGroups; ++group) {
    filters.Add(group, *texts);
    known += filters.PartsWith(group, "xxxxxxxx") ? 1 : 0;
  }
  EXPECT_GT(known, 10u);
  EXPECT_LT(known, kGroups);
  EXPECT_LT(filters.bytes(), size_t{17} << 20);
  // What has found no room is left.
  std::vector<uint8_t> left(kGroups, 1);
  filters.Prune({"xxxxxxyxxxxxx"}, &left);
  for (uint32_t group = 0; group < kGroups; ++group) {
    EXPECT_EQ(left[group] != 0, !filters.PartsWith(group, "xxxxxxxx").has_value());
  }
}

}  // namespace
}  // namespace braid
