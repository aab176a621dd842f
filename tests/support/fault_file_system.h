// A file system in memory that forgets what was not synced, and fails when told to.
//
// What a crash keeps, strictly: of a file the bytes that Sync covered, of a directory the entries that SyncDir covered.
// Create, Rename, Remove and CreateDir change entries; a new file whose directory was not synced is gone after a crash
// however often its bytes were. A failed Sync loses its bytes for good: a later Sync that succeeds does not cover them
// (as Linux does since 4.13; see "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
//
// Threads: may be used by many. Ownership: files and locks keep the state alive; they may outlive the object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/file_system.h"

namespace braid {

class FaultFileSystem : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  absl::StatusOr<std::unique_ptr<AppendFile>> OpenAppend(const std::string& path, bool keep) override;
  absl::StatusOr<std::unique_ptr<RandomReadFile>> OpenRead(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::Status CreateDir(const std::string& dir) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status RemoveDir(const std::string& dir) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path, const std::string& owner) override;

  // Operations so far: every call above and every Append, Sync, Preallocate, Truncate and Read counts as one.
  uint64_t operations() const;
  // "append a/b 17", "sync a/b", "rename a b", ... in order; failed ones end in " FAILED".
  std::vector<std::string> log() const;

  enum class Fault : uint8_t {
    kOnce,     // that operation alone fails
    kForGood,  // it and all after it fail
  };
  // Operation number `operation` (0 = the first since construction) fails with `status` and does nothing, but for an
  // Append with `short_write`: half of its bytes arrive.
  void FailAt(uint64_t operation, absl::Status status, Fault fault = Fault::kOnce, bool short_write = false);
  // True once the operation of FailAt has come.
  bool fault_happened() const;
  void ClearFaults();
  // Appends and Preallocate fail with ResourceExhausted once this many more bytes are used; what fits is written.
  void SetFreeBytes(uint64_t bytes);

  // What stands on the disk if power fails now: the durable state alone.
  std::unique_ptr<FaultFileSystem> CrashImage() const;
  // The same plus some of what was on its way: a random subset of unsynced writes and entry changes, in order, of
  // which a write may be torn.
  std::unique_ptr<FaultFileSystem> CrashImage(uint64_t seed) const;
  // As after kill -9: everything that was written, synced or not, but no locks.
  std::unique_ptr<FaultFileSystem> KillImage() const;

  // For damage tests: the live bytes of a file, and replacing them (durable at once).
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, std::string bytes);
  // All files below the root, as full paths, sorted.
  std::vector<std::string> Files() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace braid
