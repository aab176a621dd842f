#include <utility>

#include "query/rows/operators.h"

namespace braid {

Schema WithColumn(Schema schema, const std::string& name, Type type) {
  if (const int at = schema.Find(name); at >= 0) {
    schema.columns[static_cast<size_t>(at)].type = type;
  } else {
    schema.columns.push_back({name, type});
  }
  return schema;
}

Kind KindOfColumns(Kind kind, const Schema& schema) {
  if (kind == Kind::kScalar) return kind;
  if (schema.Find("time") < 0) return Kind::kRows;
  if (kind == Kind::kSeries && schema.Find("value") < 0) return Kind::kEvents;
  if (kind == Kind::kWindows && (schema.Find("start") < 0 || schema.Find("end") < 0)) return Kind::kEvents;
  return kind;
}

TimeColumns FindTimeColumns(const Schema& schema) {
  TimeColumns found;
  if (schema.kind == Kind::kWindows && schema.Find("start") >= 0) {
    found.time = schema.Find("start");
  } else {
    found.time = schema.Find("time");
  }
  if (found.time >= 0 && schema.kind != Kind::kSeries) {
    const int end = schema.Find("end");
    if (end >= 0 && schema.columns[static_cast<size_t>(end)].type == Type::kTimestamp) found.end = end;
  }
  return found;
}

}  // namespace braid
