// A file system in memory, so that tests can flip bytes quickly.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "engine/base/status_macros.h"
#include "engine/io/file_system.h"

namespace braid {

class MemoryFileSystem : public FileSystem {
 public:
  std::map<std::string, std::shared_ptr<std::string>> files;
  int spills = 0;  // files opened whose name ends in ".spill"

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) override {
    if (path.ends_with(".spill")) ++spills;
    auto& file = files[path];
    if (file == nullptr || !keep) file = std::make_shared<std::string>();
    return std::make_unique<Appender>(file);
  }
  absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) override {
    auto at = files.find(path);
    if (at == files.end()) return absl::NotFoundError(path);
    return std::make_unique<Random>(at->second);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    std::vector<std::string> names;
    for (const auto& [path, bytes] : files) {
      if (path.starts_with(dir + "/")) names.push_back(path.substr(dir.size() + 1));
    }
    return names;
  }
  absl::Status CreateDir(const std::string&) override { return absl::OkStatus(); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    files[to] = files[from];
    files.erase(from);
    return absl::OkStatus();
  }
  absl::Status Remove(const std::string& path) override {
    files.erase(path);
    return absl::OkStatus();
  }
  absl::Status RemoveDir(const std::string&) override { return absl::OkStatus(); }
  absl::Status SyncDir(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> FreeBytes(const std::string&) override { return uint64_t{1} << 40; }
  absl::StatusOr<bool> IsDirectory(const std::string&) override { return true; }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string&, const std::string&) override {
    return std::make_unique<FileLock>();
  }

 private:
  class Appender : public AppendFile {
   public:
    explicit Appender(std::shared_ptr<std::string> bytes) : bytes_(std::move(bytes)) {}
    absl::Status Append(std::string_view bytes) override {
      bytes_->append(bytes);
      return absl::OkStatus();
    }
    absl::Status Sync() override { return absl::OkStatus(); }
    absl::Status Preallocate(uint64_t) override { return absl::OkStatus(); }
    absl::Status Truncate(uint64_t size) override {
      bytes_->resize(size);
      return absl::OkStatus();
    }
    uint64_t size() const override { return bytes_->size(); }

   private:
    std::shared_ptr<std::string> bytes_;
  };
  class Random : public RandomReadFile {
   public:
    explicit Random(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
    absl::Status Read(uint64_t offset, size_t size, std::string* bytes) const override {
      *bytes = offset >= bytes_->size() ? std::string() : bytes_->substr(offset, size);
      return absl::OkStatus();
    }
    uint64_t size() const override { return bytes_->size(); }

   private:
    std::shared_ptr<const std::string> bytes_;
  };
};

}  // namespace braid
