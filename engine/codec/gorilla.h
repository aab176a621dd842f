// The bit stream of ChunkEncoding::kGorilla; grammar in docs/format/chunk.md.
// Threads: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "braid/types.h"
#include "engine/base/coding.h"
#include "engine/codec/chunk.h"

namespace braid {

inline constexpr std::array<int64_t, 4> kTimeUnits = GorillaAppender::kUnits;

// Reads the body that follows the sample count: unit, first time, bits to the end. False for what no appender wrote.
bool ReadGorilla(Decoder* decoder, size_t count, Timestamp* times, double* values);

}  // namespace braid
