#include "server/ingest/content_encoding.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <vector>

#include "engine/base/status_macros.h"

namespace braid::ingest {
namespace {

constexpr size_t kPieceBytes = size_t{64} << 10;

class PlainDecompressor : public Decompressor {
 public:
  absl::Status Feed(std::string_view input, const Sink& sink) override {
    return input.empty() ? absl::OkStatus() : sink(input);
  }
  absl::Status Finish() override { return absl::OkStatus(); }
};

class ZlibDecompressor : public Decompressor {
 public:
  explicit ZlibDecompressor(bool gzip) : gzip_(gzip), piece_(kPieceBytes) {}
  ~ZlibDecompressor() override {
    if (open_) inflateEnd(&stream_);
  }

  absl::Status Feed(std::string_view input, const Sink& sink) override {
    while (!input.empty()) {
      if (ended_) {
        if (!gzip_) return absl::InvalidArgumentError("bytes after the end of the deflate data");
        if (input.front() != '\x1f') return absl::InvalidArgumentError("bytes after the end of the gzip data");
        if (inflateReset(&stream_) != Z_OK) return absl::InternalError("zlib cannot start again");
        ended_ = false;
      }
      if (!open_) RETURN_IF_ERROR(Open(input.front()));
      const size_t step = std::min(input.size(), size_t{1} << 30);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
      stream_.avail_in = static_cast<uInt>(step);
      int result;
      do {
        stream_.next_out = reinterpret_cast<Bytef*>(piece_.data());
        stream_.avail_out = static_cast<uInt>(piece_.size());
        result = inflate(&stream_, Z_NO_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
          return absl::InvalidArgumentError(std::string("damaged ") + (gzip_ ? "gzip" : "deflate") + " data" +
                                            (stream_.msg != nullptr ? std::string(": ") + stream_.msg : ""));
        }
        const size_t made = piece_.size() - stream_.avail_out;
        if (made > 0) RETURN_IF_ERROR(sink({piece_.data(), made}));
      } while (result == Z_OK && (stream_.avail_in > 0 || stream_.avail_out == 0));
      input.remove_prefix(step - stream_.avail_in);
      ended_ = result == Z_STREAM_END;
      if (result == Z_BUF_ERROR && stream_.avail_in > 0) return absl::InvalidArgumentError("damaged gzip data");
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    if (!ended_) return absl::InvalidArgumentError(std::string(gzip_ ? "gzip" : "deflate") + " data is cut off");
    return absl::OkStatus();
  }

 private:
  absl::Status Open(char first) {
    // "deflate" means the zlib format; some senders leave its two-byte header away. Its first byte tells: method 8 and
    // a window of at most 32 KiB.
    const bool zlib_header = (first & 0x0f) == 8 && (static_cast<unsigned char>(first) >> 4) <= 7;
    const int window = gzip_ ? 15 + 16 : zlib_header ? 15 : -15;
    if (inflateInit2(&stream_, window) != Z_OK) return absl::ResourceExhaustedError("no memory for zlib");
    open_ = true;
    return absl::OkStatus();
  }

  bool gzip_;
  bool open_ = false;
  bool ended_ = false;
  z_stream stream_ = {};
  std::vector<char> piece_;
};

class ZstdDecompressor : public Decompressor {
 public:
  ZstdDecompressor() : context_(ZSTD_createDCtx()), piece_(kPieceBytes) {
    // 8 MiB of window is what RFC 8878 asks every decoder to support; files of `zstd -19 --long` use up to 128 MiB.
    if (context_ != nullptr) ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, 27);
  }
  ~ZstdDecompressor() override { ZSTD_freeDCtx(context_); }

  absl::Status Feed(std::string_view input, const Sink& sink) override {
    if (context_ == nullptr) return absl::ResourceExhaustedError("no memory for zstd");
    ZSTD_inBuffer in = {input.data(), input.size(), 0};
    bool more = !input.empty();
    while (more) {
      ZSTD_outBuffer out = {piece_.data(), piece_.size(), 0};
      const size_t left = ZSTD_decompressStream(context_, &out, &in);
      if (ZSTD_isError(left)) {
        return absl::InvalidArgumentError(std::string("damaged zstd data: ") + ZSTD_getErrorName(left));
      }
      ended_ = left == 0;
      if (out.pos > 0) RETURN_IF_ERROR(sink({piece_.data(), out.pos}));
      more = in.pos < in.size || (out.pos == out.size && !ended_);
    }
    return absl::OkStatus();
  }

  absl::Status Finish() override {
    return ended_ ? absl::OkStatus() : absl::InvalidArgumentError("zstd data is cut off");
  }

 private:
  ZSTD_DCtx* context_;
  std::vector<char> piece_;
  bool ended_ = false;
};

absl::Status CheckBounds(size_t decoded, size_t encoded, const DecodeLimits& limits) {
  if (decoded > limits.decoded_bytes_max) {
    return absl::ResourceExhaustedError("the decoded body has more than " + std::to_string(limits.decoded_bytes_max) +
                                        " bytes");
  }
  if (decoded > limits.ratio_free_bytes && decoded / limits.ratio_max > encoded) {
    return absl::ResourceExhaustedError("the body grows more than " + std::to_string(limits.ratio_max) +
                                        " times when decoded");
  }
  return absl::OkStatus();
}

absl::StatusOr<DecodedBody> DecodeSnappy(std::string_view body, const DecodeLimits& limits,
                                         DecodeBudget::Share* share) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &size)) {
    return absl::InvalidArgumentError("damaged snappy data: no length");
  }
  RETURN_IF_ERROR(CheckBounds(size, body.size(), limits));
  // Snappy makes at most 64 bytes of 3: a larger claim cannot be honest, whatever the bounds allow.
  if (size / 22 > body.size()) return absl::InvalidArgumentError("damaged snappy data: impossible length");
  if (share != nullptr && !share->Grow(size)) return TooManyBodies();
  if (!snappy::IsValidCompressedBuffer(body.data(), body.size())) {
    return absl::InvalidArgumentError("damaged snappy data");
  }
  DecodedBody decoded;
  if (!snappy::RawUncompress(body.data(), body.size(), decoded.Extend(size))) {
    return absl::InvalidArgumentError("damaged snappy data");
  }
  return decoded;
}

}  // namespace

absl::StatusOr<Coding> ParseContentEncoding(std::string_view header) {
  std::string name;
  for (char c : header) {
    if (c != ' ' && c != '\t') name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  if (name.empty() || name == "identity") return Coding::kIdentity;
  if (name == "gzip" || name == "x-gzip") return Coding::kGzip;
  if (name == "deflate") return Coding::kDeflate;
  if (name == "zstd") return Coding::kZstd;
  if (name == "snappy") return Coding::kSnappy;
  return absl::UnimplementedError("Content-Encoding '" + name.substr(0, 64) +
                                  "' is not known; send gzip, deflate, zstd, snappy or none");
}

Coding SniffCoding(std::string_view head) {
  if (head.starts_with("\x1f\x8b")) return Coding::kGzip;
  if (head.starts_with("\x28\xb5\x2f\xfd")) return Coding::kZstd;
  return Coding::kIdentity;
}

std::unique_ptr<Decompressor> Decompressor::Make(Coding coding) {
  switch (coding) {
    case Coding::kGzip: return std::make_unique<ZlibDecompressor>(true);
    case Coding::kDeflate: return std::make_unique<ZlibDecompressor>(false);
    case Coding::kZstd: return std::make_unique<ZstdDecompressor>();
    case Coding::kIdentity:
    case Coding::kSnappy: break;
  }
  return std::make_unique<PlainDecompressor>();
}

absl::Status TooManyBodies() { return absl::UnavailableError("too many bodies are being decoded at once; try again"); }

absl::StatusOr<DecodedBody> DecodeContent(Coding coding, std::string_view body, const DecodeLimits& limits,
                                          DecodeBudget::Share* share) {
  if (coding == Coding::kSnappy) return DecodeSnappy(body, limits, share);
  if (coding == Coding::kIdentity) {
    RETURN_IF_ERROR(CheckBounds(body.size(), body.size(), limits));
    return DecodedBody(body);
  }
  DecodedBody decoded;
  const auto decompressor = Decompressor::Make(coding);
  const auto sink = [&](std::string_view piece) {
    RETURN_IF_ERROR(CheckBounds(decoded.size() + piece.size(), body.size(), limits));
    if (share != nullptr && !share->Grow(decoded.size() + piece.size())) return TooManyBodies();
    decoded.Append(piece);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(decompressor->Feed(body, sink));
  RETURN_IF_ERROR(decompressor->Finish());
  return decoded;
}

}  // namespace braid::ingest
