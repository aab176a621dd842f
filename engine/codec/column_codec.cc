// column := byte(type [+ 128 if there are nulls]) [ nulls ] values of the rows that are not null
// nulls  := varint(valid rows) byte(0) bitmap             one bit a row, low bits first, 1 = valid; spare bits are 0
//         | varint(valid rows) byte(1) varint(n) ints(n run lengths)    valid and null rows by turns, valid first
// values := nothing           kNull
//         | ints              kBool, kInt, kTimestamp, kDuration, kLevel, kSpanKind, kStatus
//         | words             kSpanId
//         | doubles | strings | traces
//         | varint(size of each histogram)... as ints, text(histograms)        kHistogram
//         | ints(kinds) ints(bools) ints(ints) doubles strings                 kMixed: values of one kind together
// Page: docs/format/column.md; ints, doubles, strings, words, traces: the headers of their codecs.
#include "engine/codec/column_codec.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/chunk.h"
#include "engine/codec/double_codec.h"
#include "engine/codec/int_codec.h"
#include "engine/codec/string_codec.h"

namespace braid {
namespace {

constexpr uint8_t kNullsFlag = 0x80;
constexpr uint8_t kBitmapNulls = 0;
constexpr uint8_t kRunNulls = 1;
constexpr size_t kMixedKinds = std::variant_size_v<Value>;

bool HoldsInts(Type type) {
  switch (type) {
    case Type::kBool:
    case Type::kInt:
    case Type::kTimestamp:
    case Type::kDuration:
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: return true;
    default: return false;
  }
}

// Validity of the rows, with null histograms counted as null.
std::vector<uint8_t> ValidityOf(const Column& column) {
  if (column.type == Type::kNull) return {};
  std::vector<uint8_t> valid = column.valid;
  if (column.type == Type::kHistogram) {
    valid.resize(column.size, 1);
    for (size_t row = 0; row < column.size; ++row) {
      if (column.histograms[row] == nullptr) valid[row] = 0;
    }
  }
  const bool all = std::all_of(valid.begin(), valid.end(), [](uint8_t v) { return v != 0; });
  return all ? std::vector<uint8_t>() : valid;
}

void PutNulls(const std::vector<uint8_t>& valid, std::string* out) {
  const size_t rows = valid.size();
  std::vector<int64_t> runs;
  size_t valid_count = 0;
  bool current = true;
  for (size_t begin = 0; begin < rows; current = !current) {
    size_t end = begin;
    while (end < rows && (valid.data()[end] != 0) == current) ++end;
    runs.push_back(static_cast<int64_t>(end - begin));
    if (current) valid_count += end - begin;
    begin = end;
  }
  PutVarint(out, valid_count);
  std::string as_runs;
  PutByte(&as_runs, kRunNulls);
  PutVarint(&as_runs, runs.size());
  PutInts(runs, &as_runs);
  if (as_runs.size() <= (rows + 7) / 8) return PutRaw(out, as_runs);
  std::string bitmap((rows + 7) / 8, '\0');
  char* bits = bitmap.data();
  for (size_t row = 0; row < rows; ++row) {
    bits[row / 8] = static_cast<char>(bits[row / 8] | (valid.data()[row] != 0 ? 1 : 0) << (row % 8));
  }
  PutByte(out, kBitmapNulls);
  PutRaw(out, bitmap);
}

bool ReadRunNulls(Decoder* decoder, size_t rows, std::vector<uint8_t>* valid) {
  uint64_t count;
  // Runs but the first have a row at least.
  if (!decoder->ReadVarintMax(rows + 1, &count)) return false;
  std::vector<int64_t> runs(count);
  if (!ReadInts(decoder, count, runs.data())) return false;
  valid->reserve(rows);
  uint8_t current = 1;
  for (int64_t run : runs) {
    if (run < 0 || static_cast<uint64_t>(run) > rows - valid->size()) return decoder->Fail();
    valid->insert(valid->end(), static_cast<size_t>(run), current);
    current ^= 1;
  }
  return true;
}

bool ReadNulls(Decoder* decoder, size_t rows, std::vector<uint8_t>* valid, size_t* valid_count) {
  uint64_t expected;
  uint8_t form;
  if (!decoder->ReadVarintMax(rows, &expected) || !decoder->ReadByte(&form)) return false;
  if (form == kBitmapNulls) {
    std::string_view bitmap;
    if (!decoder->ReadRaw((rows + 7) / 8, &bitmap)) return false;
    valid->resize(rows);
    for (size_t row = 0; row < rows; ++row) {
      (*valid)[row] = (static_cast<uint8_t>(bitmap[row / 8]) >> (row % 8)) & 1;
    }
  } else if (form != kRunNulls || !ReadRunNulls(decoder, rows, valid)) {
    return decoder->Fail();
  }
  const auto count = static_cast<size_t>(std::count(valid->begin(), valid->end(), 1));
  if (valid->size() != rows || count != expected) return decoder->Fail();
  *valid_count = count;
  return true;
}

// Values of the valid rows, one after another.
template <typename T>
std::span<const T> Dense(const std::vector<T>& values, const std::vector<uint8_t>& valid, std::vector<T>* room) {
  if (valid.empty()) return values;
  room->reserve(values.size());
  for (size_t row = 0; row < values.size(); ++row) {
    if (valid.data()[row] != 0) room->push_back(values.data()[row]);
  }
  return *room;
}

// Moves dense values to their rows, zeros between them.
template <typename T>
void Spread(const std::vector<uint8_t>& valid, std::vector<T>* values) {
  if (valid.empty()) return;
  std::vector<T> spread(valid.size());
  size_t next = 0;
  for (size_t row = 0; row < valid.size(); ++row) {
    if (valid[row] != 0) spread[row] = std::move((*values)[next++]);
  }
  *values = std::move(spread);
}

void PutMixed(std::span<const Value> values, std::string* out) {
  std::vector<int64_t> kinds;
  std::vector<int64_t> bools;
  std::vector<int64_t> ints;
  std::vector<double> doubles;
  StringDictionary strings;
  std::vector<uint32_t> codes;
  for (const Value& value : values) {
    kinds.push_back(static_cast<int64_t>(value.index()));
    if (const bool* truth = std::get_if<bool>(&value)) {
      bools.push_back(*truth ? 1 : 0);
    } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
      ints.push_back(*integer);
    } else if (const double* number = std::get_if<double>(&value)) {
      doubles.push_back(*number);
    } else if (const std::string* text = std::get_if<std::string>(&value)) {
      codes.push_back(static_cast<uint32_t>(strings.values.size()));
      strings.values.push_back(*text);
    }
  }
  PutInts(kinds, out);
  PutInts(bools, out);
  PutInts(ints, out);
  PutDoubles(doubles, out);
  if (!codes.empty()) PutStrings(strings, codes, out);
}

bool ReadMixed(Decoder* decoder, size_t count, std::vector<Value>* values) {
  std::vector<int64_t> kinds(count);
  if (!ReadInts(decoder, count, kinds.data())) return false;
  size_t counts[kMixedKinds] = {};
  for (int64_t kind : kinds) {
    if (kind < 0 || static_cast<size_t>(kind) >= kMixedKinds) return decoder->Fail();
    ++counts[kind];
  }
  std::vector<int64_t> bools(counts[1]);
  std::vector<int64_t> ints(counts[2]);
  std::vector<double> doubles(counts[3]);
  std::vector<uint32_t> codes;
  std::shared_ptr<const StringDictionary> strings;
  if (!ReadInts(decoder, bools.size(), bools.data()) || !ReadInts(decoder, ints.size(), ints.data()) ||
      !ReadDoubles(decoder, doubles.size(), doubles.data()) ||
      (counts[4] > 0 && !ReadStrings(decoder, counts[4], kMaxColumnTextBytes, &codes, &strings))) {
    return false;
  }
  // A dictionary's texts are copied per row: a few damaged bytes must not make gigabytes of them.
  size_t text_bytes = 0;
  for (uint32_t code : codes) text_bytes += strings->values[code].size();
  if (text_bytes > kMaxColumnTextBytes) return decoder->Fail();
  values->reserve(count);
  size_t next[kMixedKinds] = {};
  for (int64_t kind : kinds) {
    const size_t index = next[kind]++;
    switch (kind) {
      case 0: values->emplace_back(); break;
      case 1: values->emplace_back(bools[index] != 0); break;
      case 2: values->emplace_back(ints[index]); break;
      case 3: values->emplace_back(doubles[index]); break;
      default: values->emplace_back(std::string(strings->values[codes[index]])); break;
    }
  }
  return true;
}

using HistogramPtr = std::shared_ptr<const Histogram>;

void PutHistogramColumn(std::span<const HistogramPtr> histograms, std::string* out) {
  std::vector<int64_t> sizes;
  std::string text;
  for (const HistogramPtr& histogram : histograms) {
    const size_t before = text.size();
    EncodeHistogram(*histogram, &text);
    sizes.push_back(static_cast<int64_t>(text.size() - before));
  }
  PutInts(sizes, out);
  PutText(text, out);
}

bool ReadHistogramColumn(Decoder* decoder, size_t count, std::vector<HistogramPtr>* histograms) {
  std::vector<int64_t> sizes(count);
  std::string text;
  if (!ReadInts(decoder, count, sizes.data()) || !ReadText(decoder, kMaxColumnTextBytes, &text)) return false;
  Decoder bodies(text);
  for (int64_t size : sizes) {
    std::string_view body;
    if (size < 0 || !bodies.ReadRaw(static_cast<size_t>(size), &body)) return decoder->Fail();
    auto histogram = std::make_shared<Histogram>();
    Decoder one(body);
    if (!ReadHistogram(&one, histogram.get()) || !one.done()) return decoder->Fail();
    histograms->push_back(std::move(histogram));
  }
  return bodies.done() || decoder->Fail();
}

bool ReadValues(Decoder* decoder, size_t count, Column* column) {
  switch (column->type) {
    case Type::kNull: return true;
    case Type::kDouble: column->doubles.resize(count); return ReadDoubles(decoder, count, column->doubles.data());
    case Type::kString:
      if (count == 0) {
        column->dictionary = std::make_shared<StringDictionary>();
        return true;
      }
      return ReadStrings(decoder, count, kMaxColumnTextBytes, &column->codes, &column->dictionary);
    case Type::kTraceId:
      column->trace_ids.resize(count);
      return count == 0 || ReadTraceIds(decoder, count, column->trace_ids.data());
    case Type::kSpanId: column->ints.resize(count); return count == 0 || ReadWords(decoder, count, column->ints.data());
    case Type::kMixed: return ReadMixed(decoder, count, &column->mixed);
    case Type::kHistogram: return count == 0 || ReadHistogramColumn(decoder, count, &column->histograms);
    default: column->ints.resize(count); return ReadInts(decoder, count, column->ints.data());
  }
}

void SpreadValues(Column* column) {
  if (HoldsInts(column->type) || column->type == Type::kSpanId) Spread(column->valid, &column->ints);
  if (column->type == Type::kDouble) Spread(column->valid, &column->doubles);
  if (column->type == Type::kString) Spread(column->valid, &column->codes);
  if (column->type == Type::kTraceId) Spread(column->valid, &column->trace_ids);
  if (column->type == Type::kMixed) Spread(column->valid, &column->mixed);
  if (column->type == Type::kHistogram) Spread(column->valid, &column->histograms);
}

// Words of an enum, truth values: readers use them as such.
bool IsInRange(const Column& column) {
  int64_t greatest;
  switch (column.type) {
    case Type::kBool: greatest = 1; break;
    case Type::kLevel: greatest = static_cast<int64_t>(Level::kFatal); break;
    case Type::kSpanKind: greatest = static_cast<int64_t>(SpanKind::kConsumer); break;
    case Type::kStatus: greatest = static_cast<int64_t>(StatusCode::kError); break;
    default: return true;
  }
  return std::all_of(column.ints.begin(), column.ints.end(), [=](int64_t v) { return v >= 0 && v <= greatest; });
}

}  // namespace

std::string EncodeColumn(const Column& column) {
  std::string out;
  const std::vector<uint8_t> valid = ValidityOf(column);
  PutByte(&out, static_cast<uint8_t>(static_cast<uint8_t>(column.type) | (valid.empty() ? 0 : kNullsFlag)));
  if (!valid.empty()) PutNulls(valid, &out);
  switch (column.type) {
    case Type::kNull: break;
    case Type::kDouble: {
      std::vector<double> room;
      PutDoubles(Dense(column.doubles, valid, &room), &out);
      break;
    }
    case Type::kString: {
      std::vector<uint32_t> room;
      const std::span<const uint32_t> codes = Dense(column.codes, valid, &room);
      if (!codes.empty()) PutStrings(*column.dictionary, codes, &out);
      break;
    }
    case Type::kTraceId: {
      std::vector<TraceId> room;
      const std::span<const TraceId> ids = Dense(column.trace_ids, valid, &room);
      if (!ids.empty()) PutTraceIds(ids, &out);
      break;
    }
    case Type::kSpanId: {
      std::vector<int64_t> room;
      const std::span<const int64_t> words = Dense(column.ints, valid, &room);
      if (!words.empty()) PutWords(words, &out);
      break;
    }
    case Type::kMixed: {
      std::vector<Value> room;
      PutMixed(Dense(column.mixed, valid, &room), &out);
      break;
    }
    case Type::kHistogram: {
      std::vector<HistogramPtr> room;
      const std::span<const HistogramPtr> histograms = Dense(column.histograms, valid, &room);
      if (!histograms.empty()) PutHistogramColumn(histograms, &out);
      break;
    }
    default: {
      std::vector<int64_t> room;
      PutInts(Dense(column.ints, valid, &room), &out);
      break;
    }
  }
  return out;
}

absl::Status DecodeColumn(std::string_view bytes, size_t rows, Column* column) {
  *column = Column();
  const auto damaged = [&](const char* what) {
    *column = Column();
    return absl::DataLossError(absl::StrCat("column: ", what));
  };
  Decoder decoder(bytes);
  uint8_t head;
  if (!decoder.ReadByte(&head)) return damaged("no bytes");
  const uint8_t type = head & ~kNullsFlag;
  if (type > static_cast<uint8_t>(Type::kHistogram)) return damaged("unknown type");
  column->type = static_cast<Type>(type);
  column->size = rows;
  size_t valid_rows = rows;
  if ((head & kNullsFlag) != 0 && !ReadNulls(&decoder, rows, &column->valid, &valid_rows)) return damaged("bad nulls");
  if (!ReadValues(&decoder, valid_rows, column) || !decoder.done()) return damaged("bad values");
  if (!IsInRange(*column)) return damaged("value out of range");
  SpreadValues(column);
  return absl::OkStatus();
}

std::string EncodeInts(const std::vector<int64_t>& values) {
  std::string out;
  PutInts(values, &out);
  return out;
}

absl::Status DecodeInts(std::string_view bytes, size_t count, std::vector<int64_t>* values) {
  values->assign(count, 0);
  Decoder decoder(bytes);
  if (ReadInts(&decoder, count, values->data()) && decoder.done()) return absl::OkStatus();
  values->clear();
  return absl::DataLossError("integers: damaged");
}

}  // namespace braid
