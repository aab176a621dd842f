#include "query/rows/key_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include "query/rows/cells.h"

namespace braid {
namespace {

// Classes of values that are told apart even if their bits are equal.
enum WordKind : uint8_t { kWholeNumber, kFraction, kBoolean, kTime, kLength, kSpan };

// More than any enum has.
constexpr size_t kEnumValues = 32;
constexpr size_t kArenaBytes = 64 << 10;
// What an entry costs beside its text: the slot of the table and the value kept for output.
constexpr uint64_t kEntryBytes = 64;
// A dictionary much larger than the batch is not worth a table of its own.
constexpr size_t kDictionaryPerRow = 8;
// Seconds that fit a duration.
constexpr int64_t kWholeSecondsMax = 9'000'000'000;

// Whole doubles count as the integer that they are.
std::pair<uint64_t, uint8_t> WordOf(double value) {
  if (value >= -0x1p63 && value < 0x1p63 && value == std::floor(value)) {
    return {static_cast<uint64_t>(static_cast<int64_t>(value)), kWholeNumber};
  }
  if (std::isnan(value)) return {~uint64_t{0}, kFraction};
  return {std::bit_cast<uint64_t>(value), kFraction};
}

uint64_t Pack(uint32_t a, uint32_t b) { return uint64_t{a} << 32 | b; }

void Prepare(const Column& column, size_t rows, DictionaryNumbers* cache) {
  if (column.dictionary == cache->dictionary && !cache->numbers.empty()) return;
  cache->dictionary = nullptr;
  cache->numbers.clear();
  const size_t entries = column.dictionary->values.size();
  if (entries > kDictionaryPerRow * rows + 1024) return;
  cache->dictionary = column.dictionary;
  cache->numbers.assign(entries, DictionaryNumbers::kUnknown);
}

}  // namespace

template <typename OnText, typename OnWord, typename OnId>
uint32_t ValueNumbers::Visit(const Column& column, size_t row, const OnText& on_text, const OnWord& on_word,
                             const OnId& on_id) {
  const CellView cell = CellAt(column, row);
  switch (cell.type) {
    case Type::kBool: return on_word(kBoolean, static_cast<uint64_t>(cell.integer));
    case Type::kInt: return on_word(kWholeNumber, static_cast<uint64_t>(cell.integer));
    case Type::kDouble: {
      const auto [bits, kind] = WordOf(cell.number);
      return on_word(kind, bits);
    }
    case Type::kTimestamp: return on_word(kTime, static_cast<uint64_t>(cell.integer));
    case Type::kDuration: return on_word(kLength, static_cast<uint64_t>(cell.integer));
    case Type::kSpanId: return on_word(kSpan, static_cast<uint64_t>(cell.integer));
    case Type::kTraceId: return on_id(cell.trace_id);
    case Type::kString: return on_text(cell.text);
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: return on_text(EnumWord(cell.type, cell.integer));
    case Type::kHistogram: {
      const Value text = column.ValueAt(row);
      // No other text of a query starts like this by accident and is then equal to the rest.
      return on_text("\x01histogram" + std::get<std::string>(text));
    }
    case Type::kNull:
    case Type::kMixed: break;
  }
  return kNoKey;
}

std::string_view ValueNumbers::KeepText(std::string_view text) {
  if (text.size() > arena_left_) {
    const size_t size = std::max(kArenaBytes, text.size());
    arena_.push_back(std::make_unique<char[]>(size));
    arena_at_ = arena_.back().get();
    arena_left_ = size;
  }
  if (!text.empty()) std::memcpy(arena_at_, text.data(), text.size());
  const std::string_view kept(arena_at_, text.size());
  arena_at_ += text.size();
  arena_left_ -= text.size();
  return kept;
}

uint32_t ValueNumbers::Add(const Column& column, size_t row, uint64_t bytes) {
  values_.AppendFrom(column, row);
  bytes_ += kEntryBytes + bytes;
  return static_cast<uint32_t>(size_++);
}

uint32_t ValueNumbers::AssignText(std::string_view text, const Column& column, size_t row) {
  if (const auto found = texts_.find(text); found != texts_.end()) return found->second;
  const uint32_t number = Add(column, row, 2 * text.size());
  texts_.try_emplace(KeepText(text), number);
  return number;
}

uint32_t ValueNumbers::FindText(std::string_view text) const {
  const auto found = texts_.find(text);
  return found == texts_.end() ? kNoKey : found->second;
}

uint32_t ValueNumbers::AssignWord(uint8_t kind, uint64_t bits, const Column& column, size_t row) {
  const auto [slot, fresh] = words_.try_emplace({bits, kind}, static_cast<uint32_t>(size_));
  if (fresh) Add(column, row, 0);
  return slot->second;
}

uint32_t ValueNumbers::FindWord(uint8_t kind, uint64_t bits) const {
  const auto found = words_.find({bits, kind});
  return found == words_.end() ? kNoKey : found->second;
}

void ValueNumbers::Assign(const Column& column, size_t rows, NullKeys nulls, std::vector<uint32_t>* numbers) {
  numbers->resize(rows);
  const bool cached = column.type == Type::kString;
  if (cached) Prepare(column, rows, &cache_);
  if (cached && column.valid.empty() && !cache_.numbers.empty()) {
    const uint32_t* const codes = column.codes.data();
    uint32_t* const known = cache_.numbers.data();
    uint32_t* const out = numbers->data();
    for (size_t row = 0; row < rows; ++row) {
      uint32_t& number = known[codes[row]];
      if (number == DictionaryNumbers::kUnknown) number = AssignText(column.StringAt(row), column, row);
      out[row] = number;
    }
    return;
  }
  std::array<uint32_t, kEnumValues> enums;
  enums.fill(kNoKey);
  for (size_t row = 0; row < rows; ++row) {
    uint32_t& number = (*numbers)[row];
    if (column.IsNull(row)) {
      if (nulls == NullKeys::kNeverMatch) {
        number = kNoKey;
        continue;
      }
      if (null_number_ == kNoKey) null_number_ = Add(Column(), 0, 0);
      number = null_number_;
      continue;
    }
    switch (column.type) {
      case Type::kString: {
        const uint32_t code = column.codes[row];
        if (cache_.numbers.empty()) {
          number = AssignText(column.StringAt(row), column, row);
          break;
        }
        uint32_t& known = cache_.numbers[code];
        if (known == DictionaryNumbers::kUnknown) known = AssignText(column.StringAt(row), column, row);
        number = known;
        break;
      }
      case Type::kTraceId: {
        const TraceId id = column.trace_ids[row];
        const auto [slot, fresh] = ids_.try_emplace({id.high, id.low}, static_cast<uint32_t>(size_));
        if (fresh) Add(column, row, 16);
        number = slot->second;
        break;
      }
      case Type::kInt: number = AssignWord(kWholeNumber, static_cast<uint64_t>(column.ints[row]), column, row); break;
      case Type::kLevel:
      case Type::kSpanKind:
      case Type::kStatus: {
        // An enum is its word, which is looked up once.
        const auto value = static_cast<uint64_t>(column.ints[row]);
        if (value >= enums.size()) {
          number = AssignText(EnumWord(column.type, column.ints[row]), column, row);
          break;
        }
        if (enums[value] == kNoKey) enums[value] = AssignText(EnumWord(column.type, column.ints[row]), column, row);
        number = enums[value];
        break;
      }
      default:
        number = Visit(
            column, row, [&](std::string_view text) { return AssignText(text, column, row); },
            [&](uint8_t kind, uint64_t bits) { return AssignWord(kind, bits, column, row); },
            [](TraceId) { return kNoKey; });
        // A mixed value may be null without the column saying so.
        if (number == kNoKey && nulls == NullKeys::kAreKeys) {
          if (null_number_ == kNoKey) null_number_ = Add(Column(), 0, 0);
          number = null_number_;
        }
    }
  }
}

void ValueNumbers::Find(const Column& column, size_t rows, NullKeys nulls, DictionaryNumbers* cache,
                        std::vector<uint32_t>* numbers) const {
  numbers->resize(rows);
  const uint32_t null_number = nulls == NullKeys::kAreKeys ? null_number_ : kNoKey;
  const bool cached = column.type == Type::kString;
  if (cached) Prepare(column, rows, cache);
  constexpr uint32_t kUnknownEnum = DictionaryNumbers::kUnknown;
  std::array<uint32_t, kEnumValues> enums;
  enums.fill(kUnknownEnum);
  for (size_t row = 0; row < rows; ++row) {
    uint32_t& number = (*numbers)[row];
    if (column.IsNull(row)) {
      number = null_number;
      continue;
    }
    switch (column.type) {
      case Type::kString: {
        if (cache->numbers.empty()) {
          number = FindText(column.StringAt(row));
          break;
        }
        uint32_t& known = cache->numbers[column.codes[row]];
        if (known == DictionaryNumbers::kUnknown) known = FindText(column.StringAt(row));
        number = known;
        break;
      }
      case Type::kTraceId: {
        const auto found = ids_.find({column.trace_ids[row].high, column.trace_ids[row].low});
        number = found == ids_.end() ? kNoKey : found->second;
        break;
      }
      case Type::kInt: number = FindWord(kWholeNumber, static_cast<uint64_t>(column.ints[row])); break;
      case Type::kLevel:
      case Type::kSpanKind:
      case Type::kStatus: {
        const auto value = static_cast<uint64_t>(column.ints[row]);
        if (value >= enums.size()) {
          number = FindText(EnumWord(column.type, column.ints[row]));
          break;
        }
        if (enums[value] == kUnknownEnum) enums[value] = FindText(EnumWord(column.type, column.ints[row]));
        number = enums[value];
        break;
      }
      default:
        if (column.type == Type::kMixed && std::holds_alternative<std::monostate>(column.mixed[row])) {
          number = null_number;
          break;
        }
        number = Visit(
            column, row, [&](std::string_view text) { return FindText(text); },
            [&](uint8_t kind, uint64_t bits) { return FindWord(kind, bits); }, [](TraceId) { return kNoKey; });
    }
  }
}

std::vector<const Column*> PointersTo(const std::vector<Column>& columns) {
  std::vector<const Column*> pointers;
  pointers.reserve(columns.size());
  for (const Column& column : columns) pointers.push_back(&column);
  return pointers;
}

KeyTable::KeyTable(size_t columns, NullKeys nulls)
    : nulls_(nulls), columns_(columns), folds_(columns > 1 ? columns - 1 : 0) {}

void KeyTable::Assign(const std::vector<const Column*>& keys, size_t rows, std::vector<uint32_t>* numbers) {
  if (columns_.empty()) {
    numbers->assign(rows, 0);
    if (rows > 0) size_ = 1;
    return;
  }
  columns_[0].Assign(*keys[0], rows, nulls_, numbers);
  size_ = columns_[0].size();
  std::vector<uint32_t> next;
  for (size_t i = 1; i < columns_.size(); ++i) {
    columns_[i].Assign(*keys[i], rows, nulls_, &next);
    Fold& fold = folds_[i - 1];
    for (size_t row = 0; row < rows; ++row) {
      uint32_t& number = (*numbers)[row];
      if (number == kNoKey || next[row] == kNoKey) {
        number = kNoKey;
        continue;
      }
      const auto [slot, fresh] =
          fold.numbers.try_emplace(Pack(number, next[row]), static_cast<uint32_t>(fold.parts.size()));
      if (fresh) fold.parts.emplace_back(number, next[row]);
      number = slot->second;
    }
    size_ = fold.parts.size();
  }
}

void KeyTable::Find(const std::vector<const Column*>& keys, size_t rows, Cache* cache,
                    std::vector<uint32_t>* numbers) const {
  if (columns_.empty()) {
    numbers->assign(rows, size_ > 0 ? 0 : kNoKey);
    return;
  }
  cache->resize(columns_.size());
  columns_[0].Find(*keys[0], rows, nulls_, &(*cache)[0], numbers);
  std::vector<uint32_t> next;
  for (size_t i = 1; i < columns_.size(); ++i) {
    columns_[i].Find(*keys[i], rows, nulls_, &(*cache)[i], &next);
    const Fold& fold = folds_[i - 1];
    for (size_t row = 0; row < rows; ++row) {
      uint32_t& number = (*numbers)[row];
      if (number == kNoKey || next[row] == kNoKey) {
        number = kNoKey;
        continue;
      }
      const auto found = fold.numbers.find(Pack(number, next[row]));
      number = found == fold.numbers.end() ? kNoKey : found->second;
    }
  }
}

uint64_t KeyTable::bytes() const {
  uint64_t bytes = 0;
  for (const ValueNumbers& column : columns_) bytes += column.bytes();
  for (const Fold& fold : folds_) bytes += fold.numbers.capacity() * 17 + fold.parts.size() * 8;
  return bytes;
}

std::vector<Column> KeyTable::TakeKeys() {
  std::vector<Column> keys(columns_.size());
  std::vector<uint32_t> numbers(size_);
  for (size_t i = 0; i < size_; ++i) numbers[i] = static_cast<uint32_t>(i);
  for (size_t i = columns_.size(); i-- > 1;) {
    std::vector<uint32_t> own(size_);
    for (size_t row = 0; row < size_; ++row) {
      const auto [left, right] = folds_[i - 1].parts[numbers[row]];
      numbers[row] = left;
      own[row] = right;
    }
    keys[i] = columns_[i].TakeValues().Select(own);
  }
  if (!columns_.empty()) keys[0] = columns_[0].TakeValues().Select(numbers);
  return keys;
}

Type KeyTypeOf(Type a, Type b) {
  const auto vague = [](Type type) { return type == Type::kMixed || type == Type::kString || type == Type::kNull; };
  const auto number = [](Type type) { return type == Type::kInt || type == Type::kDouble || type == Type::kDuration; };
  if (a == b) return a;
  if (vague(a) && vague(b)) return Type::kMixed;
  if (vague(a)) return b;
  if (vague(b)) return a;
  return number(a) && number(b) ? Type::kDouble : Type::kMixed;
}

namespace {

void AppendCoerced(const CellView& cell, const Column& column, size_t row, Type target, ColumnBuilder* out) {
  if (cell.null()) return out->AppendNull();
  if (cell.type == target) return out->AppendFrom(column, row);
  const bool to_number = target == Type::kInt || target == Type::kDouble || target == Type::kDuration;
  if (cell.type != Type::kString) {
    if (cell.type == Type::kDuration && (target == Type::kDouble || target == Type::kInt)) {
      return out->AppendDouble(static_cast<double>(cell.integer) / 1e9);
    }
    return out->AppendFrom(column, row);
  }
  if (IsEnum(target)) {
    const auto value = ParseEnumWord(target, cell.text);
    return value ? out->AppendInt(target, *value) : out->AppendNull();
  }
  if (target == Type::kTraceId) {
    TraceId id;
    return ParseTraceId(cell.text, &id) ? out->AppendTraceId(id) : out->AppendNull();
  }
  if (target == Type::kSpanId) {
    SpanId id;
    return ParseSpanId(cell.text, &id) ? out->AppendInt(Type::kSpanId, static_cast<int64_t>(id.value))
                                       : out->AppendNull();
  }
  if (target == Type::kBool) {
    if (cell.text == "true" || cell.text == "false") return out->AppendInt(Type::kBool, cell.text == "true" ? 1 : 0);
    return out->AppendNull();
  }
  if (to_number) {
    // Whole numbers stay exact beyond 2^53.
    char* end = nullptr;
    const std::string text(cell.text);
    errno = 0;
    const long long whole = std::strtoll(text.c_str(), &end, 10);
    if (errno == 0 && !text.empty() && *end == '\0' && end == text.c_str() + text.size() && text[0] != ' ') {
      if (target != Type::kDuration) return out->AppendInt(Type::kInt, whole);
      if (whole > -kWholeSecondsMax && whole < kWholeSecondsMax) {
        return out->AppendInt(Type::kDuration, static_cast<int64_t>(whole) * kSecond);
      }
      return out->AppendNull();
    }
    const auto number = ParseNumber(cell.text);
    if (!number) return out->AppendNull();
    if (target != Type::kDuration) return out->AppendDouble(*number);
    if (!(std::abs(*number) < static_cast<double>(kWholeSecondsMax))) return out->AppendNull();
    return out->AppendInt(Type::kDuration, std::llround(*number * 1e9));
  }
  out->AppendFrom(column, row);
}

}  // namespace

const Column& CoerceKey(const Column& column, Type target, Column* storage) {
  const auto plain_number = [](Type type) { return type == Type::kInt || type == Type::kDouble; };
  if (column.type == target || column.type == Type::kNull || target == Type::kMixed || target == Type::kString ||
      target == Type::kNull || target == Type::kTimestamp || target == Type::kHistogram) {
    return column;
  }
  if (plain_number(column.type) && plain_number(target)) return column;
  const bool texts = column.type == Type::kString || column.type == Type::kMixed;
  if (!texts && !(column.type == Type::kDuration && plain_number(target))) return column;
  ColumnBuilder builder;
  if (column.type == Type::kString && column.dictionary->values.size() < column.size) {
    // Read each entry of the dictionary once.
    Column entries;
    entries.type = Type::kString;
    entries.size = column.dictionary->values.size();
    entries.dictionary = column.dictionary;
    entries.codes.resize(entries.size);
    for (size_t i = 0; i < entries.size; ++i) entries.codes[i] = static_cast<uint32_t>(i);
    for (size_t i = 0; i < entries.size; ++i) AppendCoerced(CellAt(entries, i), entries, i, target, &builder);
    const Column coerced = builder.Finish();
    ColumnBuilder rows;
    for (size_t row = 0; row < column.size; ++row) {
      if (column.IsNull(row)) {
        rows.AppendNull();
      } else {
        rows.AppendFrom(coerced, column.codes[row]);
      }
    }
    *storage = rows.Finish();
    return *storage;
  }
  for (size_t row = 0; row < column.size; ++row) AppendCoerced(CellAt(column, row), column, row, target, &builder);
  *storage = builder.Finish();
  return *storage;
}

}  // namespace braid
