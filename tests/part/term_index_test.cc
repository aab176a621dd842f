#include "engine/part/term_index.h"

#include <gtest/gtest.h>

#include <cctype>
#include <map>
#include <random>
#include <set>

#include "engine/base/checksum.h"
#include "engine/codec/tokenizer.h"
#include "engine/part/bit_io.h"
#include "engine/part/term_keys.h"
#include "tests/part/memory_file_system.h"

namespace braid {
namespace {

TEST(BitIo, RoundTrip) {
  std::mt19937_64 random(1);
  std::vector<std::pair<int, uint64_t>> values;
  BitWriter writer;
  for (int i = 0; i < 5000; ++i) {
    int k = static_cast<int>(random() % 20);
    uint64_t value = random() % (uint64_t{1} << (k + 4));
    values.emplace_back(k, value);
    writer.PutRice(value, k);
    writer.PutGamma(value + 1);
    writer.Put(value & ((uint64_t{1} << k) - 1), k);
  }
  std::string bytes = writer.Finish();
  BitReader reader(bytes);
  for (auto [k, value] : values) {
    uint64_t rice, gamma, raw;
    ASSERT_TRUE(reader.ReadRice(k, &rice) && reader.ReadGamma(&gamma) && reader.Read(k, &raw));
    ASSERT_EQ(rice, value);
    ASSERT_EQ(gamma, value + 1);
    ASSERT_EQ(raw, value & ((uint64_t{1} << k) - 1));
  }
}

// Messages that share long stretches: their words, cut out byte by byte, are the terms, no more and no less.
TEST(TermKeys, MessagesHaveTheirWords) {
  std::mt19937_64 random(2);
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c < 0; };
  std::vector<std::string> pieces = {" ",
                                     ", ",
                                     "[",
                                     "] ",
                                     "=",
                                     "-",
                                     "\"",
                                     "",
                                     "x",
                                     "na\xc3\xafve",
                                     std::string(90, 'y'),
                                     std::string(kMaxTokenBytes * 2 + 1, 'z')};
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (uint64_t n = random() % 50; n > 0; --n) text.push_back("ab_7 ,.:"[random() % 8]);
    pieces.push_back(text);
  }
  for (int round = 0; round < 20; ++round) {
    ColumnBuilder builder;
    std::set<uint64_t> words;
    for (int row = 0; row < 300; ++row) {
      std::string message;
      for (uint64_t n = random() % 12; n > 0; --n) message += pieces[random() % pieces.size()];
      builder.AppendString(message);
      for (size_t begin = 0; begin < message.size();) {
        size_t end = begin;
        while (end < message.size() && is_word(message[end]) && end - begin < kMaxTokenBytes) ++end;
        if (end - begin >= kMinTokenBytes) words.insert(Hash64(std::string_view(message).substr(begin, end - begin)));
        begin = std::max(end, begin + 1);
      }
    }
    const std::vector<uint64_t> terms = ColumnTerms(Table::kLogs, {ColumnLevel::kBuiltin, "message"}, builder.Finish());
    ASSERT_EQ(terms, std::vector<uint64_t>(words.begin(), words.end()));
  }
}

class TermIndexTest : public testing::TestWithParam<size_t> {};

TEST_P(TermIndexTest, NeverMissesAndSeldomErrs) {
  MemoryFileSystem fs;
  std::mt19937_64 random(7);
  constexpr uint32_t kGroups = 300;
  std::map<uint64_t, std::set<uint32_t>> model;
  auto file = BlockFileWriter::Create(&fs, "t", FileKind::kTermIndex, 1);
  {
    TermIndexWriter writer(&fs, "t.spill", GetParam());
    for (uint32_t group = 0; group < kGroups; ++group) {
      for (int i = 0; i < 60; ++i) {
        // Some terms are everywhere, some are rare.
        uint64_t term = Hash64("t" + std::to_string(i < 20 ? i : random() % 20000));
        ASSERT_TRUE(writer.Add(term, group).ok());
        model[term].insert(group);
      }
    }
    ASSERT_TRUE(writer.Write(file->get(), kGroups).ok());
    ASSERT_TRUE((*file)->Finish().ok());
  }
  EXPECT_EQ(fs.spills > 0, GetParam() < 10000);
  EXPECT_EQ(fs.files.count("t.spill"), 0u);
  auto index = TermIndex::Open(&fs, "t", "t", kGroups);
  ASSERT_TRUE(index.ok()) << index.status();
  std::vector<uint64_t> hashes;
  for (const auto& [term, groups] : model) hashes.push_back(term);
  uint64_t bytes = 0;
  auto found = (*index)->Lookup(hashes, &bytes);
  ASSERT_TRUE(found.ok()) << found.status();
  size_t extra = 0, i = 0;
  for (const auto& [term, groups] : model) {
    for (uint32_t group : groups) {
      ASSERT_TRUE(std::binary_search((*found)[i].begin(), (*found)[i].end(), group));
    }
    extra += (*found)[i++].size() - groups.size();
  }
  EXPECT_LT(extra, model.size() / 2);
  size_t false_hits = 0;
  std::vector<uint64_t> absent;
  for (int n = 0; n < 1000; ++n) absent.push_back(Hash64("absent" + std::to_string(n)));
  auto hits = (*index)->Lookup(absent, &bytes);
  ASSERT_TRUE(hits.ok());
  for (const auto& groups : *hits) false_hits += groups.empty() ? 0 : 1;
  EXPECT_LT(false_hits, 250u);
}

INSTANTIATE_TEST_SUITE_P(Spilling, TermIndexTest, testing::Values(size_t{1000}, size_t{1} << 20));

}  // namespace
}  // namespace braid
