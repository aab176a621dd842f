// Small tables for tests of operators: written as cells, run in batches of random sizes, read back as texts.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"

namespace braid {

struct TableCell {
  Type type = Type::kNull;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  TraceId trace_id;
};
inline TableCell Null() { return {}; }
inline TableCell Int(int64_t value) { return {Type::kInt, value, 0, "", {}}; }
inline TableCell Bool(bool value) { return {Type::kBool, value ? 1 : 0, 0, "", {}}; }
inline TableCell Num(double value) { return {Type::kDouble, 0, value, "", {}}; }
inline TableCell Text(std::string value) { return {Type::kString, 0, 0, std::move(value), {}}; }
inline TableCell Time(int64_t value) { return {Type::kTimestamp, value, 0, "", {}}; }
inline TableCell Length(int64_t value) { return {Type::kDuration, value, 0, "", {}}; }
inline TableCell Trace(uint64_t value) { return {Type::kTraceId, 0, 0, "", {7, value}}; }

struct TestTable {
  Schema schema;
  std::vector<std::vector<TableCell>> rows;
};

inline TestTable MakeTable(Kind kind, std::vector<SchemaColumn> columns,
                           std::vector<std::vector<TableCell>> rows = {}) {
  return TestTable{Schema{kind, std::move(columns)}, std::move(rows)};
}

inline void AppendCell(const TableCell& cell, ColumnBuilder* builder) {
  switch (cell.type) {
    case Type::kNull: return builder->AppendNull();
    case Type::kDouble: return builder->AppendDouble(cell.number);
    case Type::kString: return builder->AppendString(cell.text);
    case Type::kTraceId: return builder->AppendTraceId(cell.trace_id);
    default: return builder->AppendInt(cell.type, cell.integer);
  }
}

inline RecordBatch ToBatch(const TestTable& table, size_t begin, size_t end) {
  RecordBatch batch;
  batch.num_rows = end - begin;
  for (size_t column = 0; column < table.schema.columns.size(); ++column) {
    ColumnBuilder builder;
    for (size_t row = begin; row < end; ++row) AppendCell(table.rows[row][column], &builder);
    batch.columns.push_back(builder.Finish());
  }
  return batch;
}
inline RecordBatch ToBatch(const TestTable& table) { return ToBatch(table, 0, table.rows.size()); }

// Gives a table out in batches of random sizes, empty ones among them.
class TableSource : public Operator {
 public:
  TableSource(TestTable table, uint32_t seed) : table_(std::move(table)), random_(seed) {}
  const Schema& schema() const override { return table_.schema; }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    *batch = RecordBatch();
    if (at_ >= table_.rows.size()) return false;
    const size_t size = std::min<size_t>(random_() % 9, table_.rows.size() - at_);
    if (size > 0) *batch = ToBatch(table_, at_, at_ + size);
    at_ += size;
    return true;
  }

 private:
  TestTable table_;
  std::mt19937 random_;
  size_t at_ = 0;
};
inline OperatorPtr Source(const TestTable& table, uint32_t seed = 1) {
  return std::make_unique<TableSource>(table, seed);
}

// The column at a place.
class PlaceExpression : public RowExpression {
 public:
  PlaceExpression(size_t place, Type type) : place_(place), type_(type) {}
  Type type() const override { return type_; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override { return batch.columns[place_]; }

 private:
  size_t place_;
  Type type_;
};
inline RowExpressionPtr Field(const Schema& schema, const std::string& name) {
  const int place = schema.Find(name);
  EXPECT_GE(place, 0) << name;
  return std::make_shared<PlaceExpression>(static_cast<size_t>(place), schema.columns[static_cast<size_t>(place)].type);
}
// A value computed from a row of a batch.
class RowFunction : public RowExpression {
 public:
  RowFunction(Type type, std::function<TableCell(const RecordBatch&, size_t)> function)
      : type_(type), function_(std::move(function)) {}
  Type type() const override { return type_; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    ColumnBuilder builder;
    for (size_t row = 0; row < batch.num_rows; ++row) AppendCell(function_(batch, row), &builder);
    return builder.Finish();
  }

 private:
  Type type_;
  std::function<TableCell(const RecordBatch&, size_t)> function_;
};

inline std::string CellText(const Column& column, size_t row) {
  if (column.IsNull(row)) return "null";
  const std::string text = ToText(View(column.ValueAt(row)));
  const bool quoted = column.type == Type::kString ||
                      (column.type == Type::kMixed && std::holds_alternative<std::string>(column.mixed[row]));
  return quoted ? "'" + text + "'" : text;
}
inline std::string CellText(const TableCell& cell) {
  ColumnBuilder builder;
  AppendCell(cell, &builder);
  return CellText(builder.Finish(), 0);
}

using Texts = std::vector<std::string>;

// All rows, a text each: cells joined by '|'.
inline absl::StatusOr<Texts> TryRows(Operator* op) {
  Texts rows;
  while (true) {
    RecordBatch batch;
    auto more = op->Next(&batch);
    if (!more.ok()) return more.status();
    if (!*more) return rows;
    if (batch.num_rows == 0) continue;
    EXPECT_EQ(batch.columns.size(), op->schema().columns.size());
    for (size_t row = 0; row < batch.num_rows; ++row) {
      std::string text;
      for (const Column& column : batch.columns) {
        EXPECT_EQ(column.size, batch.num_rows);
        text += (text.empty() ? "" : "|") + CellText(column, row);
      }
      rows.push_back(text);
    }
  }
}
inline Texts Rows(const OperatorPtr& op) {
  auto rows = TryRows(op.get());
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? *rows : Texts{"failed"};
}
inline Texts Rows(absl::StatusOr<OperatorPtr> op) {
  EXPECT_TRUE(op.ok()) << op.status();
  return op.ok() ? Rows(*op) : Texts{"failed"};
}
inline std::string RowText(const std::vector<TableCell>& row) {
  std::string text;
  for (const TableCell& cell : row) text += (text.empty() ? "" : "|") + CellText(cell);
  return text;
}
inline Texts RowTexts(const std::vector<std::vector<TableCell>>& rows) {
  Texts texts;
  for (const auto& row : rows) texts.push_back(RowText(row));
  return texts;
}
inline std::string Names(const Schema& schema) {
  std::string names;
  for (const SchemaColumn& column : schema.columns) names += (names.empty() ? "" : ",") + column.name;
  return names;
}

}  // namespace braid
