#include "engine/codec/int_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "engine/codec/bit_packing.h"
#include "engine/codec/compression.h"

namespace braid {
namespace {

constexpr uint8_t kConstantKind = 0;
constexpr uint8_t kLinearKind = 1;
constexpr uint8_t kPackedKind = 2;  // + order
constexpr uint8_t kZstdKind = 5;    // + order
constexpr uint8_t kKindMask = 7;
constexpr uint8_t kGcdFlag = 8;
constexpr uint8_t kPlanesFlag = 16;  // of the zstd kinds
constexpr uint8_t kPatchedFlag = 0x80;
constexpr uint32_t kOrders = 3;

constexpr int kZstdLevel = 3;
// Below this the frame's own header eats the gain.
constexpr size_t kZstdBytesMin = 48;
// zstd must save this share of the packed bytes, because it is slower to read.
constexpr double kZstdGainMin = 0.08;
// Numbers of outliers tried for a block.
constexpr std::array<size_t, 6> kOutlierCounts = {0, 1, 2, 4, 8, 16};

uint64_t Bits(int64_t value) { return static_cast<uint64_t>(value); }

// How a block is to be written.
struct BlockPlan {
  uint64_t base = 0;
  uint32_t width = 0;
  size_t bytes = 0;
};

uint32_t WidthOf(uint64_t range) { return static_cast<uint32_t>(std::bit_width(range)); }

// The least and greatest values of a block, as many as may be outliers and one more, ascending.
class Extremes {
 public:
  static constexpr size_t kKept = kOutlierCounts.back() + 1;

  // REQUIRES: values lie in [least, least + 2^width), count <= kBlockValues.
  Extremes(const int64_t* values, size_t count, int64_t least, uint32_t width)
      : count_(count), kept_(std::min(count, kKept)) {
    // How many values there are of each, or of each run of 2^shift.
    std::array<uint8_t, size_t{1} << kCountedBits> counts;
    const uint32_t shift = width <= kCountedBits ? 0 : width - kCountedBits;
    const size_t runs = size_t{1} << std::min(width, kCountedBits);
    std::fill_n(counts.begin(), runs, 0);
    for (size_t i = 0; i < count; ++i) ++counts[(Bits(values[i]) - Bits(least)) >> shift];
    // The runs that have the least and the greatest values, and perhaps some more.
    size_t lower = 0, lower_values = 0;
    while (lower_values < kept_) lower_values += counts[lower++];
    size_t upper = runs, upper_values = 0;
    while (upper_values < kept_) upper_values += counts[--upper];
    if (shift == 0) {
      size_t at = 0;
      for (size_t run = 0; run < lower; ++run) {
        for (size_t end = std::min<size_t>(kept_, at + counts[run]); at < end; ++at) low_[at] = Value(least, run);
      }
      size_t left = kept_;
      for (size_t run = runs; run-- > upper;) {
        for (size_t end = left - std::min<size_t>(left, counts[run]); left > end;) high_[--left] = Value(least, run);
      }
      return;
    }
    std::array<uint64_t, kBlockValues + 1> few;
    const auto gather = [&](auto wanted, auto before) {
      size_t found = 0;
      for (size_t i = 0; i < count_; ++i) {
        const uint64_t offset = Bits(values[i]) - Bits(least);
        few[found] = offset;
        found += wanted(offset >> shift) ? 1 : 0;
      }
      const auto kept = few.begin() + static_cast<ptrdiff_t>(kept_), end = few.begin() + static_cast<ptrdiff_t>(found);
      if (found > 2 * kKept) std::nth_element(few.begin(), kept - 1, end, before);
      std::sort(few.begin(), found > 2 * kKept ? kept : end, before);
    };
    gather([=](uint64_t run) { return run < lower; }, std::less<>());
    for (size_t i = 0; i < kept_; ++i) low_[i] = Value(least, few[i]);
    gather([=](uint64_t run) { return run >= upper; }, std::greater<>());
    for (size_t i = 0; i < kept_; ++i) high_[kept_ - 1 - i] = Value(least, few[i]);
  }
  // The value at `rank` of the sorted block. REQUIRES: one of the first or of the last kKept.
  int64_t Sorted(size_t rank) const { return rank < kept_ ? low_[rank] : high_[rank - (count_ - kept_)]; }

 private:
  static constexpr uint32_t kCountedBits = 8;
  static int64_t Value(int64_t least, uint64_t offset) { return static_cast<int64_t>(Bits(least) + offset); }

  size_t count_;
  size_t kept_;
  std::array<int64_t, kKept> low_;
  std::array<int64_t, kKept> high_;
};

// The block with base and width of the values of ranks [begin, begin + kept); the others are outliers.
BlockPlan PlanWithWindow(const Extremes& extremes, size_t count, size_t begin, size_t kept) {
  BlockPlan plan;
  const int64_t base = extremes.Sorted(begin);
  plan.base = Bits(base);
  plan.width = WidthOf(Bits(extremes.Sorted(begin + kept - 1)) - plan.base);
  plan.bytes = 1 + VarintSize(ZigzagEncode(base)) + PackedBytes(count, plan.width);
  if (kept == count) return plan;
  ++plan.bytes;
  for (size_t i = 0; i < count; ++i) {
    if (i == begin) i = begin + kept;
    if (i >= count) break;
    const uint64_t offset = Bits(extremes.Sorted(i)) - plan.base;
    plan.bytes += 1 + VarintSize(plan.width == 64 ? 0 : offset >> plan.width);
  }
  return plan;
}

// Can leaving out outliers make a block smaller whose values lie in [least, least + 2^width)? False only if surely not:
// then there is no need to know which they would be. REQUIRES: width > 1, count <= kBlockValues.
bool MayHaveOutliers(const int64_t* values, size_t count, int64_t least, uint32_t width) {
  // How many values lie in each eighth of the range, a byte each.
  const uint32_t shift = width < 3 ? 0 : width - 3;
  uint64_t eighths = 0;
  for (size_t i = 0; i < count; ++i) eighths += uint64_t{1} << (((Bits(values[i]) - Bits(least)) >> shift) * 8);
  // A bit less makes the block 16 bytes smaller and its base up to 9, and an outlier takes 2 bytes at least: up to 8 of
  // them pay for a window of half the range, which meets five eighths, and up to 16 for one of a quarter, which meets
  // three.
  size_t most_of_three = 0, most_of_five = 0;
  for (int first = 0; first < 8; ++first) {
    size_t sum = 0;
    for (int i = first; i < std::min(first + 5, 8); ++i) {
      sum += (eighths >> (i * 8)) & 0xff;
      if (i < first + 3) most_of_three = std::max(most_of_three, sum);
    }
    most_of_five = std::max(most_of_five, sum);
  }
  return most_of_five + 8 >= count || most_of_three + kOutlierCounts.back() >= count;
}

BlockPlan PlanBlock(const int64_t* values, size_t count) {
  int64_t least = values[0], greatest = values[0];
  for (size_t i = 1; i < count; ++i) {
    least = std::min(least, values[i]);
    greatest = std::max(greatest, values[i]);
  }
  const uint32_t width = WidthOf(Bits(greatest) - Bits(least));
  BlockPlan best;
  best.base = Bits(least);
  best.width = width;
  best.bytes = 1 + VarintSize(ZigzagEncode(least)) + PackedBytes(count, width);
  if (width <= 1 || !MayHaveOutliers(values, count, least, width)) return best;
  const Extremes extremes(values, count, least, width);
  for (size_t outliers : kOutlierCounts) {
    if (outliers == 0 || outliers >= count) continue;
    const size_t kept = count - outliers;
    size_t begin = 0;
    uint64_t least_range = UINT64_MAX;
    for (size_t i = 0; i <= outliers; ++i) {
      const uint64_t range = Bits(extremes.Sorted(i + kept - 1)) - Bits(extremes.Sorted(i));
      if (range < least_range) {
        least_range = range;
        begin = i;
      }
    }
    if (WidthOf(least_range) >= best.width) continue;
    const BlockPlan plan = PlanWithWindow(extremes, count, begin, kept);
    if (plan.bytes < best.bytes) best = plan;
  }
  return best;
}

void PutBlock(const int64_t* values, size_t count, const BlockPlan& plan, std::string* out) {
  uint64_t offsets[kBlockValues];
  uint64_t any = 0;
  for (size_t i = 0; i < count; ++i) {
    offsets[i] = Bits(values[i]) - plan.base;
    any |= offsets[i];
  }
  const bool patched = WidthOf(any) > plan.width;
  PutByte(out, static_cast<uint8_t>(plan.width | (patched ? kPatchedFlag : 0)));
  PutZigzag(out, static_cast<int64_t>(plan.base));
  PackBits(offsets, count, plan.width, out);
  if (!patched) return;
  const size_t count_at = out->size();
  PutByte(out, 0);
  uint8_t outliers = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t high = offsets[i] >> plan.width;
    if (high == 0) continue;
    PutByte(out, static_cast<uint8_t>(i));
    PutVarint(out, high);
    ++outliers;
  }
  (*out)[count_at] = static_cast<char>(outliers);
}

// Differences of neighbours, in place: n values become n - 1.
void TakeDifferences(std::vector<int64_t>* values) {
  for (size_t i = 0; i + 1 < values->size(); ++i) {
    (*values)[i] = static_cast<int64_t>(Bits((*values)[i + 1]) - Bits((*values)[i]));
  }
  values->pop_back();
}

bool IsLinear(std::span<const int64_t> values, uint64_t step) {
  for (size_t i = 1; i < values.size(); ++i) {
    if (Bits(values[i]) - Bits(values[i - 1]) != step) return false;
  }
  return true;
}

// The greatest common divisor of the distances to the first value; 1 if there is none worth having.
uint64_t DivisorOf(std::span<const int64_t> values) {
  uint64_t divisor = 0;
  for (int64_t value : values) {
    int64_t distance;
    if (__builtin_sub_overflow(value, values[0], &distance)) return 1;
    const uint64_t magnitude = distance < 0 ? 0 - Bits(distance) : Bits(distance);
    if (divisor != 0 && magnitude % divisor == 0) continue;
    divisor = std::gcd(divisor, magnitude);
    if (divisor == 1) return 1;
  }
  return std::max<uint64_t>(divisor, 1);
}

// Residuals of one order with what they start from.
struct Residuals {
  std::string start;
  std::vector<int64_t> values;
  std::vector<BlockPlan> plans;
  size_t bytes = 0;
};

Residuals PlanResiduals(std::string start, std::vector<int64_t> values) {
  Residuals residuals;
  residuals.bytes = start.size();
  residuals.start = std::move(start);
  for (size_t at = 0; at < values.size(); at += kBlockValues) {
    residuals.plans.push_back(PlanBlock(values.data() + at, std::min(kBlockValues, values.size() - at)));
    residuals.bytes += residuals.plans.back().bytes;
  }
  residuals.values = std::move(values);
  return residuals;
}

// Residuals of so few bytes are compressed byte plane by byte plane: the high bytes of neighbours are alike, and
// reading them back is a loop without branches.
constexpr uint32_t kPlanesMax = 2;

// Kind, base and plain bytes of the compressed form.
struct ZstdPlain {
  uint8_t kind = 0;
  uint64_t base = 0;
  std::string bytes;
};

bool TakePlanes(std::span<const int64_t> values, ZstdPlain* plain) {
  int64_t least = values[0], greatest = values[0];
  for (int64_t value : values) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  const uint32_t planes = (WidthOf(Bits(greatest) - Bits(least)) + 7) / 8;
  if (planes == 0 || planes > kPlanesMax) return false;
  plain->kind |= kPlanesFlag;
  plain->base = Bits(least);
  plain->bytes.resize(values.size() * planes);
  char* at = plain->bytes.data();
  for (uint32_t plane = 0; plane < planes; ++plane) {
    for (int64_t value : values) *at++ = static_cast<char>((Bits(value) - plain->base) >> (8 * plane));
  }
  return true;
}

void TakeVarints(std::span<const int64_t> values, ZstdPlain* plain) {
  // Around their median most residuals are single bytes, which is what an entropy coder of bytes wants.
  std::vector<int64_t> sorted(values.begin(), values.end());
  const auto middle = sorted.begin() + static_cast<ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  plain->base = Bits(*middle);
  plain->bytes.reserve(values.size() * 2);
  for (int64_t value : values) PutZigzag(&plain->bytes, static_cast<int64_t>(Bits(value) - plain->base));
}

// Lists of so many values are tried by a part of them first where their residuals are wide: those are mostly noise, on
// which zstd takes longest, and gains nothing.
constexpr size_t kTrialValuesMin = 1024;
constexpr size_t kTrialShare = 4;
constexpr size_t kTrialBytesPerValueMin = 3;

// Would zstd save anything? Judged by a part from the middle.
bool IsNoise(const Residuals& residuals) {
  const size_t count = residuals.values.size();
  if (count < kTrialValuesMin || residuals.bytes < count * kTrialBytesPerValueMin) return false;
  const size_t part = count / kTrialShare;
  ZstdPlain plain;
  TakeVarints(std::span(residuals.values).subspan((count - part) / 2, part), &plain);
  std::string packed;
  Compress(Compression::kZstd, kZstdLevel, plain.bytes, &packed);
  return packed.size() * kTrialShare > residuals.bytes;
}

bool PutZstd(const Residuals& residuals, uint8_t kind, std::string* out) {
  if (IsNoise(residuals)) return false;
  ZstdPlain plain;
  plain.kind = kind;
  if (!TakePlanes(residuals.values, &plain)) TakeVarints(residuals.values, &plain);
  std::string packed;
  if (Compress(Compression::kZstd, kZstdLevel, plain.bytes, &packed) != Compression::kZstd) return false;
  const auto base = static_cast<int64_t>(plain.base);
  const size_t bytes = residuals.start.size() + VarintSize(ZigzagEncode(base)) + packed.size() + 5;
  if (static_cast<double>(bytes) > static_cast<double>(residuals.bytes) * (1 - kZstdGainMin)) return false;
  PutByte(out, plain.kind);
  PutRaw(out, residuals.start);
  PutZigzag(out, base);
  PutVarint(out, plain.bytes.size());
  PutBytes(out, packed);
  return true;
}

// The body of any list, kind byte included; `flags` are or-ed to it.
void PutBody(std::vector<int64_t> values, uint8_t flags, const std::string& before_body, std::string* out) {
  const size_t count = values.size();
  Residuals best;
  uint32_t best_order = 0;
  std::string start;
  std::vector<int64_t> residual_values = values;
  for (uint32_t order = 0; order < kOrders && order < count; ++order) {
    // Where differences are no smaller than the values, those of differences are not either.
    if (order > best_order + 1) break;
    if (order > 0) {
      PutZigzag(&start, residual_values[0]);
      TakeDifferences(&residual_values);
    }
    Residuals residuals = PlanResiduals(start, residual_values);
    if (order == 0 || residuals.bytes < best.bytes) {
      best = std::move(residuals);
      best_order = order;
    }
  }
  std::string body;
  // Near eight bytes a value there is nothing but noise, and no use in trying.
  if (best.bytes < kZstdBytesMin || best.bytes > count * 7 ||
      !PutZstd(best, static_cast<uint8_t>(kZstdKind + best_order), &body)) {
    body.clear();
    PutByte(&body, static_cast<uint8_t>(kPackedKind + best_order));
    PutRaw(&body, best.start);
    for (size_t block = 0; block < best.plans.size(); ++block) {
      const size_t at = block * kBlockValues;
      PutBlock(best.values.data() + at, std::min(kBlockValues, best.values.size() - at), best.plans[block], &body);
    }
  }
  PutByte(out, static_cast<uint8_t>(body[0]) | flags);
  PutRaw(out, before_body);
  PutRaw(out, std::string_view(body).substr(1));
}

bool ReadBlock(Decoder* decoder, size_t count, int64_t* values) {
  uint8_t head;
  int64_t base;
  std::string_view packed;
  if (!decoder->ReadByte(&head) || !decoder->ReadZigzag(&base)) return false;
  const uint32_t width = head & ~kPatchedFlag;
  if (width > 64 || !decoder->ReadRaw(PackedBytes(count, width), &packed)) return decoder->Fail();
  uint64_t offsets[kBlockValues];
  UnpackBits(packed.data(), count, width, offsets);
  if ((head & kPatchedFlag) != 0) {
    uint8_t outliers;
    if (width == 64 || !decoder->ReadByte(&outliers)) return decoder->Fail();
    for (uint32_t i = 0; i < outliers; ++i) {
      uint8_t position;
      uint64_t high;
      if (!decoder->ReadByte(&position) || !decoder->ReadVarint(&high)) return false;
      if (position >= count) return decoder->Fail();
      offsets[position] |= high << width;
    }
  }
  const uint64_t wide_base = Bits(base);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<int64_t>(offsets[i] + wide_base);
  return true;
}

bool ReadPlanes(std::string_view plain, uint64_t base, size_t count, int64_t* values) {
  const auto* low = reinterpret_cast<const uint8_t*>(plain.data());
  if (plain.size() == count) {
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<int64_t>(base + low[i]);
    return true;
  }
  if (plain.size() != count * 2) return false;
  const uint8_t* high = low + count;
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<int64_t>(base + (low[i] | uint64_t{high[i]} << 8));
  return true;
}

// The seven low bits of each byte, put together.
uint64_t JoinSevens(uint64_t bytes) {
  bytes = (bytes & 0x007f007f007f007f) | (bytes & 0x7f007f007f007f00) >> 1;
  bytes = (bytes & 0x00003fff00003fff) | (bytes & 0x3fff00003fff0000) >> 2;
  return (bytes & 0x000000000fffffff) | (bytes & 0x0fffffff00000000) >> 4;
}

// Zigzag varints, by words of eight bytes: nearly all are of one to three bytes, in no order that a branch could learn.
// A function of its own, whose loop then has the registers to itself.
__attribute__((noinline)) bool ReadVarints(std::string_view plain, uint64_t base, size_t count, int64_t* values) {
  constexpr uint64_t kLastBytes = 0x8080808080808080;
  const auto decode = [base](uint64_t wide) { return static_cast<int64_t>(Bits(ZigzagDecode(wide)) + base); };
  const char* at = plain.data();
  const char* const end = at + plain.size();
  size_t i = 0;
  while (i < count) {
    uint64_t word = 0, last = 0;  // `last`: the high bit of each byte that ends a varint
    if (end - at >= 8) {
      std::memcpy(&word, at, 8);
      last = ~word & kLastBytes;
    }
    if (last == kLastBytes && count - i >= 8) {
      for (size_t k = 0; k < 8; ++k) values[i + k] = decode(static_cast<uint8_t>(at[k]));
      i += 8;
      at += 8;
    } else if (last == 0) {
      // A very long one, or one of the last.
      Decoder rest({at, static_cast<size_t>(end - at)});
      if (!rest.ReadVarint(&word)) return false;
      values[i++] = decode(word);
      at = end - rest.remaining();
    } else {
      const char* const from = at;
      do {
        const int bits = std::countr_zero(last) + 1;
        values[i++] = decode(JoinSevens(word & ~uint64_t{0} >> (64 - bits)));
        at += bits / 8;
        if (at - from == 8) break;
        word >>= bits;
        last >>= bits;
      } while (last != 0 && i < count);
    }
  }
  return at == end;
}

bool ReadZstd(Decoder* decoder, bool planes, size_t count, int64_t* values) {
  int64_t base;
  uint64_t plain_size;
  std::string_view packed;
  std::string plain;
  if (!decoder->ReadZigzag(&base) || !decoder->ReadVarintMax(count * kMaxVarintBytes, &plain_size) ||
      !decoder->ReadBytes(&packed))
    return false;
  if (!Decompress(Compression::kZstd, packed, plain_size, plain_size, &plain).ok()) return decoder->Fail();
  if (planes) return ReadPlanes(plain, Bits(base), count, values) || decoder->Fail();
  return ReadVarints(plain, Bits(base), count, values) || decoder->Fail();
}

void SumUp(int64_t* values, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += Bits(values[i]);
    values[i] = static_cast<int64_t>(sum);
  }
}

// Both sums of order 2 in one pass; values[0] is the first value, values[1] the first delta.
void SumUpTwice(int64_t* values, size_t count) {
  uint64_t sum = Bits(values[0]);
  uint64_t delta = 0;
  for (size_t i = 1; i < count; ++i) {
    delta += Bits(values[i]);
    sum += delta;
    values[i] = static_cast<int64_t>(sum);
  }
}

bool ReadBody(Decoder* decoder, uint8_t kind, bool planes, size_t count, int64_t* values) {
  if (planes && kind < kZstdKind) return decoder->Fail();
  if (kind == kConstantKind) {
    if (!decoder->ReadZigzag(&values[0])) return false;
    std::fill(values + 1, values + count, values[0]);
    return true;
  }
  if (kind == kLinearKind) {
    int64_t step;
    if (!decoder->ReadZigzag(&values[0]) || !decoder->ReadZigzag(&step)) return false;
    const uint64_t first = Bits(values[0]);
    for (size_t i = 1; i < count; ++i) values[i] = static_cast<int64_t>(first + i * Bits(step));
    return true;
  }
  const uint32_t order = kind >= kZstdKind ? kind - kZstdKind : kind - kPackedKind;
  if (order > count) return decoder->Fail();
  for (uint32_t i = 0; i < order; ++i) {
    if (!decoder->ReadZigzag(&values[i])) return false;
  }
  if (kind >= kZstdKind) {
    if (!ReadZstd(decoder, planes, count - order, values + order)) return false;
  } else {
    for (size_t at = order; at < count; at += kBlockValues) {
      if (!ReadBlock(decoder, std::min(kBlockValues, count - at), values + at)) return false;
    }
  }
  if (order == 1) SumUp(values, count);
  if (order == 2) SumUpTwice(values, count);
  return true;
}

}  // namespace

void PutInts(std::span<const int64_t> values, std::string* out) {
  if (values.empty()) return;
  const uint64_t step = values.size() > 1 ? Bits(values[1]) - Bits(values[0]) : 0;
  if (IsLinear(values, step)) {
    PutByte(out, step == 0 ? kConstantKind : kLinearKind);
    PutZigzag(out, values[0]);
    if (step != 0) PutZigzag(out, static_cast<int64_t>(step));
    return;
  }
  const uint64_t divisor = DivisorOf(values);
  if (divisor == 1) return PutBody({values.begin(), values.end()}, 0, {}, out);
  std::vector<int64_t> quotients(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    quotients[i] = (values[i] - values[0]) / static_cast<int64_t>(divisor);
  }
  std::string origin;
  PutZigzag(&origin, values[0]);
  PutVarint(&origin, divisor);
  PutBody(std::move(quotients), kGcdFlag, origin, out);
}

bool ReadInts(Decoder* decoder, size_t count, int64_t* values) {
  if (count == 0) return decoder->ok();
  uint8_t head;
  if (!decoder->ReadByte(&head)) return false;
  if ((head & ~(kKindMask | kGcdFlag | kPlanesFlag)) != 0) return decoder->Fail();
  int64_t origin = 0;
  uint64_t divisor = 1;
  const bool scaled = (head & kGcdFlag) != 0;
  if (scaled && (!decoder->ReadZigzag(&origin) || !decoder->ReadVarint(&divisor))) return false;
  if (!ReadBody(decoder, head & kKindMask, (head & kPlanesFlag) != 0, count, values)) return false;
  if (scaled) {
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<int64_t>(Bits(values[i]) * divisor + Bits(origin));
  }
  return true;
}

}  // namespace braid
