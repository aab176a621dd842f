// body  := byte(unit) zigzag(first time / unit) stream, bits high first, filled up with zeros
// stream := value(64 bits) { time value }
// time  := 0 | 10 delta2(7 bits) | 110 delta2(14) | 1110 delta2(20) | 1111 delta2(64)     two's complement
// value := 0 | 10 bits of the last window | 11 leading(5) significant(6, 0 = 64) bits     of the XOR with the last
// value
#include "engine/codec/gorilla.h"

#include <algorithm>
#include <bit>

#include "engine/codec/chunk.h"

namespace braid {
namespace {

constexpr uint8_t kNoWindow = 0xff;
constexpr uint32_t kLeadingMax = 31;  // five bits

struct TimeClass {
  uint32_t prefix;
  uint32_t prefix_bits;
  uint32_t value_bits;
};
constexpr std::array<TimeClass, 4> kTimeClasses = {{{0b10, 2, 7}, {0b110, 3, 14}, {0b1110, 4, 20}, {0b1111, 4, 64}}};

// Division by a constant is many times as fast as by a variable, and each appended time needs one or two.
int64_t DivideByUnit(Timestamp time, uint8_t unit) {
  switch (unit) {
    case 0: return time;
    case 1: return time / kTimeUnits[1];
    case 2: return time / kTimeUnits[2];
    default: return time / kTimeUnits[3];
  }
}

uint8_t CoarsestUnit(Timestamp time, uint8_t unit) {
  while (DivideByUnit(time, unit) * kTimeUnits[unit] != time) --unit;
  return unit;
}

bool FitsSigned(uint64_t value, uint32_t bits) {
  if (bits == 64) return true;
  const auto number = static_cast<int64_t>(value);
  const int64_t limit = int64_t{1} << (bits - 1);
  return number >= -limit && number < limit;
}

// Bits high first; never reads past the end.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // REQUIRES: 1 <= bits <= 56, which is what a refill promises.
  bool Read(uint32_t bits, uint64_t* value) {
    if (bits > available_ && !Refill(bits)) return false;
    *value = word_ >> (64 - bits);
    word_ <<= bits;
    available_ -= bits;
    return true;
  }
  // REQUIRES: 1 <= bits <= 64.
  bool ReadWide(uint32_t bits, uint64_t* value) {
    if (bits <= 56) return Read(bits, value);
    uint64_t high;
    uint64_t low;
    if (!Read(bits - 32, &high) || !Read(32, &low)) return false;
    *value = high << 32 | low;
    return true;
  }
  bool ReadBit(bool* bit) {
    uint64_t value;
    if (!Read(1, &value)) return false;
    *bit = value != 0;
    return true;
  }

 private:
  bool Refill(uint32_t bits) {
    if (end_ - at_ >= 8) {
      uint64_t loaded;
      std::memcpy(&loaded, at_, 8);
      word_ |= __builtin_bswap64(loaded) >> available_;
      const uint32_t bytes = (63 - available_) / 8;
      at_ += bytes;
      available_ += bytes * 8;
      // Bits of a byte that is loaded but not counted are loaded again at the same place: the same bits.
      return true;
    }
    while (available_ <= 56 && at_ != end_) {
      word_ |= static_cast<uint64_t>(static_cast<uint8_t>(*at_++)) << (56 - available_);
      available_ += 8;
    }
    return bits <= available_;
  }

  const char* at_;
  const char* end_;
  uint64_t word_ = 0;  // next bits at the top
  uint32_t available_ = 0;
};

bool ReadTimeChange(BitReader* reader, uint64_t* change) {
  bool bit;
  if (!reader->ReadBit(&bit)) return false;
  if (!bit) {
    *change = 0;
    return true;
  }
  size_t size_class = 0;
  while (size_class < kTimeClasses.size() - 1) {
    if (!reader->ReadBit(&bit)) return false;
    if (!bit) break;
    ++size_class;
  }
  const uint32_t bits = kTimeClasses[size_class].value_bits;
  if (!reader->ReadWide(bits, change)) return false;
  if (bits < 64) *change = static_cast<uint64_t>(static_cast<int64_t>(*change << (64 - bits)) >> (64 - bits));
  return true;
}

struct Window {
  uint32_t significant = 0;  // 0 = none yet
  uint32_t trailing = 0;
};

bool ReadValueChange(BitReader* reader, Window* window, uint64_t* change) {
  bool bit;
  *change = 0;
  if (!reader->ReadBit(&bit)) return false;
  if (!bit) return true;
  if (!reader->ReadBit(&bit)) return false;
  if (bit) {
    uint64_t head;
    if (!reader->Read(11, &head)) return false;
    const auto leading = static_cast<uint32_t>(head >> 6);
    const auto significant = static_cast<uint32_t>(head & 63) == 0 ? 64 : static_cast<uint32_t>(head & 63);
    if (leading + significant > 64) return false;
    *window = {significant, 64 - leading - significant};
  }
  if (window->significant == 0 || !reader->ReadWide(window->significant, change)) return false;
  *change <<= window->trailing;
  return true;
}

}  // namespace

void GorillaAppender::Put(uint64_t value, uint32_t bits) {
  if (bits < 64) value &= (uint64_t{1} << bits) - 1;
  if (bits <= free_bits_) {
    free_bits_ = static_cast<uint8_t>(free_bits_ - bits);
    bits_.back() = static_cast<char>(static_cast<uint8_t>(bits_.back()) | value << free_bits_);
    return;
  }
  const uint32_t left = bits - free_bits_;  // 1 to 64
  if (free_bits_ > 0) bits_.back() = static_cast<char>(static_cast<uint8_t>(bits_.back()) | value >> left);
  const uint64_t word = __builtin_bswap64(value << (64 - left));
  const uint32_t bytes = (left + 7) / 8;
  bits_.append(reinterpret_cast<const char*>(&word), bytes);
  free_bits_ = static_cast<uint8_t>(bytes * 8 - left);
}

// A prefix and what follows it, in one step where they fit.
void GorillaAppender::PutPair(uint64_t prefix, uint32_t prefix_bits, uint64_t value, uint32_t bits) {
  if (prefix_bits + bits > 64) {
    Put(prefix, prefix_bits);
    return Put(value, bits);
  }
  if (bits < 64) value &= (uint64_t{1} << bits) - 1;
  Put(prefix << bits | value, prefix_bits + bits);
}

// `units`: the time in units.
void GorillaAppender::PutTime(int64_t units) {
  const uint64_t delta = static_cast<uint64_t>(units) - static_cast<uint64_t>(last_units_);
  const uint64_t change = delta - last_delta_;
  last_units_ = units;
  last_delta_ = delta;
  if (change == 0) return Put(0, 1);
  for (const TimeClass& size : kTimeClasses) {
    if (FitsSigned(change, size.value_bits)) return PutPair(size.prefix, size.prefix_bits, change, size.value_bits);
  }
}

void GorillaAppender::PutValue(uint64_t bits) {
  const uint64_t change = bits ^ last_value_bits_;
  last_value_bits_ = bits;
  if (change == 0) return Put(0, 1);
  const uint32_t leading = std::min<uint32_t>(static_cast<uint32_t>(std::countl_zero(change)), kLeadingMax);
  const auto trailing = static_cast<uint32_t>(std::countr_zero(change));
  const uint32_t significant = 64 - leading - trailing;
  if (leading_ != kNoWindow && leading >= leading_ && trailing >= trailing_) {
    const uint32_t window = 64u - leading_ - trailing_;
    // A window much too wide is left, or one outlier would cost the whole rest of the chunk.
    if (window <= significant + 11) {
      return PutPair(0b10, 2, change >> trailing_, window);
    }
  }
  leading_ = static_cast<uint8_t>(leading);
  trailing_ = static_cast<uint8_t>(trailing);
  PutPair(uint64_t{0b11} << 11 | leading << 6 | (significant & 63), 13, change >> trailing, significant);
}

void GorillaAppender::Append(Timestamp time, double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  if (count_ == 0) {
    unit_ = CoarsestUnit(time, kTimeUnits.size() - 1);
    last_units_ = first_units_ = DivideByUnit(time, unit_);
    last_value_bits_ = bits;
    Put(bits, 64);
  } else {
    const uint8_t unit = CoarsestUnit(time, unit_);
    if (unit < unit_) Rebuild(unit);
    PutTime(DivideByUnit(time, unit_));
    PutValue(bits);
  }
  ++count_;
}

void GorillaAppender::Rebuild(uint8_t unit) {
  std::vector<Timestamp> times(count_);
  std::vector<double> values(count_);
  const std::string chunk = Finish();
  Decoder decoder(chunk);
  uint64_t count;
  // Our own bytes: type, count, body.
  decoder.Skip(1);
  decoder.ReadVarint(&count);
  ReadGorilla(&decoder, count_, times.data(), values.data());
  GorillaAppender finer;
  finer.bits_.reserve(bits_.capacity());
  finer.Append(times[0], values[0]);
  finer.unit_ = unit;
  finer.last_units_ = finer.first_units_ = DivideByUnit(times[0], unit);
  for (size_t i = 1; i < times.size(); ++i) {
    finer.PutTime(DivideByUnit(times[i], unit));
    finer.PutValue(std::bit_cast<uint64_t>(values[i]));
    ++finer.count_;
  }
  *this = std::move(finer);
}

std::string GorillaAppender::Finish() const {
  std::string chunk;
  chunk.reserve(bits_.size() + 16);
  PutByte(&chunk, static_cast<uint8_t>(ChunkEncoding::kGorilla));
  PutVarint(&chunk, count_);
  if (count_ == 0) return chunk;
  PutByte(&chunk, unit_);
  PutZigzag(&chunk, first_units_);
  PutRaw(&chunk, bits_);
  return chunk;
}

bool ReadGorilla(Decoder* decoder, size_t count, Timestamp* times, double* values) {
  uint8_t unit_number;
  int64_t first;
  if (!decoder->ReadByte(&unit_number) || unit_number >= kTimeUnits.size() || !decoder->ReadZigzag(&first)) {
    return decoder->Fail();
  }
  // Each sample takes two bits at least: a damaged count ends here and not after filling memory.
  if (count > decoder->remaining() * 4) return decoder->Fail();
  const auto unit = static_cast<uint64_t>(kTimeUnits[unit_number]);
  BitReader reader(decoder->rest());
  uint64_t bits;
  if (!reader.ReadWide(64, &bits)) return decoder->Fail();
  auto time = static_cast<uint64_t>(first);
  uint64_t delta = 0;
  Window window;
  times[0] = static_cast<Timestamp>(time * unit);
  values[0] = std::bit_cast<double>(bits);
  for (size_t i = 1; i < count; ++i) {
    uint64_t time_change;
    uint64_t value_change;
    if (!ReadTimeChange(&reader, &time_change) || !ReadValueChange(&reader, &window, &value_change)) {
      return decoder->Fail();
    }
    delta += time_change;
    time += delta;
    bits ^= value_change;
    times[i] = static_cast<Timestamp>(time * unit);
    values[i] = std::bit_cast<double>(bits);
  }
  return true;
}

}  // namespace braid
