#include "engine/part/term_keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/checksum.h"
#include "engine/base/status_macros.h"
#include "engine/codec/tokenizer.h"
#include "engine/part/part_format.h"

namespace braid {
namespace {

uint64_t KeyOf(char type, const void* bytes, size_t size, uint64_t seed) {
  char buffer[64];
  if (size < sizeof(buffer)) {
    buffer[0] = type;
    std::memcpy(buffer + 1, bytes, size);
    return Hash64({buffer, size + 1}, seed);
  }
  std::string text(1, type);
  text.append(static_cast<const char*>(bytes), size);
  return Hash64(text, seed);
}

// The rows' distinct strings: a dictionary may hold texts that no row uses, and more than once.
std::vector<std::string_view> UsedTexts(const Column& column) {
  std::vector<uint8_t> used(column.dictionary->values.size(), 0);
  std::vector<std::string_view> texts;
  for (size_t row = 0; row < column.size; ++row) {
    if (column.IsNull(row) || used[column.codes[row]] != 0) continue;
    used[column.codes[row]] = 1;
    texts.push_back(column.StringAt(row));
  }
  return texts;
}

void TextTerms(const ColumnKeys& keys, const Column& column, bool words, std::vector<uint64_t>* terms) {
  bool other = false;
  for (std::string_view text : UsedTexts(column)) {
    if (words) {
      ForEachToken(text, [&](std::string_view token) { terms->push_back(WordKey(token)); });
    } else if (text.size() <= kMaxIndexedValueBytes) {
      terms->push_back(keys.Text(text));
    } else {
      other = true;
    }
  }
  if (other) terms->push_back(keys.Other());
}

void IntTerms(const ColumnKeys& keys, const Column& column, bool all, std::vector<uint64_t>* terms) {
  std::vector<int64_t> values;
  for (size_t row = 0; row < column.size; ++row) {
    if (!column.IsNull(row) && (values.empty() || values.back() != column.ints[row]))
      values.push_back(column.ints[row]);
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  if (!all && values.size() > kMaxIndexedInts) {
    terms->push_back(keys.Other());
    return;
  }
  for (int64_t value : values) terms->push_back(keys.Int(value));
}

}  // namespace

uint64_t WordKey(std::string_view token) { return Hash64(token); }

ColumnKeys::ColumnKeys(ColumnLevel level, std::string_view name)
    : seed_(Hash64(name, static_cast<uint64_t>(level) + 0x6272616964ULL)) {}
uint64_t ColumnKeys::Text(std::string_view value) const { return KeyOf('s', value.data(), value.size(), seed_); }
uint64_t ColumnKeys::Int(int64_t value) const { return KeyOf('i', &value, 8, seed_); }
uint64_t ColumnKeys::Trace(TraceId value) const {
  char bytes[16];
  std::memcpy(bytes, &value.high, 8);
  std::memcpy(bytes + 8, &value.low, 8);
  return KeyOf('t', bytes, 16, seed_);
}
uint64_t ColumnKeys::Other() const { return KeyOf('o', "", 0, seed_); }

bool ColumnKeys::OfValue(const Value& value, uint64_t* key) const {
  if (const bool* flag = std::get_if<bool>(&value)) {
    *key = Int(*flag ? 1 : 0);
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    *key = Int(*integer);
  } else if (const double* number = std::get_if<double>(&value)) {
    if (!(*number >= -9.2e18 && *number <= 9.2e18) || *number != std::floor(*number)) return false;
    *key = Int(static_cast<int64_t>(*number));
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    // A longer text is not indexed; its row groups have Other().
    if (text->size() > kMaxIndexedValueBytes) return false;
    *key = Text(*text);
  } else {
    return false;
  }
  return true;
}

std::vector<uint64_t> ColumnTerms(Table table, const ColumnRef& ref, const Column& column) {
  std::vector<uint64_t> terms;
  ColumnKeys keys(ref.level, ref.name);
  bool builtin = ref.level == ColumnLevel::kBuiltin;
  switch (column.type) {
    case Type::kNull: break;
    case Type::kString:
      TextTerms(keys, column, builtin && table == Table::kLogs && ref.name == "message", &terms);
      break;
    case Type::kBool:
    case Type::kInt:
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: IntTerms(keys, column, builtin && ref.name == "stream", &terms); break;
    case Type::kTraceId:
      if (builtin && ref.name == "trace_id" && (table == Table::kLogs || table == Table::kExemplars)) {
        for (size_t row = 0; row < column.size; ++row) {
          if (!column.IsNull(row)) terms.push_back(keys.Trace(column.trace_ids[row]));
        }
        break;
      }
      terms.push_back(keys.Other());
      break;
    default: terms.push_back(keys.Other()); break;
  }
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
  return terms;
}

absl::Status AddColumnTerms(Table table, const ColumnRef& ref, const Column& column, uint32_t group,
                            TermIndexWriter* terms) {
  for (uint64_t term : ColumnTerms(table, ref, column)) RETURN_IF_ERROR(terms->Add(term, group));
  return absl::OkStatus();
}

}  // namespace braid
