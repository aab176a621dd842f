// A block of a part is damaged: a query answers the rest, and a note `partial` names part, file and block.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "braid/query.h"
#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

constexpr uint64_t kWrites = 9;  // three in each of two parts, three in the head

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

// Where the blocks of a file of a part are, as docs/format/block_file.md has it: offsets and sizes.
std::vector<std::pair<size_t, size_t>> BlocksOf(const std::string& bytes) {
  std::vector<std::pair<size_t, size_t>> blocks;
  for (size_t at = 36; at + 14 <= bytes.size() - 32;) {
    size_t stored = 0;
    for (size_t i = 4; i > 0; --i) stored = stored << 8 | static_cast<uint8_t>(bytes[at + 5 + i]);
    blocks.emplace_back(at, 14 + stored);
    at += 14 + stored;
  }
  return blocks;
}

struct Answer {
  std::set<std::string> rows;  // the texts of the first column
  std::vector<std::string> partial;
};

Answer Ask(const DB& db, const std::string& text) {
  QueryOptions options;
  options.start = TimeOf(0);
  options.end = options.now = TimeOf(kWrites);
  options.step = kSecond;
  Answer answer;
  auto query = Query::Parse(text);
  EXPECT_TRUE(query.ok()) << query.status();
  if (!query.ok()) return answer;
  auto reader = query->Execute(db.GetSnapshot(), options);
  EXPECT_TRUE(reader.ok()) << reader.status();
  if (!reader.ok()) return answer;
  RecordBatch batch;
  while (true) {
    auto more = (*reader)->Next(&batch);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      answer.rows.insert(ToText(View(batch.columns[0].ValueAt(row))));
    }
  }
  for (const Note& note : (*reader)->summary().notes) {
    if (note.kind == "partial") answer.partial.push_back(note.text);
  }
  return answer;
}

class PartialAnswers : public testing::Test {
 protected:
  void SetUp() override {
    auto db = OpenDB(Quiet(), "db", &fs_);
    ASSERT_TRUE(db.ok()) << db.status();
    for (uint64_t n = 0; n < kWrites; ++n) {
      ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
      if (n == 2 || n == 5) {
        ASSERT_TRUE((*db)->Flush().ok());
      }
    }
    ASSERT_TRUE((*db)->Close().ok());
  }

  // The store as a kill leaves it, with one bit of that block of that file turned.
  std::unique_ptr<FaultFileSystem> Damaged(const std::string& file, size_t at, size_t size) const {
    auto image = fs_.KillImage();
    std::string bytes = fs_.Contents(file);
    bytes[at + 14 + (size - 14) / 2] ^= 1;
    image->SetContents(file, bytes);
    return image;
  }

  // Damages each block of that file of the first part in turn and asks. Blocks that keep the part from opening are
  // another matter. `rest`: what the other part and the head have to say.
  void DamageEach(const std::string& name, const std::string& text, const std::set<std::string>& whole,
                  const std::set<std::string>& rest) {
    const std::string file = "db/parts/000000000001/" + name;
    const std::string bytes = fs_.Contents(file);
    ASSERT_FALSE(bytes.empty());
    int reported = 0;
    for (const auto& [at, size] : BlocksOf(bytes)) {
      SCOPED_TRACE(text + ", block at " + std::to_string(at) + " of " + name);
      const auto image = Damaged(file, at, size);
      auto db = OpenDB(Quiet(), "db", image.get());
      ASSERT_TRUE(db.ok()) << db.status();
      if (!(*db)->Stats().quarantined.empty()) continue;
      const Answer answer = Ask(**db, text);
      EXPECT_TRUE(std::includes(answer.rows.begin(), answer.rows.end(), rest.begin(), rest.end()));
      EXPECT_TRUE(std::includes(whole.begin(), whole.end(), answer.rows.begin(), answer.rows.end()));
      if (answer.partial.empty()) {
        EXPECT_EQ(answer.rows, whole) << "rows are missing without a word";
        continue;
      }
      ++reported;
      EXPECT_LT(answer.rows.size(), whole.size());
      ASSERT_EQ(answer.partial.size(), 1u);
      for (const std::string& word :
           {std::string("missing"), std::string("part 000000000001"), name, "block " + std::to_string(at)}) {
        EXPECT_NE(answer.partial[0].find(word), std::string::npos) << word << ": " << answer.partial[0];
      }
    }
    EXPECT_GT(reported, 0) << "no block of " << name << " was read";
  }

  static std::set<std::string> Messages(uint64_t begin) {
    std::set<std::string> messages;
    for (uint64_t n = begin; n < kWrites; ++n) messages.insert(MessageOf(n));
    return messages;
  }

  FaultFileSystem fs_;
};

TEST_F(PartialAnswers, NameTheBlockOfALogColumn) {
  DamageEach("logs", "logs{service = \"shop\"} | keep message", Messages(0), Messages(3));
}

TEST_F(PartialAnswers, NameTheBlockOfASpanColumn) {
  DamageEach("spans", "spans | keep name", Messages(0), Messages(3));
}

TEST_F(PartialAnswers, NameTheBlockOfSamples) {
  std::set<std::string> whole, rest;
  for (uint64_t n = 0; n < kWrites; ++n) {
    whole.insert(std::to_string(n));
    if (n >= 3) rest.insert(std::to_string(n));
  }
  DamageEach("samples", "samples{job = \"shop\"} | keep value", whole, rest);
}

// A count that would be read off the rows is not the count of what is missing: the note says so too.
TEST_F(PartialAnswers, ComeFromVectorsAsWell) {
  const std::string file = "db/parts/000000000001/samples";
  const std::string bytes = fs_.Contents(file);
  bool reported = false;
  for (const auto& [at, size] : BlocksOf(bytes)) {
    const auto image = Damaged(file, at, size);
    auto db = OpenDB(Quiet(), "db", image.get());
    ASSERT_TRUE(db.ok()) << db.status();
    for (const std::string& text : Ask(**db, "sum(count_over_time({job=\"shop\"}[1m]))").partial) {
      reported = true;
      EXPECT_NE(text.find("part 000000000001 samples block " + std::to_string(at)), std::string::npos) << text;
    }
  }
  EXPECT_TRUE(reported);
}

}  // namespace
}  // namespace braid
