#include "engine/part/text_filters.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace braid {
namespace {

// Runs of five: ids in hexadecimal digits have a million of them, so that the few that a part holds tell texts apart.
constexpr size_t kRunBytes = 5;
constexpr size_t kRunStep = 2;
// Text of a part: searched in some microseconds.
constexpr size_t kPartBytes = 64 << 10;
constexpr uint32_t kColumns = 64;
// A slot per byte of text: with a run at every second byte, and many of them there before, one in three or less is set.
constexpr int kSlotBitsMin = 12, kSlotBitsMax = 18;
// Filters of one column of a file: those of as much text as the ColumnCache holds decoded.
constexpr size_t kFilterBytesMax = size_t{16} << 20;

uint64_t HashOfRun(const char* run) {
  uint32_t four;
  std::memcpy(&four, run, 4);
  const uint64_t five = four | static_cast<uint64_t>(static_cast<uint8_t>(run[4])) << 32;
  return five * 0x9e3779b97f4a7c15u;
}

size_t SlotOf(uint64_t hash, int slot_bits) { return static_cast<size_t>(hash >> (64 - slot_bits)); }

uint64_t FirstColumns(uint32_t count) { return count >= kColumns ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

}  // namespace

// The runs of a literal, hashed once for all planes.
class TextFilters::Runs {
 public:
  explicit Runs(std::string_view literal) {
    for (size_t at = 0; at + kRunBytes <= literal.size(); ++at) hashes_.push_back(HashOfRun(literal.data() + at));
  }
  const std::vector<uint64_t>& hashes() const { return hashes_; }

 private:
  std::vector<uint64_t> hashes_;
};

uint64_t TextFilters::ColumnsWith(const Plane& plane, const Runs& runs) {
  const std::vector<uint64_t>& hashes = runs.hashes();
  uint64_t all = 0;
  for (size_t first = 0; first < kRunStep; ++first) {
    uint64_t columns = ~uint64_t{0};
    for (size_t at = first; at < hashes.size() && columns != 0; at += kRunStep) {
      columns &= plane.slots[SlotOf(hashes[at], plane.slot_bits)];
    }
    all |= columns;
  }
  return all;
}

TextFilters::Plane* TextFilters::PlaneFor(int slot_bits, uint32_t columns, uint32_t* number, size_t* grown) {
  for (size_t i = planes_.size(); i > 0; --i) {
    Plane* const plane = planes_[i - 1].get();
    if (plane->slot_bits != slot_bits || plane->used + columns > kColumns) continue;
    *number = static_cast<uint32_t>(i - 1);
    return plane;
  }
  const size_t bytes = sizeof(uint64_t) << slot_bits;
  if (plane_bytes_ + bytes > kFilterBytesMax) return nullptr;
  auto plane = std::make_unique<Plane>();
  plane->slot_bits = slot_bits;
  plane->slots.assign(size_t{1} << slot_bits, 0);
  planes_.push_back(std::move(plane));
  plane_bytes_ += bytes;
  *grown = bytes;
  *number = static_cast<uint32_t>(planes_.size() - 1);
  return planes_.back().get();
}

size_t TextFilters::Add(uint32_t group, const StringDictionary& texts) {
  const auto& values = texts.values;
  size_t bytes = 0;
  for (std::string_view text : values) bytes += text.size();
  const size_t count =
      std::clamp<size_t>((bytes + kPartBytes - 1) / kPartBytes, 1, std::clamp<size_t>(values.size(), 1, kColumns));
  const int slot_bits = std::clamp(static_cast<int>(std::bit_width(bytes / count)), kSlotBitsMin, kSlotBitsMax);
  // Each part's own filter first, which stays in the cache, and without holding up others.
  const size_t words = (size_t{1} << slot_bits) / 64;
  std::vector<uint64_t> filters(words * count, 0);
  for (size_t part = 0; part < count; ++part) {
    uint64_t* const filter = filters.data() + part * words;
    for (size_t i = part * values.size() / count; i < (part + 1) * values.size() / count; ++i) {
      for (size_t at = 0; at + kRunBytes <= values[i].size(); at += kRunStep) {
        const size_t slot = SlotOf(HashOfRun(values[i].data() + at), slot_bits);
        filter[slot / 64] |= uint64_t{1} << (slot % 64);
      }
    }
  }

  std::lock_guard<std::mutex> lock(mutex_);
  Place& place = places_[group];
  if (place.count != 0) return 0;
  uint32_t number = 0;
  size_t grown = 0;
  Plane* const plane = PlaneFor(slot_bits, static_cast<uint32_t>(count), &number, &grown);
  if (plane == nullptr) return 0;
  for (size_t part = 0; part < count; ++part) {
    const uint64_t column = uint64_t{1} << (plane->used + part);
    for (size_t word = 0; word < words; ++word) {
      for (uint64_t bits = filters[part * words + word]; bits != 0; bits &= bits - 1) {
        plane->slots[word * 64 + static_cast<size_t>(std::countr_zero(bits))] |= column;
      }
    }
  }
  place = {number, static_cast<uint16_t>(plane->used), static_cast<uint16_t>(count)};
  plane->used += static_cast<uint32_t>(count);
  return grown;
}

void TextFilters::Prune(const std::vector<std::string>& literals, std::vector<uint8_t>* left) const {
  std::vector<Runs> runs;
  for (const std::string& literal : literals) runs.emplace_back(literal);
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<uint64_t> columns(planes_.size(), ~uint64_t{0});
  for (size_t i = 0; i < planes_.size(); ++i) {
    for (const Runs& one : runs) columns[i] &= ColumnsWith(*planes_[i], one);
  }
  for (size_t group = 0; group < places_.size(); ++group) {
    const Place& place = places_[group];
    if (place.count != 0 && (columns[place.plane] >> place.first & FirstColumns(place.count)) == 0) (*left)[group] = 0;
  }
}

std::optional<TextFilters::Parts> TextFilters::PartsWith(uint32_t group, std::string_view literal) const {
  const Runs runs(literal);
  std::lock_guard<std::mutex> lock(mutex_);
  const Place& place = places_[group];
  if (place.count == 0) return std::nullopt;
  return Parts{place.count, ColumnsWith(*planes_[place.plane], runs) >> place.first & FirstColumns(place.count)};
}

size_t TextFilters::bytes() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return sizeof(*this) + places_.size() * sizeof(Place) + plane_bytes_;
}

}  // namespace braid
