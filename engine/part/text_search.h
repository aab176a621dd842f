// Finding a text inside the texts of a column.
//
// FindText compares the first and the last byte of the wanted text with sixteen places at once, and the rest only where
// both are equal (the method is Wojciech Mula's generic SIMD search).
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace braid {

// Where `wanted` begins in `text` at or after `from`; npos if it does not. REQUIRES: `wanted` is not empty.
size_t FindText(std::string_view text, std::string_view wanted, size_t from = 0);

}  // namespace braid
