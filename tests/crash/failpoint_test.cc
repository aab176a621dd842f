// A real process is killed at each named moment of its work; what it acknowledged, as its parent noted it, must be
// there afterwards.
//   BRAID_TEST_KILLS_PER_FAILPOINT=n   (1)    the n-th round kills at other occurrences of the moment
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/failpoint_file_system.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

Options Quiet() {
  Options options;
  options.background_work = false;
  options.recovery = Recovery::kPointInTime;
  return options;
}

// What the process tells its journal: begins a write, has its acknowledgement.
struct Note {
  uint64_t number;
  bool acknowledged;
};
using Journal = std::function<void(Note)>;

void WriteNoted(DB* db, uint64_t number, const Journal& journal) {
  journal({number, false});
  if (WriteNumbered(db, number).ok()) journal({number, true});
}

// The life of a store, from nothing: every kind of work that changes files. Gives up at the first failed open.
void Live(FailpointFileSystem* fs, const std::string& path, const Journal& journal) {
  uint64_t number = 0;
  for (int session = 0; session < 3; ++session) {
    fs->SetActivity(session == 0 ? "create" : "open");
    Options options = Quiet();
    if (session == 2) options.retention = 2 * kSecond;
    auto db = OpenDB(options, path, fs);
    if (!db.ok()) return;
    for (int round = 0; round < 3; ++round) {
      fs->SetActivity("write");
      for (int i = 0; i < 2; ++i) WriteNoted(db->get(), number++, journal);
      fs->SetActivity("flush");
      if (round < 2) (*db)->Flush().IgnoreError();
    }
    fs->SetActivity("merge");
    if (session < 2) (*db)->Compact().IgnoreError();
    fs->SetActivity("write");
    WriteNoted(db->get(), number++, journal);
    fs->SetActivity("retention");
    if (session == 2) (*db)->Tick().IgnoreError();
    fs->SetActivity("close");
    if (session == 1) (*db)->Close().IgnoreError();
  }
}

// A damaged store is opened: a part is set aside, a torn end is cut, a damaged WAL is shortened.
void Repair(FailpointFileSystem* fs, const std::string& path, const Journal& journal) {
  fs->SetActivity("repair");
  auto db = OpenDB(Quiet(), path, fs);
  if (!db.ok()) return;
  WriteNoted(db->get(), 20, journal);
  (*db)->Flush().IgnoreError();
}

std::string ReadAll(const stdfs::path& path) {
  std::string bytes(stdfs::file_size(path), '\0');
  FILE* file = std::fopen(path.c_str(), "rb");
  bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
  std::fclose(file);
  return bytes;
}
void WriteAll(const stdfs::path& path, const std::string& bytes) {
  FILE* file = std::fopen(path.c_str(), "wb");
  std::fwrite(bytes.data(), 1, bytes.size(), file);
  std::fclose(file);
}

// Writes 0-1 in part 1, 2-3 in part 2, which is damaged, 4-7 in the WAL, which is torn (or damaged at write 6).
void MakeDamaged(const stdfs::path& path, bool torn) {
  auto db = OpenDB(Quiet(), path.string(), FileSystem::Posix());
  ASSERT_TRUE(db.ok()) << db.status();
  uint64_t size_before_6 = 0;
  for (uint64_t n = 0; n < 8; ++n) {
    if (n == 6) size_before_6 = (*db)->Stats().wal_bytes;
    ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
    if (n == 1 || n == 3) {
      ASSERT_TRUE((*db)->Flush().ok());
    }
  }
  if (!torn) {
    ASSERT_TRUE((*db)->Close().ok());
  }
  *db = nullptr;
  for (const auto& entry : stdfs::recursive_directory_iterator(path)) {
    if (entry.path().string().find("000000000002/meta") != std::string::npos) WriteAll(entry.path(), "damage");
    if (entry.path().extension() != ".wal") continue;
    std::string bytes = ReadAll(entry.path());
    if (torn) {
      bytes.resize(bytes.size() - 32);  // the end mark
      bytes += "half a record";
    } else {
      bytes[size_before_6 + 50] ^= 1;
    }
    WriteAll(entry.path(), bytes);
  }
}

struct Scenario {
  const char* name;
  std::function<void(const stdfs::path&)> prepare;
  void (*work)(FailpointFileSystem*, const std::string&, const Journal&);
  std::vector<uint64_t> before;   // writes that are there in any case
  std::vector<uint64_t> perhaps;  // writes that damage has taken, or will take
  bool expires = false;           // retention removes old writes
};

std::vector<Scenario> Scenarios() {
  return {{"life", [](const stdfs::path&) {}, Live, {}, {}, true},
          {"torn", [](const stdfs::path& path) { MakeDamaged(path, true); }, Repair, {0, 1, 4, 5, 6, 7}, {}},
          {"damaged", [](const stdfs::path& path) { MakeDamaged(path, false); }, Repair, {0, 1, 4, 5}, {}}};
}

// The failpoints of a scenario in the order in which they come first, with how often each comes.
std::vector<std::pair<std::string, uint64_t>> FailpointsOf(const Scenario& scenario) {
  ScratchDir scratch;
  const stdfs::path path = scratch.path() / "db";
  scenario.prepare(path);
  std::vector<std::pair<std::string, uint64_t>> met;
  FailpointFileSystem fs(FileSystem::Posix(), path.string(), [&](const std::string& failpoint) {
    for (auto& [name, times] : met) {
      if (name != failpoint) continue;
      ++times;
      return;
    }
    met.emplace_back(failpoint, 1);
  });
  scenario.work(&fs, path.string(), [](Note) {});
  return met;
}

// Does the scenario in a process of its own that kills itself at that occurrence of the failpoint; returns its journal.
std::vector<Note> KillAt(const Scenario& scenario, const stdfs::path& path, const std::string& failpoint,
                         uint64_t occurrence) {
  int pipe_ends[2];
  EXPECT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe_ends[0]);
    ::alarm(120);
    uint64_t left = occurrence;
    FailpointFileSystem fs(FileSystem::Posix(), path.string(), [&](const std::string& met) {
      if (met == failpoint && left-- == 0) ::kill(::getpid(), SIGKILL);
    });
    scenario.work(&fs, path.string(), [&](Note note) {
      if (::write(pipe_ends[1], &note, sizeof(note)) != sizeof(note)) ::_exit(3);
    });
    ::_exit(0);
  }
  ::close(pipe_ends[1]);
  std::vector<Note> journal;
  Note note;
  while (::read(pipe_ends[0], &note, sizeof(note)) == sizeof(note)) journal.push_back(note);
  ::close(pipe_ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << failpoint << ": ended with " << status;
  return journal;
}

void CheckStore(const Scenario& scenario, const stdfs::path& path, const std::vector<Note>& journal) {
  std::set<uint64_t> sent(scenario.before.begin(), scenario.before.end()), acknowledged = sent;
  for (const Note& note : journal) {
    sent.insert(note.number);
    if (note.acknowledged) acknowledged.insert(note.number);
  }
  uint64_t newest = 0;
  for (const uint64_t number : sent) newest = std::max(newest, number);
  std::vector<uint64_t> found;
  {
    auto db = OpenDB(Quiet(), path.string(), FileSystem::Posix());
    ASSERT_TRUE(db.ok()) << db.status();
    if (scenario.before.empty()) {
      EXPECT_TRUE((*db)->Stats().quarantined.empty());
    }
    found = NumbersIn(*(*db)->GetSnapshot());
    for (const uint64_t number : acknowledged) {
      // The last session removes what is older than two seconds before the newest; writes are a second apart.
      if (scenario.expires && newest >= 14 && number + 2 < newest) continue;
      EXPECT_TRUE(std::binary_search(found.begin(), found.end(), number)) << "write " << number << " is lost";
    }
    for (const uint64_t number : found) EXPECT_TRUE(sent.contains(number)) << "write " << number << " was never sent";
    ASSERT_TRUE(WriteNumbered(db->get(), 50).ok());
    ASSERT_TRUE((*db)->Flush().ok());
  }
  if (!scenario.before.empty()) {
    EXPECT_TRUE(stdfs::exists(path / "quarantine" / "part-000000000002" / "meta")) << "the damaged part is gone";
  }
  auto db = OpenDB(Quiet(), path.string(), FileSystem::Posix());
  ASSERT_TRUE(db.ok()) << db.status();
  found.push_back(50);
  EXPECT_EQ(NumbersIn(*(*db)->GetSnapshot()), found);
}

TEST(FailpointTest, KilledAtEachOfThemTheStoreKeepsWhatItAcknowledged) {
  const uint64_t rounds = std::max<uint64_t>(CaseCount("KILLS_PER_FAILPOINT", 1), 1);
  uint64_t names = 0, kills = 0;
  for (const Scenario& scenario : Scenarios()) {
    const auto failpoints = FailpointsOf(scenario);
    names += failpoints.size();
#if defined(__SANITIZE_ADDRESS__)
    const size_t step = 7;
#else
    const size_t step = 1;
#endif
    for (size_t i = 0; i < failpoints.size(); i += step) {
      const auto& [failpoint, times] = failpoints[i];
      for (uint64_t round = 0; round < rounds; ++round) {
        const uint64_t occurrence = (round * 7 + i) % times;
        SCOPED_TRACE(std::string(scenario.name) + ", killed at: " + failpoint + ", occurrence " +
                     std::to_string(occurrence));
        ScratchDir scratch;
        const stdfs::path path = scratch.path() / "db";
        scenario.prepare(path);
        const std::vector<Note> journal = KillAt(scenario, path, failpoint, occurrence);
        CheckStore(scenario, path, journal);
        ++kills;
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GE(names, 150u);
  std::printf("%llu named failpoints, %llu kills\n", static_cast<unsigned long long>(names),
              static_cast<unsigned long long>(kills));
}

// Moments that must be among them whatever else changes.
TEST(FailpointTest, TheStepsOfTheContractAreAmongThem) {
  std::set<std::string> all;
  for (const Scenario& scenario : Scenarios()) {
    for (const auto& [name, times] : FailpointsOf(scenario)) all.insert(name);
  }
  for (const char* step : {"create: before append new manifest",
                           "create: after rename to manifest",
                           "create: before sync store",
                           "write: before create wal segment",
                           "write: halfway append wal segment",
                           "write: after append wal segment",
                           "write: before sync wal segment",
                           "write: after sync wal segment",
                           "write: before sync wal directory",
                           "flush: before make part directory",
                           "flush: halfway append part logs",
                           "flush: before sync part samples",
                           "flush: after sync part meta",
                           "flush: before sync part directory",
                           "flush: before sync parts directory",
                           "flush: before append new manifest",
                           "flush: before sync new manifest",
                           "flush: before rename to manifest",
                           "flush: after rename to manifest",
                           "flush: before sync store",
                           "flush: before remove wal segment",
                           "flush: after remove wal segment",
                           "merge: before sync part spans",
                           "merge: before rename to manifest",
                           "merge: after sync store",
                           "merge: before remove part meta",
                           "merge: after remove part directory",
                           "retention: before rename to manifest",
                           "retention: before remove part samples",
                           "close: before append wal segment",
                           "close: after sync wal segment",
                           "open: before lock lock",
                           "repair: before rename to quarantined",
                           "repair: after rename to quarantined",
                           "repair: before sync quarantine directory",
                           "repair: before truncate wal segment",
                           "repair: after truncate wal segment",
                           "repair: before rename to manifest",
                           "repair: halfway append quarantined",
                           "repair: after rename to quarantine note"}) {
    EXPECT_TRUE(all.contains(step)) << step;
  }
  if (std::getenv("BRAID_TEST_SHOW") != nullptr) {
    for (const std::string& name : all) std::printf("%s\n", name.c_str());
  }
}

}  // namespace
}  // namespace braid
