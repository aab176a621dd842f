#include "tools/capture/tailed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "engine/base/checksum.h"

namespace braid {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;

std::string ReadAt(int fd, uint64_t offset, size_t length) {
  std::string bytes(length, '\0');
  ssize_t got;
  do {
    got = pread(fd, bytes.data(), length, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
  return bytes;
}

// "app" of "/var/log/app.log" and "/var/log/app.log.1".
std::string StemOf(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  const size_t dot = name.find('.', 1);
  return name.substr(0, dot);
}

}  // namespace

std::string FileHead::ToText() const {
  char text[40];
  std::snprintf(text, sizeof text, "%zu:%016llx", length, static_cast<unsigned long long>(hash));
  return text;
}

bool FileHead::Parse(std::string_view text, FileHead* head) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  FileHead parsed;
  const char* end = text.data() + text.size();
  const auto length = std::from_chars(text.data(), text.data() + colon, parsed.length);
  const auto hash = std::from_chars(text.data() + colon + 1, end, parsed.hash, 16);
  if (length.ec != std::errc() || hash.ec != std::errc() || hash.ptr != end || parsed.length > kBytesMax) return false;
  *head = parsed;
  return true;
}

std::unique_ptr<TailedFile> TailedFile::Open(const std::string& path, const std::string& service, std::string* why) {
  struct stat status {};
  // Looked at before it is opened: opening a FIFO or a device does things.
  if (stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) *why = std::strerror(errno);
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    if (!S_ISDIR(status.st_mode)) *why = "not a file";
    return nullptr;
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 || fstat(fd, &status) != 0) {
    *why = std::strerror(errno);
    if (fd >= 0) close(fd);
    return nullptr;
  }
  std::unique_ptr<TailedFile> file(new TailedFile(path, fd));
  file->inode_ = status.st_ino;
  file->device_ = status.st_dev;
  file->lines_.live = false;
  file->lines_.source = ingest::ContainerOfPath(path);
  file->lines_.source.push_back({"log.file.path", path});
  file->SetService(service.empty() ? ServiceOf(path) : service);
  return file;
}

TailedFile::~TailedFile() { close(fd_); }

std::string TailedFile::ServiceOf(const std::string& path) {
  for (const Attribute& attribute : ingest::ContainerOfPath(path)) {
    if (attribute.name == "k8s.container.name") return std::get<std::string>(attribute.value);
  }
  return StemOf(path);
}

void TailedFile::SetService(const std::string& service) {
  lines_.service = service;
  for (Output& output : outputs_) output.parser.emplace(lines_);
}

// Before the first line that is read.
void TailedFile::Sniff(std::string_view line) {
  sniffed_ = true;
  format_ = ingest::SniffContainerFormat(line);
  if (format_ == ingest::ContainerFormat::kNone) return;
  for (const bool is_stderr : {false, true}) {
    ingest::LogLinesOptions lines = lines_;
    lines.attributes.push_back({"log.iostream", is_stderr ? "stderr" : "stdout"});
    outputs_[is_stderr].parser.emplace(std::move(lines));
  }
}

bool TailedFile::IsAt(const std::string& path) const {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && status.st_ino == inode_ && status.st_dev == device_;
}

bool TailedFile::IsCompressed() const {
  const std::string start = ReadAt(fd_, 0, 4);
  return start.starts_with("\x1f\x8b") || start == "\x28\xb5\x2f\xfd" || start.starts_with("BZh") ||
         start.starts_with(
             "\xfd"
             "7z");
}

FileHead TailedFile::HeadNow(size_t length) const {
  const std::string bytes = ReadAt(fd_, 0, std::min(length, FileHead::kBytesMax));
  return {bytes.size(), Hash64(bytes)};
}

uint64_t TailedFile::SizeNow() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

bool TailedFile::Holds(const std::string& past, uint64_t end) const {
  return end >= past.size() && ReadAt(fd_, end - past.size(), past.size()) == past;
}

void TailedFile::Resume(uint64_t offset) {
  read_offset_ = line_offset_ = offset;
  head_ = HeadNow(FileHead::kBytesMax);
  const size_t length = std::min<uint64_t>(offset, FileHead::kBytesMax);
  past_ = ReadAt(fd_, offset - length, length);
}

bool TailedFile::IsTruncated() const { return SizeNow() < read_offset_ || HeadNow(head_.length) != head_; }

void TailedFile::Restart(Timestamp now, ingest::LogSink* sink) {
  Settle(true, now, sink);
  read_offset_ = line_offset_ = 0;
  head_ = FileHead();
  past_.clear();
  sniffed_ = false;
}

size_t TailedFile::Read(size_t bytes_max, Timestamp now, ingest::LogSink* sink) {
  size_t all = 0;
  while (all < bytes_max) {
    const std::string bytes = ReadAt(fd_, read_offset_, std::min(kReadBytes, bytes_max - all));
    if (bytes.empty()) break;
    // Known by its first bytes as soon as there are some; a file that is written to keeps them.
    if (head_.length < FileHead::kBytesMax && head_.length < read_offset_ + bytes.size()) {
      head_ = HeadNow(FileHead::kBytesMax);
    }
    read_offset_ += bytes.size();
    all += bytes.size();
    past_ += bytes;
    if (past_.size() > FileHead::kBytesMax) past_.erase(0, past_.size() - FileHead::kBytesMax);
    splitter_.Feed(bytes, [&](std::string_view line, size_t taken) { TakeLine(line, taken, now, sink); });
  }
  if (all > 0) last_read_ = now;
  return all;
}

void TailedFile::TakeLine(std::string_view line, size_t bytes, Timestamp now, ingest::LogSink* sink) {
  const uint64_t start = line_offset_;
  line_offset_ += bytes;
  if (!sniffed_) Sniff(line);
  ingest::ContainerLine container;
  if (!ParseContainerLine(format_, line, &container)) return Parse(&outputs_[0], line, start, now, sink);
  Output& output = outputs_[container.is_stderr];
  if (output.partial.empty()) output.partial_since = start;
  if (output.partial.size() + container.text.size() > LineSplitter::kLineBytesMax) container.partial = false;
  output.partial += container.text;
  if (container.partial) return;
  const std::string whole = std::move(output.partial);
  output.partial.clear();
  Parse(&output, whole, output.partial_since, container.time, sink);
}

void TailedFile::Parse(Output* output, std::string_view line, uint64_t start, Timestamp time, ingest::LogSink* sink) {
  const uint64_t before = report_.accepted;
  const bool was_pending = output->parser->pending();
  output->parser->ParseLine(line, time, sink, &report_);
  if (!was_pending || report_.accepted != before) output->pending_since = start;
}

void TailedFile::Settle(bool everything, Timestamp now, ingest::LogSink* sink) {
  if (everything) {
    splitter_.End([&](std::string_view line, size_t taken) { TakeLine(line, taken, now, sink); });
  }
  for (Output& output : outputs_) {
    if (everything && !output.partial.empty()) {
      const std::string line = std::move(output.partial);
      output.partial.clear();
      Parse(&output, line, output.partial_since, now, sink);
    }
    output.parser->Finish(sink, &report_);
  }
}

uint64_t TailedFile::safe_offset() const {
  uint64_t safe = line_offset_;
  for (const Output& output : outputs_) {
    if (output.parser->pending()) safe = std::min(safe, output.pending_since);
    if (!output.partial.empty()) safe = std::min(safe, output.partial_since);
  }
  return safe;
}

}  // namespace braid
