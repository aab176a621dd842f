#include "engine/db/store_copy.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "braid/backup.h"
#include "braid/inspect.h"
#include "engine/base/status_macros.h"
#include "engine/db/manifest.h"
#include "engine/head/wal_reader.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;
// A flush or merge during a copy makes it begin again; what was copied already is kept.
constexpr int kAttempts = 50;
constexpr auto kBetweenAttempts = std::chrono::milliseconds(20);

class StoreCopy {
 public:
  StoreCopy(FileSystem* fs, std::string from, std::string to, bool link)
      : fs_(fs), from_(std::move(from)), to_(std::move(to)), link_(link) {}

  absl::Status Run() {
    absl::StatusOr<Manifest> manifest = ReadManifest(fs_, from_);
    if (absl::IsNotFound(manifest.status())) return absl::NotFoundError(from_ + " is not a store: it has no MANIFEST");
    RETURN_IF_ERROR(manifest.status());
    RETURN_IF_ERROR(PrepareTarget());
    absl::Status status;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      status = CopyOnce(*manifest);
      absl::StatusOr<Manifest> now = ReadManifest(fs_, from_);
      if (!now.ok()) {
        status = now.status();
        break;
      }
      // Merges do not matter, since the parts are here. But a WAL that begins later, or a delete, would leave a gap
      // between the manifest and the segments that were copied after it was read.
      const bool same = now->first_segment == manifest->first_segment && now->next_delete == manifest->next_delete;
      if (status.ok() && same) return Publish(*manifest);
      if (!status.ok() && now->generation == manifest->generation) break;
      manifest = std::move(now);
      status = absl::UnavailableError(from_ + " changed too often while it was copied");
      std::this_thread::sleep_for(kBetweenAttempts);
      if (absl::Status dropped = DropStale(*manifest); !dropped.ok()) {
        status = dropped;
        break;
      }
    }
    RemoveAll();
    return status;
  }

 private:
  absl::Status PrepareTarget() {
    const absl::StatusOr<bool> is_directory = fs_->IsDirectory(to_);
    if (absl::IsNotFound(is_directory.status())) {
      const std::string parent = DirName(to_);
      if (absl::IsNotFound(fs_->IsDirectory(parent).status())) RETURN_IF_ERROR(MakeDir(parent));
      RETURN_IF_ERROR(MakeDir(to_));
    } else {
      RETURN_IF_ERROR(is_directory.status());
      if (!*is_directory) return absl::FailedPreconditionError(to_ + " is a file");
      ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(to_));
      if (!names.empty()) return absl::FailedPreconditionError(to_ + " is not empty");
    }
    RETURN_IF_ERROR(fs_->CreateDir(PartsOf(to_)));
    return fs_->CreateDir(WalOf(to_));
  }

  absl::Status MakeDir(const std::string& dir) {
    RETURN_IF_ERROR(fs_->CreateDir(dir));
    const absl::Status synced = fs_->SyncDir(DirName(dir));
    return absl::IsPermissionDenied(synced) ? absl::OkStatus() : synced;  // who may not read it did not make it
  }

  static bool IsLive(const Manifest& manifest, uint64_t id) {
    return std::any_of(manifest.parts.begin(), manifest.parts.end(),
                       [&](const PartEntry& part) { return part.id == id; });
  }

  static std::string PartsOf(const std::string& store) { return JoinPath(store, "parts"); }
  static std::string WalOf(const std::string& store) { return JoinPath(store, "wal"); }

  absl::Status CopyOnce(const Manifest& manifest) {
    for (const PartEntry& part : manifest.parts) {
      if (!copied_.contains(part.id)) RETURN_IF_ERROR(CopyPart(part.id));
    }
    // After the parts, so that the copy is as new as can be.
    ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(WalOf(from_)));
    std::vector<uint64_t> segments;
    for (const std::string& name : names) {
      uint64_t segment = 0;
      if (ParseWalSegmentName(name, &segment) && segment >= manifest.first_segment) segments.push_back(segment);
    }
    std::sort(segments.begin(), segments.end());
    for (uint64_t segment : segments) {
      RETURN_IF_ERROR(CopySegment(manifest.store, segment, segment == segments.back()));
    }
    return absl::OkStatus();
  }

  absl::Status CopyPart(uint64_t id) {
    const std::string source = JoinPath(PartsOf(from_), PartName(id)), target = JoinPath(PartsOf(to_), PartName(id));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(source));
    RETURN_IF_ERROR(fs_->CreateDir(target));
    copied_.insert(id);
    auto copy = [&]() -> absl::Status {
      for (const std::string& name : names) {
        RETURN_IF_ERROR(CopyFile(JoinPath(source, name), JoinPath(target, name)));
      }
      RETURN_IF_ERROR(fs_->SyncDir(target));
      // A merge may have been removing the part file by file: what was listed is all of it only if it still lives.
      ASSIGN_OR_RETURN(const Manifest now, ReadManifest(fs_, from_));
      return IsLive(now, id) ? absl::OkStatus() : absl::NotFoundError(source + " was removed while it was copied");
    };
    absl::Status status = copy();
    if (!status.ok()) RemovePart(id);
    return status;
  }

  absl::Status CopyFile(const std::string& source, const std::string& target) {
    if (link_) {
      const absl::Status linked = fs_->Link(source, target);
      if (linked.ok() || absl::IsNotFound(linked) || absl::IsResourceExhausted(linked)) return linked;
      link_ = false;  // another file system, or one without links
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<RandomReadFile> file, fs_->OpenRead(source));
    return CopyBytes(*file, source, file->size(), target);
  }

  absl::Status CopyBytes(const RandomReadFile& file, const std::string& source, uint64_t size,
                         const std::string& target) {
    ASSIGN_OR_RETURN(const std::unique_ptr<AppendFile> out, fs_->OpenAppend(target, /*keep=*/false));
    std::string bytes;
    for (uint64_t at = 0; at < size; at += bytes.size()) {
      RETURN_IF_ERROR(file.Read(at, static_cast<size_t>(std::min<uint64_t>(kCopyBytes, size - at)), &bytes));
      if (bytes.empty()) return absl::UnavailableError(source + " became shorter while it was copied");
      RETURN_IF_ERROR(out->Append(bytes));
    }
    return out->Sync();
  }

  // Copies the records that are whole: the writer may be in the middle of the next one.
  absl::Status CopySegment(uint64_t store, uint64_t segment, bool last) {
    const std::string source = JoinPath(WalOf(from_), WalSegmentName(segment));
    ASSIGN_OR_RETURN(const std::unique_ptr<WalReader> reader, WalReader::Open(fs_, source));
    auto damaged = [&](uint64_t offset, const std::string& why) {
      return absl::DataLossError(absl::StrCat(source, ": offset ", offset, ": ", why, "; open the store first"));
    };
    WalSegmentHeader header;
    ASSIGN_OR_RETURN(const bool header_ok, reader->ReadHeader(&header));
    if (!header_ok && last) return absl::OkStatus();  // just begun
    if (!header_ok || header.store != store || header.segment != segment) {
      return damaged(0, "the header is damaged, or of another segment");
    }
    reader->SetPlace(store, segment);
    WalRecord record;
    std::string why;
    uint64_t end = kWalSegmentHeaderBytes;
    while (end < reader->size()) {
      ASSIGN_OR_RETURN(const bool valid, reader->ReadRecord(end, &record, &why));
      if (valid) {
        end = record.end;
        continue;
      }
      ASSIGN_OR_RETURN(const bool more, reader->FindRecord(end + 1, 0, &record));
      if (more || !last) return damaged(end, why);
      break;
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<RandomReadFile> file, fs_->OpenRead(source));
    return CopyBytes(*file, source, end, JoinPath(WalOf(to_), WalSegmentName(segment)));
  }

  absl::Status Publish(const Manifest& manifest) {
    auto publish = [&]() -> absl::Status {
      RETURN_IF_ERROR(DropStale(manifest, /*segments=*/false));
      RETURN_IF_ERROR(fs_->SyncDir(PartsOf(to_)));
      RETURN_IF_ERROR(fs_->SyncDir(WalOf(to_)));
      RETURN_IF_ERROR(fs_->SyncDir(to_));
      // Last: what has no manifest is no store.
      return WriteManifest(fs_, to_, manifest);
    };
    absl::Status status = publish();
    if (!status.ok()) RemoveAll();
    return status;
  }

  // Removes what does not belong to `manifest`.
  absl::Status DropStale(const Manifest& manifest, bool segments = true) {
    const std::set<uint64_t> copied = copied_;
    for (uint64_t id : copied) {
      if (!IsLive(manifest, id)) RemovePart(id);
    }
    if (!segments) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(WalOf(to_)));
    for (const std::string& name : names) RETURN_IF_ERROR(fs_->Remove(JoinPath(WalOf(to_), name)));
    return absl::OkStatus();
  }

  void RemovePart(uint64_t id) {
    copied_.erase(id);
    const std::string dir = JoinPath(PartsOf(to_), PartName(id));
    RemoveFiles(dir);
    fs_->RemoveDir(dir).IgnoreError();
  }

  void RemoveFiles(const std::string& dir) {
    const absl::StatusOr<std::vector<std::string>> names = fs_->List(dir);
    if (!names.ok()) return;
    for (const std::string& name : *names) fs_->Remove(JoinPath(dir, name)).IgnoreError();
  }

  void RemoveAll() {
    const std::set<uint64_t> copied = copied_;
    for (uint64_t id : copied) RemovePart(id);
    RemoveFiles(WalOf(to_));
    fs_->RemoveDir(WalOf(to_)).IgnoreError();
    fs_->RemoveDir(PartsOf(to_)).IgnoreError();
    RemoveFiles(to_);
    fs_->RemoveDir(to_).IgnoreError();
  }

  FileSystem* const fs_;
  const std::string from_;
  const std::string to_;
  bool link_;
  std::set<uint64_t> copied_;  // parts
};

}  // namespace

absl::Status CopyStore(FileSystem* fs, const std::string& from, const std::string& to, bool link) {
  return StoreCopy(fs, from, to, link).Run();
}

absl::Status BackupStore(const std::string& path, const std::string& target) {
  // In the store's directory only snapshots/ is not the store's: an open would take the copy for a foreign file, and
  // who copies the directory would copy it twice.
  std::error_code error;
  const auto store = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  const auto place = std::filesystem::weakly_canonical(std::filesystem::absolute(target, error), error);
  const auto inside = place.lexically_relative(store);
  if (!error && !inside.empty() && *inside.begin() != ".." && *inside.begin() != "snapshots") {
    return absl::InvalidArgumentError(target + " lies in the store itself; choose a directory beside it");
  }
  return CopyStore(FileSystem::Posix(), path, target, /*link=*/true);
}

absl::Status RestoreStore(const std::string& backup, const std::string& path,
                          const std::function<void(uint64_t done, uint64_t total)>& progress) {
  ASSIGN_OR_RETURN(const VerifyReport report, VerifyStore(backup, progress));
  if (!report.problems.empty()) {
    return absl::DataLossError(absl::StrCat("the backup is damaged, nothing was restored: ", report.problems[0],
                                            report.problems.size() > 1 ? " (and more; see braid verify)" : ""));
  }
  return CopyStore(FileSystem::Posix(), backup, path, /*link=*/false);
}

}  // namespace braid
