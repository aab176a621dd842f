// One column of one row group to bytes and back, in the smallest of a few encodings.
// The first byte of an encoded column is its encoding; the row count is the caller's to know and to check.
//
// Threads: pure functions. Errors: DataLoss for bytes that no encoder wrote; decoding never reads outside its input and
// never allocates more than rows * 32 bytes plus the decoded text, which is at most kMaxColumnTextBytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/record_batch.h"

namespace braid {

inline constexpr size_t kMaxColumnTextBytes = size_t{256} << 20;

// Any column (all types of braid::Type), nulls included. General compression (zstd) is inside: the result is final.
std::string EncodeColumn(const Column& column);
absl::Status DecodeColumn(std::string_view bytes, size_t rows, Column* column);

// Integers alone: constant, delta, frame of reference with bit-packing, whichever is smallest. For ids, offsets, times.
std::string EncodeInts(const std::vector<int64_t>& values);
absl::Status DecodeInts(std::string_view bytes, size_t count, std::vector<int64_t>* values);

}  // namespace braid
