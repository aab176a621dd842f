// Follows log files into a DB: `braid serve --tail`.
//
// What has been read of a file is a sample of the series braid_tail_offset_bytes{path,inode,head}, written in the same
// batch as the records: after a crash both are there or neither is, so nothing is lost and nothing is read twice.
// A file is known by its inode and first bytes (`head`), under whatever name. Rotation by rename: the old file is read
// to its end under its new name. Rotation by copy and truncate: the file begins anew, and a copy that the patterns
// match is read from where reading had got to.
//
// Threads: Start runs a thread of its own; with Make the caller does the polling, in one thread.
// Ownership: the DB outlives the tail. Errors: Make answers InvalidArgument for a pattern that is none.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/db.h"
#include "server/ingest/log_sink.h"
#include "tools/capture/tailed_file.h"

namespace braid {

// Files to follow: "web=/var/log/web/*.log", or a shell pattern (glob) alone. Without a name the service is the
// container's name, or the file's up to its first dot.
struct TailPattern {
  std::string service;
  std::string glob;
  // InvalidArgument for a text that names no files.
  static absl::StatusOr<TailPattern> Parse(const std::string& text);
};

struct TailOptions {
  std::vector<std::string> patterns;                  // texts of TailPattern
  std::function<Timestamp()> clock;                   // REQUIRED
  std::function<void(const std::string& note)> note;  // of files that cannot be read; may be null
};

inline constexpr std::string_view kTailOffsetMetric = "braid_tail_offset_bytes";

class LogTail {
 public:
  static absl::StatusOr<std::unique_ptr<LogTail>> Make(TailOptions options, DB* db);
  // The same, and polls.
  static absl::StatusOr<std::unique_ptr<LogTail>> Start(TailOptions options, DB* db);
  ~LogTail();

  // Looks for files and reads what is new. True: there is more to read at once.
  bool Poll();
  // Ends the thread; what was read is written.
  void Stop();
  size_t files() const { return files_.size(); }

 private:
  // What the store knows of a file. A file leaves several of these: its head grows with it, and its name may change.
  struct Known {
    std::string path;
    ino_t inode = 0;
    FileHead head;
    uint64_t offset = 0;
    Timestamp time = 0;
    bool current = true;  // the newest of its path and inode; an older one tells only of copies
  };
  struct Followed {
    std::unique_ptr<TailedFile> file;
    uint64_t written_offset = UINT64_MAX;  // what the store has; none yet
    Timestamp written_time = 0;
    bool settled = true;
    bool matched = true;  // a pattern leads to it
  };
  // A file that was cut: where its copy is to be read on.
  struct Orphan {
    FileHead head;
    std::string past;
    uint64_t offset = 0;
    Timestamp since = 0;
  };

  LogTail(TailOptions options, DB* db) : options_(std::move(options)), db_(db) {}
  absl::Status Load();
  void Run();
  void Scan(Timestamp now);
  void Consider(const std::string& path, const std::string& service, Timestamp now);
  // Where to begin in a file that is new to this object; false: not now.
  bool FindStart(const TailedFile& file, Timestamp now, uint64_t* offset);
  // What is known of this very file, under whatever names; the newest first, which is the one that counts.
  std::vector<const Known*> KnownOf(const TailedFile& file) const;
  // The time of the last offset of an inode, whatever file had it.
  Timestamp LastTimeOf(ino_t inode) const;
  // A renamed file keeps the service of its first name; false: no pattern leads to any name it had.
  bool KeepService(const std::vector<const Known*>& known, TailedFile* file) const;
  void FindMoved();
  bool ReadFile(Followed* followed, Timestamp now);
  void AddOffsets(Timestamp now, bool all);
  bool Write();
  void NoteOnce(const std::string& path, const std::string& why);

  const TailOptions options_;
  DB* const db_;
  std::vector<TailPattern> patterns_;
  std::vector<Known> known_;  // the newest first
  std::vector<Followed> files_;
  std::vector<Orphan> orphans_;
  std::map<std::string, Timestamp> suspects_;  // files that may be copies in the making, and since when
  std::map<std::string, std::string> noted_;
  WriteBatch batch_;
  ingest::BatchLogSink sink_;
  Timestamp last_scan_ = 0;
  Timestamp last_heartbeat_ = 0;
  bool scanned_ = false;
  bool failing_ = false;

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
};

}  // namespace braid
