// Files cut short: the WAL, the files of a part, the manifest.
//   BRAID_TEST_CUT_STEP=n   (16)   1 cuts at every byte
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/sample_store.h"

namespace braid {
namespace {

constexpr char kSegment[] = "db/wal/000000000001.wal";
constexpr size_t kHeaderBytes = 48;  // of a WAL segment

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

uint64_t CutStep() {
  const uint64_t step = CaseCount("CUT_STEP", 16);
  // A tenth of the cases, as elsewhere, is ten times the step.
#if defined(__SANITIZE_ADDRESS__)
  return std::getenv("BRAID_TEST_CUT_STEP") == nullptr ? 160 : step;
#else
  return step;
#endif
}

// What a WAL of 64 KB gives back when it ends anywhere: exactly the writes before, with nothing, zeros (room that was
// taken ahead) or noise behind.
TEST(TornTest, AWalOf64KilobytesCutAnywhere) {
  FaultFileSystem fs;
  std::vector<uint64_t> sizes = {kHeaderBytes};  // of the segment after n writes
  uint64_t count = 0;
  {
    auto db = OpenDB(Quiet(), "db", &fs);
    ASSERT_TRUE(db.ok());
    while (sizes.back() < (64 << 10)) {
      // Some of several numbered writes, large enough to be compressed.
      WriteBatch batch;
      const uint64_t more = count % 7 == 0 ? 9 : 1;
      for (uint64_t i = 0; i < more; ++i) AddNumbered(count + i, &batch);
      ASSERT_TRUE((*db)->Write(batch).ok());
      count += more;
      for (uint64_t i = 1; i < more; ++i) sizes.push_back(UINT64_MAX);  // within a batch: whole or not at all
      sizes.push_back((*db)->Stats().wal_bytes);
    }
  }
  std::string wal = fs.Contents(kSegment).substr(0, sizes.back());  // without the end mark
  const std::string manifest = fs.Contents("db/MANIFEST");
  std::mt19937_64 random(3);
  const uint64_t step = CutStep();
  uint64_t opened = 0;
  for (size_t cut = 0; cut < wal.size(); cut += step, ++opened) {
    FaultFileSystem image;
    for (const char* dir : {"db", "db/wal", "db/parts"}) ASSERT_TRUE(image.CreateDir(dir).ok());
    image.SetContents("db/MANIFEST", manifest);
    std::string bytes = wal.substr(0, cut);
    if (opened % 3 == 1) bytes.append(random() % 5000, '\0');
    if (opened % 3 == 2) {
      for (uint64_t i = random() % 300; i > 0; --i) bytes.push_back(static_cast<char>(random()));
    }
    image.SetContents(kSegment, bytes);
    // What was appended may happen to be what was cut: zeros, mostly.
    const auto is_there = [&](uint64_t size) {
      return size <= bytes.size() && (size <= cut || bytes.compare(cut, size - cut, wal, cut, size - cut) == 0);
    };
    uint64_t whole = 0, end = is_there(kHeaderBytes) ? kHeaderBytes : 0;
    for (uint64_t n = 1; n < sizes.size(); ++n) {
      if (!is_there(sizes[n])) continue;
      whole = n;
      end = sizes[n];
    }
    auto db = OpenDB(Quiet(), "db", &image);
    if (!is_there(kHeaderBytes)) {
      // The manifest names the segment, so its header was on disk: this is no torn end.
      ASSERT_TRUE(absl::IsDataLoss(db.status())) << "cut at " << cut << ": " << db.status();
      continue;
    }
    ASSERT_TRUE(db.ok()) << "cut at " << cut << ": " << db.status();
    const DBStats stats = (*db)->Stats();
    ASSERT_EQ(stats.samples, whole) << "cut at " << cut;
    ASSERT_EQ(stats.torn_bytes, bytes.size() - end) << "cut at " << cut;
    if (opened % 64 != 0) continue;
    ASSERT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(whole)) << "cut at " << cut;
    ASSERT_TRUE(WriteNumbered(db->get(), whole).ok());
    const auto killed = image.KillImage();
    auto again = OpenDB(Quiet(), "db", killed.get());
    ASSERT_TRUE(again.ok()) << "cut at " << cut << ": " << again.status();
    ASSERT_EQ(NumbersIn(*(*again)->GetSnapshot()), FirstNumbers(whole + 1)) << "cut at " << cut;
  }
  std::printf("%llu cuts of a WAL of %zu bytes\n", static_cast<unsigned long long>(opened), wal.size());
}

class TornStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    auto db = OpenDB(Quiet(), "db", &fs_);
    ASSERT_TRUE(db.ok()) << db.status();
    auto store = WriteSampleStore(db->get());
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    whole_ = AnswerOf(store_.All());
    ASSERT_EQ(Difference(whole_, AnswerOf(*(*db)->GetSnapshot())), "");
    ASSERT_TRUE((*db)->Close().ok());
  }

  FaultFileSystem fs_;
  SampleStore store_;
  StoreAnswer whole_;
};

// Footers and all else of a part's files.
TEST_F(TornStoreTest, AFileOfAPartCutAnywhere) {
  const uint64_t step = CutStep();
  uint64_t cuts = 0;
  // Without the rows of the first part, which three writes went to.
  NaiveWrites later = store_.All();
  later.erase(later.begin(), later.begin() + 3);
  const StoreAnswer rest = AnswerOf(later);
  for (const std::string& file : fs_.Files()) {
    if (file.find("parts/000000000001/") == std::string::npos) continue;
    const std::string bytes = fs_.Contents(file);
    for (size_t cut = 0; cut < bytes.size(); cut += step, ++cuts) {
      const auto image = fs_.KillImage();
      image->SetContents(file, bytes.substr(0, cut));
      auto db = OpenDB(Quiet(), "db", image.get());
      ASSERT_TRUE(db.ok()) << file << " cut at " << cut << ": " << db.status();
      const StoreAnswer found = AnswerOf(*(*db)->GetSnapshot());
      if ((*db)->Stats().quarantined.empty()) {
        // An index that is read when it is needed: nothing may be missing without a word.
        ASSERT_EQ(Altered(store_, whole_, found), "") << file << " cut at " << cut;
        if (found.damaged.empty()) {
          ASSERT_EQ(Difference(whole_, found), "") << file << " cut at " << cut;
        }
      } else {
        ASSERT_EQ(Difference(rest, found), "") << file << " cut at " << cut;
        ASSERT_EQ(image->Contents("db/quarantine/part-000000000001/" + file.substr(file.rfind('/') + 1)),
                  bytes.substr(0, cut));
      }
    }
  }
  EXPECT_GT(cuts, 20u);
  std::printf("%llu cuts of files of a part\n", static_cast<unsigned long long>(cuts));
}

TEST_F(TornStoreTest, TheManifestCutAnywhere) {
  const std::string bytes = fs_.Contents("db/MANIFEST");
  uint64_t refused = 0, cuts = 0;
  for (size_t cut = 0; cut < bytes.size(); cut += std::max<uint64_t>(CutStep() / 4, 1), ++cuts) {
    const auto image = fs_.KillImage();
    image->SetContents("db/MANIFEST", bytes.substr(0, cut));
    const std::vector<std::string> files = image->Files();
    auto db = OpenDB(Quiet(), "db", image.get());
    if (db.ok()) {
      ASSERT_EQ(Difference(whole_, AnswerOf(*(*db)->GetSnapshot())), "") << "cut at " << cut;
      continue;
    }
    ++refused;
    ASSERT_TRUE(absl::IsDataLoss(db.status())) << "cut at " << cut << ": " << db.status();
    ASSERT_EQ(image->Files(), files) << "cut at " << cut;
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LT(refused, cuts);
  std::printf("%llu cuts of the manifest, %llu refused\n", static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(refused));
}

}  // namespace
}  // namespace braid
