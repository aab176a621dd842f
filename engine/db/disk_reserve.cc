#include "engine/db/disk_reserve.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

// Writers ask each time; the file system is asked more rarely.
constexpr auto kBetweenTries = std::chrono::seconds(1);

}  // namespace

absl::Status DiskReserve::Keep() {
  if (bytes_ == 0) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  if (kept_) return absl::OkStatus();
  const auto now = std::chrono::steady_clock::now();
  if (now < next_try_) return last_;
  next_try_ = now + kBetweenTries;
  auto keep = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> file, fs_->OpenAppend(path_, /*keep=*/false));
    return file->Preallocate(bytes_);
  };
  last_ = keep();
  kept_ = last_.ok();
  if (kept_) return last_;
  fs_->Remove(path_).IgnoreError();
  if (absl::IsResourceExhausted(last_)) {
    last_ = absl::ResourceExhaustedError(
        absl::StrCat("the disk is full: the reserve of ", bytes_, " bytes cannot be kept (", last_.message(), ")"));
  }
  return last_;
}

bool DiskReserve::Release() {
  std::lock_guard lock(mutex_);
  if (!kept_) return false;
  kept_ = false;
  next_try_ = std::chrono::steady_clock::now() + kBetweenTries;
  last_ = absl::ResourceExhaustedError("the disk is full: its reserve is in use");
  return fs_->Remove(path_).ok();
}

uint64_t DiskReserve::kept_bytes() const {
  std::lock_guard lock(mutex_);
  return kept_ ? bytes_ : 0;
}

}  // namespace braid
