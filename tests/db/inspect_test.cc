// Looking at the files of a store, opening what is no store, and files with any content. On the real file system.
#include "braid/inspect.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "braid/db.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "tests/db/numbered_writes.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

Options Quiet(bool read_only = false) {
  Options options;
  options.background_work = false;
  options.read_only = read_only;
  return options;
}

std::string Read(const stdfs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
void Put(const stdfs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A store with one part of writes 0 and 1, and a WAL with writes 2 and 3.
class StoreFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = stdfs::path(::testing::TempDir()) / ("braid_inspect_" + std::to_string(::getpid()));
    stdfs::remove_all(root_);
    stdfs::create_directory(root_);
    auto db = DB::Open(Quiet(), Path());
    ASSERT_TRUE(db.ok()) << db.status();
    for (uint64_t n = 0; n < 4; ++n) {
      if (n == 2) {
        ASSERT_TRUE((*db)->Flush().ok());
      }
      ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
    }
    ASSERT_TRUE((*db)->Close().ok());
  }
  void TearDown() override { stdfs::remove_all(root_); }

  std::string Path() const { return (root_ / "db").string(); }
  // Files that hold data, relative to the store.
  std::vector<std::string> Files() const {
    std::vector<std::string> files;
    for (const auto& entry : stdfs::recursive_directory_iterator(Path())) {
      if (entry.is_regular_file() && entry.path().filename() != "LOCK") {
        files.push_back(stdfs::relative(entry.path(), Path()).string());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  stdfs::path At(const std::string& file) const { return stdfs::path(Path()) / file; }
  void Restore(const stdfs::path& copy) {
    stdfs::remove_all(Path());
    stdfs::copy(copy, Path(), stdfs::copy_options::recursive);
  }
  stdfs::path Copy() {
    stdfs::copy(Path(), root_ / "copy", stdfs::copy_options::recursive);
    return root_ / "copy";
  }

  stdfs::path root_;
};

TEST_F(StoreFilesTest, InspectTellsWhatIsInEachFile) {
  auto expect = [&](const std::string& file, const std::vector<std::string>& texts) {
    const auto dump = InspectFile(At(file).string(), 0);
    ASSERT_TRUE(dump.ok()) << file << ": " << dump.status();
    for (const std::string& text : texts)
      EXPECT_NE(dump->find(text), std::string::npos) << file << ": " << text << "\n" << *dump;
    EXPECT_EQ(dump->find("DAMAGED"), std::string::npos) << *dump;
    // A limit of lines is a limit.
    const auto few = InspectFile(At(file).string(), 2);
    ASSERT_TRUE(few.ok());
    EXPECT_LE(std::count(few->begin(), few->end(), '\n'), 3);
    EXPECT_TRUE(dump->starts_with(few->substr(0, few->find('\n'))));
  };
  const std::string part = "parts/000000000001/";
  expect("MANIFEST", {"part 000000000001", "samples 2 logs 2 spans 2 events 2 links 2 exemplars 2"});
  expect("wal/000000000002.wal", {"WAL segment 2 version 1", "48 commit 3 ", "job=\"shop\"", "message=order 2 took",
                                  "message=order 3 took", " end\n"});
  expect(part + "meta", {"section counts at 36", "series 2, samples 2", "logs 2 rows", "service.name=shop",
                         "file samples.index", "trace filter: ", ": counts, "});
  expect(part + "samples", {"series 2, samples 2", "series block at ", "name=\"series1\"", "1 floats", ": chunks, "});
  expect(part + "samples.index",
         {"label job\n  shop: 2 series", "series0: 1 series", "3 label pairs", ": label values, "});
  for (const char* table : {"logs", "spans", "events", "links", "exemplars"}) {
    expect(part + table, {"2 rows in 1 row groups", "column 0 time: ", "row group 0: rows 0..2", "section groups at "});
    expect(part + table + ".index", {" terms of ", "over 1 row groups", ": terms, "});
  }
  EXPECT_EQ(Files().size(), 15u);
  EXPECT_TRUE(absl::IsNotFound(InspectFile(At("none").string(), 0).status()));
}

TEST_F(StoreFilesTest, VerifyFindsEachFlippedByte) {
  uint64_t last = 0, total = 0;
  const auto sound = VerifyStore(Path(), [&](uint64_t done, uint64_t all) {
    EXPECT_GE(done, last);
    last = done;
    total = all;
  });
  ASSERT_TRUE(sound.ok());
  EXPECT_TRUE(sound->problems.empty()) << sound->problems[0];
  EXPECT_EQ(sound->files, 15u);
  EXPECT_GT(sound->blocks, 30u);
  EXPECT_GT(last, total / 2);
  for (const std::string& file : Files()) {
    const std::string bytes = Read(At(file));
    for (size_t at = 0; at<bytes.size(); at += bytes.size()> 600 ? 5 : 1) {
      // Zeros between the two copies of a manifest say nothing, but are compared as well.
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
      Put(At(file), damaged);
      const auto report = VerifyStore(Path(), nullptr);
      ASSERT_TRUE(report.ok()) << file << " " << at << ": " << report.status();
      ASSERT_FALSE(report->problems.empty()) << file << " " << at;
      if (at % 16 == 0) InspectFile(At(file).string(), 0).status().IgnoreError();
    }
    Put(At(file), bytes);
  }
  EXPECT_TRUE(VerifyStore(Path(), nullptr)->problems.empty());
  EXPECT_TRUE(absl::IsNotFound(VerifyStore(root_.string(), nullptr).status()));
}

TEST_F(StoreFilesTest, VerifyBesideAWriter) {
  auto db = DB::Open(Quiet(), Path());
  ASSERT_TRUE(db.ok()) << db.status();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    const std::string text(5000, 'x');
    for (uint64_t n = 0; !done; ++n) {
      WriteBatch batch;
      const LabelView labels[] = {{"__name__", "written"}};
      batch.AddSample(batch.AddSeries(labels), static_cast<Timestamp>(n) * kSecond, 1);
      const auto stream = batch.AddStream({});
      LogRecord log;
      log.time = static_cast<Timestamp>(n);
      log.message = text;
      batch.AddLog(stream, log);
      WriteOptions options;
      options.durability = Durability::kBuffered;
      ASSERT_TRUE((*db)->Write(batch, options).ok());
      if (n % 200 == 0) {
        ASSERT_TRUE((*db)->Flush().ok());
      }
      if (n % 1000 == 0) {
        ASSERT_TRUE((*db)->Compact().ok());
      }
    }
  });
  for (int i = 0; i < 40; ++i) {
    const auto report = VerifyStore(Path(), nullptr);
    ASSERT_TRUE(report.ok()) << report.status();
    ASSERT_TRUE(report->problems.empty()) << i << ": " << report->problems[0];
  }
  done = true;
  writer.join();
  // What is damaged is a problem beside a writer as well.
  ASSERT_TRUE((*db)->Flush().ok());
  const stdfs::path part = stdfs::directory_iterator(At("parts"))->path() / "logs";
  std::string bytes = Read(part);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  Put(part, bytes);
  const auto report = VerifyStore(Path(), nullptr);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->problems.empty());
}

// Sets a fixed32 and makes the checksum of the bytes before `crc_at` right again.
void SetField(std::string* bytes, size_t start, size_t field, uint32_t value, size_t crc_at) {
  std::string number;
  PutFixed32(&number, value);
  bytes->replace(start + field, 4, number);
  std::string crc;
  PutFixed32(&crc, Crc32c(std::string_view(*bytes).substr(start, crc_at)));
  bytes->replace(start + crc_at, 4, crc);
}

TEST_F(StoreFilesTest, NewerFormatsAreRefusedAndNotTouched) {
  struct Case {
    std::string file;
    size_t field;   // of the version or of features that must be known
    size_t crc_at;  // where the header's checksum stands
  };
  const std::string part = "parts/000000000001/";
  for (const Case& one : {Case{"MANIFEST", 8, 24},
                          {"MANIFEST", 12, 24},
                          {"wal/000000000002.wal", 8, 40},
                          {"wal/000000000002.wal", 12, 40},
                          {part + "meta", 12, 32},
                          {part + "meta", 20, 32},
                          {part + "samples", 12, 32},
                          {part + "logs", 12, 32},
                          {part + "logs", 20, 32}}) {
    const std::string bytes = Read(At(one.file));
    std::string newer = bytes;
    SetField(&newer, 0, one.field, 0x4002, one.crc_at);
    if (one.file == "MANIFEST") SetField(&newer, newer.size() > 4096 ? 4096 : 0, one.field, 0x4002, one.crc_at);
    Put(At(one.file), newer);
    const auto files = Files();
    for (const bool read_only : {false, true}) {
      const absl::Status status = DB::Open(Quiet(read_only), Path()).status();
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << one.file << " " << one.field << ": " << status;
    }
    EXPECT_EQ(Files(), files);
    EXPECT_EQ(Read(At(one.file)), newer);
    const auto report = VerifyStore(Path(), nullptr);
    EXPECT_TRUE(!report.ok() || !report->problems.empty()) << one.file << " " << one.field;
    Put(At(one.file), bytes);
  }
  auto db = DB::Open(Quiet(), Path());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(4));
}

TEST_F(StoreFilesTest, InUseNamesTheProcess) {
  auto db = DB::Open(Quiet(), Path());
  ASSERT_TRUE(db.ok());
  const absl::Status status = DB::Open(Quiet(), Path()).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_NE(status.ToString().find("process " + std::to_string(::getpid())), std::string::npos) << status;
  auto reader = DB::Open(Quiet(/*read_only=*/true), Path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(NumbersIn(*(*reader)->GetSnapshot()), FirstNumbers(4));
}

TEST_F(StoreFilesTest, WithoutPermissionItCanBeReadOnly) {
  if (::geteuid() == 0) GTEST_SKIP() << "nothing is forbidden to root";
  for (const auto& entry : stdfs::recursive_directory_iterator(Path())) {
    stdfs::permissions(entry.path(), stdfs::perms::owner_write, stdfs::perm_options::remove);
  }
  stdfs::permissions(Path(), stdfs::perms::owner_write, stdfs::perm_options::remove);
  const absl::Status status = DB::Open(Quiet(), Path()).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
  auto reader = DB::Open(Quiet(/*read_only=*/true), Path());
  EXPECT_TRUE(reader.ok()) << reader.status();
  stdfs::permissions(Path(), stdfs::perms::owner_write, stdfs::perm_options::add);
  for (const auto& entry : stdfs::recursive_directory_iterator(Path())) {
    stdfs::permissions(entry.path(), stdfs::perms::owner_write, stdfs::perm_options::add);
  }
}

// Opens, refuses with a reason, or sets aside: never shows what was not written, never ends the process.
void OpenWhatever(const std::string& path, const std::string& what) {
  for (const bool read_only : {true, false}) {
    for (const Recovery recovery : {Recovery::kRefuse, Recovery::kSalvage}) {
      Options options = Quiet(read_only);
      options.recovery = recovery;
      auto db = DB::Open(options, path);
      if (!db.ok()) {
        EXPECT_FALSE(db.status().message().empty()) << what;
        EXPECT_FALSE(absl::IsInternal(db.status())) << what << ": " << db.status();
        continue;
      }
      ScanSpec spec;
      spec.columns = {{ColumnLevel::kAny, "message"}, {ColumnLevel::kAny, "n"}};
      auto scan = (*db)->GetSnapshot()->OpenScan(spec);
      if (!scan.ok()) continue;
      RecordBatch batch;
      while (true) {
        auto more = (*scan)->Next(&batch);
        if (!more.ok() || !*more) break;
        for (size_t row = 0; row < batch.num_rows; ++row) {
          EXPECT_EQ(ToText(View(batch.columns[0].ValueAt(row))),
                    "order " + ToText(View(batch.columns[1].ValueAt(row))) + " took a while");
        }
      }
    }
  }
}

TEST_F(StoreFilesTest, AnyFileMayHaveAnyContent) {
  const stdfs::path copy = Copy();
  std::mt19937_64 random(9);
  std::vector<std::string> files = Files();
  files.push_back("LOCK");
  for (const std::string& file : files) {
    const std::string bytes = Read(At(file));
    std::vector<std::string> contents = {"", bytes.substr(0, bytes.size() / 2), bytes + "more"};
    contents.push_back(bytes.empty() ? "x" : bytes.substr(0, bytes.size() - 1));
    for (int i = 0; i < 3; ++i) {
      std::string noise(random() % 9000, '\0');
      for (char& byte : noise) byte = static_cast<char>(random());
      // Behind a sound beginning, too.
      contents.push_back(i == 0 ? noise : bytes.substr(0, std::min<size_t>(bytes.size(), 40)) + noise);
      std::string zeros = bytes;
      const size_t at = bytes.empty() ? 0 : random() % bytes.size();
      for (size_t k = at; k < std::min(zeros.size(), at + 64); ++k) zeros[k] = '\0';
      contents.push_back(zeros);
    }
    for (size_t i = 0; i < contents.size(); ++i) {
      Put(At(file), contents[i]);
      VerifyStore(Path(), nullptr).status().IgnoreError();
      InspectFile(At(file).string(), 50).status().IgnoreError();
      OpenWhatever(Path(), file + " content " + std::to_string(i));
      Restore(copy);
    }
    // Not there, a directory, a link to itself.
    for (int kind = 0; kind < 3; ++kind) {
      stdfs::remove(At(file));
      if (kind == 1) stdfs::create_directory(At(file));
      if (kind == 2) stdfs::create_symlink(At(file), At(file));
      VerifyStore(Path(), nullptr).status().IgnoreError();
      InspectFile(At(file).string(), 50).status().IgnoreError();
      OpenWhatever(Path(), file + " kind " + std::to_string(kind));
      Restore(copy);
    }
  }
  for (const char* dir : {"wal", "parts"}) {
    stdfs::remove_all(At(dir));
    Put(At(dir), "a file");
    VerifyStore(Path(), nullptr).status().IgnoreError();
    OpenWhatever(Path(), dir);
    Restore(copy);
  }
}

TEST_F(StoreFilesTest, LeftoversGoAndForeignFilesStay) {
  stdfs::create_directory(At("parts/000000000077"));
  Put(At("parts/000000000077/logs"), "half a part");
  Put(At("wal/000000000001.wal"), "a segment that was flushed");
  Put(At("wal/000000000002.wal.tmp"), "half a segment");
  Put(At("MANIFEST.tmp"), "half a manifest");
  Put(At("parts/notes.txt"), "not ours");
  {
    auto reader = DB::Open(Quiet(/*read_only=*/true), Path());
    ASSERT_TRUE(reader.ok()) << reader.status();
  }
  EXPECT_EQ(Files().size(), 20u);  // a reader removes nothing
  auto db = DB::Open(Quiet(), Path());
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), FirstNumbers(4));
  EXPECT_EQ(Files().size(), 16u);
  EXPECT_TRUE(stdfs::exists(At("parts/notes.txt")));
  // The number of the leftover is not given out again while it may still be there.
  ASSERT_TRUE((*db)->Flush().ok());
  EXPECT_TRUE(stdfs::exists(At("parts/000000000078")));
}

}  // namespace
}  // namespace braid
