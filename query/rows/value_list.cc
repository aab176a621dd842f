// The listed values of `x in (1, "a", $p)`: a row is in if one of them equals its value by the rule of `=`.

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/memory/hash_map.h"
#include "query/rows/cells.h"
#include "query/rows/member_sets.h"

namespace braid {
namespace {

// Texts beyond this are no numbers to ParseNumber, though whole ones are compared as such.
constexpr size_t kIndexedTextMax = 64;

class ValueList : public MemberSet {
 public:
  explicit ValueList(std::vector<Column> cells) : cells_(std::move(cells)) {
    for (const Column& cell : cells_) {
      const CellView value = CellAt(cell, 0);
      if (value.null()) continue;
      values_.push_back(value);
      if (const auto number = NumberOf(value)) numbers_.emplace_back(*number, value);
      if (value.type == Type::kString) {
        texts_.insert(value.text);
        TraceId id;
        if (ParseTraceId(value.text, &id)) trace_ids_.push_back(id);
        if (value.text.size() > kIndexedTextMax) long_texts_ = true;
      } else if (value.type == Type::kTraceId) {
        trace_ids_.push_back(value.trace_id);
      }
      // Only such values equal a text that is neither theirs nor a number.
      only_plain_ = only_plain_ && (value.type == Type::kString || NumberOf(value));
    }
    // NaN equals nothing, and would spoil the order.
    std::erase_if(numbers_, [](const auto& entry) { return entry.first != entry.first; });
    std::sort(numbers_.begin(), numbers_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::sort(trace_ids_.begin(), trace_ids_.end());
  }

  absl::StatusOr<std::vector<uint8_t>> Contains(const std::vector<const Column*>& keys, const Column*,
                                                size_t num_rows) const override {
    const Column& column = *keys[0];
    std::vector<uint8_t> found(num_rows, 0);
    if (column.type == Type::kNull) return found;
    if (column.type == Type::kString && column.dictionary != nullptr && column.dictionary->values.size() <= num_rows) {
      constexpr uint8_t kUnknown = 2;
      std::vector<uint8_t> answers(column.dictionary->values.size(), kUnknown);
      for (size_t row = 0; row < num_rows; ++row) {
        if (column.IsNull(row)) continue;
        uint8_t& answer = answers[column.codes[row]];
        if (answer == kUnknown) answer = Holds(CellAt(column, row)) ? 1 : 0;
        found[row] = answer;
      }
      return found;
    }
    for (size_t row = 0; row < num_rows; ++row) found[row] = Holds(CellAt(column, row)) ? 1 : 0;
    return found;
  }

 private:
  // The indexes name the candidates, the rule decides.
  bool Holds(const CellView& cell) const {
    switch (cell.type) {
      case Type::kNull: return false;
      case Type::kInt:
      case Type::kDouble:
      case Type::kDuration:
      case Type::kTimestamp: return long_texts_ ? HoldsForAny(cell) : HoldsAsNumber(cell, *NumberOf(cell));
      case Type::kTraceId: return std::binary_search(trace_ids_.begin(), trace_ids_.end(), cell.trace_id);
      case Type::kString: {
        if (texts_.contains(cell.text)) return true;
        if (!only_plain_ || cell.text.size() > kIndexedTextMax) return HoldsForAny(cell);
        const auto number = NumberOf(cell);
        return number && HoldsAsNumber(cell, *number);
      }
      default: return HoldsForAny(cell);
    }
  }

  bool HoldsAsNumber(const CellView& cell, double number) const {
    auto entry = std::lower_bound(numbers_.begin(), numbers_.end(), number,
                                  [](const auto& entry, double wanted) { return entry.first < wanted; });
    for (; entry != numbers_.end() && entry->first == number; ++entry) {
      if (CompareByRule(cell, entry->second) == Order::kEqual) return true;
    }
    return false;
  }

  bool HoldsForAny(const CellView& cell) const {
    return std::any_of(values_.begin(), values_.end(),
                       [&](const CellView& value) { return CompareByRule(cell, value) == Order::kEqual; });
  }

  std::vector<Column> cells_;
  std::vector<CellView> values_;  // of cells_, without nulls, which never match
  std::vector<std::pair<double, CellView>> numbers_;
  HashSet<std::string_view> texts_;
  std::vector<TraceId> trace_ids_;
  bool only_plain_ = true;
  bool long_texts_ = false;
};

}  // namespace

std::shared_ptr<const MemberSet> MakeValueList(std::vector<Column> cells) {
  return std::make_shared<ValueList>(std::move(cells));
}

}  // namespace braid
