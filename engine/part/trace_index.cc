#include "engine/part/trace_index.h"

#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/part/part_format.h"

namespace braid {
namespace {

uint64_t HashOf(TraceId id) {
  char bytes[16];
  std::memcpy(bytes, &id.high, 8);
  std::memcpy(bytes + 8, &id.low, 8);
  return Hash64({bytes, 16});
}

// Calls `visit(bit)` for each probe until it returns false.
template <typename Visit>
bool Probe(uint64_t hash, uint64_t bits, Visit visit) {
  uint64_t step = (hash >> 32) | 1;
  for (int i = 0; i < kTraceFilterProbes; ++i, hash += step * 0x9e3779b97f4a7c15ULL) {
    // The high half of the product maps the hash evenly to [0, bits).
    uint64_t bit = static_cast<uint64_t>((static_cast<unsigned __int128>(hash) * bits) >> 64);
    if (!visit(bit)) return false;
  }
  return true;
}

}  // namespace

void TraceFilterBuilder::Add(TraceId id) {
  if (id.IsZero() || id == last_) return;
  last_ = id;
  hashes_.insert(HashOf(id));
}

std::string TraceFilterBuilder::Serialize() const {
  const uint64_t bits = (hashes_.size() * kTraceFilterBits + 63) / 64 * 64;
  std::string out;
  PutVarint(&out, hashes_.size());
  PutVarint(&out, bits);
  const size_t begin = out.size();
  out.resize(begin + bits / 8);  // many megabytes for a large part: made where they are wanted
  char* const bytes = out.data() + begin;
  for (uint64_t hash : hashes_) {
    Probe(hash, bits, [&](uint64_t bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] | (1 << (bit % 8)));
      return true;
    });
  }
  return out;
}

absl::StatusOr<TraceFilter> TraceFilter::Parse(std::string_view bytes) {
  Decoder in(bytes);
  TraceFilter filter;
  uint64_t bits;
  if (!in.ReadVarint(&filter.ids_) || !in.ReadVarint(&bits) || bits / 8 != in.remaining() || bits % 64 != 0 ||
      (bits == 0) != (filter.ids_ == 0)) {
    return absl::DataLossError("trace filter does not parse");
  }
  filter.bits_ = std::string(in.rest());
  return filter;
}

bool TraceFilter::MayContain(TraceId id) const {
  if (bits_.empty() || id.IsZero()) return false;
  return Probe(HashOf(id), bits_.size() * 8,
               [&](uint64_t bit) { return ((static_cast<uint8_t>(bits_[bit / 8]) >> (bit % 8)) & 1) != 0; });
}

}  // namespace braid
