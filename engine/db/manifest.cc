#include "engine/db/manifest.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/db/delete_spec.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"

namespace braid {
namespace {

constexpr size_t kHeadBytes = 28;

std::string EncodeBody(const Manifest& manifest) {
  std::string body;
  PutFixed64(&body, manifest.store);
  PutVarint(&body, manifest.generation);
  PutVarint(&body, manifest.next_part);
  PutVarint(&body, manifest.first_segment);
  PutVarint(&body, manifest.flushed_sequence);
  PutVarint(&body, manifest.parts.size());
  for (const PartEntry& part : manifest.parts) {
    PutVarint(&body, part.id);
    PutVarint(&body, part.bytes);
    PutFixed64(&body, static_cast<uint64_t>(part.time.start));
    PutFixed64(&body, static_cast<uint64_t>(part.time.end));
    PutVarint(&body, part.samples);
    for (uint64_t rows : part.rows) PutVarint(&body, rows);
    if (manifest.version < 2) continue;
    PutVarint(&body, part.deletes.size());
    for (uint64_t id : part.deletes) PutVarint(&body, id);
  }
  if (manifest.version < 2) return body;
  PutVarint(&body, manifest.last_segment);
  PutVarint(&body, manifest.next_delete);
  PutVarint(&body, manifest.deletes.size());
  for (const DeleteMark& mark : manifest.deletes) {
    PutVarint(&body, mark.id);
    std::string spec;
    EncodeDeleteSpec(mark.spec, &spec);
    PutBytes(&body, spec);
  }
  return body;
}

bool DecodeBody(std::string_view body, uint32_t version, Manifest* manifest) {
  Decoder in(body);
  uint64_t count = 0;
  if (!in.ReadFixed64(&manifest->store) || !in.ReadVarint(&manifest->generation) ||
      !in.ReadVarint(&manifest->next_part) || !in.ReadVarint(&manifest->first_segment) ||
      !in.ReadVarint(&manifest->flushed_sequence) || !in.ReadVarintMax(in.remaining() / 24, &count)) {
    return false;
  }
  manifest->parts.resize(count);
  for (PartEntry& part : manifest->parts) {
    uint64_t start = 0, end = 0;
    if (!in.ReadVarint(&part.id) || !in.ReadVarint(&part.bytes) || !in.ReadFixed64(&start) || !in.ReadFixed64(&end) ||
        !in.ReadVarint(&part.samples)) {
      return false;
    }
    part.time = {static_cast<Timestamp>(start), static_cast<Timestamp>(end)};
    for (uint64_t& rows : part.rows) in.ReadVarint(&rows);
    if (version < 2) continue;
    if (!in.ReadVarintMax(in.remaining(), &count)) return false;
    part.deletes.resize(count);
    for (uint64_t& id : part.deletes) in.ReadVarint(&id);
  }
  if (version < 2) return in.done();
  if (!in.ReadVarint(&manifest->last_segment) || !in.ReadVarint(&manifest->next_delete) ||
      !in.ReadVarintMax(in.remaining() / 2, &count)) {
    return false;
  }
  manifest->deletes.resize(count);
  std::vector<uint64_t> ids;
  for (DeleteMark& mark : manifest->deletes) {
    std::string_view spec;
    if (!in.ReadVarint(&mark.id) || !in.ReadBytes(&spec) || !DecodeDeleteSpec(spec, &mark.spec)) return false;
    ids.push_back(mark.id);
  }
  // A part that names a delete which is not there would show what was deleted.
  for (const PartEntry& part : manifest->parts) {
    for (uint64_t id : part.deletes) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) return false;
    }
  }
  return in.done();
}

// Reads the copy that begins with `bytes`; `*size` is its length.
absl::Status DecodeCopy(std::string_view bytes, Manifest* manifest, uint64_t* size) {
  Decoder in(bytes);
  std::string_view magic, body;
  uint32_t version = 0, features = 0, crc = 0;
  uint64_t body_size = 0;
  if (!in.ReadRaw(kManifestMagic.size(), &magic) || magic != kManifestMagic || !in.ReadFixed32(&version) ||
      !in.ReadFixed32(&features) || !in.ReadFixed64(&body_size) || !in.ReadFixed32(&crc) ||
      crc != Crc32c(bytes.substr(0, kHeadBytes - 4))) {
    return absl::DataLossError("its header is damaged");
  }
  if (version == 0 || version > kManifestVersion || (features & ~kManifestFeatures) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("the store was written by a newer version of Braid (format ",
                                                      version, ", features ", features, "; this one reads format ",
                                                      kManifestVersion, ")"));
  }
  if (body_size > in.remaining() || !in.ReadRaw(body_size, &body) || !in.ReadFixed32(&crc) || crc != Crc32c(body) ||
      !DecodeBody(body, version, manifest)) {
    return absl::DataLossError("its list of parts is damaged");
  }
  manifest->version = version;
  *size = kHeadBytes + body_size + 4;
  return absl::OkStatus();
}

}  // namespace

std::vector<DeleteSpec> Manifest::DeletesOf(const PartEntry& part) const {
  std::vector<DeleteSpec> specs;
  for (const DeleteMark& mark : deletes) {
    if (std::find(part.deletes.begin(), part.deletes.end(), mark.id) != part.deletes.end()) specs.push_back(mark.spec);
  }
  return specs;
}

void Manifest::DropSettledDeletes() {
  std::erase_if(deletes, [&](const DeleteMark& mark) {
    return std::none_of(parts.begin(), parts.end(), [&](const PartEntry& part) {
      return std::find(part.deletes.begin(), part.deletes.end(), mark.id) != part.deletes.end();
    });
  });
}

std::string EncodeManifest(const Manifest& manifest) {
  const std::string body = EncodeBody(manifest);
  std::string copy(kManifestMagic);
  PutFixed32(&copy, manifest.version);
  PutFixed32(&copy, kManifestFeatures);
  PutFixed64(&copy, body.size());
  PutFixed32(&copy, Crc32c(copy));
  copy.append(body);
  PutFixed32(&copy, Crc32c(body));
  std::string file = copy;
  file.resize((copy.size() + kManifestCopyAlign - 1) / kManifestCopyAlign * kManifestCopyAlign);
  return file.append(copy);
}

absl::StatusOr<Manifest> DecodeManifest(std::string_view bytes) {
  Manifest manifest;
  uint64_t size = 0;
  const absl::Status first = DecodeCopy(bytes, &manifest, &size);
  if (first.ok() || !absl::IsDataLoss(first)) return first.ok() ? absl::StatusOr<Manifest>(manifest) : first;
  // The first copy cannot tell where the second begins.
  for (uint64_t at = kManifestCopyAlign; at < bytes.size(); at += kManifestCopyAlign) {
    manifest = {};
    const absl::Status second = DecodeCopy(bytes.substr(at), &manifest, &size);
    if (second.ok()) return manifest;
    if (!absl::IsDataLoss(second)) return second;
  }
  return first;
}

absl::StatusOr<Manifest> ReadManifest(FileSystem* fs, const std::string& dir) {
  const std::string path = JoinPath(dir, kManifestName);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, path, kManifestBytesMax));
  absl::StatusOr<Manifest> manifest = DecodeManifest(bytes);
  if (!manifest.ok()) {
    return absl::Status(manifest.status().code(), absl::StrCat(path, ": ", manifest.status().message()));
  }
  return manifest;
}

absl::Status WriteManifest(FileSystem* fs, const std::string& dir, const Manifest& manifest) {
  Manifest present = manifest;
  present.version = kManifestVersion;
  return WriteFileAtomically(fs, JoinPath(dir, kManifestName), EncodeManifest(present));
}

std::string PartName(uint64_t id) {
  char name[32];
  std::snprintf(name, sizeof(name), "%012llu", static_cast<unsigned long long>(id));
  return name;
}

}  // namespace braid
