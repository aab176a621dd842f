// The fuzz targets without a fuzzer: the seeds, and seeded mutations of them.
#include "tests/fuzz/query_fuzz.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/support/source_dir.h"

namespace braid::fuzz {
namespace {

const std::vector<std::string>& AllSeeds() {
  static const std::vector<std::string> seeds = [] {
    std::ifstream in(SourceDir() / "tests/fuzz/query_seeds.txt");
    std::stringstream text;
    text << in.rdbuf();
    return Seeds(text.str());
  }();
  return seeds;
}

// Words and blanks apart, so that pieces of one query can stand in another.
std::vector<std::string> Pieces(const std::string& text) {
  std::vector<std::string> pieces;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool word = std::isalnum(static_cast<unsigned char>(text[i])) != 0 || text[i] == '_';
    const bool joins =
        word && i > 0 && (std::isalnum(static_cast<unsigned char>(text[i - 1])) != 0 || text[i - 1] == '_');
    if (joins) {
      pieces.back() += text[i];
    } else {
      pieces.emplace_back(1, text[i]);
    }
  }
  return pieces;
}

class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {}

  std::string Next() {
    const auto& seeds = AllSeeds();
    std::vector<std::string> pieces = Pieces(seeds[Below(seeds.size())]);
    const size_t changes = 1 + Below(4);
    for (size_t i = 0; i < changes; ++i) {
      if (pieces.empty()) pieces.emplace_back("up");
      const size_t at = Below(pieces.size());
      const auto place = pieces.begin() + static_cast<ptrdiff_t>(at);
      const std::vector<std::string> other = Pieces(seeds[Below(seeds.size())]);
      switch (Below(7)) {
        case 0: pieces.erase(place); break;
        case 1: pieces.insert(place, pieces[at]); break;
        case 2: pieces[at] = other[Below(other.size())]; break;
        case 3: {  // a run of another query
          const size_t from = Below(other.size()), count = 1 + Below(std::min<size_t>(12, other.size() - from));
          pieces.insert(place, other.begin() + static_cast<ptrdiff_t>(from),
                        other.begin() + static_cast<ptrdiff_t>(from + count));
          break;
        }
        case 4: pieces[at] = std::string(1, static_cast<char>(Below(256))); break;
        case 5: {
          static const char* const kNumbers[] = {"0",   "-1",  "1e308",  "9223372036854775807",  "1y", "1ns",  "292y",
                                                 "NaN", "Inf", "0x1p-2", "18446744073709551616", "\"", "((((", "{"};
          pieces[at] = kNumbers[Below(std::size(kNumbers))];
          break;
        }
        default: pieces.resize(at); break;
      }
    }
    std::string text;
    for (const std::string& piece : pieces) text += piece;
    return text;
  }

 private:
  size_t Below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  std::mt19937 random_;
};

// A longer run: BRAID_FUZZ_ROUNDS, BRAID_FUZZ_SEED.
uint32_t Setting(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::strtoul(text, nullptr, 10));
}

TEST(QueryFuzz, SeedsHold) {
  ASSERT_GT(AllSeeds().size(), 50u);
  for (const std::string& seed : AllSeeds()) {
    SCOPED_TRACE(seed);
    CheckParser(seed);
    CheckExecutor(seed);
  }
}

TEST(QueryFuzz, MutatedTextsParseOrFail) {
  Mutator mutator(Setting("BRAID_FUZZ_SEED", 1));
  for (uint32_t i = 0; i < Setting("BRAID_FUZZ_ROUNDS", 10000); ++i) CheckParser(mutator.Next());
}

TEST(QueryFuzz, MutatedTextsRunOrFail) {
  Mutator mutator(Setting("BRAID_FUZZ_SEED", 1) + 1);
  for (uint32_t i = 0; i < Setting("BRAID_FUZZ_ROUNDS", 10000); ++i) CheckExecutor(mutator.Next());
}

}  // namespace
}  // namespace braid::fuzz
