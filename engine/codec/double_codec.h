// Lists of doubles, bit-exact for every pattern.
//
//   doubles    := nothing (count = 0) | byte(form) body
//   form 0     := short                                       all values have these bits
//   form 1, 2  := byte(e) exceptions ints(m)                  value = m / 10^e, or m * 10^-e (as a double's product)
//   form 3     := byte(e) exceptions ints(m) ints(ulps)       value = m / 10^e, its bits plus ulps
//   form 4     := ints(bits of the values)
//   exceptions := varint(n) n * { varint(gap) short }         values that are no such decimal (NaN, infinity, -0.0 ...)
//   short      := varint(bits with their bytes reversed)      few bytes for round numbers
// m at an exception repeats its neighbour. Source of the decimal forms: Afroozeh, Kuffo, Boncz, "ALP: Adaptive Lossless
// floating-Point Compression", SIGMOD 2023.
//
// Threads: pure functions. Errors: false for bytes that no encoder wrote.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/base/coding.h"

namespace braid {

enum class DoubleForm : uint8_t { kConstant = 0, kDivide = 1, kMultiply = 2, kUlps = 3, kBits = 4 };

// Returns the form that was used.
DoubleForm PutDoubles(std::span<const double> values, std::string* out);
// Reads exactly `count` values; `values` has room for them.
bool ReadDoubles(Decoder* decoder, size_t count, double* values);

// `short` of the grammar.
void PutShortDouble(std::string* out, double value);
bool ReadShortDouble(Decoder* decoder, double* value);

}  // namespace braid
