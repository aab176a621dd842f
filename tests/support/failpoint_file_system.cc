#include "tests/support/failpoint_file_system.h"

namespace braid {
namespace {

class FailpointAppendFile : public AppendFile {
 public:
  FailpointAppendFile(const FailpointFileSystem* fs, std::unique_ptr<AppendFile> file, std::string path)
      : fs_(fs), file_(std::move(file)), path_(std::move(path)) {}

  absl::Status Append(std::string_view bytes) override {
    fs_->Tell("before", "append", path_);
    // In two halves, so that a process can end with a torn write.
    const size_t half = bytes.size() / 2;
    absl::Status status = file_->Append(bytes.substr(0, half));
    if (!status.ok()) return status;
    fs_->Tell("halfway", "append", path_);
    status = file_->Append(bytes.substr(half));
    fs_->Tell("after", "append", path_);
    return status;
  }
  absl::Status Sync() override {
    return Around("sync", [&] { return file_->Sync(); });
  }
  absl::Status Preallocate(uint64_t bytes) override {
    return Around("preallocate", [&] { return file_->Preallocate(bytes); });
  }
  absl::Status Truncate(uint64_t size) override {
    return Around("truncate", [&] { return file_->Truncate(size); });
  }
  uint64_t size() const override { return file_->size(); }

 private:
  template <typename Call>
  absl::Status Around(const char* verb, const Call& call) {
    fs_->Tell("before", verb, path_);
    absl::Status status = call();
    fs_->Tell("after", verb, path_);
    return status;
  }

  const FailpointFileSystem* const fs_;
  const std::unique_ptr<AppendFile> file_;
  const std::string path_;
};

bool IsNumber(const std::string& name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::string FailpointFileSystem::PlaceOf(const std::string& path) const {
  if (path == root_) return "store";
  if (path.compare(0, root_.size() + 1, root_ + "/") != 0) return "parent of the store";
  const std::string name = path.substr(root_.size() + 1);
  const size_t slash = name.find('/');
  const std::string top = name.substr(0, slash);
  const std::string rest = slash == std::string::npos ? std::string() : name.substr(slash + 1);
  if (rest.empty()) {
    if (top == "MANIFEST") return "manifest";
    if (top == "MANIFEST.tmp") return "new manifest";
    return top == "LOCK" ? "lock" : top + " directory";
  }
  if (top == "wal") return rest.ends_with(".tmp") ? "rewritten wal segment" : "wal segment";
  if (top == "parts") {
    const size_t inner = rest.find('/');
    if (!IsNumber(rest.substr(0, inner))) return "foreign file";
    return inner == std::string::npos ? "part directory" : "part " + rest.substr(inner + 1);
  }
  if (top == "quarantine") return rest.find(".txt") == std::string::npos ? "quarantined" : "quarantine note";
  return top;
}

void FailpointFileSystem::Tell(const char* when, const char* verb, const std::string& path) const {
  told_(activity_ + ": " + when + " " + verb + " " + PlaceOf(path));
}

absl::StatusOr<std::unique_ptr<AppendFile>> FailpointFileSystem::OpenAppend(const std::string& path, bool keep) {
  auto file = Around(keep ? "reopen" : "create", path, [&] { return base_->OpenAppend(path, keep); });
  if (!file.ok()) return file.status();
  return std::make_unique<FailpointAppendFile>(this, *std::move(file), path);
}
absl::StatusOr<std::unique_ptr<RandomReadFile>> FailpointFileSystem::OpenRead(const std::string& path) {
  return base_->OpenRead(path);
}
absl::StatusOr<std::vector<std::string>> FailpointFileSystem::List(const std::string& dir) { return base_->List(dir); }
absl::Status FailpointFileSystem::CreateDir(const std::string& dir) {
  return Around("make", dir, [&] { return base_->CreateDir(dir); });
}
absl::Status FailpointFileSystem::Rename(const std::string& from, const std::string& to) {
  return Around("rename to", to, [&] { return base_->Rename(from, to); });
}
absl::Status FailpointFileSystem::Link(const std::string& from, const std::string& to) {
  return Around("link", to, [&] { return base_->Link(from, to); });
}
absl::Status FailpointFileSystem::Remove(const std::string& path) {
  return Around("remove", path, [&] { return base_->Remove(path); });
}
absl::Status FailpointFileSystem::RemoveDir(const std::string& dir) {
  return Around("remove", dir, [&] { return base_->RemoveDir(dir); });
}
absl::Status FailpointFileSystem::SyncDir(const std::string& dir) {
  return Around("sync", dir, [&] { return base_->SyncDir(dir); });
}
absl::StatusOr<uint64_t> FailpointFileSystem::FreeBytes(const std::string& dir) { return base_->FreeBytes(dir); }
absl::StatusOr<bool> FailpointFileSystem::IsDirectory(const std::string& path) { return base_->IsDirectory(path); }
absl::StatusOr<std::unique_ptr<FileLock>> FailpointFileSystem::Lock(const std::string& path, const std::string& owner) {
  return Around("lock", path, [&] { return base_->Lock(path, owner); });
}

}  // namespace braid
