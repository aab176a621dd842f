#include "engine/io/atomic_file.h"

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/io/path.h"

namespace braid {
namespace {

absl::Status WriteAndSync(FileSystem* fs, const std::string& path, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file, fs->OpenAppend(path, /*keep=*/false));
  RETURN_IF_ERROR(file->Append(bytes));
  return file->Sync();
}

}  // namespace

absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path, std::string_view bytes) {
  const std::string temp = path + std::string(kTempSuffix);
  absl::Status status = WriteAndSync(fs, temp, bytes);
  if (status.ok()) status = fs->Rename(temp, path);
  if (!status.ok()) {
    // The first failure is the one to tell; a leftover is harmless.
    fs->Remove(temp).IgnoreError();
    return status;
  }
  return fs->SyncDir(DirName(path));
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
