#include "engine/part/term_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "engine/base/checksum.h"
#include "engine/part/bit_io.h"
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
