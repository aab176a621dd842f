// Row expressions: bound once against a schema, evaluated a batch at a time.
// Semantics (docs/query.md): two-valued logic, null rules, durations as seconds against plain numbers, ids compared by
// value, enums by their words and order, numbers against strings numerically if the string is a number.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/operator.h"
#include "query/syntax/ast.h"

namespace braid {

// The members of `x in S`, ready for probing. Built by the planner from a sub-query, a parameter or a list.
class MemberSet {
 public:
  virtual ~MemberSet() = default;
  // One 0/1 per row; `keys` are the evaluated key columns, in the order of the expression, with their names. `end` is
  // the rows' end column when the row has one (spans, windows), for overlap; may be null.
  virtual absl::StatusOr<std::vector<uint8_t>> Contains(const std::vector<const Column*>& keys, const Column* end,
                                                        size_t num_rows) const = 0;
};

// What the binder asks of its surroundings.
struct BindScope {
  const Schema* schema = nullptr;
  QueryContext* context = nullptr;
  // Builds the set of an `in`; called once per InExpr at bind time. May be null where sets are not allowed.
  std::function<absl::StatusOr<std::shared_ptr<const MemberSet>>(const InExpr&,
                                                                 const std::vector<std::string>& key_names)>
      build_set;
  // The single value of scalar(pipeline).
  std::function<absl::StatusOr<Value>(const Pipeline&)> scalar;
};

class RowExpression {
 public:
  virtual ~RowExpression() = default;
  virtual Type type() const = 0;  // kMixed if it depends on the data
  virtual absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const = 0;
  // The column of the batch that Evaluate would copy; null where there is none.
  virtual const Column* Find(const RecordBatch&) const { return nullptr; }
};
using RowExpressionPtr = std::shared_ptr<const RowExpression>;

// The expression's values without a copy where they stand in the batch: there, or in `*storage`.
absl::StatusOr<const Column*> ReadColumn(const RowExpression& expression, const RecordBatch& batch, Column* storage);

// Several expressions' values, those of key columns mostly; as long as the batch lives.
class ReadColumns {
 public:
  // Reads one more. REQUIRES: at most as many as `count` of the constructor.
  explicit ReadColumns(size_t count) { storage_.reserve(count); }
  ReadColumns(ReadColumns&&) = default;
  absl::Status Add(const RowExpression& expression, const RecordBatch& batch);
  const std::vector<const Column*>& columns() const { return columns_; }

 private:
  std::vector<Column> storage_;
  std::vector<const Column*> columns_;
};

absl::StatusOr<RowExpressionPtr> BindExpression(const Expr& expr, const BindScope& scope);
// As BindExpression, for conditions: rows where it is true (null and non-true are false). `rows` is filled ascending.
absl::Status EvaluateCondition(const RowExpression& condition, const RecordBatch& batch, std::vector<uint32_t>* rows);

// The columns that an expression reads, as written ("service", "attr.x", "l.message"); sub-queries are not entered.
void CollectFields(const Expr& expr, std::vector<const FieldRef*>* fields);
std::string FieldName(const FieldRef& field);  // the parts joined: the schema column name that it means

// Total order used by sort, top, by-keys and ties: nulls last, NaN before null, numbers by value, text by bytes, ids by
// value. Returns <0, 0, >0.
int CompareCells(const Column& a, size_t row_a, const Column& b, size_t row_b);
// Equality and hash of keys: as `=` compares (int 1 = double 1.0), null equals null.
uint64_t HashCell(const Column& column, size_t row);
bool EqualCells(const Column& a, size_t row_a, const Column& b, size_t row_b);

}  // namespace braid
