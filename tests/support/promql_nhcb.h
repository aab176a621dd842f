// Classic histograms of query cases as native histograms with custom buckets, as load_with_nhcb wants them.
#pragma once

#include <map>
#include <vector>

#include "tests/support/promql_series_notation.h"

namespace braid {

// One series per classic histogram in `loaded` (series by label set, values by position).
std::vector<SeriesNotation> ConvertClassicHistograms(const std::map<Labels, std::vector<SequenceValue>>& loaded);

}  // namespace braid
