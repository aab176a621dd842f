#include "engine/db/delete_spec.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/part/label_matcher.h"

namespace braid {
namespace {

absl::Status CheckPredicate(Table table, const Predicate& predicate) {
  const ColumnRef& column = predicate.column;
  if (column.name.empty()) return absl::InvalidArgumentError("a delete's column has no name");
  if (column.level == ColumnLevel::kBuiltin) {
    bool known = false;
    for (const auto& [name, type] : BuiltinColumns(table)) known = known || name == column.name;
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("table ", Absl(ToString(table)), " has no built-in column \"", column.name, "\""));
    }
  }
  const bool equality = predicate.op == Predicate::Op::kEqual || predicate.op == Predicate::Op::kNotEqual ||
                        predicate.op == Predicate::Op::kIn;
  if (!equality) return absl::InvalidArgumentError("a delete compares \"" + column.name + "\" by more than equality");
  const bool one = predicate.op != Predicate::Op::kIn;
  if (predicate.values.empty() || (one && predicate.values.size() != 1)) {
    return absl::InvalidArgumentError("a delete compares \"" + column.name + "\" with no value, or with too many");
  }
  for (const Value& value : predicate.values) {
    const double* number = std::get_if<double>(&value);
    if (value.index() == 0 || (number != nullptr && std::isnan(*number))) {
      return absl::InvalidArgumentError("a delete compares \"" + column.name + "\" with null or NaN");
    }
  }
  return absl::OkStatus();
}

void EncodeValue(const Value& value, std::string* out) {
  PutByte(out, static_cast<uint8_t>(value.index()));
  if (const bool* flag = std::get_if<bool>(&value)) {
    PutByte(out, *flag ? 1 : 0);
  } else if (const int64_t* integer = std::get_if<int64_t>(&value)) {
    PutZigzag(out, *integer);
  } else if (const double* number = std::get_if<double>(&value)) {
    PutDouble(out, *number);
  } else if (const std::string* text = std::get_if<std::string>(&value)) {
    PutBytes(out, *text);
  }
}

bool DecodeValue(Decoder* in, Value* value) {
  uint8_t kind = 0, flag = 0;
  int64_t integer = 0;
  double number = 0;
  std::string_view text;
  if (!in->ReadByte(&kind)) return false;
  switch (kind) {
    case 1:
      if (!in->ReadByte(&flag) || flag > 1) return in->Fail();
      *value = flag == 1;
      return true;
    case 2:
      if (!in->ReadZigzag(&integer)) return false;
      *value = integer;
      return true;
    case 3:
      if (!in->ReadDouble(&number)) return false;
      *value = number;
      return true;
    case 4:
      if (!in->ReadBytes(&text)) return false;
      *value = std::string(text);
      return true;
    default: return in->Fail();
  }
}

template <typename Enum>
bool DecodeEnum(Decoder* in, Enum last, Enum* value) {
  uint8_t byte = 0;
  if (!in->ReadByte(&byte)) return false;
  if (byte > static_cast<uint8_t>(last)) return in->Fail();
  *value = static_cast<Enum>(byte);
  return true;
}

bool DecodeText(Decoder* in, std::string* text) {
  std::string_view bytes;
  if (!in->ReadBytes(&bytes)) return false;
  *text = bytes;
  return true;
}

}  // namespace

absl::Status CheckDeleteSpec(const DeleteSpec& spec) {
  if (spec.time.empty()) return absl::InvalidArgumentError("a delete's time range is empty");
  const bool metrics = spec.signal == DeleteSpec::Signal::kMetrics;
  if (metrics ? !spec.predicates.empty() : !spec.matchers.empty()) {
    return absl::InvalidArgumentError(metrics ? "series are deleted by matchers, not by predicates"
                                              : "logs and spans are deleted by predicates, not by matchers");
  }
  // Everything of a signal is a selector away; nothing at all is more likely a mistake.
  if (spec.matchers.empty() && spec.predicates.empty() && spec.time == TimeRange()) {
    return absl::InvalidArgumentError("a delete needs a selector or a time range");
  }
  RETURN_IF_ERROR(CompiledMatcher::MakeAll(spec.matchers).status());
  const Table table = spec.signal == DeleteSpec::Signal::kSpans ? Table::kSpans : Table::kLogs;
  for (const Predicate& predicate : spec.predicates) RETURN_IF_ERROR(CheckPredicate(table, predicate));
  std::string bytes;
  EncodeDeleteSpec(spec, &bytes);
  if (bytes.size() <= kDeleteSpecBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("a delete's selector has more than ", kDeleteSpecBytesMax, " bytes"));
}

void EncodeDeleteSpec(const DeleteSpec& spec, std::string* out) {
  PutByte(out, static_cast<uint8_t>(spec.signal));
  PutFixed64(out, static_cast<uint64_t>(spec.time.start));
  PutFixed64(out, static_cast<uint64_t>(spec.time.end));
  PutVarint(out, spec.matchers.size());
  for (const Matcher& matcher : spec.matchers) {
    PutByte(out, static_cast<uint8_t>(matcher.op));
    PutBytes(out, matcher.name);
    PutBytes(out, matcher.value);
  }
  PutVarint(out, spec.predicates.size());
  for (const Predicate& predicate : spec.predicates) {
    PutByte(out, static_cast<uint8_t>(predicate.column.level));
    PutBytes(out, predicate.column.name);
    PutByte(out, static_cast<uint8_t>(predicate.op));
    PutVarint(out, predicate.values.size());
    for (const Value& value : predicate.values) EncodeValue(value, out);
  }
}

bool DecodeDeleteSpec(std::string_view bytes, DeleteSpec* spec) {
  Decoder in(bytes);
  uint64_t start = 0, end = 0, count = 0;
  if (!DecodeEnum(&in, DeleteSpec::Signal::kSpans, &spec->signal) || !in.ReadFixed64(&start) || !in.ReadFixed64(&end) ||
      !in.ReadVarintMax(in.remaining() / 3, &count)) {
    return false;
  }
  spec->time = {static_cast<Timestamp>(start), static_cast<Timestamp>(end)};
  spec->matchers.resize(count);
  for (Matcher& matcher : spec->matchers) {
    if (!DecodeEnum(&in, Matcher::Op::kNotRegex, &matcher.op) || !DecodeText(&in, &matcher.name) ||
        !DecodeText(&in, &matcher.value)) {
      return false;
    }
  }
  if (!in.ReadVarintMax(in.remaining() / 4, &count)) return false;
  spec->predicates.resize(count);
  for (Predicate& predicate : spec->predicates) {
    if (!DecodeEnum(&in, ColumnLevel::kScope, &predicate.column.level) || !DecodeText(&in, &predicate.column.name) ||
        !DecodeEnum(&in, Predicate::Op::kIn, &predicate.op) || !in.ReadVarintMax(in.remaining() / 2, &count)) {
      return false;
    }
    predicate.values.resize(count);
    for (Value& value : predicate.values) {
      if (!DecodeValue(&in, &value)) return false;
    }
  }
  return in.done() && CheckDeleteSpec(*spec).ok();
}

}  // namespace braid
