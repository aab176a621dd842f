#include "query/rows/column_concat.h"

#include <algorithm>
#include <utility>

#include "engine/memory/hash_map.h"

namespace braid {
namespace {

// Equal texts share a code up to this many of them; beyond it the column is taken to be of distinct texts.
constexpr size_t kSharedTextsMax = size_t{1} << 16;

// Texts of a column that may stay though no row has them.
constexpr size_t kUnusedTextsMax = 64;

template <typename T>
void AppendAll(std::vector<T>* to, const std::vector<T>& from) {
  to->insert(to->end(), from.begin(), from.end());
}

}  // namespace

struct ColumnConcat::Texts {
  std::vector<std::string_view> values;
  std::vector<std::shared_ptr<const StringDictionary>> dictionaries;
  HashMap<std::string_view, uint32_t> code_of;
  // Of the dictionary seen last: its codes in ours + 1, 0 = not met yet.
  const StringDictionary* last = nullptr;
  std::vector<uint32_t> remap;

  uint32_t CodeOf(std::string_view text) {
    if (values.size() >= kSharedTextsMax) {
      const auto found = code_of.find(text);
      if (found != code_of.end()) return found->second;
      values.push_back(text);
      return static_cast<uint32_t>(values.size() - 1);
    }
    const auto [entry, fresh] = code_of.try_emplace(text, static_cast<uint32_t>(values.size()));
    if (fresh) values.push_back(text);
    return entry->second;
  }
};

ColumnConcat::ColumnConcat() = default;
ColumnConcat::~ColumnConcat() = default;
ColumnConcat::ColumnConcat(ColumnConcat&&) noexcept = default;
ColumnConcat& ColumnConcat::operator=(ColumnConcat&&) noexcept = default;

void ColumnConcat::AppendTexts(const Column& column) {
  if (texts_ == nullptr) texts_ = std::make_unique<Texts>();
  if (column.dictionary == nullptr) {
    column_.codes.resize(column_.codes.size() + column.size);
    return;
  }
  Texts& texts = *texts_;
  if (texts.last != column.dictionary.get()) {
    texts.dictionaries.push_back(column.dictionary);
    texts.last = column.dictionary.get();
    texts.remap.assign(column.dictionary->values.size(), 0);
  }
  for (size_t row = 0; row < column.size; ++row) {
    if (column.IsNull(row)) {
      column_.codes.push_back(0);
      continue;
    }
    uint32_t& code = texts.remap[column.codes[row]];
    if (code == 0) code = texts.CodeOf(column.StringAt(row)) + 1;
    column_.codes.push_back(code - 1);
  }
}

void ColumnConcat::Widen(const Column& column) {
  builder_ = std::make_unique<ColumnBuilder>();
  const Column before = Finish();
  for (size_t row = 0; row < before.size; ++row) builder_->AppendFrom(before, row);
  for (size_t row = 0; row < column.size; ++row) builder_->AppendFrom(column, row);
}

void ColumnConcat::AppendRows(const Column& column) {
  if (builder_ != nullptr) {
    for (size_t row = 0; row < column.size; ++row) builder_->AppendFrom(column, row);
    return;
  }
  if (column.size == 0) {
    if (column_.type == Type::kNull && column_.size == 0) column_.type = column.type;
    return;
  }
  if (column_.type != column.type && column.type != Type::kNull) {
    if (column_.type != Type::kNull && column_.size != 0) {
      Widen(column);
      return;
    }
    // Only nulls until now: their entries of the new type are zero.
    const size_t nulls = column_.size;
    column_.type = column.type;
    if (nulls > 0) column_.valid.assign(nulls, 0);
    switch (column.type) {
      case Type::kDouble: column_.doubles.resize(nulls); break;
      case Type::kString: column_.codes.resize(nulls); break;
      case Type::kTraceId: column_.trace_ids.resize(nulls); break;
      case Type::kMixed: column_.mixed.resize(nulls); break;
      case Type::kHistogram: column_.histograms.resize(nulls); break;
      default: column_.ints.resize(nulls);
    }
  }
  const size_t before = column_.size;
  column_.size += column.size;
  if (column.type == Type::kNull || !column.valid.empty() || !column_.valid.empty()) {
    if (column_.valid.empty() && column_.type != Type::kNull) column_.valid.assign(before, 1);
    if (column_.type != Type::kNull) {
      if (column.type == Type::kNull) {
        column_.valid.resize(column_.size, 0);
      } else if (column.valid.empty()) {
        column_.valid.resize(column_.size, 1);
      } else {
        AppendAll(&column_.valid, column.valid);
      }
    }
  }
  if (column.type == Type::kNull) {
    switch (column_.type) {
      case Type::kNull: break;
      case Type::kDouble: column_.doubles.resize(column_.size); break;
      case Type::kString: column_.codes.resize(column_.size); break;
      case Type::kTraceId: column_.trace_ids.resize(column_.size); break;
      case Type::kMixed: column_.mixed.resize(column_.size); break;
      case Type::kHistogram: column_.histograms.resize(column_.size); break;
      default: column_.ints.resize(column_.size);
    }
    return;
  }
  switch (column.type) {
    case Type::kNull: break;
    case Type::kDouble: AppendAll(&column_.doubles, column.doubles); break;
    case Type::kString: AppendTexts(column); break;
    case Type::kTraceId: AppendAll(&column_.trace_ids, column.trace_ids); break;
    case Type::kMixed: AppendAll(&column_.mixed, column.mixed); break;
    case Type::kHistogram: AppendAll(&column_.histograms, column.histograms); break;
    default: AppendAll(&column_.ints, column.ints);
  }
}

void ColumnConcat::Append(const Column& column) {
  if (only_) AppendRows(*std::exchange(only_, std::nullopt));
  AppendRows(column);
}

void ColumnConcat::Append(Column&& column) {
  const bool first = !only_ && column_.size == 0 && column_.type == Type::kNull && builder_ == nullptr;
  // Texts of a few rows out of many are better kept without the others, which all later stages would drag along.
  const size_t texts = column.dictionary == nullptr ? 0 : column.dictionary->values.size();
  const bool in_use = texts <= std::max(column.size, kUnusedTextsMax);
  if (first && column.size > 0 && column.type != Type::kNull && in_use) {
    only_ = std::move(column);
  } else {
    Append(std::as_const(column));
  }
}

Column ColumnConcat::Finish() {
  if (only_) return *std::exchange(only_, std::nullopt);
  if (builder_ != nullptr && column_.size == 0) {
    Column column = builder_->Finish();
    builder_ = nullptr;
    return column;
  }
  Column column = std::exchange(column_, Column());
  if (column.type == Type::kString) {
    auto dictionary = std::make_shared<StringDictionary>();
    if (texts_ != nullptr) {
      dictionary->values = std::move(texts_->values);
      dictionary->owner =
          std::make_shared<std::vector<std::shared_ptr<const StringDictionary>>>(std::move(texts_->dictionaries));
      texts_ = nullptr;
    }
    // Null rows carry code 0, which must exist for those who read codes without looking at validity.
    if (dictionary->values.empty()) dictionary->values.emplace_back();
    column.dictionary = std::move(dictionary);
  }
  return column;
}

uint64_t ApproximateRowBytes(const Column& column) {
  uint64_t bytes = column.valid.size() + column.ints.size() * 8 + column.doubles.size() * 8 + column.codes.size() * 4 +
                   column.trace_ids.size() * 16 + column.mixed.size() * sizeof(Value);
  for (const Value& value : column.mixed) {
    if (const auto* text = std::get_if<std::string>(&value)) bytes += text->size() > 15 ? text->size() : 0;
  }
  for (const auto& histogram : column.histograms) {
    bytes += sizeof histogram;
    if (histogram != nullptr)
      bytes += sizeof(Histogram) + (histogram->positive.size() + histogram->negative.size()) * 16;
  }
  return bytes;
}

uint64_t ApproximateBytes(const Column& column) {
  uint64_t bytes = ApproximateRowBytes(column);
  if (column.dictionary != nullptr) {
    for (const std::string_view text : column.dictionary->values) bytes += sizeof text + text.size();
  }
  return bytes;
}

uint64_t ApproximateBytes(const RecordBatch& batch) {
  uint64_t bytes = 0;
  for (const Column& column : batch.columns) bytes += ApproximateBytes(column);
  return bytes;
}

}  // namespace braid
