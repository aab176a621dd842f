// A directory of the real file system that is removed with the object. In memory where there is such a place: what is
// tested here is the order of calls and the end of processes, not the disk.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace braid {

class ScratchDir {
 public:
  ScratchDir() {
    std::string text = (::access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path());
    text += "/braid_crash_XXXXXX";
    path_ = ::mkdtemp(text.data());
  }
  ~ScratchDir() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ScratchDir(const ScratchDir&) = delete;
  ScratchDir& operator=(const ScratchDir&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace braid
