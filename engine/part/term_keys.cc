#include "engine/part/term_keys.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/inline_hash.h"
#include "engine/base/status_macros.h"
#include "engine/codec/tokenizer.h"
#include "engine/memory/hash_map.h"
#include "engine/part/part_format.h"

namespace braid {

uint64_t WordKey(std::string_view token) { return InlineHash64(token); }

namespace {

uint64_t KeyOf(char type, const void* bytes, size_t size, uint64_t seed) {
  char buffer[64];
  if (size < sizeof(buffer)) {
    buffer[0] = type;
    if (size > 0) std::memcpy(buffer + 1, bytes, size);
    return Hash64({buffer, size + 1}, seed);
  }
  std::string text(1, type);
  text.append(static_cast<const char*>(bytes), size);
  return Hash64(text, seed);
}

// The rows' distinct strings: a dictionary may hold texts that no row uses, and more than once.
std::vector<std::string_view> UsedTexts(const Column& column) {
  std::vector<uint8_t> used(column.dictionary->values.size(), 0);
  const uint8_t* valid = column.valid.empty() ? nullptr : column.valid.data();
  const uint32_t* codes = column.codes.data();
  for (size_t row = 0; row < column.size; ++row) {
    if (valid == nullptr || valid[row] != 0) used.data()[codes[row]] = 1;
  }
  std::vector<std::string_view> texts;
  for (size_t code = 0; code < used.size(); ++code) {
    if (used[code] != 0) texts.push_back(column.dictionary->values[code]);
  }
  return texts;
}

// Messages of one kind repeat most of their text, an argument here and there apart: stretches of it that were there
// lately need not be taken into words again, and to see that a stretch is the same costs less than its words.
class RecentStretches {
 public:
  // Calls `visit` for stretches of `text` which together have all words that no text before had. What they point at
  // outlives this.
  template <typename Visit>
  void ForEachNew(std::string_view text, Visit visit) {
    while (!text.empty()) {
      size_t size = std::min(text.size(), kStretchBytes);
      while (size < text.size() && IsTokenByte(text[size])) ++size;
      const std::string_view stretch = text.substr(0, size);
      text.remove_prefix(size);
      if (size < kStretchBytes) return visit(stretch);
      std::string_view& known = stretches_[PlaceOf(stretch)];
      if (known == stretch) continue;
      known = stretch;
      visit(stretch);
    }
  }

 private:
  // Several words and what stands between them; longer ones are seldom the same as a whole.
  static constexpr size_t kStretchBytes = 32;
  static constexpr int kPlaceBits = 12;

  static size_t PlaceOf(std::string_view stretch) {
    uint64_t words[4];
    std::memcpy(words, stretch.data(), 16);
    std::memcpy(words + 2, stretch.data() + stretch.size() - 16, 16);
    const uint64_t mixed = (words[0] + words[2] * 0x9e3779b97f4a7c15u) ^ (words[1] * 0xc2b2ae3d27d4eb4fu + words[3]);
    return (mixed ^ mixed >> 32) * 0x165667b19e3779f9u >> (64 - kPlaceBits);
  }

  std::vector<std::string_view> stretches_ = std::vector<std::string_view>(size_t{1} << kPlaceBits);
};

template <typename Emit>
void TextTerms(const ColumnKeys& keys, const Column& column, bool words, Emit emit) {
  if (words) {
    RecentStretches stretches;
    for (std::string_view text : UsedTexts(column)) {
      stretches.ForEachNew(text, [&](std::string_view stretch) {
        ForEachToken(stretch, [&](std::string_view token) { emit(InlineHash64(token)); });
      });
    }
    return;
  }
  bool other = false;
  for (std::string_view text : UsedTexts(column)) {
    if (text.size() <= kMaxIndexedValueBytes) {
      emit(keys.Text(text));
    } else {
      other = true;
    }
  }
  if (other) emit(keys.Other());
}

template <typename Emit>
void IntTerms(const ColumnKeys& keys, const Column& column, bool all, Emit emit) {
  // Distinct values, until they are too many to be indexed.
  HashSet<int64_t> values;
  int64_t last = 0;
  for (size_t row = 0; row < column.size; ++row) {
    if (column.IsNull(row) || (!values.empty() && column.ints[row] == last)) continue;
    last = column.ints[row];
    values.insert(last);
    if (!all && values.size() > kMaxIndexedInts) return emit(keys.Other());
  }
  for (int64_t value : values) emit(keys.Int(value));
}

// Calls `emit` for every term, repeats included.
template <typename Emit>
void ForEachTerm(Table table, const ColumnRef& ref, const Column& column, Emit emit) {
  const ColumnKeys keys(ref.level, ref.name);
  const bool builtin = ref.level == ColumnLevel::kBuiltin;
  switch (column.type) {
    case Type::kNull: break;
    case Type::kString: TextTerms(keys, column, builtin && table == Table::kLogs && ref.name == "message", emit); break;
    case Type::kBool:
    case Type::kInt:
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: IntTerms(keys, column, builtin && ref.name == "stream", emit); break;
    case Type::kTraceId:
      if (builtin && ref.name == "trace_id" && (table == Table::kLogs || table == Table::kExemplars)) {
        for (size_t row = 0; row < column.size; ++row) {
          if (column.IsNull(row)) continue;
          if (row == 0 || column.IsNull(row - 1) || column.trace_ids[row - 1] != column.trace_ids[row]) {
            emit(keys.Trace(column.trace_ids[row]));
          }
        }
        break;
      }
      emit(keys.Other());
      break;
    default: emit(keys.Other()); break;
  }
}

}  // namespace

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
  ForEachTerm(table, ref, column, [&](uint64_t term) { terms.push_back(term); });
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
  return terms;
}

absl::Status AddColumnTerms(Table table, const ColumnRef& ref, const Column& column, uint32_t group,
                            TermIndexWriter* terms) {
  absl::Status status;
  ForEachTerm(table, ref, column, [&](uint64_t term) {
    if (!terms->AddedLately(term, group) && status.ok()) status = terms->Add(term, group);
  });
  return status;
}

}  // namespace braid
