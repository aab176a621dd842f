// `braid torture`: processes that write all three signals are killed at random moments, and after each kill a new one
// compares the store with what was acknowledged. The journal is kept here, outside of the processes that die.
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <random>
#include <thread>

#include "braid/inspect.h"
#include "tools/command.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"
#include "tools/torture_load.h"

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

// A store is given up for a new one at this size, so that a check takes no longer than the load between two kills.
constexpr uint64_t kStoreBytesMax = uint64_t{96} << 20;
// Recovery that takes longer than this counts as hanging.
constexpr unsigned kCheckSecondsMax = 120;
constexpr int kKillAfterMsMax = 1500;

Options LoadOptions() {
  Options options;
  // A small head, so that kills meet flushes and merges.
  options.flush_bytes_max = uint64_t{1} << 20;
  return options;
}

// In the child: opens the store and writes until it is killed.
[[noreturn]] void RunLoad(const std::string& path, uint32_t round, int notes) {
  const absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(LoadOptions(), path);
  if (!db.ok()) {
    std::fprintf(stderr, "\nbraid: torture: the store does not open: %s\n", db.status().ToString().c_str());
    ::_exit(1);
  }
  std::vector<std::thread> writers;
  for (uint32_t writer = 0; writer < kTortureWriters; ++writer) {
    writers.emplace_back([&db, round, writer, notes] {
      for (uint64_t number = 0;; ++number) {
        WriteBatch batch;
        FillTortureBatch({round, writer, number}, &batch);
        const auto tell = [&](TortureNote::Kind kind) {
          const TortureNote note{kind, writer, number};
          // Below PIPE_BUF, so that it is never cut or mixed with another's.
          if (::write(notes, &note, sizeof(note)) != sizeof(note)) ::_exit(1);
        };
        tell(TortureNote::kSent);
        const absl::Status status = (*db)->Write(batch);
        tell(status.ok() ? TortureNote::kAcknowledged : TortureNote::kRefused);
        if (!status.ok()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  ::_exit(1);
}

// In the child: compares the store with the journal.
[[noreturn]] void RunCheck(const std::string& path, const TortureJournal& journal, bool every_byte) {
  ::alarm(kCheckSecondsMax);
  std::vector<std::string> problems;
  {
    Options options = LoadOptions();
    options.background_work = false;
    const absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, path);
    if (db.ok()) {
      problems = journal.Compare(**db);
      const absl::Status closed = (*db)->Close();
      if (!closed.ok()) problems.push_back("the store does not close: " + closed.ToString());
    } else {
      problems.push_back("the store does not open: " + db.status().ToString());
    }
  }
  if (every_byte && problems.empty()) {
    const absl::StatusOr<VerifyReport> report = VerifyStore(path, nullptr);
    if (report.ok()) {
      problems = report->problems;
    } else {
      problems.push_back(report.status().ToString());
    }
  }
  if (!problems.empty()) std::fprintf(stderr, "\n");
  for (size_t i = 0; i < std::min<size_t>(problems.size(), 20); ++i) {
    std::fprintf(stderr, "braid: torture: %s\n", problems[i].c_str());
  }
  if (problems.size() > 20) std::fprintf(stderr, "braid: torture: and %zu more\n", problems.size() - 20);
  ::_exit(problems.empty() ? 0 : 1);
}

template <typename Work>
pid_t Fork(const Work& work) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  // Whoever stops the torture stops its children.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  ::_exit(1);
}

// How the child ended, in words; "" if well.
std::string Wait(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return std::string("its process cannot be waited for: ") + std::strerror(errno);
  }
  if (WIFSIGNALED(status)) {
    if (WTERMSIG(status) == SIGALRM) return "it did not end within " + std::to_string(kCheckSecondsMax) + " s";
    return std::string("it crashed: ") + strsignal(WTERMSIG(status));
  }
  return WEXITSTATUS(status) == 0 ? "" : "see above";
}

// Lets a process write for that long, kills it, and notes what it said. "" or what went wrong.
std::string LoadAndKill(const std::string& path, std::chrono::milliseconds length, TortureJournal* journal) {
  int ends[2];
  if (::pipe(ends) != 0) return std::string("no pipe: ") + std::strerror(errno);
  const uint32_t round = journal->BeginRound();
  const pid_t child = Fork([&] {
    ::close(ends[0]);
    RunLoad(path, round, ends[1]);
  });
  ::close(ends[1]);
  const Clock::time_point end = Clock::now() + length;
  bool killed = false;
  TortureNote note;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (!killed && left <= 0) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    // After the kill, what is still in the pipe.
    pollfd wanted{ends[0], POLLIN, 0};
    if (!killed && ::poll(&wanted, 1, static_cast<int>(left)) == 0) continue;
    if (::read(ends[0], &note, sizeof(note)) != sizeof(note)) break;
    journal->Take(note);
  }
  ::close(ends[0]);
  const std::string ended = Wait(child);
  return killed ? "" : "the writing process ended by itself: " + ended;
}

uint64_t BytesOf(const std::string& path) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path, error)) {
    std::error_code gone;
    if (entry.is_regular_file(gone)) bytes += entry.file_size(gone);
  }
  return bytes;
}

}  // namespace

int RunTorture(const TortureSettings& settings) {
  std::error_code error;
  if (!std::filesystem::is_directory(settings.dir, error)) return Fail(settings.dir + ": there is no such directory");
  std::string own = settings.dir + "/braid-torture-XXXXXX";
  if (::mkdtemp(own.data()) == nullptr) return Fail(own + ": " + std::strerror(errno));
  ::signal(SIGPIPE, SIG_IGN);
  std::mt19937_64 random(settings.seed);
  ProgressBar bar("torture", settings.quiet);
  const Clock::time_point begin = Clock::now();
  uint64_t kills = 0, stores = 0, acknowledged = 0, refused = 0;
  std::string problem, path;
  const auto elapsed = [&] {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count());
  };
  while (problem.empty() && (stores == 0 || elapsed() < settings.seconds)) {
    path = own + "/store-" + std::to_string(++stores);
    TortureJournal journal;
    bool last = false;
    while (problem.empty() && !last) {
      // Now and then so early that the kill meets recovery.
      const int longest = random() % 5 == 0 ? 40 : kKillAfterMsMax;
      problem = LoadAndKill(path, std::chrono::milliseconds(random() % static_cast<unsigned>(longest) + 1), &journal);
      if (!problem.empty()) break;
      ++kills;
      last = elapsed() >= settings.seconds || BytesOf(path) > kStoreBytesMax;
      const pid_t child = Fork([&] { RunCheck(path, journal, last); });
      problem = Wait(child);
      if (!problem.empty()) problem = "the check after the kill: " + problem;
      bar.Update(std::min(elapsed(), settings.seconds), settings.seconds,
                 ReadableCount(kills) + " kills, " + ReadableCount(acknowledged + journal.acknowledged()) +
                     " acknowledged batches");
    }
    acknowledged += journal.acknowledged();
    refused += journal.refused();
    if (problem.empty()) std::filesystem::remove_all(path, error);
  }
  bar.Finish(ReadableCount(kills) + " kills");
  const std::string counts = std::to_string(kills) + " kills in " + std::to_string(elapsed()) + " s, " +
                             std::to_string(acknowledged) + " acknowledged batches of " +
                             std::to_string(kTortureRecords) + " records in " + std::to_string(stores) +
                             (stores == 1 ? " store" : " stores");
  if (refused > 0) std::printf("%llu batches were refused\n", static_cast<unsigned long long>(refused));
  if (!problem.empty()) {
    std::printf("%s: FAILED after %s: %s\nthe store is kept: %s (seed %llu)\n", settings.dir.c_str(), counts.c_str(),
                problem.c_str(), path.c_str(), static_cast<unsigned long long>(settings.seed));
    return 1;
  }
  std::filesystem::remove_all(own, error);
  std::printf("%s: %s: none lost, none altered, each whole\n", settings.dir.c_str(), counts.c_str());
  return 0;
}

}  // namespace braid
