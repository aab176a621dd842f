#include "engine/part/columns.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace braid {
namespace {

template <typename T>
std::vector<T> Slice(const std::vector<T>& from, size_t begin, size_t end) {
  if (from.empty()) return {};
  return std::vector<T>(from.begin() + static_cast<ptrdiff_t>(begin), from.begin() + static_cast<ptrdiff_t>(end));
}

template <typename T>
std::vector<T> Spread(const std::vector<T>& from, const std::vector<uint32_t>& at, size_t rows) {
  std::vector<T> out(rows);
  T* to = out.data();
  for (size_t i = 0; i < from.size(); ++i) to[at[i]] = from[i];
  return out;
}

}  // namespace

Column NullColumn(size_t rows) {
  Column column;
  column.size = rows;
  return column;
}

Column SliceColumn(const Column& column, size_t begin, size_t end) {
  Column out;
  out.type = column.type;
  out.size = end - begin;
  if (column.type == Type::kNull) return out;
  out.valid = Slice(column.valid, begin, end);
  if (std::find(out.valid.begin(), out.valid.end(), 0) == out.valid.end()) out.valid.clear();
  out.ints = Slice(column.ints, begin, end);
  out.doubles = Slice(column.doubles, begin, end);
  out.trace_ids = Slice(column.trace_ids, begin, end);
  out.mixed = Slice(column.mixed, begin, end);
  out.histograms = Slice(column.histograms, begin, end);
  if (column.type != Type::kString) return out;
  out.codes.resize(out.size);
  // Only the texts that the slice uses.
  constexpr uint32_t kUnused = UINT32_MAX;
  std::vector<uint32_t> codes(column.dictionary->values.size(), kUnused);
  std::vector<std::string_view> texts;
  for (size_t i = 0; i < out.size; ++i) {
    if (!out.valid.empty() && out.valid[i] == 0) continue;
    uint32_t& code = codes[column.codes[begin + i]];
    if (code == kUnused) {
      code = static_cast<uint32_t>(texts.size());
      texts.push_back(column.StringAt(begin + i));
    }
    out.codes[i] = code;
  }
  out.dictionary = StringDictionary::Make(texts);
  return out;
}

Column SpreadColumn(const Column& dense, const std::vector<uint32_t>& at, size_t rows) {
  Column out;
  out.type = dense.type;
  out.size = rows;
  if (dense.type == Type::kNull) return out;
  out.valid.assign(rows, 0);
  for (size_t i = 0; i < at.size(); ++i) out.valid[at[i]] = dense.IsNull(i) ? 0 : 1;
  if (!dense.ints.empty()) out.ints = Spread(dense.ints, at, rows);
  if (!dense.doubles.empty()) out.doubles = Spread(dense.doubles, at, rows);
  if (!dense.codes.empty()) out.codes = Spread(dense.codes, at, rows);
  if (!dense.trace_ids.empty()) out.trace_ids = Spread(dense.trace_ids, at, rows);
  if (!dense.mixed.empty()) out.mixed = Spread(dense.mixed, at, rows);
  if (!dense.histograms.empty()) out.histograms = Spread(dense.histograms, at, rows);
  out.dictionary = dense.dictionary;
  return out;
}

Column CoalesceColumns(std::vector<Column> columns) {
  size_t rows = columns[0].size;
  std::erase_if(columns, [](const Column& column) { return column.type == Type::kNull; });
  if (columns.empty()) return NullColumn(rows);
  if (columns.size() == 1 || columns[0].valid.empty()) return std::move(columns[0]);
  ColumnBuilder builder;
  for (size_t row = 0; row < rows; ++row) {
    auto at = std::find_if(columns.begin(), columns.end(), [&](const Column& column) { return !column.IsNull(row); });
    if (at == columns.end()) {
      builder.AppendNull();
    } else {
      builder.AppendFrom(*at, row);
    }
  }
  return builder.Finish();
}

size_t CountNonNull(const Column& column) {
  if (column.type == Type::kNull) return 0;
  if (column.valid.empty()) return column.size;
  return column.size - static_cast<size_t>(std::count(column.valid.begin(), column.valid.end(), 0));
}

size_t ColumnBytes(const Column& column) {
  size_t bytes = sizeof(Column) + column.valid.capacity() + column.ints.capacity() * sizeof(int64_t) +
                 column.doubles.capacity() * sizeof(double) + column.codes.capacity() * sizeof(uint32_t) +
                 column.trace_ids.capacity() * sizeof(TraceId) + column.mixed.capacity() * sizeof(Value);
  if (column.dictionary != nullptr) {
    bytes += column.dictionary->values.size() * sizeof(std::string_view) + column.dictionary->bytes.size();
  }
  for (const Value& value : column.mixed) {
    if (const std::string* text = std::get_if<std::string>(&value)) bytes += text->size();
  }
  for (const auto& histogram : column.histograms) {
    bytes += sizeof histogram + (histogram == nullptr ? 0 : sizeof(Histogram));
    if (histogram != nullptr) bytes += (histogram->positive.size() + histogram->negative.size()) * 16;
  }
  return bytes;
}

bool IsWellFormed(const Column& column, size_t rows) {
  if (column.size != rows) return false;
  if (column.type == Type::kNull) return true;
  if (!column.valid.empty() && column.valid.size() != rows) return false;
  switch (column.type) {
    case Type::kNull: return true;
    case Type::kDouble: return column.doubles.size() == rows;
    case Type::kString: {
      if (column.codes.size() != rows || column.dictionary == nullptr) return false;
      const size_t texts = column.dictionary->values.size();
      const uint32_t* codes = column.codes.data();
      const uint8_t* valid = column.valid.empty() ? nullptr : column.valid.data();
      bool wrong = false;
      for (size_t row = 0; row < rows; ++row) wrong |= codes[row] >= texts && (valid == nullptr || valid[row] != 0);
      return !wrong;
    }
    case Type::kTraceId: return column.trace_ids.size() == rows;
    case Type::kMixed: return column.mixed.size() == rows;
    case Type::kHistogram: return column.histograms.size() == rows;
    default: return column.type <= Type::kHistogram && column.ints.size() == rows;
  }
}

}  // namespace braid
