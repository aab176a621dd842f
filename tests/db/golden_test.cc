// Stores of past formats, as they were written then, must open with the very content that they had (tests/golden).
//   BRAID_GOLDEN_WRITE=folder   writes a store of this version and its content there instead
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "braid/inspect.h"
#include "engine/codec/chunk.h"
#include "engine/db/open.h"
#include "tests/support/sample_store.h"
#include "tests/support/scratch_dir.h"
#include "tests/support/source_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

Options Quiet(bool read_only) {
  Options options;
  options.background_work = false;
  options.read_only = read_only;
  return options;
}

std::string Read(const stdfs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The content that a golden store has is taken from what was written, never from what was read.
void WriteGolden(const stdfs::path& folder) {
  stdfs::create_directories(folder);
  auto db = DB::Open(Quiet(false), (folder / "store").string());
  ASSERT_TRUE(db.ok()) << db.status();
  auto store = WriteSampleStore(db->get(), 150);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE((*db)->Close().ok());
  stdfs::remove(folder / "store" / "LOCK");
  std::ofstream(folder / "content.txt", std::ios::binary) << TextOf(AnswerOf(store->All()));
}

TEST(GoldenTest, StoresOfEveryFormatHaveTheirContent) {
  const char* target = std::getenv("BRAID_GOLDEN_WRITE");
  if (target != nullptr) {
    WriteGolden(target);
    return;
  }
  int stores = 0;
  for (const auto& entry : stdfs::directory_iterator(SourceDir() / "tests" / "golden")) {
    if (!entry.is_directory()) continue;
    SCOPED_TRACE(entry.path().filename().string());
    ++stores;
    const ScratchDir scratch;
    const stdfs::path path = scratch.path() / "store";
    stdfs::copy(entry.path() / "store", path, stdfs::copy_options::recursive);
    const std::string content = Read(entry.path() / "content.txt");
    ASSERT_FALSE(content.empty());
    // As it stands, after recovery, after a merge with what this version writes.
    for (const bool read_only : {true, false}) {
      auto db = DB::Open(Quiet(read_only), path.string());
      ASSERT_TRUE(db.ok()) << db.status();
      EXPECT_TRUE((*db)->Stats().quarantined.empty());
      EXPECT_TRUE(TextOf(AnswerOf(*(*db)->GetSnapshot())) == content) << "the content differs";
      if (read_only) continue;
      ASSERT_TRUE((*db)->Flush().ok());
      ASSERT_TRUE((*db)->Compact().ok());
      EXPECT_TRUE(TextOf(AnswerOf(*(*db)->GetSnapshot())) == content) << "the content differs after a merge";
    }
    const auto report = VerifyStore((entry.path() / "store").string(), nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_TRUE(report->problems.empty()) << report->problems[0];
  }
  EXPECT_GE(stores, 1);
}

// That it uses every encoding is seen in the dump of its files.
TEST(GoldenTest, TheNewestUsesEverything) {
  const ScratchDir scratch;
  WriteGolden(scratch.path());
  std::string dump;
  for (const auto& entry : stdfs::recursive_directory_iterator(scratch.path() / "store")) {
    if (!entry.is_regular_file()) continue;
    const auto text = InspectFile(entry.path().string(), 0);
    ASSERT_TRUE(text.ok()) << entry.path() << ": " << text.status();
    dump += *text;
  }
  for (const char* word : {": chunks, zstd", ": series, ", ": column, plain", ": packed columns, ", ": label values, ",
                           ": terms, ", ": trace filter, ", ": streams, ", ": metadata, ", ": parents, ", ": counts, ",
                           " histograms, ", " commit ", " end\n"}) {
    EXPECT_NE(dump.find(word), std::string::npos) << word;
  }
  // And each encoding of samples that a flush chooses from.
  auto db = DB::Open(Quiet(true), (scratch.path() / "store").string());
  ASSERT_TRUE(db.ok());
  std::set<int> encodings;
  for (const auto& [labels, samples] : AnswerOf(*(*db)->GetSnapshot()).series) {
    std::vector<Timestamp> times;
    std::vector<double> values;
    for (const auto& [time, sample] : samples) {
      if (sample.histogram != nullptr) continue;
      times.push_back(time);
      values.push_back(sample.value);
    }
    if (!times.empty()) encodings.insert(EncodeChunk(times, values)[0]);
  }
  for (const ChunkEncoding one : {ChunkEncoding::kConstant, ChunkEncoding::kDecimal, ChunkEncoding::kBits}) {
    EXPECT_TRUE(encodings.contains(static_cast<int>(one))) << static_cast<int>(one);
  }
  if (std::getenv("BRAID_TEST_SHOW") != nullptr) std::printf("%s\n", dump.c_str());
}

}  // namespace
}  // namespace braid
