#include "tools/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/status_macros.h"

namespace braid {
namespace {

absl::Status ErrnoStatus(const std::string& path, int error) {
  const std::string message = path + ": " + std::strerror(error);
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(message);
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileReader>> FileReader::Open(const std::string& path) {
  if (path == "-") return std::make_unique<FileReader>("standard input", STDIN_FILENO, 0);
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(path, errno);
  struct stat status {};
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(path + ": is a directory; name the files in it");
  }
  return std::make_unique<FileReader>(path, fd, S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0);
}

FileReader::~FileReader() {
  if (fd_ != STDIN_FILENO) close(fd_);
}

absl::StatusOr<size_t> FileReader::Read(char* buffer, size_t size) {
  ssize_t got;
  do {
    got = read(fd_, buffer, size);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoStatus(path_, errno);
  position_ += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

absl::StatusOr<std::string> FileReader::ReadAll() {
  std::string all;
  char buffer[1 << 16];
  while (true) {
    ASSIGN_OR_RETURN(const size_t got, Read(buffer, sizeof buffer));
    if (got == 0) return all;
    all.append(buffer, got);
  }
}

}  // namespace braid
