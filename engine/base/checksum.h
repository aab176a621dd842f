// Checksums and hashes of bytes. Both are part of the disk format.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace braid {

// CRC-32C (Castagnoli, as in iSCSI, RFC 3720 B.4). Crc32c(b, Crc32c(a)) is that of a and b together.
uint32_t Crc32c(std::string_view bytes, uint32_t seed = 0);

// The same without the processor's instruction, for tests and processors without SSE 4.2.
uint32_t Crc32cPortable(std::string_view bytes, uint32_t seed = 0);

// XXH3, 64 bits. Not a checksum against malice.
uint64_t Hash64(std::string_view bytes);
uint64_t Hash64(std::string_view bytes, uint64_t seed);

}  // namespace braid
