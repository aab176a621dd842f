// The fuzz target of bodies without a fuzzer: the corpus, and seeded mutations of it.
#include "tests/fuzz/ingest_fuzz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/support/source_dir.h"

namespace braid::fuzz {
namespace {

namespace fs = std::filesystem;

// Of a format, by file.
std::map<std::string, std::string> Corpus(const IngestFormat& format) {
  std::map<std::string, std::string> bodies;
  const fs::path folder = SourceDir() / "tests/fuzz/corpus" / format.folder;
  if (!fs::exists(folder)) return bodies;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    bodies[entry.path().filename()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  return bodies;
}

// Flips, cuts, repeats and splices bytes, and writes numbers that sizes and offsets stumble over.
class Mutator {
 public:
  Mutator(const std::vector<std::string>& seeds, uint32_t seed) : seeds_(seeds), random_(seed) {}

  std::string Next() {
    std::string text = seeds_[Below(seeds_.size())];
    for (size_t i = 1 + Below(4); i > 0; --i) {
      const size_t at = Below(text.size() + 1);
      switch (Below(8)) {
        case 0: Put(at, std::string(1, static_cast<char>(random_())), &text); break;
        case 1:
          if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << Below(8)));
          break;
        case 2: text.resize(at); break;
        case 3: text.insert(at, Run(text, 40)); break;
        case 4: text.erase(at, Below(20)); break;
        case 5: text.insert(at, 1, "\"{}[]:,\\\n\r\0#="[Below(13)]); break;
        case 6: text.insert(at, Run(seeds_[Below(seeds_.size())], 400)); break;
        default: Put(at, kEdges[Below(std::size(kEdges))], &text); break;
      }
    }
    return text;
  }

 private:
  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  std::string Run(const std::string& text, size_t size_max) {
    return text.empty() ? "" : text.substr(Below(text.size()), 1 + Below(size_max));
  }
  static void Put(size_t at, const std::string& bytes, std::string* text) { text->replace(at, bytes.size(), bytes); }

  inline static const std::string kEdges[] = {std::string(1, '\0'),
                                              "\xff\xff\xff\xff\x0f",
                                              "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                                              "\x80\x80\x80\x80\x08",
                                              "\x7f\xff\xff\xff",
                                              "\xff\xff\xff\x7f",
                                              "9223372036854775807",
                                              "-9223372036854775808",
                                              "18446744073709551615",
                                              "1e308",
                                              "-1",
                                              "NaN",
                                              "null",
                                              "\\ud800",
                                              "\xc3",
                                              "\xed\xa0\x80"};
  const std::vector<std::string>& seeds_;
  std::mt19937 random_;
};

uint32_t Setting(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

class IngestFuzz : public testing::TestWithParam<IngestFormat> {};

// What real clients have sent is taken whole.
TEST_P(IngestFuzz, CorpusIsTakenWhole) {
  size_t good = 0;
  for (const auto& [name, body] : Corpus(GetParam())) {
    SCOPED_TRACE(name);
    const bool whole = CheckBody(GetParam(), body);
    if (name.starts_with("bad-")) continue;
    ++good;
    // Made ones hold single records that are refused, too.
    EXPECT_TRUE(whole || name.starts_with("made"));
  }
  EXPECT_GT(good, 0u);
}

// A longer run: BRAID_FUZZ_ROUNDS, BRAID_FUZZ_SEED.
TEST_P(IngestFuzz, MutatedBodiesAreTakenOrRefused) {
  std::vector<std::string> seeds;
  for (const auto& [name, body] : Corpus(GetParam())) seeds.push_back(body);
  ASSERT_FALSE(seeds.empty());
  Mutator mutator(seeds, Setting("BRAID_FUZZ_SEED", 1));
  for (uint32_t i = 0; i < Setting("BRAID_FUZZ_ROUNDS", 5000); ++i) CheckBody(GetParam(), mutator.Next());
}

std::string NameOf(const testing::TestParamInfo<IngestFormat>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Formats, IngestFuzz, testing::ValuesIn(IngestFormats().begin(), IngestFormats().end()),
                         NameOf);

}  // namespace
}  // namespace braid::fuzz
