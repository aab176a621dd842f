#include "engine/part/row_filter.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "engine/memory/hash_map.h"
#include "engine/part/text_search.h"

namespace braid {
namespace {

using Op = Predicate::Op;

// A dictionary of which each text stands for so many rows is compared text by text.
constexpr size_t kRowsPerText = 8;

// Looking up the rows of a trace costs as much as looking at so many rows.
constexpr size_t kRowsPerLookup = 32;

// -1, 0, 1, or 2 for values that do not compare.
int Order(long double a, long double b) { return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2; }

// 64 bits of mantissa: every int64 and every double is exact.
bool AsNumber(const ValueView& value, long double* number) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    *number = *flag ? 1 : 0;
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    *number = static_cast<long double>(*integer);
  } else if (const double* real = std::get_if<double>(&value)) {
    *number = static_cast<long double>(*real);
  } else {
    return false;
  }
  return true;
}

int Order(const ValueView& a, const ValueView& b) {
  const std::string_view* text_a = std::get_if<std::string_view>(&a);
  const std::string_view* text_b = std::get_if<std::string_view>(&b);
  if (text_a != nullptr && text_b != nullptr) {
    int order = text_a->compare(*text_b);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  long double number_a, number_b;
  if (!AsNumber(a, &number_a) || !AsNumber(b, &number_b)) return 2;
  return Order(number_a, number_b);
}

bool Holds(Op op, int order) {
  switch (op) {
    case Op::kEqual:
    case Op::kIn: return order == 0;
    case Op::kNotEqual: return order != 0;
    case Op::kLess: return order == -1;
    case Op::kLessEqual: return order == -1 || order == 0;
    case Op::kGreater: return order == 1;
    case Op::kGreaterEqual: return order == 1 || order == 0;
  }
  return true;
}

bool HasNullConstant(const Predicate& predicate) {
  return std::any_of(predicate.values.begin(), predicate.values.end(),
                     [](const Value& value) { return value.index() == 0; });
}

// Ids: only equality is decided here. `parse` turns a constant into the column's form.
template <typename Id, typename Parse, typename At>
void FilterIds(const Predicate& predicate, const Column& column, Parse parse, At at, RowMask* keep) {
  if (predicate.op != Op::kEqual && predicate.op != Op::kIn && predicate.op != Op::kNotEqual) return;
  std::vector<Id> wanted;
  for (const Value& value : predicate.values) {
    const std::string* text = std::get_if<std::string>(&value);
    Id id;
    if (text != nullptr && parse(*text, &id)) wanted.push_back(id);
  }
  bool negated = predicate.op == Op::kNotEqual;
  for (size_t row = 0; row < column.size; ++row) {
    if ((*keep)[row] == 0) continue;
    bool found = !column.IsNull(row) && std::find(wanted.begin(), wanted.end(), at(row)) != wanted.end();
    if (found == negated) (*keep)[row] = 0;
  }
}

// Rows of `values` that compare as asked with one of the constants, all of one plain type.
template <typename T>
void FilterPlain(Op op, const std::vector<T>& constants, const std::vector<T>& values, const Column& column,
                 RowMask* keep) {
  const bool null_passes = op == Op::kNotEqual;
  const auto filter = [&](const auto& holds) {
    const T* const value = values.data();
    if (column.valid.empty()) return KeepIf(keep, [&](size_t row) { return holds(value[row]); });
    const uint8_t* const valid = column.valid.data();
    KeepIf(keep, [&](size_t row) { return valid[row] != 0 ? holds(value[row]) : null_passes; });
  };
  const T first = constants[0];
  if (constants.size() > 1) {
    // Of several constants one must hold, whatever the operator.
    filter([&](T value) {
      return std::any_of(constants.begin(), constants.end(), [&](T constant) {
        return Holds(op, value < constant ? -1 : constant < value ? 1 : value == constant ? 0 : 2);
      });
    });
    return;
  }
  switch (op) {
    case Op::kEqual:
    case Op::kIn: return filter([first](T value) { return value == first; });
    case Op::kNotEqual: return filter([first](T value) { return value != first; });
    case Op::kLess: return filter([first](T value) { return value < first; });
    case Op::kLessEqual: return filter([first](T value) { return value <= first; });
    case Op::kGreater: return filter([first](T value) { return value > first; });
    case Op::kGreaterEqual: return filter([first](T value) { return value >= first; });
  }
}

// A column of whole numbers without nulls against one of them.
void FilterWhole(Op op, int64_t constant, const std::vector<int64_t>& values, RowMask* keep) {
  const int64_t* const at = values.data();
  const auto none = [&] { std::fill(keep->begin(), keep->end(), uint8_t{0}); };
  switch (op) {
    case Op::kEqual:
    case Op::kIn: return KeepByRange(at, constant, constant, true, keep);
    case Op::kNotEqual: return KeepByRange(at, constant, constant, false, keep);
    case Op::kLess:
      if (constant == INT64_MIN) return none();
      return KeepByRange(at, INT64_MIN, constant - 1, true, keep);
    case Op::kLessEqual: return KeepByRange(at, INT64_MIN, constant, true, keep);
    case Op::kGreater:
      if (constant == INT64_MAX) return none();
      return KeepByRange(at, constant + 1, INT64_MAX, true, keep);
    case Op::kGreaterEqual: return KeepByRange(at, constant, INT64_MAX, true, keep);
  }
}

// Whether FilterPlain could do it: constants of the column's own plain type.
template <typename T>
bool TryPlain(const Predicate& predicate, const std::vector<T>& values, const Column& column, RowMask* keep) {
  std::vector<T> constants;
  for (const Value& value : predicate.values) {
    const T* constant = std::get_if<T>(&value);
    if (constant == nullptr) return false;
    constants.push_back(*constant);
  }
  if (constants.empty()) return false;
  if constexpr (std::is_same_v<T, int64_t>) {
    if (constants.size() == 1 && column.valid.empty()) {
      FilterWhole(predicate.op, constants[0], values, keep);
      return true;
    }
  }
  FilterPlain(predicate.op, constants, values, column, keep);
  return true;
}

// Whether the texts [begin, end) stand one after another in the dictionary's own bytes.
bool StandInOrder(const StringDictionary& dictionary, size_t begin, size_t end) {
  const char* at = dictionary.values[begin].data();
  if (at < dictionary.bytes.data()) return false;
  for (size_t text = begin; text < end; ++text) {
    if (dictionary.values[text].data() != at) return false;
    at += dictionary.values[text].size();
  }
  return at <= dictionary.bytes.data() + dictionary.bytes.size();
}

// Texts that stand together are one: a search over all of them needs no look at most. Sets contains[text] = 1.
// REQUIRES: StandInOrder.
bool FindTexts(const StringDictionary& dictionary, size_t begin, size_t end, std::string_view term,
               std::vector<uint8_t>* contains) {
  const auto& values = dictionary.values;
  const char* const start = values[begin].data();
  const auto end_of = [&](size_t text) {
    return static_cast<size_t>(values[text].data() - start) + values[text].size();
  };
  const std::string_view bytes(start, end_of(end - 1));
  bool any = false;
  for (size_t at = FindText(bytes, term), text = begin; at != std::string_view::npos;) {
    while (end_of(text) <= at) ++text;
    // What reaches into the next text is no match; one may begin right behind.
    const bool inside = at + term.size() <= end_of(text);
    if (inside) (*contains)[text] = 1;
    any = any || inside;
    at = FindText(bytes, term, inside ? end_of(text) : at + 1);
  }
  return any;
}

// Calls `visit(begin, end)` for the texts of the parts, of neighbouring ones together.
template <typename Visit>
void ForTextsOf(const TextFilters::Parts& parts, size_t texts, const Visit& visit) {
  for (uint32_t part = 0; part < parts.count; ++part) {
    if ((parts.may >> part & 1) == 0) continue;
    const uint32_t first = part;
    while (part + 1 < parts.count && (parts.may >> (part + 1) & 1) != 0) ++part;
    const size_t begin = first * texts / parts.count, end = (part + 1) * texts / parts.count;
    if (begin < end) visit(begin, end);
  }
}

// Where `id` is, or would be, in the sorted `ids`. REQUIRES: it is not before `from`. Looks near `from` first.
size_t FirstAtLeast(const std::vector<TraceId>& ids, size_t from, TraceId id) {
  size_t step = 1, begin = from, end = from;
  while (end < ids.size() && ids[end] < id) {
    begin = end + 1;
    end += step;
    step *= 2;
  }
  const auto first = ids.begin() + static_cast<ptrdiff_t>(begin);
  const auto last = ids.begin() + static_cast<ptrdiff_t>(std::min(end, ids.size()));
  return static_cast<size_t>(std::lower_bound(first, last, id) - ids.begin());
}

ValueView PlainValueAt(const Column& column, size_t row) {
  if (column.IsNull(row)) return {};
  switch (column.type) {
    case Type::kDouble: return column.doubles[row];
    case Type::kString: return column.StringAt(row);
    case Type::kMixed: return View(column.mixed[row]);
    default: return column.ints[row];
  }
}

}  // namespace

bool MayMatch(const Predicate& predicate, const ValueView& value) {
  if (HasNullConstant(predicate)) return true;
  if (value.index() == 0) return predicate.op == Op::kNotEqual;
  return std::any_of(predicate.values.begin(), predicate.values.end(),
                     [&](const Value& constant) { return Holds(predicate.op, Order(value, View(constant))); });
}

void FilterByPredicate(const Predicate& predicate, const Column& column, RowMask* keep) {
  if (HasNullConstant(predicate) || column.type == Type::kHistogram) return;
  if (column.type == Type::kTraceId) {
    FilterIds<TraceId>(
        predicate, column, [](const std::string& text, TraceId* id) { return ParseTraceId(text, id); },
        [&](size_t row) { return column.trace_ids[row]; }, keep);
    return;
  }
  if (column.type == Type::kSpanId) {
    FilterIds<SpanId>(
        predicate, column, [](const std::string& text, SpanId* id) { return ParseSpanId(text, id); },
        [&](size_t row) { return SpanId{static_cast<uint64_t>(column.ints[row])}; }, keep);
    return;
  }
  if (column.type == Type::kString) {
    bool null_passes = MayMatch(predicate, {});
    const auto& texts = column.dictionary->values;
    if (texts.size() * kRowsPerText <= column.size && column.valid.empty()) {
      std::vector<uint8_t> passes(texts.size());
      size_t passing = 0;
      for (size_t i = 0; i < texts.size(); ++i) {
        passes[i] = MayMatch(predicate, texts[i]) ? 1 : 0;
        passing += passes[i];
      }
      if (passing == 0) {
        std::fill(keep->begin(), keep->end(), uint8_t{0});
      } else if (passing < texts.size()) {
        KeepByCodes(column.codes.data(), passes, keep);
      }
      return;
    }
    // 0 = not asked yet, 1 = may match, 2 = does not.
    std::vector<uint8_t> asked(texts.size(), 0);
    KeepIf(keep, [&](size_t row) {
      if (column.IsNull(row)) return null_passes;
      uint8_t& answer = asked[column.codes[row]];
      if (answer == 0) answer = MayMatch(predicate, column.StringAt(row)) ? 1 : 2;
      return answer == 1;
    });
    return;
  }
  if (column.type == Type::kDouble && TryPlain(predicate, column.doubles, column, keep)) return;
  const bool ints = column.type != Type::kNull && column.type != Type::kMixed && column.type != Type::kDouble;
  if (ints && TryPlain(predicate, column.ints, column, keep)) return;
  KeepIf(keep, [&](size_t row) { return MayMatch(predicate, PlainValueAt(column, row)); });
}

void FilterByTerm(const std::string& term, const Column& column, const TextFilters::Parts& parts, RowMask* keep) {
  if (column.type != Type::kString) {
    if (column.type == Type::kNull) std::fill(keep->begin(), keep->end(), 0);
    return;
  }
  if (term.empty()) {
    for (size_t row = 0; row < column.size; ++row) (*keep)[row] &= column.IsNull(row) ? 0 : 1;
    return;
  }
  const StringDictionary& dictionary = *column.dictionary;
  // 0 = surely not, 1 = contains it, 2 = not asked yet.
  std::vector<uint8_t> contains(dictionary.values.size(), 0);
  bool any = false, apart = false;
  ForTextsOf(parts, dictionary.values.size(), [&](size_t begin, size_t end) {
    if (StandInOrder(dictionary, begin, end)) {
      any = FindTexts(dictionary, begin, end, term, &contains) || any;
    } else {
      std::fill(contains.begin() + static_cast<ptrdiff_t>(begin), contains.begin() + static_cast<ptrdiff_t>(end), 2);
      apart = any = true;
    }
  });
  if (!any) {
    std::fill(keep->begin(), keep->end(), 0);
    return;
  }
  if (!apart && column.valid.empty()) return KeepByCodes(column.codes.data(), contains, keep);
  KeepIf(keep, [&](size_t row) {
    if (column.IsNull(row)) return false;
    uint8_t& answer = contains[column.codes[row]];
    if (answer == 2) answer = FindText(column.StringAt(row), term) != std::string_view::npos ? 1 : 0;
    return answer == 1;
  });
}

void FilterByTrace(const std::vector<TraceId>& ids, const Column& column, bool ascending, RowMask* keep) {
  if (column.type == Type::kNull) {
    std::fill(keep->begin(), keep->end(), 0);
    return;
  }
  if (ascending && column.valid.empty() && column.size > 0) {
    const std::vector<TraceId>& rows = column.trace_ids;
    const auto first = std::lower_bound(ids.begin(), ids.end(), rows.front());
    const auto last = std::upper_bound(first, ids.end(), rows.back());
    if (static_cast<size_t>(last - first) * kRowsPerLookup <= rows.size()) {
      // Few ids: their rows are looked up, not the ids of all rows.
      RowMask found(column.size, 0);
      size_t at = 0;
      for (auto id = first; id != last; ++id) {
        at = static_cast<size_t>(std::lower_bound(rows.begin() + static_cast<ptrdiff_t>(at), rows.end(), *id) -
                                 rows.begin());
        for (; at < rows.size() && rows[at] == *id; ++at) found[at] = (*keep)[at];
      }
      keep->swap(found);
      return;
    }
  }
  TraceId last;
  size_t at = 0;  // where it is, or would be, in `ids`
  bool found = false, any = false;
  for (size_t row = 0; row < column.size; ++row) {
    if ((*keep)[row] == 0) continue;
    if (column.IsNull(row)) {
      (*keep)[row] = 0;
      continue;
    }
    if (!any || column.trace_ids[row] != last) {
      const TraceId id = column.trace_ids[row];
      // Rows of tables that are sorted by trace go on where the trace before them was looked up.
      at = FirstAtLeast(ids, any && last < id ? at : 0, id);
      any = true;
      last = id;
      found = at < ids.size() && ids[at] == id;
    }
    if (!found) (*keep)[row] = 0;
  }
}

void FilterByTime(const TimeRange& range, const Column& time, const Column* end, const CoarseTimes* coarse,
                  RowMask* keep) {
  if (range.empty()) {
    std::fill(keep->begin(), keep->end(), uint8_t{0});
    return;
  }
  if (end == nullptr || end->type == Type::kNull) {
    const int64_t* const times = time.ints.data();
    if (coarse == nullptr) return KeepByRange(times, range.start, range.end, true, keep);
    return coarse->Filter(range, times, keep);
  }
  KeepByRange(time.ints.data(), INT64_MIN, range.end, true, keep);
  KeepIf(keep, [&](size_t row) {
    return time.ints[row] >= range.start || (!end->IsNull(row) && end->ints[row] >= range.start);
  });
}

namespace {

// The first range that does not end before `start`.
size_t FirstNotBefore(const std::vector<TimeRange>& ranges, Timestamp start) {
  const auto at = std::lower_bound(ranges.begin(), ranges.end(), start,
                                   [](const TimeRange& one, Timestamp wanted) { return one.end < wanted; });
  return static_cast<size_t>(at - ranges.begin());
}

// A number for each combination of codes, of the rows that are kept.
std::vector<uint32_t> CombinationsOf(std::vector<std::vector<uint32_t>> codes, const RowMask& keep) {
  if (codes.size() == 1) return std::move(codes[0]);
  std::vector<uint32_t> numbers(keep.size());
  HashMap<std::vector<uint32_t>, uint32_t> known;
  std::vector<uint32_t> code(codes.size());
  uint32_t number = 0;  // of the code that stands in `code`
  for (size_t row = 0; row < keep.size(); ++row) {
    if (keep[row] == 0) continue;
    // Rows of one key mostly stand together.
    bool same = !known.empty();
    for (size_t k = 0; k < codes.size(); ++k) {
      same = same && code[k] == codes[k][row];
      code[k] = codes[k][row];
    }
    if (!same) number = known.try_emplace(code, static_cast<uint32_t>(known.size())).first->second;
    numbers[row] = number;
  }
  return numbers;
}

}  // namespace

const std::vector<TimeRange>* IntervalFilter::Find(const std::vector<std::string>& key) const {
  auto at = std::lower_bound(set_->entries.begin(), set_->entries.end(), key,
                             [](const IntervalSet::Entry& entry, const auto& wanted) { return entry.key < wanted; });
  return at == set_->entries.end() || at->key != key ? nullptr : &at->ranges;
}

bool IntervalFilter::Meets(const std::vector<TimeRange>& ranges, const TimeRange& range) {
  const size_t at = FirstNotBefore(ranges, range.start);
  return at < ranges.size() && ranges[at].start <= range.end;
}

bool IntervalFilter::AnyMeets(const TimeRange& range) const {
  return std::any_of(set_->entries.begin(), set_->entries.end(),
                     [&](const IntervalSet::Entry& entry) { return Meets(entry.ranges, range); });
}

void IntervalFilter::Filter(const std::vector<const Column*>& keys, const Column& time, const Column* end,
                            RowMask* keep) const {
  // Rows with equal codes have equal keys, so each combination is looked up once. A column without codes gets some.
  std::vector<std::vector<uint32_t>> codes(keys.size());
  for (size_t k = 0; k < keys.size(); ++k) {
    codes[k].resize(keep->size());
    HashMap<std::string, uint32_t> texts;
    for (size_t row = 0; row < keep->size(); ++row) {
      if ((*keep)[row] == 0) continue;
      if (keys[k]->type == Type::kString) {
        codes[k][row] = keys[k]->IsNull(row) ? 0 : keys[k]->codes[row] + 1;
      } else if (!keys[k]->IsNull(row)) {
        auto text = ToText(View(keys[k]->ValueAt(row)));
        codes[k][row] = texts.try_emplace(std::move(text), static_cast<uint32_t>(texts.size()) + 1).first->second;
      }
    }
  }
  const std::vector<uint32_t> combinations = CombinationsOf(std::move(codes), *keep);
  struct Ranges {
    bool known = false;
    const std::vector<TimeRange>* all = nullptr;
    size_t near = 0;  // the first that did not end before the row of this key looked at last
  };
  uint32_t greatest = 0;
  for (uint32_t number : combinations) greatest = std::max(greatest, number);
  std::vector<Ranges> ranges_of(size_t{greatest} + 1);
  // Rows mostly stand in order of time, so that the range is the same as before or the next.
  const auto meets = [](Ranges* ranges, const TimeRange& own) {
    const std::vector<TimeRange>& all = *ranges->all;
    const auto ended = [&](size_t at) { return all[at].end < own.start; };
    size_t at = ranges->near;
    if (at < all.size() && ended(at)) ++at;
    if ((at > 0 && !ended(at - 1)) || (at < all.size() && ended(at))) at = FirstNotBefore(all, own.start);
    ranges->near = at;
    return at < all.size() && all[at].start <= own.end;
  };
  for (size_t row = 0; row < keep->size(); ++row) {
    if ((*keep)[row] == 0) continue;
    TimeRange own{time.ints[row], time.ints[row]};
    if (end != nullptr && !end->IsNull(row)) own.end = std::max(own.end, end->ints[row]);
    Ranges* const ranges = &ranges_of[combinations[row]];
    if (!ranges->known) {
      std::vector<std::string> key;
      for (const Column* column : keys) key.push_back(ToText(View(column->ValueAt(row))));
      ranges->known = true;
      ranges->all = Find(key);
    }
    if (ranges->all == nullptr || !meets(ranges, own)) (*keep)[row] = 0;
  }
}

}  // namespace braid
