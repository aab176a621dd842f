#include "braid/record_batch.h"

#include <algorithm>
#include <cmath>

#include "engine/base/checksum.h"

namespace braid {
namespace {

// Above this many distinct strings the builder stops looking for equal ones: such a column is of messages or ids, and
// the index would only cost memory.
constexpr size_t kSharedStringsMax = 1 << 16;
constexpr size_t kFirstSlots = 64;
constexpr int64_t kExactInteger = int64_t{1} << 53;

bool IsExactInDouble(int64_t value) { return value >= -kExactInteger && value <= kExactInteger; }

double BaseOf(int32_t schema) { return std::exp2(std::exp2(-static_cast<double>(schema))); }

void PutNumber(double value, std::string* out) { out->append(ToText(value)); }

void PutBucket(const Histogram& histogram, const Histogram::Bucket& bucket, bool negative, std::string* out) {
  double low;
  double high;
  if (histogram.schema == -53) {
    const auto& bounds = histogram.custom_bounds;
    const auto bound = [&](int64_t index) {
      if (index < 0) return -HUGE_VAL;
      return static_cast<size_t>(index) < bounds.size() ? bounds[static_cast<size_t>(index)] : HUGE_VAL;
    };
    low = bound(int64_t{bucket.index} - 1);
    high = bound(bucket.index);
  } else {
    const double base = BaseOf(histogram.schema);
    low = std::pow(base, static_cast<double>(bucket.index) - 1);
    high = std::pow(base, static_cast<double>(bucket.index));
  }
  out->append(negative ? ", [" : ", (");
  PutNumber(negative ? -high : low, out);
  out->push_back(',');
  PutNumber(negative ? -low : high, out);
  out->append(negative ? "):" : "]:");
  PutNumber(bucket.count, out);
}

// `{count:3, sum:4.5, [-1,-0.5):1, [-0.001,0.001]:1, (1,2]:1}`, as Prometheus writes native histograms.
std::string HistogramText(const Histogram& histogram) {
  std::string text = "{count:";
  PutNumber(histogram.count, &text);
  text.append(", sum:");
  PutNumber(histogram.sum, &text);
  for (auto bucket = histogram.negative.rbegin(); bucket != histogram.negative.rend(); ++bucket) {
    if (bucket->count != 0) PutBucket(histogram, *bucket, true, &text);
  }
  if (histogram.zero_count != 0) {
    text.append(", [");
    PutNumber(-histogram.zero_threshold, &text);
    text.push_back(',');
    PutNumber(histogram.zero_threshold, &text);
    text.append("]:");
    PutNumber(histogram.zero_count, &text);
  }
  for (const Histogram::Bucket& bucket : histogram.positive) {
    if (bucket.count != 0) PutBucket(histogram, bucket, false, &text);
  }
  return text + "}";
}

template <typename T>
void SelectInto(const std::vector<T>& from, const std::vector<uint32_t>& rows, std::vector<T>* to) {
  if (from.empty()) return;
  to->resize(rows.size());
  T* out = to->data();
  for (uint32_t row : rows) *out++ = from[row];
}

}  // namespace

std::string_view ToString(Type type) {
  switch (type) {
    case Type::kNull: return "null";
    case Type::kBool: return "bool";
    case Type::kInt: return "int";
    case Type::kDouble: return "double";
    case Type::kString: return "string";
    case Type::kTimestamp: return "timestamp";
    case Type::kDuration: return "duration";
    case Type::kTraceId: return "trace_id";
    case Type::kSpanId: return "span_id";
    case Type::kLevel: return "level";
    case Type::kSpanKind: return "kind";
    case Type::kStatus: return "status";
    case Type::kMixed: return "mixed";
    case Type::kHistogram: return "histogram";
  }
  return "unknown";
}

std::shared_ptr<const StringDictionary> StringDictionary::Make(const std::vector<std::string_view>& texts) {
  auto dictionary = std::make_shared<StringDictionary>();
  size_t size = 0;
  for (std::string_view text : texts) size += text.size();
  dictionary->bytes.reserve(size);
  for (std::string_view text : texts) dictionary->bytes.append(text);
  dictionary->values.reserve(texts.size());
  size_t at = 0;
  for (std::string_view text : texts) {
    dictionary->values.push_back(std::string_view(dictionary->bytes).substr(at, text.size()));
    at += text.size();
  }
  return dictionary;
}

Value Column::ValueAt(size_t row) const {
  if (IsNull(row)) return std::monostate{};
  switch (type) {
    case Type::kNull: break;
    case Type::kBool: return ints[row] != 0;
    case Type::kInt:
    case Type::kTimestamp:
    case Type::kDuration: return ints[row];
    case Type::kDouble: return doubles[row];
    case Type::kString: return std::string(StringAt(row));
    case Type::kTraceId: return ToHex(trace_ids[row]);
    case Type::kSpanId: return ToHex(SpanId{static_cast<uint64_t>(ints[row])});
    case Type::kLevel: return std::string(ToString(static_cast<Level>(ints[row])));
    case Type::kSpanKind: return std::string(ToString(static_cast<SpanKind>(ints[row])));
    case Type::kStatus: return std::string(ToString(static_cast<StatusCode>(ints[row])));
    case Type::kMixed: return mixed[row];
    case Type::kHistogram: return histograms[row] == nullptr ? Value() : Value(HistogramText(*histograms[row]));
  }
  return std::monostate{};
}

Column Column::Select(const std::vector<uint32_t>& rows) const {
  Column selected;
  selected.type = type;
  selected.size = rows.size();
  selected.dictionary = dictionary;
  SelectInto(valid, rows, &selected.valid);
  SelectInto(ints, rows, &selected.ints);
  SelectInto(doubles, rows, &selected.doubles);
  SelectInto(codes, rows, &selected.codes);
  SelectInto(trace_ids, rows, &selected.trace_ids);
  SelectInto(mixed, rows, &selected.mixed);
  SelectInto(histograms, rows, &selected.histograms);
  return selected;
}

RecordBatch RecordBatch::Select(const std::vector<uint32_t>& rows) const {
  RecordBatch selected;
  selected.num_rows = rows.size();
  selected.columns.reserve(columns.size());
  for (const Column& column : columns) selected.columns.push_back(column.Select(rows));
  return selected;
}

inline void ColumnBuilder::PushValid(bool valid) {
  if (!valid && column_.valid.empty()) column_.valid.assign(column_.size, 1);
  if (!column_.valid.empty() || !valid) column_.valid.push_back(valid ? 1 : 0);
  ++column_.size;
}

void ColumnBuilder::PushZero() {
  switch (column_.type) {
    case Type::kNull: break;
    case Type::kDouble: column_.doubles.push_back(0); break;
    case Type::kString: column_.codes.push_back(0); break;
    case Type::kTraceId: column_.trace_ids.push_back({}); break;
    case Type::kMixed: column_.mixed.emplace_back(); break;
    case Type::kHistogram: column_.histograms.emplace_back(); break;
    default: column_.ints.push_back(0); break;
  }
}

// Gives an untyped column its type; the rows so far are null.
void ColumnBuilder::Adopt(Type type) {
  const size_t nulls = column_.size;
  column_.type = type;
  for (size_t i = 0; i < nulls; ++i) PushZero();
  if (nulls > 0) column_.valid.assign(nulls, 0);
}

// Makes the column able to hold values of `type` beside its own.
inline void ColumnBuilder::Widen(Type type) {
  if (column_.type != type && column_.type != Type::kMixed) WidenFrom(type);
}

void ColumnBuilder::WidenFrom(Type type) {
  if (column_.type == Type::kNull) return Adopt(type);
  if (column_.type == Type::kInt && type == Type::kDouble) {
    bool exact = true;
    for (int64_t value : column_.ints) exact = exact && IsExactInDouble(value);
    if (exact) {
      column_.doubles.assign(column_.ints.begin(), column_.ints.end());
      column_.ints.clear();
      column_.type = Type::kDouble;
      return;
    }
  }
  Column typed = Finish();
  column_.type = Type::kMixed;
  column_.size = typed.size;
  column_.mixed.reserve(typed.size);
  for (size_t row = 0; row < typed.size; ++row) column_.mixed.push_back(typed.ValueAt(row));
  column_.valid = std::move(typed.valid);
}

void ColumnBuilder::AppendNull() {
  if (column_.type == Type::kNull) {
    ++column_.size;
    return;
  }
  PushZero();
  PushValid(false);
}

void ColumnBuilder::AppendInt(Type type, int64_t value) {
  if (column_.type == Type::kDouble && type == Type::kInt && IsExactInDouble(value)) {
    return AppendDouble(static_cast<double>(value));
  }
  Widen(type);
  if (column_.type == Type::kMixed) {
    Column one;
    one.type = type;
    one.ints = {value};
    column_.mixed.push_back(one.ValueAt(0));
  } else {
    column_.ints.push_back(value);
  }
  PushValid(true);
}

void ColumnBuilder::AppendDouble(double value) {
  Widen(Type::kDouble);
  if (column_.type == Type::kMixed) {
    column_.mixed.emplace_back(value);
  } else {
    column_.doubles.push_back(value);
  }
  PushValid(true);
}

void ColumnBuilder::AppendString(std::string_view value) {
  Widen(Type::kString);
  if (column_.type == Type::kMixed) {
    column_.mixed.emplace_back(std::string(value));
  } else {
    column_.codes.push_back(CodeOf(value));
  }
  PushValid(true);
}

void ColumnBuilder::AppendTraceId(TraceId id) {
  Widen(Type::kTraceId);
  if (column_.type == Type::kMixed) {
    column_.mixed.emplace_back(ToHex(id));
  } else {
    column_.trace_ids.push_back(id);
  }
  PushValid(true);
}

void ColumnBuilder::AppendHistogram(std::shared_ptr<const Histogram> histogram) {
  if (histogram == nullptr) return AppendNull();
  Widen(Type::kHistogram);
  if (column_.type == Type::kMixed) {
    column_.mixed.emplace_back(HistogramText(*histogram));
  } else {
    column_.histograms.push_back(std::move(histogram));
  }
  PushValid(true);
}

void ColumnBuilder::AppendValue(const ValueView& value) {
  if (const bool* truth = std::get_if<bool>(&value)) return AppendInt(Type::kBool, *truth ? 1 : 0);
  if (const int64_t* integer = std::get_if<int64_t>(&value)) return AppendInt(Type::kInt, *integer);
  if (const double* number = std::get_if<double>(&value)) return AppendDouble(*number);
  if (const std::string_view* text = std::get_if<std::string_view>(&value)) return AppendString(*text);
  AppendNull();
}

void ColumnBuilder::AppendFrom(const Column& from, size_t row) {
  if (from.IsNull(row)) return AppendNull();
  switch (from.type) {
    case Type::kNull: return AppendNull();
    case Type::kDouble: return AppendDouble(from.doubles[row]);
    case Type::kString: return AppendString(from.StringAt(row));
    case Type::kTraceId: return AppendTraceId(from.trace_ids[row]);
    case Type::kMixed: return AppendValue(View(from.mixed[row]));
    case Type::kHistogram: return AppendHistogram(from.histograms[row]);
    default: return AppendInt(from.type, from.ints[row]);
  }
}

void ColumnBuilder::AppendRange(const Column& from, size_t begin, size_t end, std::vector<uint32_t>* codes) {
  const size_t count = end - begin;
  const auto valid = from.valid.begin() + static_cast<ptrdiff_t>(from.valid.empty() ? 0 : begin);
  const size_t nulls =
      from.valid.empty() ? 0 : static_cast<size_t>(std::count(valid, valid + static_cast<ptrdiff_t>(count), 0));
  if (from.type == Type::kNull || nulls == count) {
    for (size_t i = 0; i < count; ++i) AppendNull();
    return;
  }
  // Values of several types may be of a single one here, and a histogram may be missing.
  const bool by_row = from.type == Type::kMixed || from.type == Type::kHistogram;
  if (column_.type == Type::kNull && !by_row) Adopt(from.type);
  if (column_.type != from.type || by_row) {
    for (size_t row = begin; row < end; ++row) AppendFrom(from, row);
    return;
  }
  if (column_.valid.empty() && nulls > 0) column_.valid.assign(column_.size, 1);
  if (nulls > 0) {
    column_.valid.insert(column_.valid.end(), valid, valid + static_cast<ptrdiff_t>(count));
  } else if (!column_.valid.empty()) {
    column_.valid.insert(column_.valid.end(), count, 1);
  }
  column_.size += count;
  const auto append = [&](auto* to, const auto& values) {
    to->insert(to->end(), values.begin() + static_cast<ptrdiff_t>(begin), values.begin() + static_cast<ptrdiff_t>(end));
  };
  switch (from.type) {
    case Type::kDouble: return append(&column_.doubles, from.doubles);
    case Type::kTraceId: return append(&column_.trace_ids, from.trace_ids);
    case Type::kString:
      codes->resize(from.dictionary->values.size(), 0);
      for (size_t row = begin; row < end; ++row) {
        if (from.IsNull(row)) {
          column_.codes.push_back(0);
          continue;
        }
        uint32_t& code = (*codes)[from.codes[row]];  // + 1
        if (code == 0) code = CodeOf(from.StringAt(row)) + 1;
        column_.codes.push_back(code - 1);
      }
      return;
    default: return append(&column_.ints, from.ints);
  }
}

std::string_view ColumnBuilder::TextAt(size_t code) const {
  if (text_owner_ != nullptr) return borrowed_[code];
  const size_t begin = code == 0 ? 0 : string_ends_[code - 1];
  return std::string_view(string_bytes_).substr(begin, string_ends_[code] - begin);
}

void ColumnBuilder::GrowSlots() {
  const std::vector<Slot> old = std::move(string_slots_);
  string_slots_.assign(old.empty() ? kFirstSlots : old.size() * 2, {});
  for (const Slot& one : old) {
    if (one.code == 0) continue;
    size_t slot = one.hash & (string_slots_.size() - 1);
    while (string_slots_[slot].code != 0) slot = (slot + 1) & (string_slots_.size() - 1);
    string_slots_[slot] = one;
  }
}

uint32_t ColumnBuilder::CodeOf(std::string_view text) {
  const size_t count = texts();
  const bool shared = count < kSharedStringsMax;
  if (string_slots_.size() < 2 * (count + 1) && shared) GrowSlots();
  const auto hash = static_cast<uint32_t>(Hash64(text));
  size_t slot = hash & (string_slots_.size() - 1);
  for (; string_slots_[slot].code != 0; slot = (slot + 1) & (string_slots_.size() - 1)) {
    const Slot& known = string_slots_[slot];
    if (known.hash == hash && TextAt(known.code - 1) == text) return known.code - 1;
  }
  if (text_owner_ != nullptr) {
    borrowed_.push_back(text);
  } else {
    string_bytes_.append(text);
    string_ends_.push_back(string_bytes_.size());
  }
  const auto code = static_cast<uint32_t>(count);
  if (shared) string_slots_[slot] = {hash, code + 1};
  return code;
}

Column ColumnBuilder::Finish() {
  if (column_.type == Type::kString) {
    auto dictionary = std::make_shared<StringDictionary>();
    dictionary->distinct = texts() <= kSharedStringsMax;
    if (text_owner_ != nullptr) {
      dictionary->values = std::move(borrowed_);
      dictionary->owner = text_owner_;
    } else {
      dictionary->bytes = std::move(string_bytes_);
      dictionary->values.reserve(string_ends_.size());
      size_t begin = 0;
      for (size_t end : string_ends_) {
        dictionary->values.push_back(std::string_view(dictionary->bytes).substr(begin, end - begin));
        begin = end;
      }
    }
    column_.dictionary = std::move(dictionary);
  }
  string_bytes_.clear();
  string_ends_.clear();
  borrowed_.clear();
  string_slots_.clear();
  Column finished = std::move(column_);
  column_ = Column();
  return finished;
}

}  // namespace braid
