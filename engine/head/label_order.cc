#include "engine/head/label_order.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/memory/hash_map.h"

namespace braid {
namespace {

struct Pair {
  std::string_view name;
  std::string_view value;
  friend auto operator<=>(const Pair&, const Pair&) = default;
};

// Where a series' pairs stand in the list of all.
struct Entry {
  uint32_t series;
  uint32_t pairs;
  size_t begin;
};

}  // namespace

std::vector<uint32_t> InLabelOrder(const SeriesTable& table, const std::vector<uint32_t>& series) {
  if (series.size() < 2) return series;
  std::vector<Pair> distinct;
  std::vector<uint32_t> pairs;  // of all series, as places in `distinct`
  std::vector<Entry> entries;
  entries.reserve(series.size());
  HashMap<BytesKey, uint32_t, BytesKeyHash> places;
  for (uint32_t number : series) {
    Entry entry{number, 0, pairs.size()};
    const size_t last = entries.empty() ? 0 : entries.back().begin;
    const size_t last_pairs = entries.empty() ? 0 : entries.back().pairs;
    Decoder in(table.labels(number));
    while (in.remaining() > 0) {
      const char* const start = in.rest().data();
      Pair pair;
      if (!in.ReadBytes(&pair.name) || !in.ReadBytes(&pair.value)) break;
      const size_t place = entry.pairs++;
      // Series that were written together mostly share most pairs.
      if (place < last_pairs && distinct[pairs[last + place]] == pair) {
        pairs.push_back(pairs[last + place]);
        continue;
      }
      const std::string_view bytes(start, static_cast<size_t>(in.rest().data() - start));
      const auto [found, added] =
          places.try_emplace(BytesKey{Hash64(bytes), bytes}, static_cast<uint32_t>(distinct.size()));
      if (added) distinct.push_back(pair);
      pairs.push_back(found->second);
    }
    entries.push_back(entry);
  }
  std::vector<uint32_t> order(distinct.size()), rank(distinct.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return distinct[a] < distinct[b]; });
  for (uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
  for (uint32_t& pair : pairs) pair = rank[pair];
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    const uint32_t *first = pairs.data() + a.begin, *second = pairs.data() + b.begin;
    return std::lexicographical_compare(first, first + a.pairs, second, second + b.pairs);
  });
  std::vector<uint32_t> sorted;
  sorted.reserve(entries.size());
  for (const Entry& entry : entries) sorted.push_back(entry.series);
  return sorted;
}

}  // namespace braid
