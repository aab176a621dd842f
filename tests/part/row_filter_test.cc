// Rows that pass: texts inside texts, found where std::string_view finds them and never ruled out where they are;
// traces.
#include "engine/part/row_filter.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "engine/part/text_search.h"
#include "gtest/gtest.h"
#include "tests/part/random_text.h"

namespace braid {
namespace {

// The texts one after another in the dictionary's own bytes, as a decoded column has them; or apart.
Column TextColumn(const std::vector<std::string>& texts, bool together) {
  auto dictionary = std::make_shared<StringDictionary>();
  auto apart = std::make_shared<std::vector<std::string>>(texts);
  for (const std::string& text : texts) dictionary->bytes += text;
  size_t at = 0;
  Column column;
  column.type = Type::kString;
  column.size = texts.size();
  for (size_t i = 0; i < texts.size(); ++i) {
    dictionary->values.push_back(together ? std::string_view(dictionary->bytes).substr(at, texts[i].size())
                                          : std::string_view((*apart)[i]));
    at += texts[i].size();
    column.codes.push_back(static_cast<uint32_t>(i));
  }
  dictionary->owner = apart;
  column.dictionary = dictionary;
  return column;
}

TEST(FindTextTest, FindsWhatStringViewFinds) {
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = RandomText(&random, 70, 3);
    std::string wanted = RandomText(&random, i % 2 == 0 ? 3 : 20, 3);
    if (wanted.empty()) wanted = "a";
    if (i % 3 == 0 && text.size() > 5) wanted = text.substr(random() % (text.size() - 1), 1 + random() % 20);
    const size_t from = random() % 10;
    ASSERT_EQ(FindText(text, wanted, from), std::string_view(text).find(wanted, from))
        << text << " / " << wanted << " from " << from;
  }
}

TEST(FilterByTermTest, KeepsTheRowsWhoseTextContainsTheTerm) {
  std::mt19937 random(10);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> texts;
    for (int i = 0; i < 30; ++i) texts.push_back(RandomText(&random, 9, 2));
    const std::string term = round % 20 == 0 ? std::string() : RandomText(&random, 6, 2);
    Column column = TextColumn(texts, round % 2 == 0);
    if (round % 5 == 0) {
      column.valid.assign(column.size, 1);
      column.valid[3] = column.valid[17] = 0;
    }
    RowMask keep(column.size, 1);
    keep[5] = 0;
    // Whatever parts the texts are in: those that have the term, and some that do not.
    TextFilters::Parts parts{1 + static_cast<uint32_t>(random() % 40), 0};
    for (uint32_t part = 0; part < parts.count; ++part) {
      const auto begin = texts.begin() + static_cast<ptrdiff_t>(part * texts.size() / parts.count);
      const auto end = texts.begin() + static_cast<ptrdiff_t>((part + 1) * texts.size() / parts.count);
      const bool has = std::any_of(begin, end, [&](const auto& text) { return text.find(term) != std::string::npos; });
      if (has || random() % 4 == 0) parts.may |= uint64_t{1} << part;
    }
    FilterByTerm(term, column, parts, &keep);
    for (size_t row = 0; row < column.size; ++row) {
      const bool wanted = row != 5 && !column.IsNull(row) && texts[row].find(term) != std::string::npos;
      ASSERT_EQ(keep[row] != 0, wanted) << texts[row] << " / " << term << " row " << row;
    }
  }
}

TEST(FilterByTraceTest, KeepsTheRowsOfTheTraces) {
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    Column column;
    column.type = Type::kTraceId;
    column.size = 1 + random() % 300;
    const uint64_t traces = 1 + random() % 60;
    for (size_t i = 0; i < column.size; ++i) column.trace_ids.push_back({1, 1 + random() % traces});
    const bool ascending = round % 3 != 0;
    if (ascending) std::sort(column.trace_ids.begin(), column.trace_ids.end());
    if (round % 4 == 0) {
      column.valid.assign(column.size, 1);
      column.valid[random() % column.size] = 0;
    }
    std::vector<TraceId> ids;
    for (uint64_t low = 0; low < traces + 3; ++low) {
      if (random() % (1 + static_cast<uint64_t>(round) % 20) == 0) ids.push_back({1, low});
    }
    RowMask keep(column.size, 1);
    keep[column.size / 2] = 0;
    FilterByTrace(ids, column, ascending, &keep);
    for (size_t row = 0; row < column.size; ++row) {
      const bool wanted = row != column.size / 2 && !column.IsNull(row) &&
                          std::find(ids.begin(), ids.end(), column.trace_ids[row]) != ids.end();
      ASSERT_EQ(keep[row] != 0, wanted) << "round " << round << " row " << row;
    }
  }
}

}  // namespace
}  // namespace braid
