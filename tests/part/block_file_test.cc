#include "engine/part/block_file.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "tests/part/memory_file_system.h"

namespace braid {
namespace {

void WriteTiny(MemoryFileSystem* fs, const std::string& path, uint64_t id, BlockRef* first, BlockRef* second) {
  auto writer = BlockFileWriter::Create(fs, path, FileKind::kTable, id);
  ASSERT_TRUE(writer.ok());
  *first = *(*writer)->AddBlock(BlockType::kColumn, Compression::kNone, "hello");
  *second = *(*writer)->AddBlock(BlockType::kColumn, Compression::kNone, "world");
  (*writer)->AddSection("a", *second);
  ASSERT_TRUE((*writer)->Finish().ok());
}

// The file as the grammar in block_file.h says, built by hand; CRCs from the portable implementation.
std::string TinyByHand(uint64_t id, uint32_t version = 2) {
  auto fixed32 = [](uint32_t v) { return std::string(reinterpret_cast<const char*>(&v), 4); };
  auto fixed64 = [](uint64_t v) { return std::string(reinterpret_cast<const char*>(&v), 8); };
  std::string file = "BRAIDBLK" + fixed32(4) + fixed32(version) + fixed32(0) + fixed32(0) + fixed64(id);
  file += fixed32(Crc32cPortable(file));
  auto add = [&](char type, const std::string& bytes) {
    std::string head = std::string(1, type) + std::string(1, '\0') + fixed32(bytes.size()) + fixed32(bytes.size());
    std::string covered = fixed64(id) + fixed64(file.size()) + head + bytes;
    file += head + fixed32(Crc32cPortable(covered)) + bytes;
  };
  add(5, "hello");
  size_t second = file.size();
  add(5, "world");
  size_t footer = file.size();
  add(1, std::string("\x01\x01"
                     "a") +
             static_cast<char>(second) + static_cast<char>(19));
  std::string trailer = fixed64(footer) + fixed32(file.size() - footer) + fixed32(4) + fixed64(id);
  return file + trailer + fixed32(Crc32cPortable(trailer)) + "BAIL";
}

TEST(BlockFile, GoldenBytes) {
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 0x0123456789abcdef, &first, &second);
  EXPECT_EQ(absl::BytesToHexString(*fs.files["f"]), absl::BytesToHexString(TinyByHand(0x0123456789abcdef)));
  EXPECT_EQ(fs.files["f"]->size(), 36u + 19 + 19 + 19 + 32);
}

TEST(BlockFile, ReadsVersionOne) {
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 7, &first, &second);
  *fs.files["f"] = TinyByHand(7, 1);
  auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::string plain;
  ASSERT_TRUE((*reader)->ReadSection("a", BlockType::kColumn, &plain).ok());
  EXPECT_EQ(plain, "world");
}

TEST(BlockFile, ReadsBackAndWalks) {
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 7, &first, &second);
  auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
  ASSERT_TRUE(reader.ok()) << reader.status();
  std::string plain;
  ASSERT_TRUE((*reader)->ReadBlock(first, BlockType::kColumn, &plain).ok());
  EXPECT_EQ(plain, "hello");
  ASSERT_TRUE((*reader)->ReadSection("a", BlockType::kColumn, &plain).ok());
  EXPECT_EQ(plain, "world");
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadSection("b", BlockType::kColumn, &plain)));
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock(first, BlockType::kTerms, &plain)));
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock({1 << 20, 20}, BlockType::kColumn, &plain)));
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock({36, 0xffffffff}, BlockType::kColumn, &plain)));
  int blocks = 0;
  ASSERT_TRUE((*reader)
                  ->Walk([&](const BlockFileReader::BlockInfo&, const absl::Status& status) {
                    EXPECT_TRUE(status.ok());
                    ++blocks;
                  })
                  .ok());
  EXPECT_EQ(blocks, 3);
}

TEST(BlockFile, SwappedAndForeignBlocksDoNotCheck) {
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 7, &first, &second);
  WriteTiny(&fs, "g", 8, &first, &second);
  std::string a = fs.files["f"]->substr(first.offset, first.size),
              b = fs.files["f"]->substr(second.offset, second.size);
  fs.files["f"]->replace(first.offset, first.size, b);
  fs.files["f"]->replace(second.offset, second.size, fs.files["g"]->substr(second.offset, second.size));
  auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
  ASSERT_TRUE(reader.ok());
  std::string plain;
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock(first, BlockType::kColumn, &plain)));
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock(second, BlockType::kColumn, &plain)));
}

TEST(BlockFile, EveryFlippedByteIsCaught) {
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 7, &first, &second);
  const std::string good = *fs.files["f"];
  for (size_t at = 0; at < good.size(); ++at) {
    for (int bit : {0, 3, 7}) {
      *fs.files["f"] = good;
      (*fs.files["f"])[at] = static_cast<char>(good[at] ^ (1 << bit));
      auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
      if (!reader.ok()) continue;
      int bad = 0;
      absl::Status walked = (*reader)->Walk(
          [&](const BlockFileReader::BlockInfo&, const absl::Status& status) { bad += status.ok() ? 0 : 1; });
      EXPECT_TRUE(!walked.ok() || bad > 0) << at << " bit " << bit;
    }
  }
  for (size_t size = 0; size < good.size(); ++size) {
    *fs.files["f"] = good.substr(0, size);
    EXPECT_FALSE(BlockFileReader::Open(&fs, "f", "f", FileKind::kTable).ok()) << size;
  }
}

TEST(BlockFile, NewerVersionAndUnknownFeatureAreRefused) {
  for (size_t field : {12, 20}) {
    MemoryFileSystem fs;
    BlockRef first, second;
    WriteTiny(&fs, "f", 7, &first, &second);
    std::string& file = *fs.files["f"];
    file[field] = static_cast<char>(kPartFormatVersion + 1);
    std::string crc;
    PutFixed32(&crc, Crc32cPortable(std::string_view(file).substr(0, 32)));
    file.replace(32, 4, crc);
    auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
    EXPECT_TRUE(absl::IsFailedPrecondition(reader.status())) << reader.status();
  }
}

TEST(BlockFile, DeclaredSizeDoesNotBalloon) {
  // A block whose header claims 500 MB of plain bytes and whose checksum agrees.
  MemoryFileSystem fs;
  BlockRef first, second;
  WriteTiny(&fs, "f", 7, &first, &second);
  std::string& file = *fs.files["f"];
  std::string head = file.substr(first.offset, 10);
  head[1] = static_cast<char>(Compression::kZstd);
  head.replace(2, 4, std::string("\x00\x00\x00\x1f", 4));
  std::string covered;
  PutFixed64(&covered, 7);
  PutFixed64(&covered, first.offset);
  covered += head + "hello";
  std::string crc;
  PutFixed32(&crc, Crc32cPortable(covered));
  file.replace(first.offset, 14, head + crc);
  auto reader = BlockFileReader::Open(&fs, "f", "f", FileKind::kTable);
  ASSERT_TRUE(reader.ok());
  std::string plain;
  EXPECT_TRUE(absl::IsDataLoss((*reader)->ReadBlock(first, BlockType::kColumn, &plain)));
}

}  // namespace
}  // namespace braid
