// The manifest: which parts live, and where the WAL begins (docs/format/manifest.md). Replaced as a whole, atomically;
// kept twice in its file, so that one damaged sector never keeps a store from opening.
//
//   file     := copy at 0, the same copy at the next multiple of 4096
//   copy     := "BRAIDMAN" fixed32(version) fixed32(features) fixed64(body size) fixed32(crc of the 24 bytes before)
//               body fixed32(crc of the body)
//   body     := fixed64(store id) varint(generation) varint(next part) varint(first WAL segment)
//               varint(flushed sequence) varint(count) part*
//               varint(last WAL segment) varint(next delete) varint(count) delete*       (not in version 1)
//   part     := varint(id) varint(bytes) fixed64(oldest time) fixed64(newest time) varint(samples) { varint(rows) } x 5
//               varint(count) varint(delete id)*                                         (not in version 1)
//   delete   := varint(id) bytes(spec)                                                   (delete_spec.h)
//   Parts stand in age order, oldest first: of two samples at one time the later part's counts. A part's deletes are
//   those that its rows have still to be read through.
//
// Threads: a value, and pure functions over a FileSystem. Errors: NotFound = no manifest; DataLoss = both copies are
// damaged; FailedPrecondition = a newer format.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/delete_spec.h"
#include "braid/snapshot.h"
#include "engine/io/file_system.h"

namespace braid {

inline constexpr std::string_view kManifestName = "MANIFEST";
inline constexpr std::string_view kManifestMagic = "BRAIDMAN";
inline constexpr uint32_t kManifestVersion = 2;
inline constexpr uint32_t kManifestFeatures = 0;
inline constexpr uint64_t kManifestCopyAlign = 4096;
// A part takes about 60 bytes: a million parts fit, and a damaged file cannot ask for more.
inline constexpr uint64_t kManifestBytesMax = uint64_t{256} << 20;

struct PartEntry {
  uint64_t id = 0;
  uint64_t bytes = 0;
  TimeRange time{kMaxTimestamp, kMinTimestamp};
  uint64_t samples = 0;
  uint64_t rows[kTableCount] = {};
  std::vector<uint64_t> deletes;  // ids, ascending
  friend bool operator==(const PartEntry&, const PartEntry&) = default;
};

// A delete that merges have not carried out in every part yet.
struct DeleteMark {
  uint64_t id = 0;
  DeleteSpec spec;
};

struct Manifest {
  uint32_t version = kManifestVersion;  // of the file that it was read from
  uint64_t store = 0;                   // a random number; files of another store are not taken for this one's
  uint64_t generation = 0;
  uint64_t next_part = 1;
  uint64_t first_segment = 1;
  uint64_t flushed_sequence = 0;  // the last commit that is in parts
  std::vector<PartEntry> parts;   // oldest first
  uint64_t last_segment = 0;      // the newest WAL segment that was known to hold something; 0 = none
  uint64_t next_delete = 1;
  std::vector<DeleteMark> deletes;  // by id; those that parts name

  // The specs of a part's deletes.
  std::vector<DeleteSpec> DeletesOf(const PartEntry& part) const;
  // Forgets deletes that no part names.
  void DropSettledDeletes();
};

// In the manifest's own version.
std::string EncodeManifest(const Manifest& manifest);
absl::StatusOr<Manifest> DecodeManifest(std::string_view bytes);

absl::StatusOr<Manifest> ReadManifest(FileSystem* fs, const std::string& dir);
// In the present version. Durable when OK is returned. After an error the file has its old or its new content.
absl::Status WriteManifest(FileSystem* fs, const std::string& dir, const Manifest& manifest);

std::string PartName(uint64_t id);  // "000000000012", the part's directory in parts/

}  // namespace braid
