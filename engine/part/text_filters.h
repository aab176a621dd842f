// Which texts of a column may contain a literal, of all row groups of a file at one look.
//
// A Bloom filter over the runs of bytes that texts hold: whatever contains a literal contains all of its runs, so that
// most texts without it are known without a look at them. Only runs at every second place are kept, which halves the
// work of building; a literal is then looked up in both alignments.
//
// The texts of a row group are cut into parts, each with a filter of its own, so that of a row group that has the
// literal only a part is searched. Filters of 64 parts lie across each other: a word of a plane holds one slot of all
// of them, so that a literal's run is looked up in all by one read. Sources: Bloom, "Space/time trade-offs in hash
// coding with allowable errors", CACM 1970; Faloutsos and Christodoulakis, "Signature files", ACM TOIS 1984 (bit
// slices).
//
// Threads: all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

class TextFilters {
 public:
  // The texts of a row group in `count` parts: of n texts, part i begins with text i * n / count.
  struct Parts {
    uint32_t count = 1;
    uint64_t may = 1;  // bit i: a text of part i may be one
  };

  explicit TextFilters(size_t groups) : places_(groups) {}

  // Takes the texts of a row group in, unless it knows them or has no room. Answers by how many bytes it grew.
  size_t Add(uint32_t group, const StringDictionary& texts);
  // Sets left[group] = 0 for the row groups of which no text contains all of `literals`.
  void Prune(const std::vector<std::string>& literals, std::vector<uint8_t>* left) const;
  // Where texts that contain `literal` may be; nothing of a row group that was not added.
  std::optional<Parts> PartsWith(uint32_t group, std::string_view literal) const;
  size_t bytes() const;

 private:
  struct Plane {
    int slot_bits = 0;
    uint32_t used = 0;            // columns
    std::vector<uint64_t> slots;  // bit = column
  };
  // The parts of a row group: `count` columns of a plane.
  struct Place {
    uint32_t plane = 0;
    uint16_t first = 0;
    uint16_t count = 0;  // 0: the row group is not known
  };
  class Runs;

  // Columns of the plane whose texts may contain what the runs are of.
  static uint64_t ColumnsWith(const Plane& plane, const Runs& runs);
  // One with so many columns free. Null if there is no room. REQUIRES: mutex_ is held.
  Plane* PlaneFor(int slot_bits, uint32_t columns, uint32_t* number, size_t* grown);

  mutable std::mutex mutex_;
  std::vector<Place> places_;  // by row group
  std::vector<std::unique_ptr<Plane>> planes_;
  size_t plane_bytes_ = 0;
};

}  // namespace braid
