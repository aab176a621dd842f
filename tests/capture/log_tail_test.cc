// Following files: rotation, copies, cuts, restarts at any moment; containers' formats.
#include "tools/capture/log_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <vector>

namespace braid {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class LogTailTest : public testing::Test {
 protected:
  LogTailTest() : folder_(fs::temp_directory_path() / ("log_tail_test." + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "log");
    OpenStore();
  }
  ~LogTailTest() override {
    tail_.reset();
    db_.reset();
    fs::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return (folder_ / "log" / name).string(); }
  void Append(const std::string& name, const std::string& text) { std::ofstream(Path(name), std::ios::app) << text; }
  void OpenStore() {
    db_.reset();
    Options options;
    options.background_work = false;
    auto db = DB::Open(options, (folder_ / "store").string());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }
  void Follow(const std::string& pattern = "*") {
    TailOptions options;
    options.patterns = {pattern.find('=') == std::string::npos ? Path(pattern) : pattern};
    options.clock = [this] { return now_; };
    options.note = [this](const std::string& note) { notes_.push_back(note); };
    auto tail = LogTail::Make(std::move(options), db_.get());
    ASSERT_TRUE(tail.ok()) << tail.status();
    tail_ = *std::move(tail);
  }
  // So many seconds of polling, four a second.
  void Poll(int seconds = 1) {
    for (int i = 0; i < 4 * seconds; ++i) {
      now_ += 250 * kMillisecond;
      while (tail_->Poll()) {
      }
    }
  }
  // As kill -9 leaves it: the tail's memory is gone, the store has what was written.
  void Crash() {
    // Kept for ever, and where a leak checker finds it: its end would write.
    static auto* const crashed = new std::vector<LogTail*>;
    crashed->push_back(tail_.release());
    OpenStore();
  }
  std::vector<std::string> Column(const std::string& name) {
    ScanSpec spec;
    spec.columns = {{ColumnLevel::kAny, name}, {ColumnLevel::kAny, "message"}};
    auto scan = db_->GetSnapshot()->OpenScan(spec);
    EXPECT_TRUE(scan.ok());
    std::vector<std::string> values;
    RecordBatch batch;
    while (*(*scan)->Next(&batch)) {
      for (size_t row = 0; row < batch.num_rows; ++row) {
        values.push_back(ToText(View(batch.columns[0].ValueAt(row))));
      }
    }
    std::sort(values.begin(), values.end());
    return values;
  }
  std::vector<std::string> Messages() { return Column("message"); }
  void Restart(const std::string& pattern, bool crash) {
    if (crash) {
      Crash();
    } else {
      tail_.reset();
      OpenStore();
    }
    Follow(pattern);
  }
  void AtAnyMoment(const std::string& pattern, uint32_t seed);

  const fs::path folder_;
  Timestamp now_ = 1'700'000'000 * kSecond;
  std::unique_ptr<DB> db_;
  std::unique_ptr<LogTail> tail_;
  std::vector<std::string> notes_;
};

TEST_F(LogTailTest, LinesWholeAndInPieces) {
  Append("a.log", "one\ntw");
  Follow();
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("one"));
  Append("a.log", "o\n");
  Append("b.log", "three\n");
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("one", "three", "two"));
  EXPECT_THAT(Column("service"), ElementsAre("a", "a", "b"));
  Append("a.log", std::string(3 << 20, 'x') + "\nend\n");
  Poll(3);
  EXPECT_EQ(Messages().size(), 3 + 3 + 1u);  // 3 MiB in pieces of 1 MiB
}

TEST_F(LogTailTest, PatternsMayNameTheService) {
  fs::create_symlink(Path("real.log"), Path("link.txt"));
  Append("real.log", "x\n");
  Follow("shop=" + Path("*"));
  Poll(3);
  // Two names, one file.
  EXPECT_THAT(Messages(), ElementsAre("x"));
  EXPECT_THAT(Column("service"), ElementsAre("shop"));
}

TEST_F(LogTailTest, RotationByRename) {
  Follow("app.log");
  Append("app.log", "a\n");
  Poll(2);
  Append("app.log", "b\n");
  fs::rename(Path("app.log"), Path("app.log.1"));
  Append("app.log", "c\n");
  Append("app.log.1", "d\n");  // by a program that has not reopened it
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("a", "b", "c", "d"));
  Poll(20);
  EXPECT_EQ(tail_->files(), 1u);
}

TEST_F(LogTailTest, RotationByCopyAndTruncate) {
  const std::string filler(300, '.');
  Follow("app.log*");
  Append("app.log", "first" + filler + "\n");
  Poll(2);
  Append("app.log", "second" + filler + "\n");
  fs::copy_file(Path("app.log"), Path("app.log.1"));
  fs::resize_file(Path("app.log"), 0);
  Append("app.log", "third" + filler + "\n");
  Poll(4);
  EXPECT_THAT(Messages(), ElementsAre("first" + filler, "second" + filler, "third" + filler));
  // Written anew to more than it was: told by its first bytes.
  std::ofstream(Path("app.log"), std::ios::trunc) << "fourth" << filler << filler << filler << filler << "\n";
  Poll(4);
  EXPECT_EQ(Messages().size(), 4u);
}

TEST_F(LogTailTest, ACopyThatIsSeenBeforeTheCutIsNotReadTwice) {
  const std::string filler(300, '.');
  Follow("app.log*");
  Append("app.log", "first" + filler + "\n");
  Poll(2);
  fs::copy_file(Path("app.log"), Path("app.log.1"));
  Poll(3);
  Append("app.log", "second" + filler + "\n");
  Poll(3);
  EXPECT_EQ(Messages().size(), 2u);
  // Another file that begins alike is another file.
  Append("app.log.2", "first" + filler + "\nother words and more of them\n" + filler + filler + "\n");
  Poll(3);
  EXPECT_EQ(Messages().size(), 5u);
}

TEST_F(LogTailTest, GoesOnWhereItWasAfterARestart) {
  Append("app.log", "a\nb\n");
  Follow("app.log");
  Poll(3);
  tail_.reset();
  Append("app.log", "c\n");
  fs::rename(Path("app.log"), Path("app.log.1"));  // out of the pattern's sight
  Append("app.log", "d\n");
  OpenStore();
  Follow("app.log");
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("a", "b", "c", "d"));
}

TEST_F(LogTailTest, AnInodeThatIsUsedAgainIsANewFile) {
  Append("app.log", "aaaaaaaaaa\n");
  Follow("app.log");
  Poll(3);
  tail_.reset();
  std::ofstream(Path("app.log"), std::ios::trunc) << "bbbbbbbbbbbb\n";  // the same inode
  OpenStore();
  Follow("app.log");
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("aaaaaaaaaa", "bbbbbbbbbbbb"));
}

// A file leaves an offset for each length its head had and each name it was opened under; the last one counts.
TEST_F(LogTailTest, ARotatedFileIsNotReadAgainAtRestarts) {
  for (const bool crash : {false, true}) {
    for (const std::string pattern : {"*.log", "*"}) {  // the old file out of sight, and in sight
      const std::string name = std::string(crash ? "killed" : "stopped") + (pattern == "*" ? "_in" : "_out") + ".log";
      const size_t before = Messages().size();
      Append(name, "first of " + name + "\n");  // a deleted file's inode may come again
      Follow(pattern);
      Poll(3);
      for (int i = 0; i < 200; ++i) Append(name, "line " + std::to_string(i) + "\n");
      Poll(3);
      fs::rename(Path(name), Path(name + ".1"));
      Append(name, "new " + name + "\n");
      Poll(3);
      ASSERT_EQ(Messages().size(), before + 202);
      for (int restart = 0; restart < 4; ++restart) {
        Restart(pattern, crash);
        Poll(restart % 2 == 0 ? 15 : 2);
        ASSERT_EQ(Messages().size(), before + 202) << name << ", restart " << restart;
      }
      // Written to once more while nobody follows: that alone is read.
      tail_.reset();
      Append(name + ".1", "late\n");
      for (int restart = 0; restart < 3; ++restart) {
        Restart(pattern, crash);
        Poll(restart % 2 == 0 ? 3 : 15);
        ASSERT_EQ(Messages().size(), before + 203) << name << ", restart " << restart;
      }
      tail_.reset();
      fs::remove(Path(name + ".1"));
      fs::remove(Path(name));
    }
  }
}

TEST_F(LogTailTest, AGrowingFileIsKnownByItsLastHead) {
  Append("app.log", "Starting\n");
  Follow("app.log");
  Poll(3);
  for (const bool crash : {false, true, false}) {
    for (int i = 0; i < 20; ++i) Append("app.log", "a line of thirty characters ..\n");
    Restart("app.log", crash);
    Poll(3);
  }
  EXPECT_EQ(Messages().size(), 61u);
  // Written anew in the same place, and it begins as the old one did when that was short.
  tail_.reset();
  std::string text = "Starting\n";
  for (int i = 0; i < 100; ++i) text += "other line " + std::to_string(i) + "\n";
  std::ofstream(Path("app.log"), std::ios::trunc) << text;
  Restart("app.log", false);
  Poll(3);
  EXPECT_EQ(Messages().size(), 61u + 101);
}

TEST_F(LogTailTest, AFileThatWasCutWhileNobodyFollowedBeginsAnew) {
  const std::string banner = std::string(300, '=') + "\n";
  Append("app.log", banner + "one\n");
  Follow("app.log");
  Poll(3);
  Append("app.log", "two and more\n");
  Poll(3);
  Restart("app.log", false);
  Poll(3);
  tail_.reset();
  fs::resize_file(Path("app.log"), 0);
  Append("app.log", banner + "three\n");  // longer than "one" reached
  for (int restart = 0; restart < 3; ++restart) {
    Restart("app.log", restart == 1);
    Poll(3);
    EXPECT_EQ(Messages().size(), 5u);
  }
}

TEST_F(LogTailTest, ARenamedFileKeepsItsServiceAtRestarts) {
  const std::string shop = "shop=" + Path("web.log");
  Append("web.log", "a\n");
  Follow(shop);
  Poll(3);
  tail_.reset();
  fs::rename(Path("web.log"), Path("web.log.1"));
  for (const bool crash : {false, true, true}) {
    Append("web.log.1", "b\n");
    Restart(shop, crash);
    Poll(3);
  }
  EXPECT_THAT(Column("service"), ElementsAre("shop", "shop", "shop", "shop"));
  // In sight, under a name that would give another service.
  Append("app.log", "c\n");
  Restart("app*.log", false);
  Poll(3);
  tail_.reset();
  fs::rename(Path("app.log"), Path("app-20231114.log"));
  for (const bool crash : {false, true}) {
    Append("app-20231114.log", "d\n");
    Restart("app*.log", crash);
    Poll(3);
  }
  EXPECT_THAT(Column("service"), ElementsAre("app", "app", "app", "shop", "shop", "shop", "shop"));
}

TEST_F(LogTailTest, AFileThatNoPatternLeadsToAnyMoreIsLeft) {
  Append("a.log", "a\n");
  Follow("a.log");
  Poll(3);
  tail_.reset();
  Append("a.log", "not asked for\n");
  Append("b.log", "b\n");
  Restart("b.log", false);
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("a", "b"));
}

TEST_F(LogTailTest, TwoNamesOfAFileAreOneFileAtRestarts) {
  Append("a.log", "one\n");
  Follow("*.log*");
  Poll(3);
  fs::create_hard_link(Path("a.log"), Path("a.log.1"));
  fs::create_symlink(Path("a.log"), Path("z.log"));
  for (const bool crash : {false, true, false}) {
    Append("a.log", "more\n");
    Restart("*.log*", crash);
    Poll(3);
    fs::remove(Path("a.log.1"));
  }
  EXPECT_THAT(Messages(), ElementsAre("more", "more", "more", "one"));
}

void LogTailTest::AtAnyMoment(const std::string& pattern, uint32_t seed) {
  std::mt19937 random(seed);
  int written = 0;
  Follow(pattern);
  for (int round = 0; round < 200; ++round) {
    std::string text;
    for (uint32_t i = random() % 4; i > 0; --i) {
      text += "line " + std::to_string(written++) + (random() % 3 == 0 ? " ERROR\n\tmore\n" : "\n");
    }
    // Some writes end inside a line; the rest comes with the next.
    const size_t cut = text.empty() ? 0 : random() % text.size();
    Append("app.log", text.substr(0, cut));
    if (random() % 2 == 0) {
      now_ += 100 * kMillisecond * (random() % 20);
      tail_->Poll();
    }
    Append("app.log", text.substr(cut));
    switch (random() % 8) {
      case 0: Restart(pattern, true); break;
      case 1: Restart(pattern, false); break;
      case 2:
        Poll(2);  // a file that nobody has seen cannot be found out of sight
        if (random() % 2 == 0) tail_.reset();
        fs::rename(Path("app.log"), Path("app.log." + std::to_string(round)));
        Append("app.log", "");
        if (tail_ == nullptr) Restart(pattern, false);
        break;
      case 3: ASSERT_TRUE(db_->Flush().ok()); break;
      default: Poll();
    }
  }
  Poll(15);
  Restart(pattern, false);
  Poll(15);
  std::map<int, int> times;
  for (const std::string& message : Messages()) ++times[std::stoi(message.substr(5))];
  for (int i = 0; i < written; ++i) EXPECT_EQ(times[i], 1) << "line " << i << " of " << written << ", seed " << seed;
}

TEST_F(LogTailTest, ACrashAtAnyMomentLosesAndRepeatsNothing) { AtAnyMoment("app.log*", 7); }

TEST_F(LogTailTest, NorDoesOneAroundFilesThatRotateOutOfSight) { AtAnyMoment("app.log", 8); }

TEST_F(LogTailTest, ContainersOutputs) {
  Append("docker.log",
         "{\"log\":\"{\\\"msg\\\":\\\"in "
         "json\\\",\\\"level\\\":\\\"warn\\\"}\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:"
         "13:20.5Z\"}\n"
         "{\"log\":\"half \",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:21Z\"}\n"
         "{\"log\":\"between\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:22Z\"}\n"
         "{\"log\":\"and half\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:23Z\"}\n");
  const std::string pod = "pods/shop_web-1_uid/web/";
  fs::create_directories(Path(pod));
  Append(pod + "0.log",
         "2023-11-14T22:13:20.25Z stdout P long \n2023-11-14T22:13:21Z stdout F line\n"
         "2023-11-14T22:13:22Z stderr F Traceback (most recent call last):\n"
         "2023-11-14T22:13:22Z stdout F apart\n"
         "2023-11-14T22:13:22Z stderr F   File \"x\"\n2023-11-14T22:13:22Z stderr F E: x\n");
  TailOptions options;
  options.patterns = {Path("docker.log"), Path("pods/*/*/*.log")};
  options.clock = [this] { return now_; };
  tail_ = *LogTail::Make(std::move(options), db_.get());
  Poll(3);
  EXPECT_THAT(Messages(), ElementsAre("Traceback (most recent call last):\n  File \"x\"\nE: x", "apart", "between",
                                      "half and half", "in json", "long line"));
  EXPECT_THAT(Column("k8s.pod.name"), ElementsAre("", "", "", "web-1", "web-1", "web-1"));
  EXPECT_THAT(Column("service"), ElementsAre("docker", "docker", "docker", "web", "web", "web"));
  EXPECT_THAT(Column("log.iostream"), ElementsAre("stderr", "stderr", "stdout", "stdout", "stdout", "stdout"));
}

TEST_F(LogTailTest, WhatCannotBeFollowedIsSaidOnce) {
  Append("old.gz", "\x1f\x8b\x08 ...");
  ASSERT_EQ(symlink("nowhere", Path("dangling").c_str()), 0);
  fs::create_directories(Path("folder"));
  Follow();
  Poll(4);
  EXPECT_THAT(Messages(), IsEmpty());
  EXPECT_THAT(notes_, ElementsAre(Path("old.gz") + ": compressed, not followed; `braid import` reads it"));
}

}  // namespace
}  // namespace braid
