// One log file that is followed: what has been read of it, and up to where that is safe with its records.
//
// The safe offset is where the first line stands whose record has not gone to the sink; reading again from there after
// a crash loses nothing and repeats nothing.
//
// Threads: one thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"
#include "server/ingest/container_log.h"
#include "server/ingest/log_lines.h"
#include "tools/capture/line_splitter.h"

namespace braid {

// The first bytes of a file, by which it is known again under another name or number.
struct FileHead {
  static constexpr size_t kBytesMax = 256;
  size_t length = 0;
  uint64_t hash = 0;

  std::string ToText() const;  // "256:00ff..."
  static bool Parse(std::string_view text, FileHead* head);
  friend bool operator==(const FileHead&, const FileHead&) = default;
};

class TailedFile {
 public:
  // Opens a regular file (through symbolic links); null if there is none, or it cannot be read: `*why` says so.
  static std::unique_ptr<TailedFile> Open(const std::string& path, const std::string& service, std::string* why);
  ~TailedFile();

  const std::string& path() const { return path_; }
  ino_t inode() const { return inode_; }
  dev_t device() const { return device_; }
  // Does a path that is looked at now lead to this file?
  bool IsAt(const std::string& path) const;
  bool IsCompressed() const;
  // The service of a file that nobody named one for: the container's name, or the file's up to its first dot.
  static std::string ServiceOf(const std::string& path);
  // Before the first Read.
  void SetService(const std::string& service);
  // Of the bytes that are there now, at most `length`.
  FileHead HeadNow(size_t length) const;
  uint64_t SizeNow() const;
  // The last bytes read, and whether another file has them in the same place: a copy of this one.
  const std::string& past() const { return past_; }
  bool Holds(const std::string& past, uint64_t end) const;

  // Where to go on; before the first Read.
  void Resume(uint64_t offset);
  // Was the file cut, or written anew in the same place?
  bool IsTruncated() const;
  // Hands out what is pending and begins at 0.
  void Restart(Timestamp now, ingest::LogSink* sink);
  // Reads up to `bytes_max`, returns how many came.
  size_t Read(size_t bytes_max, Timestamp now, ingest::LogSink* sink);
  // Hands out what waits for more lines; `everything`: also a last line without its break.
  void Settle(bool everything, Timestamp now, ingest::LogSink* sink);

  const FileHead& head() const { return head_; }
  uint64_t read_offset() const { return read_offset_; }
  uint64_t safe_offset() const;
  Timestamp last_read() const { return last_read_; }
  uint64_t records() const { return report_.accepted; }

 private:
  struct Output {  // of the program; files of containers have two
    std::optional<ingest::LogLinesParser> parser;
    uint64_t pending_since = 0;  // where the lines begin that wait in the parser
    std::string partial;         // a container's line so far,
    uint64_t partial_since = 0;  // and where it begins
  };
  TailedFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void Sniff(std::string_view line);
  void TakeLine(std::string_view line, size_t bytes, Timestamp now, ingest::LogSink* sink);
  void Parse(Output* output, std::string_view line, uint64_t start, Timestamp time, ingest::LogSink* sink);

  const std::string path_;
  const int fd_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
  ingest::LogLinesOptions lines_;
  FileHead head_;
  std::string past_;
  uint64_t read_offset_ = 0;
  uint64_t line_offset_ = 0;  // where the line begins that has not ended
  Timestamp last_read_ = 0;
  bool sniffed_ = false;
  ingest::ContainerFormat format_ = ingest::ContainerFormat::kNone;
  LineSplitter splitter_;
  std::array<Output, 2> outputs_;
  ingest::IngestReport report_;
};

}  // namespace braid
