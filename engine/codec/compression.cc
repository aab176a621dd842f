#include "engine/codec/compression.h"

#include <lz4.h>
#include <zstd.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace braid {
namespace {

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// Making a context costs more than compressing a small block.
ZSTD_CCtx* CompressionContext() {
  thread_local std::unique_ptr<ZSTD_CCtx, FreeZstd> context(ZSTD_createCCtx());
  return context.get();
}
ZSTD_DCtx* DecompressionContext() {
  thread_local std::unique_ptr<ZSTD_DCtx, FreeZstd> context(ZSTD_createDCtx());
  return context.get();
}

// Bytes written at `to`, or 0 if it did not work out.
size_t CompressLz4(std::string_view bytes, char* to, size_t room) {
  if (bytes.size() > LZ4_MAX_INPUT_SIZE || room > INT32_MAX) return 0;
  const int size = LZ4_compress_default(bytes.data(), to, static_cast<int>(bytes.size()), static_cast<int>(room));
  return size > 0 ? static_cast<size_t>(size) : 0;
}

size_t CompressZstd(int level, std::string_view bytes, char* to, size_t room) {
  ZSTD_CCtx* context = CompressionContext();
  if (context == nullptr) return 0;
  const size_t size = ZSTD_compressCCtx(context, to, room, bytes.data(), bytes.size(), level);
  return ZSTD_isError(size) ? 0 : size;
}

}  // namespace

Compression Compress(Compression wanted, int zstd_level, std::string_view bytes, std::string* out) {
  if (wanted != Compression::kNone && !bytes.empty()) {
    const size_t room = wanted == Compression::kZstd ? ZSTD_compressBound(bytes.size())
                                                     : static_cast<size_t>(LZ4_COMPRESSBOUND(bytes.size()));
    // Room that is mostly not used; in `out` all of it would be cleared first.
    const auto packed = std::make_unique_for_overwrite<char[]>(room);
    const size_t size = wanted == Compression::kZstd ? CompressZstd(zstd_level, bytes, packed.get(), room)
                                                     : CompressLz4(bytes, packed.get(), room);
    if (size != 0 && size < bytes.size()) {
      out->append(packed.get(), size);
      return wanted;
    }
  }
  out->append(bytes);
  return Compression::kNone;
}

absl::Status Decompress(Compression compression, std::string_view bytes, size_t plain_size, size_t size_max,
                        std::string* out) {
  out->clear();
  if (plain_size > size_max) {
    return absl::DataLossError(absl::StrCat("block claims ", plain_size, " bytes, more than the allowed ", size_max));
  }
  switch (compression) {
    case Compression::kNone:
      if (bytes.size() != plain_size) return absl::DataLossError("block has another size than it claims");
      out->assign(bytes);
      return absl::OkStatus();
    case Compression::kLz4: {
      if (bytes.size() > INT32_MAX || plain_size > LZ4_MAX_INPUT_SIZE) return absl::DataLossError("lz4: block too big");
      // No block of lz4 expands more than 255 times: a damaged size does not get its memory.
      if (plain_size / 256 > bytes.size()) return absl::DataLossError("lz4: impossible size");
      out->resize(plain_size);
      const int size =
          LZ4_decompress_safe(bytes.data(), out->data(), static_cast<int>(bytes.size()), static_cast<int>(plain_size));
      if (size >= 0 && static_cast<size_t>(size) == plain_size) return absl::OkStatus();
      out->clear();
      return absl::DataLossError("lz4: damaged block");
    }
    case Compression::kZstd: {
      // The frame has its own size, written by our one-shot compressor; it must agree before memory is taken.
      if (ZSTD_getFrameContentSize(bytes.data(), bytes.size()) != plain_size) {
        return absl::DataLossError("zstd: block has another size than it claims");
      }
      ZSTD_DCtx* context = DecompressionContext();
      if (context == nullptr) return absl::ResourceExhaustedError("zstd: no memory");
      out->resize(plain_size);
      const size_t size = ZSTD_decompressDCtx(context, out->data(), plain_size, bytes.data(), bytes.size());
      if (!ZSTD_isError(size) && size == plain_size) return absl::OkStatus();
      out->clear();
      return absl::DataLossError(absl::StrCat("zstd: ", ZSTD_isError(size) ? ZSTD_getErrorName(size) : "short block"));
    }
  }
  return absl::DataLossError(absl::StrCat("unknown compression ", static_cast<int>(compression)));
}

}  // namespace braid
