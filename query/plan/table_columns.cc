#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "query/plan/table_source.h"
#include "query/rows/cells.h"
#include "query/rows/time_text.h"

namespace braid {
namespace {

// The built-in columns that the language promises; the others are there by name.
const std::vector<std::string>& PromisedColumns(Table table) {
  static const std::vector<std::string> kLogs = {"time",    "service",  "instance", "level",
                                                 "message", "trace_id", "span_id"};
  static const std::vector<std::string> kSpans = {"time",           "end",      "duration", "service",
                                                  "instance",       "name",     "kind",     "status",
                                                  "status_message", "trace_id", "span_id",  "parent_id"};
  static const std::vector<std::string> kEvents = {"time", "name", "service", "trace_id", "span_id"};
  static const std::vector<std::string> kLinks = {"time", "trace_id", "span_id", "linked_trace_id", "linked_span_id"};
  static const std::vector<std::string> kExemplars = {"time", "metric", "value", "trace_id", "span_id"};
  switch (table) {
    case Table::kLogs: return kLogs;
    case Table::kSpans: return kSpans;
    case Table::kEvents: return kEvents;
    case Table::kLinks: return kLinks;
    case Table::kExemplars: return kExemplars;
  }
  return kLogs;
}

std::optional<Type> BuiltinType(Table table, const std::string& name) {
  for (const auto& [builtin, type] : BuiltinColumns(table)) {
    if (builtin == name) return type;
  }
  return std::nullopt;
}

// Built-in columns that may be null while an attribute of the same name has a value.
bool MayFallBack(const std::string& name) { return name == "service" || name == "instance" || name == "level"; }

bool ReadsAsOther(std::string_view text) { return ParseNumber(text).has_value() || text == "true" || text == "false"; }

}  // namespace

TableColumns::TableColumns(const Snapshot& snapshot, Table table)
    : table_(table), columns_(snapshot.Columns(table, TimeRange())), extent_(snapshot.Range(table)) {
  for (const ColumnInfo& column : columns_) rows_ = std::max(rows_, static_cast<double>(column.rows));
}

const ColumnInfo* TableColumns::Find(ColumnLevel level, const std::string& name) const {
  for (const ColumnInfo& column : columns_) {
    if (column.ref.level == level && column.ref.name == name) return &column;
  }
  return nullptr;
}

std::vector<ColumnRef> TableColumns::Resolve(const std::string& name) const {
  if (BuiltinType(table_, name)) {
    const bool elsewhere = MayFallBack(name) && (Find(ColumnLevel::kAttribute, name) != nullptr ||
                                                 Find(ColumnLevel::kScope, name) != nullptr);
    return {ColumnRef{elsewhere ? ColumnLevel::kAny : ColumnLevel::kBuiltin, name}};
  }
  std::vector<ColumnRef> refs;
  const auto forced = [&](std::string_view prefix, ColumnLevel level) {
    if (!name.starts_with(prefix)) return false;
    const std::string rest = name.substr(prefix.size());
    if (Find(level, rest) != nullptr) refs.push_back(ColumnRef{level, rest});
    return true;
  };
  const bool is_forced = forced("attr.", ColumnLevel::kAttribute) || forced("resource.", ColumnLevel::kResource) ||
                         forced("scope.", ColumnLevel::kScope);
  // An attribute may itself be called "resource.x".
  if (!is_forced || refs.empty()) {
    for (const ColumnLevel level : {ColumnLevel::kAttribute, ColumnLevel::kResource, ColumnLevel::kScope}) {
      if (Find(level, name) == nullptr) continue;
      refs.push_back(ColumnRef{ColumnLevel::kAny, name});
      break;
    }
  }
  // OpenTelemetry's event name is a field of its own in newer producers and an attribute in older ones.
  if (table_ == Table::kLogs && name == "event.name") refs.push_back(ColumnRef{ColumnLevel::kBuiltin, "event_name"});
  return refs;
}

std::vector<Type> TableColumns::TypesOf(const ColumnRef& ref) const {
  std::set<Type> types;
  if (ref.level == ColumnLevel::kBuiltin || ref.level == ColumnLevel::kAny) {
    if (const auto builtin = BuiltinType(table_, ref.name)) types.insert(*builtin);
  }
  for (const ColumnInfo& column : columns_) {
    if (column.ref.name != ref.name || column.ref.level == ColumnLevel::kBuiltin) continue;
    if (ref.level == ColumnLevel::kAny || ref.level == column.ref.level) {
      types.insert(column.types.begin(), column.types.end());
    }
  }
  types.erase(Type::kNull);
  return {types.begin(), types.end()};
}

Type TableColumns::TypeOf(const std::string& name) const {
  std::set<Type> types;
  for (const ColumnRef& ref : Resolve(name)) {
    for (const Type type : TypesOf(ref)) types.insert(type);
  }
  if (types.empty()) return Type::kNull;
  return types.size() == 1 ? *types.begin() : Type::kMixed;
}

std::vector<std::string> TableColumns::Default() const {
  std::vector<std::string> names = PromisedColumns(table_);
  std::map<std::string, uint64_t> attributes;
  for (const ColumnInfo& column : columns_) {
    if (column.ref.level == ColumnLevel::kBuiltin || BuiltinType(table_, column.ref.name)) continue;
    // What `service` and `instance` show already.
    if (column.ref.name == "service.name" || column.ref.name == "service.instance.id") continue;
    attributes[column.ref.name] += column.rows;
  }
  std::vector<std::pair<uint64_t, std::string>> by_rows;
  for (const auto& [name, rows] : attributes) by_rows.emplace_back(rows, name);
  std::stable_sort(by_rows.begin(), by_rows.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (auto& [rows, name] : by_rows) names.push_back(std::move(name));
  return names;
}

std::vector<std::string> TableColumns::Names() const {
  std::set<std::string> names;
  for (const auto& [name, type] : BuiltinColumns(table_)) names.insert(name);
  for (const ColumnInfo& column : columns_) names.insert(column.ref.name);
  if (table_ == Table::kSpans) names.insert({"self_time", "critical", "trace.duration", "trace.spans"});
  return {names.begin(), names.end()};
}

std::optional<Predicate> TableColumns::AsPredicate(const PushedCondition& condition) const {
  const std::vector<ColumnRef> refs = Resolve(condition.column);
  if (refs.size() != 1) return std::nullopt;
  const std::vector<Type> types = TypesOf(refs[0]);
  if (types.empty()) return std::nullopt;
  const bool listed = condition.op == Predicate::Op::kEqual || condition.op == Predicate::Op::kIn;
  Predicate predicate;
  predicate.column = refs[0];
  predicate.op = condition.op;
  if (!condition.word.empty()) {
    const auto value = types.size() == 1 ? ParseEnumWord(types[0], condition.word) : std::nullopt;
    if (!value) return std::nullopt;
    predicate.values.emplace_back(*value);
    return predicate;
  }
  for (const Column& cell : condition.values) {
    const CellView value = CellAt(cell, 0);
    if (value.type == Type::kString) {
      // Only texts can equal this one, unless it spells a number or a truth value and the column has such.
      if (types.size() == 1 && IsEnum(types[0])) {
        const auto parsed = ParseEnumWord(types[0], value.text);
        if (!parsed) return std::nullopt;
        predicate.values.emplace_back(*parsed);
        continue;
      }
      if (types.size() == 1 && types[0] == Type::kSpanId) {
        SpanId id;
        if (!listed || !ParseSpanId(value.text, &id)) return std::nullopt;
        predicate.values.emplace_back(ToHex(id));
        continue;
      }
      if (types.size() == 1 && types[0] == Type::kDuration) {
        const auto duration = DurationOfText(value.text);
        if (!duration) return std::nullopt;
        predicate.values.emplace_back(*duration);
        continue;
      }
      const bool only_texts = types.size() == 1 && types[0] == Type::kString;
      const bool plain = std::all_of(types.begin(), types.end(), [](Type type) {
        return type == Type::kString || type == Type::kInt || type == Type::kDouble || type == Type::kBool;
      });
      if (!listed || !plain || (!only_texts && ReadsAsOther(value.text))) return std::nullopt;
      predicate.values.emplace_back(std::string(value.text));
      continue;
    }
    if (types.size() != 1) return std::nullopt;
    if (types[0] == value.type && (value.type == Type::kInt || value.type == Type::kBool ||
                                   value.type == Type::kDuration || IsEnum(value.type))) {
      if (value.type == Type::kBool) {
        if (!listed) return std::nullopt;
        predicate.values.emplace_back(value.integer != 0);
      } else {
        predicate.values.emplace_back(value.integer);
      }
      continue;
    }
    if (types[0] == Type::kDouble && (value.type == Type::kDouble || value.type == Type::kInt)) {
      const double number = *NumberOf(value);
      if (std::fabs(number) > 9e15 || std::isnan(number)) return std::nullopt;
      predicate.values.emplace_back(number);
      continue;
    }
    if (types[0] == Type::kDuration && (value.type == Type::kDouble || value.type == Type::kInt) && !listed) {
      // Seconds are compared as doubles: the bound gives way by what rounding may do.
      const double nanoseconds = *NumberOf(value) * 1e9;
      if (!(std::fabs(nanoseconds) < 4e18)) return std::nullopt;
      const bool upper = condition.op == Predicate::Op::kLess || condition.op == Predicate::Op::kLessEqual;
      const double slack = 2 + std::fabs(nanoseconds) * 1e-15;
      predicate.op = upper ? Predicate::Op::kLessEqual : Predicate::Op::kGreaterEqual;
      predicate.values.emplace_back(
          static_cast<int64_t>(upper ? std::ceil(nanoseconds + slack) : std::floor(nanoseconds - slack)));
      continue;
    }
    return std::nullopt;
  }
  if (predicate.values.empty()) return std::nullopt;
  return predicate;
}

double TableColumns::EstimateRows(TimeRange time) const {
  if (extent_.empty() || !time.Overlaps(extent_)) return 0;
  const double whole = static_cast<double>(extent_.end) - static_cast<double>(extent_.start);
  const double part =
      static_cast<double>(std::min(time.end, extent_.end)) - static_cast<double>(std::max(time.start, extent_.start));
  return std::ceil(whole <= 0 ? rows_ : rows_ * std::min(1.0, (part + 1) / (whole + 1)));
}

double TableColumns::EstimateRowBytes(const std::vector<std::string>& columns) const {
  double bytes = 0;
  for (const std::string& name : columns) {
    // Rough sizes after compression; ids do not compress.
    switch (TypeOf(name)) {
      case Type::kNull: break;
      case Type::kTraceId: bytes += 16; break;
      case Type::kSpanId: bytes += 8; break;
      case Type::kString: bytes += name == "message" ? 24 : 2; break;
      case Type::kMixed: bytes += 8; break;
      case Type::kDouble: bytes += 6; break;
      case Type::kTimestamp:
      case Type::kDuration: bytes += 4; break;
      default: bytes += 1;
    }
  }
  return bytes;
}

}  // namespace braid
