#include "engine/part/block_file.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr size_t kWriteBufferBytes = 256 << 10;

uint32_t BlockCrc(uint64_t file_id, uint64_t offset, std::string_view head, std::string_view stored) {
  std::string place;
  PutFixed64(&place, file_id);
  PutFixed64(&place, offset);
  return Crc32c(stored, Crc32c(head, Crc32c(place)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BlockFileWriter>> BlockFileWriter::Create(FileSystem* fs, const std::string& path,
                                                                         FileKind kind, uint64_t file_id) {
  std::unique_ptr<BlockFileWriter> writer(new BlockFileWriter);
  ASSIGN_OR_RETURN(writer->file_, fs->OpenAppend(path, /*keep=*/false));
  writer->kind_ = kind;
  writer->file_id_ = file_id;
  std::string* header = &writer->pending_;
  header->append(kBlockFileMagic, 8);
  PutFixed32(header, static_cast<uint32_t>(kind));
  PutFixed32(header, kPartFormatVersion);
  PutFixed32(header, 0);
  PutFixed32(header, 0);
  PutFixed64(header, file_id);
  PutFixed32(header, Crc32c(*header));
  writer->offset_ = header->size();
  return writer;
}

absl::Status BlockFileWriter::Drain() {
  if (pending_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(file_->Append(pending_));
  pending_.clear();
  return absl::OkStatus();
}

absl::StatusOr<BlockRef> BlockFileWriter::AddBlock(BlockType type, Compression wanted, std::string_view bytes) {
  if (bytes.size() > kMaxBlockBytes) {
    return absl::InvalidArgumentError(absl::StrCat("a block of ", bytes.size(), " bytes is above the limit"));
  }
  std::string compressed;
  Compression used = Compression::kNone;
  if (wanted != Compression::kNone) used = Compress(wanted, kZstdLevel, bytes, &compressed);
  std::string_view stored = used == Compression::kNone ? bytes : std::string_view(compressed);
  std::string head;
  PutByte(&head, static_cast<uint8_t>(type));
  PutByte(&head, static_cast<uint8_t>(used));
  PutFixed32(&head, static_cast<uint32_t>(bytes.size()));
  PutFixed32(&head, static_cast<uint32_t>(stored.size()));
  uint32_t crc = BlockCrc(file_id_, offset_, head, stored);
  PutFixed32(&head, crc);
  BlockRef ref{offset_, static_cast<uint32_t>(head.size() + stored.size())};
  pending_ += head;
  pending_ += stored;
  offset_ += ref.size;
  if (pending_.size() >= kWriteBufferBytes) RETURN_IF_ERROR(Drain());
  return ref;
}

absl::Status BlockFileWriter::Finish() {
  std::string footer;
  PutVarint(&footer, sections_.size());
  for (const auto& [name, ref] : sections_) {
    PutBytes(&footer, name);
    PutVarint(&footer, ref.offset);
    PutVarint(&footer, ref.size);
  }
  ASSIGN_OR_RETURN(BlockRef ref, AddBlock(BlockType::kFooter, Compression::kNone, footer));
  std::string trailer;
  PutFixed64(&trailer, ref.offset);
  PutFixed32(&trailer, ref.size);
  PutFixed32(&trailer, static_cast<uint32_t>(kind_));
  PutFixed64(&trailer, file_id_);
  PutFixed32(&trailer, Crc32c(trailer));
  PutFixed32(&trailer, kTrailerMagic);
  pending_ += trailer;
  offset_ += trailer.size();
  RETURN_IF_ERROR(Drain());
  return file_->Sync();
}

absl::Status BlockFileReader::Damage(uint64_t offset, const std::string& why) const {
  return absl::DataLossError(absl::StrCat(name_, " block ", offset, ": ", why));
}

absl::Status BlockFileReader::ParseHeader(FileKind kind) {
  std::string bytes;
  RETURN_IF_ERROR(file_->Read(0, kBlockFileHeaderBytes, &bytes));
  if (bytes.size() != kBlockFileHeaderBytes || std::memcmp(bytes.data(), kBlockFileMagic, 8) != 0) {
    return Damage(0, "not a block file");
  }
  Decoder in(std::string_view(bytes).substr(8));
  uint32_t file_kind, version, compatible, incompatible, crc;
  if (!in.ReadFixed32(&file_kind) || !in.ReadFixed32(&version) || !in.ReadFixed32(&compatible) ||
      !in.ReadFixed32(&incompatible) || !in.ReadFixed64(&file_id_) || !in.ReadFixed32(&crc)) {
    return Damage(0, "header cut short");
  }
  if (crc != Crc32c(std::string_view(bytes).substr(0, kBlockFileHeaderBytes - 4))) {
    return Damage(0, "header checksum does not match");
  }
  if (version > kPartFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(name_, " has format version ", version, "; this program reads up to ", kPartFormatVersion));
  }
  if (version == 0) return Damage(0, "format version 0");
  if ((incompatible & ~kKnownIncompatibleFeatures) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(name_, " uses features this program does not know: ", incompatible & ~kKnownIncompatibleFeatures));
  }
  if (file_kind != static_cast<uint32_t>(kind)) return Damage(0, absl::StrCat("file of another kind: ", file_kind));
  return absl::OkStatus();
}

absl::Status BlockFileReader::ParseTrailer(FileKind kind) {
  uint64_t size = file_->size();
  if (size < kBlockFileHeaderBytes + kBlockFileTrailerBytes) return Damage(0, "file cut short");
  blocks_end_ = size - kBlockFileTrailerBytes;
  std::string bytes;
  RETURN_IF_ERROR(file_->Read(blocks_end_, kBlockFileTrailerBytes, &bytes));
  Decoder in(bytes);
  uint32_t footer_size, file_kind, crc, magic;
  uint64_t footer_offset, file_id;
  if (!in.ReadFixed64(&footer_offset) || !in.ReadFixed32(&footer_size) || !in.ReadFixed32(&file_kind) ||
      !in.ReadFixed64(&file_id) || !in.ReadFixed32(&crc) || !in.ReadFixed32(&magic)) {
    return Damage(blocks_end_, "trailer cut short");
  }
  if (magic != kTrailerMagic || crc != Crc32c(std::string_view(bytes).substr(0, 24))) {
    return Damage(blocks_end_, "trailer does not check; the file is cut short or damaged");
  }
  if (file_id != file_id_ || file_kind != static_cast<uint32_t>(kind)) {
    return Damage(blocks_end_, "trailer of another file");
  }
  if (footer_offset > blocks_end_ || footer_size != blocks_end_ - footer_offset) {
    return Damage(blocks_end_, "footer out of bounds");
  }
  footer_ = {footer_offset, footer_size};
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BlockFileReader>> BlockFileReader::Open(FileSystem* fs, const std::string& path,
                                                                       const std::string& name, FileKind kind) {
  ASSIGN_OR_RETURN(std::unique_ptr<RandomReadFile> file, fs->OpenRead(path));
  return Open(std::move(file), name, kind);
}

absl::StatusOr<std::unique_ptr<BlockFileReader>> BlockFileReader::Open(std::unique_ptr<RandomReadFile> file,
                                                                       const std::string& name, FileKind kind) {
  std::unique_ptr<BlockFileReader> reader(new BlockFileReader);
  reader->name_ = name;
  reader->file_ = std::move(file);
  RETURN_IF_ERROR(reader->ParseHeader(kind));
  RETURN_IF_ERROR(reader->ParseTrailer(kind));
  std::string footer;
  RETURN_IF_ERROR(reader->ReadBlock(reader->footer_, BlockType::kFooter, &footer));
  Decoder in(footer);
  uint64_t count = 0;
  bool ok = in.ReadVarintMax(kMaxSections, &count);
  for (uint64_t i = 0; ok && i < count; ++i) {
    std::string_view section;
    BlockRef ref;
    ok = in.ReadBytes(&section) && in.ReadVarint(&ref.offset) && in.ReadVarint32(&ref.size);
    if (ok) reader->sections_.emplace_back(section, ref);
  }
  if (!ok || !in.done()) return reader->Damage(reader->footer_.offset, "footer does not parse");
  return reader;
}

absl::Status BlockFileReader::ReadBlock(BlockRef ref, BlockType type, std::string* plain) const {
  plain->clear();
  if (ref.offset < kBlockFileHeaderBytes || ref.offset > blocks_end_ || ref.size > blocks_end_ - ref.offset ||
      ref.size < kBlockHeaderBytes) {
    return Damage(ref.offset, "out of bounds");
  }
  std::string bytes;
  RETURN_IF_ERROR(file_->Read(ref.offset, ref.size, &bytes));
  if (bytes.size() != ref.size) return Damage(ref.offset, "file cut short");
  Decoder in(bytes);
  uint8_t block_type, compression;
  uint32_t plain_size, stored_size, crc;
  if (!in.ReadByte(&block_type) || !in.ReadByte(&compression) || !in.ReadFixed32(&plain_size) ||
      !in.ReadFixed32(&stored_size) || !in.ReadFixed32(&crc)) {
    return Damage(ref.offset, "block header cut short");
  }
  std::string_view stored = in.rest();
  std::string_view head = std::string_view(bytes).substr(0, kBlockHeaderBytes - 4);
  if (stored_size != stored.size() || crc != BlockCrc(file_id_, ref.offset, head, stored)) {
    return Damage(ref.offset, "checksum does not match");
  }
  if (block_type != static_cast<uint8_t>(type)) {
    return Damage(ref.offset,
                  absl::StrCat("block of type ", block_type, " where ", static_cast<int>(type), " belongs"));
  }
  if (compression > static_cast<uint8_t>(Compression::kZstd)) return Damage(ref.offset, "unknown compression");
  if (static_cast<Compression>(compression) == Compression::kNone) {
    if (plain_size != stored_size) return Damage(ref.offset, "sizes disagree");
    bytes.erase(0, kBlockHeaderBytes);
    *plain = std::move(bytes);
    return absl::OkStatus();
  }
  absl::Status status = Decompress(static_cast<Compression>(compression), stored, plain_size, kMaxBlockBytes, plain);
  if (!status.ok()) return Damage(ref.offset, std::string(status.message()));
  return absl::OkStatus();
}

absl::StatusOr<BlockRef> BlockFileReader::Section(std::string_view name) const {
  for (const auto& [section, ref] : sections_) {
    if (section == name) return ref;
  }
  return Damage(footer_.offset, absl::StrCat("no section ", Absl(name)));
}

absl::Status BlockFileReader::ReadSection(std::string_view section, BlockType type, std::string* plain) const {
  ASSIGN_OR_RETURN(BlockRef ref, Section(section));
  return ReadBlock(ref, type, plain);
}

absl::Status BlockFileReader::Walk(const std::function<void(const BlockInfo&, const absl::Status&)>& visit) const {
  uint64_t offset = kBlockFileHeaderBytes;
  std::string head, plain;
  while (offset < blocks_end_) {
    RETURN_IF_ERROR(file_->Read(offset, kBlockHeaderBytes, &head));
    Decoder in(head);
    uint8_t type, compression;
    uint32_t plain_size, stored_size;
    if (!in.ReadByte(&type) || !in.ReadByte(&compression) || !in.ReadFixed32(&plain_size) ||
        !in.ReadFixed32(&stored_size) || stored_size > blocks_end_ - offset ||
        kBlockHeaderBytes + stored_size > blocks_end_ - offset) {
      return Damage(offset, "block sizes out of bounds");
    }
    BlockInfo info{{offset, static_cast<uint32_t>(kBlockHeaderBytes + stored_size)},
                   static_cast<BlockType>(type),
                   static_cast<Compression>(compression),
                   plain_size};
    visit(info, ReadBlock(info.ref, info.type, &plain));
    offset += info.ref.size;
  }
  return absl::OkStatus();
}

}  // namespace braid
