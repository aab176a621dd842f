// Lists of 64-bit integers: what times, ids, codes, lengths and decimal values are stored as.
//
//   ints     := nothing (count = 0) | byte(kind [+ 8]) [ zigzag(origin) varint(gcd) ] body
//               with + 8 the body holds (value - origin) / gcd
//   kind 0   := zigzag(value)                            all values are this one
//   kind 1   := zigzag(first) zigzag(step)               value[i] = first + i * step
//   kind 2-4 := start block...                           packed residuals of order kind - 2
//   kind 5-7 := start zigzag(base) varint(plain size) varint(size) zstd    zigzags of residual - base, compressed;
//               with + 16 residual - base in one or two bytes, all low bytes first, then all high bytes
//   start    := zigzag(first), for order >= 1; zigzag(first delta), for order 2
//   block    := byte(width [+ 128]) zigzag(base) packed [ byte(n) n * { byte(position) varint(high) } ]
// Residuals of order 0 are the values, of order 1 their differences, of order 2 differences of those. A block holds 128
// of them (the last one fewer): (residual - base) in `width` bits each, low bits first; with + 128 the `high` bits of a
// few outliers follow ("patched frame of reference": Zukowski et al., "Super-Scalar RAM-CPU Cache Compression", ICDE
// 2006). All sums are modulo 2^64.
//
// Threads: pure functions. Errors: false for bytes that no encoder wrote.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/base/coding.h"

namespace braid {

void PutInts(std::span<const int64_t> values, std::string* out);
// Reads exactly `count` values; `values` has room for them.
bool ReadInts(Decoder* decoder, size_t count, int64_t* values);

}  // namespace braid
