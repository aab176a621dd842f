#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/io/file_system.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr size_t kOwnerTextMax = 1024;
// One read or write call; the kernel's own limit is 2^31 - 4096 bytes.
constexpr size_t kCallBytesMax = size_t{1} << 30;

absl::Status FromErrno(int error, const char* what, const std::string& path) {
  const std::string message = absl::StrCat(what, " ", path, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
    case ENOTDIR: return absl::NotFoundError(message);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE: return absl::ResourceExhaustedError(message);
    case EACCES:
    case EPERM:
    case EROFS: return absl::PermissionDeniedError(message);
    case EISDIR:
    case ELOOP: return absl::InvalidArgumentError(message);
    default: return absl::UnavailableError(message);
  }
}

// Owns a descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::StatusOr<Descriptor> OpenFile(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return FromErrno(errno, "open", path);
  return Descriptor(fd);
}

absl::Status WriteAt(int fd, const std::string& path, std::string_view bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(fd, bytes.data(), std::min(bytes.size(), kCallBytesMax), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return FromErrno(errno, "write", path);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return absl::OkStatus();
}

absl::Status ReadAt(int fd, const std::string& path, uint64_t offset, size_t size, std::string* bytes) {
  bytes->resize(size);
  size_t done = 0;
  while (done < size) {
    const ssize_t read =
        ::pread(fd, bytes->data() + done, std::min(size - done, kCallBytesMax), static_cast<off_t>(offset + done));
    if (read < 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      bytes->clear();
      return FromErrno(error, "read", path);
    }
    if (read == 0) break;
    done += static_cast<size_t>(read);
  }
  bytes->resize(done);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> SizeOf(int fd, const std::string& path) {
  struct stat info;
  if (::fstat(fd, &info) != 0) return FromErrno(errno, "stat", path);
  return static_cast<uint64_t>(info.st_size);
}

class PosixAppendFile : public AppendFile {
 public:
  PosixAppendFile(std::string path, Descriptor fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  absl::Status Append(std::string_view bytes) override {
    // Written at a known offset: after a failed append the next one overwrites what got there.
    RETURN_IF_ERROR(WriteAt(fd_.get(), path_, bytes, size_));
    size_ += bytes.size();
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    int result;
    do {
      result = ::fdatasync(fd_.get());
    } while (result != 0 && errno == EINTR);
    if (result != 0) return FromErrno(errno, "fdatasync", path_);
    return absl::OkStatus();
  }

  absl::Status Preallocate(uint64_t bytes) override {
    if (bytes == 0) return absl::OkStatus();
    int result;
    do {
      result = ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(size_), static_cast<off_t>(bytes));
    } while (result != 0 && errno == EINTR);
    // Some file systems cannot; it is only a speed-up there, while "no space" is worth knowing early.
    if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return FromErrno(errno, "fallocate", path_);
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    int result;
    do {
      result = ::ftruncate(fd_.get(), static_cast<off_t>(size));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return FromErrno(errno, "truncate", path_);
    size_ = size;
    return absl::OkStatus();
  }

  uint64_t size() const override { return size_; }

 private:
  std::string path_;
  Descriptor fd_;
  uint64_t size_;
};

class PosixReadFile : public RandomReadFile {
 public:
  PosixReadFile(std::string path, Descriptor fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  absl::Status Read(uint64_t offset, size_t size, std::string* bytes) const override {
    // A wrong size from a damaged index must not become an allocation.
    if (offset >= size_) {
      bytes->clear();
      return absl::OkStatus();
    }
    return ReadAt(fd_.get(), path_, offset, std::min<uint64_t>(size, size_ - offset), bytes);
  }
  uint64_t size() const override { return size_; }

 private:
  std::string path_;
  Descriptor fd_;
  uint64_t size_;
};

class PosixFileLock : public FileLock {
 public:
  PosixFileLock(Descriptor file, Descriptor dir) : file_(std::move(file)), dir_(std::move(dir)) {}

 private:
  // Closing releases the locks.
  Descriptor file_;
  Descriptor dir_;
};

// False if somebody else has it. flock belongs to the open file, so that a second handle of this very process is
// refused as well.
absl::StatusOr<bool> TryLock(int fd, const std::string& path) {
  int result;
  do {
    result = ::flock(fd, LOCK_EX | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return FromErrno(errno, "lock", path);
}

class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenFile(path, O_WRONLY | O_CREAT | (keep ? 0 : O_TRUNC)));
    ASSIGN_OR_RETURN(const uint64_t size, SizeOf(fd.get(), path));
    return std::make_unique<PosixAppendFile>(path, std::move(fd), size);
  }

  absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) override {
    // A pipe in a file's place must not be waited for.
    ASSIGN_OR_RETURN(Descriptor fd, OpenFile(path, O_RDONLY | O_NONBLOCK));
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return FromErrno(errno, "stat", path);
    if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(path + " is not a regular file");
    return std::make_unique<PosixReadFile>(path, std::move(fd), static_cast<uint64_t>(info.st_size));
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(dir.c_str()), ::closedir);
    if (stream == nullptr) return FromErrno(errno, "list", dir);
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(stream.get());
      if (entry == nullptr) break;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return FromErrno(errno, "list", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status CreateDir(const std::string& dir) override {
    if (::mkdir(dir.c_str(), 0755) == 0) return absl::OkStatus();
    const int error = errno;
    if (error == EEXIST) {
      struct stat info;
      if (::stat(dir.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return absl::OkStatus();
    }
    return FromErrno(error, "create directory", dir);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return FromErrno(errno, "rename", from + " to " + to);
    return absl::OkStatus();
  }

  absl::Status Link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return FromErrno(errno, "link", from + " to " + to);
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return FromErrno(errno, "remove", path);
    return absl::OkStatus();
  }

  absl::Status RemoveDir(const std::string& dir) override {
    if (::rmdir(dir.c_str()) != 0) return FromErrno(errno, "remove directory", dir);
    return absl::OkStatus();
  }

  absl::Status SyncDir(const std::string& dir) override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenFile(dir, O_RDONLY | O_DIRECTORY));
    int result;
    do {
      result = ::fsync(fd.get());
    } while (result != 0 && errno == EINTR);
    if (result != 0) return FromErrno(errno, "fsync directory", dir);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override {
    struct statvfs info;
    int result;
    do {
      result = ::statvfs(dir.c_str(), &info);
    } while (result != 0 && errno == EINTR);
    if (result != 0) return FromErrno(errno, "statvfs", dir);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  absl::StatusOr<bool> IsDirectory(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return FromErrno(errno, "stat", path);
    return S_ISDIR(info.st_mode);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, const std::string& owner) override {
    ASSIGN_OR_RETURN(Descriptor fd, OpenFile(path, O_RDWR | O_CREAT));
    ASSIGN_OR_RETURN(const bool locked, TryLock(fd.get(), path));
    if (!locked) {
      std::string holder;
      ReadAt(fd.get(), path, 0, kOwnerTextMax, &holder).IgnoreError();
      return absl::FailedPreconditionError(
          absl::StrCat(path, " is locked by ", holder.empty() ? "an unknown process" : holder));
    }
    // And the directory, lest somebody who removes the file lets a second owner in. Not every file system can.
    ASSIGN_OR_RETURN(Descriptor dir, OpenFile(DirName(path), O_RDONLY | O_DIRECTORY));
    const absl::StatusOr<bool> dir_locked = TryLock(dir.get(), DirName(path));
    if (dir_locked.ok() && !*dir_locked) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " is locked by a process whose lock file was removed; end it first"));
    }
    if (::ftruncate(fd.get(), 0) != 0) return FromErrno(errno, "truncate", path);
    RETURN_IF_ERROR(WriteAt(fd.get(), path, owner, 0));
    return std::make_unique<PosixFileLock>(std::move(fd), std::move(dir));
  }
};

}  // namespace

FileSystem* FileSystem::Posix() {
  static PosixFileSystem* const file_system = new PosixFileSystem;
  return file_system;
}

}  // namespace braid
