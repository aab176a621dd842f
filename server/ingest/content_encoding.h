// Undoing Content-Encoding: gzip, deflate, zstd, snappy (block format). Bounded by the size of the output and by its
// ratio to the input; a declared size is believed only after it has been compared with the bounds.
//
// Threads: a Decompressor belongs to one thread. Errors: InvalidArgument for damaged or cut-off input and for anything
// behind its end, ResourceExhausted for a bound, Unimplemented for an unknown encoding.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/ingest/decode_budget.h"
#include "server/ingest/decoded_body.h"
#include "server/ingest/ingest_limits.h"

namespace braid::ingest {

struct DecodeLimits {
  size_t decoded_bytes_max = kDecodedBytesMax;
  size_t ratio_max = kDecodedRatioMax;
  size_t ratio_free_bytes = kDecodedRatioFreeBytes;  // output that is allowed at any ratio
};

enum class Coding { kIdentity, kGzip, kDeflate, kZstd, kSnappy };

// "" and "identity" are none; "x-gzip" is gzip. Unimplemented for others and for several at once.
absl::StatusOr<Coding> ParseContentEncoding(std::string_view header);
// What the first bytes are: gzip and zstd have magic numbers, else kIdentity.
Coding SniffCoding(std::string_view head);

// What is said when a body does not fit into the budget: Unavailable.
absl::Status TooManyBodies();

// A whole body. Unavailable if it does not fit into `share`, which may be null.
absl::StatusOr<DecodedBody> DecodeContent(Coding coding, std::string_view body, const DecodeLimits& limits,
                                          DecodeBudget::Share* share = nullptr);

// Piece by piece, with constant memory: for files. Gzip and zstd may hold several members one after another.
class Decompressor {
 public:
  // REQUIRES: coding is not kSnappy.
  static std::unique_ptr<Decompressor> Make(Coding coding);
  virtual ~Decompressor() = default;
  // Hands decoded bytes to `sink`, whose error ends the call.
  using Sink = std::function<absl::Status(std::string_view)>;
  virtual absl::Status Feed(std::string_view input, const Sink& sink) = 0;
  // InvalidArgument if the input ended in the middle.
  virtual absl::Status Finish() = 0;
};

}  // namespace braid::ingest
