// Finding a text inside the texts of a column.
//
// FindText compares the first and the last byte of the wanted text with sixteen places at once, and the rest only where
// both are equal (the method is Wojciech Mula's generic SIMD search).
//
// A TextFilter is a Bloom filter over the runs of bytes that the texts hold: whatever contains a literal contains all
// of its runs, so that most texts without it are known without a look at them. Only runs at every second place are
// kept, which halves the work of building; a literal is then looked up in both alignments.
//
// Threads: pure functions; a filter is immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "braid/record_batch.h"

namespace braid {

// Where `wanted` begins in `text` at or after `from`; npos if it does not. REQUIRES: `wanted` is not empty.
size_t FindText(std::string_view text, std::string_view wanted, size_t from = 0);

class TextFilter {
 public:
  explicit TextFilter(const StringDictionary& texts);
  // False: no text contains `literal`.
  bool MayContain(std::string_view literal) const;
  size_t bytes() const { return words_.size() * sizeof(uint64_t); }

 private:
  uint64_t Slot(const char* run) const;
  bool HasRunsFrom(std::string_view literal, size_t first) const;

  std::vector<uint64_t> words_;
  int shift_ = 0;
};

}  // namespace braid
