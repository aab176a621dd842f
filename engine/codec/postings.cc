// postings := byte(0) { varint(gap) }         few ordinals: the first, then each one's distance to the one before, less
// 1
//           | byte(1) roaring                  the portable format of
//           https://github.com/RoaringBitmap/RoaringFormatSpec
#include "engine/codec/postings.h"

#include <roaring/roaring.h>

#include <bit>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"

namespace braid {
namespace {

constexpr uint8_t kListForm = 0;
constexpr uint8_t kRoaringForm = 1;
// Longer lists parse too slowly beside the bitmap's memcpy, however small they are.
constexpr size_t kListOrdinalsMax = 4096;
// So few are smaller as a list whatever they are: the least bitmap has 15 bytes, and 4 more for each further run.
constexpr size_t kListAlways = 3;

constexpr uint32_t kCookieWithRuns = 12347;
constexpr uint32_t kCookieWithoutRuns = 12346;
constexpr uint32_t kOffsetsFrom = 4;  // containers from which a bitmap with runs has offsets too
constexpr uint32_t kArrayMax = 4096;
constexpr size_t kBitsetBytes = 8192;

uint32_t LoadU16(std::string_view bytes, size_t index) {
  uint16_t value;
  std::memcpy(&value, bytes.data() + 2 * index, 2);
  return value;
}

// The library trusts what is inside containers: values in order, counts that agree. This looks at all of it.
bool CheckArray(std::string_view values) {
  for (size_t i = 1; i < values.size() / 2; ++i) {
    if (LoadU16(values, i) <= LoadU16(values, i - 1)) return false;
  }
  return true;
}

bool CheckBitset(std::string_view words, uint32_t cardinality) {
  uint32_t count = 0;
  for (size_t at = 0; at < words.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, words.data() + at, 8);
    count += static_cast<uint32_t>(std::popcount(word));
  }
  return count == cardinality;
}

bool CheckRuns(std::string_view runs, uint32_t cardinality) {
  uint32_t next = 0;  // least value that a run may begin with: runs neither touch nor overlap
  uint32_t count = 0;
  for (size_t i = 0; i < runs.size() / 4; ++i) {
    const uint32_t begin = LoadU16(runs, 2 * i);
    const uint32_t last = begin + LoadU16(runs, 2 * i + 1);
    if (begin < next || last > 0xffff) return false;
    count += last - begin + 1;
    next = last + 2;
  }
  return count == cardinality;
}

bool CheckRoaring(std::string_view bytes) {
  Decoder decoder(bytes);
  uint32_t cookie;
  if (!decoder.ReadFixed32(&cookie)) return false;
  uint32_t containers;
  std::string_view run_flags;
  const bool with_runs = (cookie & 0xffff) == kCookieWithRuns;
  if (with_runs) {
    containers = (cookie >> 16) + 1;
    if (!decoder.ReadRaw((containers + 7) / 8, &run_flags)) return false;
  } else if (cookie != kCookieWithoutRuns || !decoder.ReadFixed32(&containers) || containers > 0x10000) {
    return false;
  }
  std::string_view heads;
  std::string_view offsets;
  if (!decoder.ReadRaw(size_t{4} * containers, &heads)) return false;
  if ((!with_runs || containers >= kOffsetsFrom) && !decoder.ReadRaw(size_t{4} * containers, &offsets)) return false;
  for (size_t i = 0; i < containers; ++i) {
    if (i > 0 && LoadU16(heads, 2 * i) <= LoadU16(heads, 2 * i - 2)) return false;
    const uint32_t cardinality = LoadU16(heads, 2 * i + 1) + 1;
    if (!offsets.empty()) {
      uint32_t offset;
      std::memcpy(&offset, offsets.data() + 4 * i, 4);
      if (offset != bytes.size() - decoder.remaining()) return false;
    }
    std::string_view content;
    if (with_runs && ((static_cast<uint8_t>(run_flags[i / 8]) >> (i % 8)) & 1) != 0) {
      std::string_view count;
      if (!decoder.ReadRaw(2, &count) || !decoder.ReadRaw(size_t{4} * LoadU16(count, 0), &content)) return false;
      if (!CheckRuns(content, cardinality)) return false;
    } else if (cardinality <= kArrayMax) {
      if (!decoder.ReadRaw(size_t{2} * cardinality, &content) || !CheckArray(content)) return false;
    } else {
      if (!decoder.ReadRaw(kBitsetBytes, &content) || !CheckBitset(content, cardinality)) return false;
    }
  }
  return decoder.done();
}

}  // namespace

struct Postings::Bitmap {
  explicit Bitmap(roaring_bitmap_t* owned) : roaring(owned) {}
  Bitmap(const Bitmap&) = delete;
  Bitmap& operator=(const Bitmap&) = delete;
  ~Bitmap() { roaring_bitmap_free(roaring); }
  roaring_bitmap_t* roaring;
};

Postings::Postings() : bitmap_(std::make_unique<Bitmap>(roaring_bitmap_create())) {}
Postings::Postings(const Postings& other)
    : bitmap_(std::make_unique<Bitmap>(roaring_bitmap_copy(other.bitmap_->roaring))) {}
Postings::Postings(Postings&& other) noexcept : bitmap_(std::move(other.bitmap_)) {}
Postings& Postings::operator=(Postings other) noexcept {
  bitmap_.swap(other.bitmap_);
  return *this;
}
Postings::~Postings() = default;

Postings Postings::Range(uint32_t begin, uint32_t end) {
  Postings range;
  if (begin < end) roaring_bitmap_add_range_closed(range.bitmap_->roaring, begin, end - 1);
  return range;
}

absl::StatusOr<Postings> Postings::Parse(std::string_view bytes, uint32_t ordinal_end) {
  Decoder decoder(bytes);
  uint8_t form;
  if (!decoder.ReadByte(&form) || form > kRoaringForm) return absl::DataLossError("postings: unknown form");
  Postings postings;
  if (form == kListForm) {
    std::vector<uint32_t> ordinals;
    uint64_t next = 0;
    while (decoder.remaining() > 0) {
      uint64_t gap;
      if (!decoder.ReadVarintMax(UINT32_MAX, &gap) || next + gap >= ordinal_end) {
        return absl::DataLossError("postings: bad list");
      }
      ordinals.push_back(static_cast<uint32_t>(next + gap));
      next += gap + 1;
    }
    postings.AddMany(ordinals);
    return postings;
  }
  const std::string_view body = decoder.rest();
  if (!CheckRoaring(body)) return absl::DataLossError("postings: damaged bitmap");
  roaring_bitmap_t* parsed = roaring_bitmap_portable_deserialize_safe(body.data(), body.size());
  if (parsed == nullptr) return absl::DataLossError("postings: damaged bitmap");
  postings.bitmap_ = std::make_unique<Bitmap>(parsed);
  if (!roaring_bitmap_is_empty(parsed) && roaring_bitmap_maximum(parsed) >= ordinal_end) {
    return absl::DataLossError(absl::StrCat("postings: ordinal beyond ", ordinal_end));
  }
  return postings;
}

std::string Postings::Serialize() const {
  const uint64_t count = Count();
  std::string list;
  PutByte(&list, kListForm);
  if (count <= kListOrdinalsMax) {
    uint64_t next = 0;
    for (uint32_t ordinal : ToVector()) {
      PutVarint(&list, ordinal - next);
      next = uint64_t{ordinal} + 1;
    }
  }
  // Run containers change how the set is held, so the optimisation works on a copy.
  Postings optimized(*this);
  roaring_bitmap_run_optimize(optimized.bitmap_->roaring);
  const size_t size = roaring_bitmap_portable_size_in_bytes(optimized.bitmap_->roaring);
  if (count <= kListOrdinalsMax && list.size() <= size + 1) return list;
  std::string bytes(size + 1, static_cast<char>(kRoaringForm));
  roaring_bitmap_portable_serialize(optimized.bitmap_->roaring, bytes.data() + 1);
  return bytes;
}

std::string Postings::Serialize(const std::vector<uint32_t>& ordinals) {
  if (ordinals.size() > kListAlways) {
    Postings postings;
    postings.AddMany(ordinals);
    return postings.Serialize();
  }
  std::string list;
  PutByte(&list, kListForm);
  uint64_t next = 0;
  for (uint32_t ordinal : ordinals) {
    PutVarint(&list, ordinal - next);
    next = uint64_t{ordinal} + 1;
  }
  return list;
}

void Postings::Add(uint32_t ordinal) { roaring_bitmap_add(bitmap_->roaring, ordinal); }
void Postings::AddMany(const std::vector<uint32_t>& ordinals) {
  roaring_bitmap_add_many(bitmap_->roaring, ordinals.size(), ordinals.data());
}
void Postings::And(const Postings& other) {
  // The library forbids the same bitmap on both sides.
  if (this != &other) roaring_bitmap_and_inplace(bitmap_->roaring, other.bitmap_->roaring);
}
void Postings::Or(const Postings& other) {
  if (this != &other) roaring_bitmap_or_inplace(bitmap_->roaring, other.bitmap_->roaring);
}
void Postings::AndNot(const Postings& other) {
  if (this == &other) {
    roaring_bitmap_clear(bitmap_->roaring);
  } else {
    roaring_bitmap_andnot_inplace(bitmap_->roaring, other.bitmap_->roaring);
  }
}
bool Postings::Contains(uint32_t ordinal) const { return roaring_bitmap_contains(bitmap_->roaring, ordinal); }

bool Postings::IntersectsRange(uint32_t begin, uint32_t end) const {
  if (begin >= end) return false;
  roaring_uint32_iterator_t iterator;
  roaring_init_iterator(bitmap_->roaring, &iterator);
  return roaring_move_uint32_iterator_equalorlarger(&iterator, begin) && iterator.current_value < end;
}

uint64_t Postings::Count() const { return roaring_bitmap_get_cardinality(bitmap_->roaring); }

std::vector<uint32_t> Postings::ToVector() const {
  std::vector<uint32_t> ordinals(Count());
  if (!ordinals.empty()) roaring_bitmap_to_uint32_array(bitmap_->roaring, ordinals.data());
  return ordinals;
}

std::vector<uint32_t> Postings::ToVector(uint32_t begin, uint32_t end) const {
  std::vector<uint32_t> ordinals;
  if (begin >= end) return ordinals;
  roaring_uint32_iterator_t iterator;
  roaring_init_iterator(bitmap_->roaring, &iterator);
  if (!roaring_move_uint32_iterator_equalorlarger(&iterator, begin)) return ordinals;
  while (iterator.has_value && iterator.current_value < end) {
    ordinals.push_back(iterator.current_value);
    roaring_advance_uint32_iterator(&iterator);
  }
  return ordinals;
}

}  // namespace braid
