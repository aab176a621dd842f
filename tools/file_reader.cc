#include "tools/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr size_t kReadBytes = 256 << 10;

absl::Status ErrnoStatus(const std::string& path, int error) {
  const std::string message = path + ": " + std::strerror(error);
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

class PlainReader : public FileReader {
 public:
  PlainReader(std::string path, int fd, uint64_t size) : path_(std::move(path)), fd_(fd), size_(size) {}
  ~PlainReader() override {
    if (fd_ != STDIN_FILENO) close(fd_);
  }

  absl::StatusOr<bool> Read(std::string* bytes) override {
    if (!ahead_.empty()) {
      bytes->append(ahead_);
      ahead_.clear();
      return true;
    }
    const size_t before = bytes->size();
    bytes->resize(before + kReadBytes);
    ssize_t got;
    do {
      got = read(fd_, bytes->data() + before, kReadBytes);
    } while (got < 0 && errno == EINTR);
    const int error = errno;
    bytes->resize(before + static_cast<size_t>(got > 0 ? got : 0));
    if (got < 0) return ErrnoStatus(path_, error);
    position_ += static_cast<uint64_t>(got);
    return got > 0;
  }

  // Looks at the first bytes without consuming them.
  absl::StatusOr<std::string> Peek() {
    while (ahead_.size() < 4) {
      std::string more;
      ASSIGN_OR_RETURN(const bool any, Read(&more));
      if (!any) break;
      ahead_ += more;
      if (more.size() >= 4) break;
    }
    return ahead_.substr(0, 4);
  }

  uint64_t file_position() const override { return position_; }
  uint64_t file_size() const override { return size_; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_;
  uint64_t size_;
  uint64_t position_ = 0;
  std::string ahead_;
};

class GzipReader : public FileReader {
 public:
  explicit GzipReader(std::unique_ptr<PlainReader> file) : file_(std::move(file)) { inflateInit2(&stream_, 15 + 32); }
  ~GzipReader() override { inflateEnd(&stream_); }

  absl::StatusOr<bool> Read(std::string* bytes) override {
    const size_t before = bytes->size();
    while (true) {
      if (stream_.avail_in == 0) {
        input_.clear();
        ASSIGN_OR_RETURN(const bool any, file_->Read(&input_));
        if (!any) {
          if (!at_member_end_) return absl::DataLossError(file_->path() + ": the gzip data ends too early");
          return false;
        }
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(input_.size());
      }
      if (at_member_end_) {
        // Files that were appended to hold several members.
        inflateReset(&stream_);
        at_member_end_ = false;
      }
      bytes->resize(before + kReadBytes);
      stream_.next_out = reinterpret_cast<Bytef*>(bytes->data() + before);
      stream_.avail_out = kReadBytes;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      bytes->resize(before + kReadBytes - stream_.avail_out);
      if (result == Z_STREAM_END) {
        at_member_end_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return absl::DataLossError(file_->path() + ": damaged gzip data near byte " + std::to_string(file_position()));
      }
      if (bytes->size() > before) return true;
    }
  }

  uint64_t file_position() const override { return file_->file_position(); }
  uint64_t file_size() const override { return file_->file_size(); }

 private:
  std::unique_ptr<PlainReader> file_;
  z_stream stream_{};
  std::string input_;
  bool at_member_end_ = true;
};

class ZstdReader : public FileReader {
 public:
  explicit ZstdReader(std::unique_ptr<PlainReader> file) : file_(std::move(file)), stream_(ZSTD_createDStream()) {
    // Long-distance frames (zstd --long) up to 128 MB of window.
    ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 27);
  }
  ~ZstdReader() override { ZSTD_freeDStream(stream_); }

  absl::StatusOr<bool> Read(std::string* bytes) override {
    const size_t before = bytes->size();
    while (true) {
      if (in_.pos == in_.size) {
        input_.clear();
        ASSIGN_OR_RETURN(const bool any, file_->Read(&input_));
        if (!any) {
          if (inside_frame_) return absl::DataLossError(file_->path() + ": the zstd data ends too early");
          return false;
        }
        in_ = {input_.data(), input_.size(), 0};
      }
      bytes->resize(before + kReadBytes);
      ZSTD_outBuffer out{bytes->data() + before, kReadBytes, 0};
      const size_t result = ZSTD_decompressStream(stream_, &out, &in_);
      bytes->resize(before + out.pos);
      if (ZSTD_isError(result)) {
        return absl::DataLossError(file_->path() + ": damaged zstd data near byte " + std::to_string(file_position()) + ": " +
                                   ZSTD_getErrorName(result));
      }
      inside_frame_ = result != 0;
      if (out.pos > 0) return true;
    }
  }

  uint64_t file_position() const override { return file_->file_position(); }
  uint64_t file_size() const override { return file_->file_size(); }

 private:
  std::unique_ptr<PlainReader> file_;
  ZSTD_DStream* stream_;
  std::string input_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool inside_frame_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FileReader>> FileReader::Open(const std::string& path) {
  int fd = STDIN_FILENO;
  uint64_t size = 0;
  if (path != "-") {
    fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ErrnoStatus(path, errno);
    struct stat status {};
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
      close(fd);
      return absl::InvalidArgumentError(path + ": is a directory; name the files in it");
    }
    size = static_cast<uint64_t>(status.st_size);
  }
  auto plain = std::make_unique<PlainReader>(path == "-" ? "standard input" : path, fd, size);
  ASSIGN_OR_RETURN(const std::string head, plain->Peek());
  if (head.size() >= 2 && head.compare(0, 2, "\x1f\x8b") == 0) return std::make_unique<GzipReader>(std::move(plain));
  if (head == "\x28\xb5\x2f\xfd") return std::make_unique<ZstdReader>(std::move(plain));
  return plain;
}

}  // namespace braid
