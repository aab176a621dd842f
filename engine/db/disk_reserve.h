// Room on the disk that is kept back, so that what frees space can go on when there is none.
//
// Threads: any. The room is a file with blocks but no bytes; it may be removed at any time, also by hand.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "engine/io/file_system.h"

namespace braid {

class DiskReserve {
 public:
  // `bytes` = 0: there is nothing to keep, and it always counts as kept.
  DiskReserve(FileSystem* fs, std::string path, uint64_t bytes) : fs_(fs), path_(std::move(path)), bytes_(bytes) {}

  // Keeps the room, if it is not kept already. Tried once a second at the most. ResourceExhausted = there is no room.
  absl::Status Keep();
  // Gives the room free. False if there was none to give.
  bool Release();
  uint64_t kept_bytes() const;

 private:
  FileSystem* const fs_;
  const std::string path_;
  const uint64_t bytes_;
  mutable std::mutex mutex_;
  bool kept_ = false;
  std::chrono::steady_clock::time_point next_try_{};
  absl::Status last_;
};

}  // namespace braid
