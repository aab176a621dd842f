// Series in ascending order of their labels, as scans and parts have them.
// Threads: pure function; the series are published ones.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/head/series_table.h"

namespace braid {

// `series` sorted by labels. Works on ranks of label pairs, because sorting label sets waits for memory at every
// comparison, and copying them takes more memory than the head has for the series itself.
std::vector<uint32_t> InLabelOrder(const SeriesTable& table, const std::vector<uint32_t>& series);

}  // namespace braid
