// The one framing of all files of a part: a header, blocks, a footer block that names sections, a fixed trailer.
//
//   file    := header block* footer-block trailer
//   header  := magic[8] kind:fixed32 version:fixed32 compatible:fixed32 incompatible:fixed32 file_id:fixed64
//   crc:fixed32 block   := type:u8 compression:u8 plain_size:fixed32 stored_size:fixed32 crc:fixed32
//   stored[stored_size] footer  := count:varint { name:bytes offset:varint size:varint }*          (sections, each a
//   block) trailer := footer_offset:fixed64 footer_size:fixed32 kind:fixed32 file_id:fixed64 crc:fixed32 magic:fixed32
//
// A block's CRC-32C covers the file id, its own offset, its first 10 bytes and its stored bytes: a block that was
// written to, or read from, another place or another file does not check. Page: docs/format/block_file.md.
//
// Threads: a writer belongs to one thread; a reader may be used by many.
// Errors: DataLoss naming file and offset; FailedPrecondition for a newer format version or an unknown feature.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/codec/compression.h"
#include "engine/io/file_system.h"
#include "engine/part/part_format.h"

namespace braid {

inline constexpr size_t kBlockFileHeaderBytes = 36;
inline constexpr size_t kBlockHeaderBytes = 14;
inline constexpr size_t kBlockFileTrailerBytes = 32;

// Where a block is: its first byte and its bytes in the file, header included.
struct BlockRef {
  uint64_t offset = 0;
  uint32_t size = 0;
  friend bool operator==(const BlockRef&, const BlockRef&) = default;
};

class BlockFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<BlockFileWriter>> Create(FileSystem* fs, const std::string& path, FileKind kind,
                                                                 uint64_t file_id);
  // `wanted` is used only if it pays. InvalidArgument above kMaxBlockBytes.
  absl::StatusOr<BlockRef> AddBlock(BlockType type, Compression wanted, std::string_view bytes);
  // Names a block in the footer.
  void AddSection(const std::string& name, BlockRef ref) { sections_.emplace_back(name, ref); }
  // Writes footer and trailer and syncs. Nothing may be added afterwards.
  absl::Status Finish();
  uint64_t size() const { return offset_; }
  uint64_t file_id() const { return file_id_; }

 private:
  BlockFileWriter() = default;
  absl::Status Drain();

  std::unique_ptr<AppendFile> file_;
  std::string pending_;  // bytes not yet appended, so that small blocks share a write
  uint64_t offset_ = 0;
  uint64_t file_id_ = 0;
  FileKind kind_ = FileKind::kMeta;
  std::vector<std::pair<std::string, BlockRef>> sections_;
};

class BlockFileReader {
 public:
  // Reads header, trailer and footer. `name` is what messages call the file.
  static absl::StatusOr<std::unique_ptr<BlockFileReader>> Open(FileSystem* fs, const std::string& path,
                                                               const std::string& name, FileKind kind);
  static absl::StatusOr<std::unique_ptr<BlockFileReader>> Open(std::unique_ptr<RandomReadFile> file,
                                                               const std::string& name, FileKind kind);
  // The block's plain bytes. The only way to a block's content.
  absl::Status ReadBlock(BlockRef ref, BlockType type, std::string* plain) const;
  // DataLoss if the footer has no such section.
  absl::StatusOr<BlockRef> Section(std::string_view name) const;
  absl::Status ReadSection(std::string_view section, BlockType type, std::string* plain) const;

  struct BlockInfo {
    BlockRef ref;
    BlockType type;
    Compression compression;
    uint32_t plain_size;
  };
  // Walks all blocks from header to trailer and checks each; `visit` gets its description and its status. Stops where a
  // block's sizes leave no way to the next one.
  absl::Status Walk(const std::function<void(const BlockInfo&, const absl::Status&)>& visit) const;

  const std::string& name() const { return name_; }
  uint64_t size() const { return file_->size(); }
  uint64_t file_id() const { return file_id_; }
  const std::vector<std::pair<std::string, BlockRef>>& sections() const { return sections_; }

 private:
  BlockFileReader() = default;
  absl::Status Damage(uint64_t offset, const std::string& why) const;
  absl::Status ParseHeader(FileKind kind);
  absl::Status ParseTrailer(FileKind kind);

  std::unique_ptr<RandomReadFile> file_;
  std::string name_;
  uint64_t file_id_ = 0;
  uint64_t blocks_end_ = 0;  // offset of the trailer
  BlockRef footer_;
  std::vector<std::pair<std::string, BlockRef>> sections_;
};

}  // namespace braid
