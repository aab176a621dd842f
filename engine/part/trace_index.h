// Which traces a part may hold: a Bloom filter over all trace ids of its tables, held in memory.
//
// Where the rows of a trace are is answered elsewhere: spans, events and links are sorted by trace id, so the zone maps
// of their row groups are a sparse index; logs and exemplars have the ids in their term index.
//
//   trace filter section := ids:varint bits:varint bytes[bits / 8]
//
// Source: Bloom, "Space/time trade-offs in hash coding with allowable errors", CACM 1970; probes by double hashing as
// in Kirsch and Mitzenmacher, ESA 2006.
// Threads: a builder belongs to one thread; a filter may be shared. Errors: DataLoss.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "braid/types.h"
#include "engine/memory/hash_map.h"

namespace braid {

class TraceFilterBuilder {
 public:
  void Add(TraceId id);
  std::string Serialize() const;

 private:
  HashSet<uint64_t> hashes_;
  TraceId last_;
};

class TraceFilter {
 public:
  static absl::StatusOr<TraceFilter> Parse(std::string_view bytes);
  bool MayContain(TraceId id) const;
  uint64_t ids() const { return ids_; }
  size_t byte_size() const { return bits_.size(); }

 private:
  uint64_t ids_ = 0;
  std::string bits_;
};

}  // namespace braid
