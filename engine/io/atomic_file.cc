#include "engine/io/atomic_file.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;

absl::Status WriteAndSync(FileSystem* fs, const std::string& path, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, fs->OpenAppend(path, /*keep=*/false));
  RETURN_IF_ERROR(file->Append(bytes));
  return file->Sync();
}

absl::Status CopyAndSync(FileSystem* fs, const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> source, fs->OpenRead(from));
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, fs->OpenAppend(to, /*keep=*/false));
  std::string bytes;
  for (uint64_t at = 0; at < source->size(); at += bytes.size()) {
    RETURN_IF_ERROR(source->Read(at, kCopyBytes, &bytes));
    if (bytes.empty()) return absl::UnavailableError(from + " became shorter while it was read");
    RETURN_IF_ERROR(file->Append(bytes));
  }
  return file->Sync();
}

absl::Status PutInPlace(FileSystem* fs, const std::string& temp, const std::string& path, absl::Status status) {
  if (status.ok()) status = fs->Rename(temp, path);
  if (!status.ok()) {
    // The first failure is the one to tell; a leftover is harmless.
    fs->Remove(temp).IgnoreError();
    return status;
  }
  return fs->SyncDir(DirName(path));
}

}  // namespace

absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path, std::string_view bytes) {
  const std::string temp = path + std::string(kTempSuffix);
  return PutInPlace(fs, temp, path, WriteAndSync(fs, temp, bytes));
}

absl::Status RewriteFile(FileSystem* fs, const std::string& path) {
  const std::string temp = path + std::string(kTempSuffix);
  return PutInPlace(fs, temp, path, CopyAndSync(fs, path, temp));
}

absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path, uint64_t size_max) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> file, fs->OpenRead(path));
  if (file->size() > size_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": ", file->size(), " bytes are more than the allowed ", size_max));
  }
  std::string bytes;
  RETURN_IF_ERROR(file->Read(0, file->size(), &bytes));
  return bytes;
}

}  // namespace braid
