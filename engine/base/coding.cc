#include "engine/base/coding.h"

namespace braid {

bool Decoder::ReadLongVarint(uint64_t* value) {
  uint64_t result = 0;
  const char* at = at_;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    if (at == end_) return Fail();
    const uint64_t byte = static_cast<uint8_t>(*at++);
    // The tenth byte has room for one bit only.
    if (shift == 63 && byte > 1) return Fail();
    result |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = result;
      at_ = at;
      return true;
    }
  }
  return Fail();
}

}  // namespace braid
