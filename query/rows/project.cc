// extend, keep, drop, union: operators that change columns.
#include <algorithm>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

Column Nulls(size_t rows) {
  Column column;
  column.size = rows;
  return column;
}

class ExtendOperator : public Operator {
 public:
  ExtendOperator(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context)
      : input_(std::move(input)),
        items_(std::move(items)),
        context_(context),
        reservation_(context, "extend"),
        schema_(input_->schema()) {
    for (const NamedExpression& item : items_) {
      schema_ = WithColumn(std::move(schema_), item.name, item.expression->type());
      places_.push_back(static_cast<size_t>(schema_.Find(item.name)));
    }
    schema_.kind = KindOfColumns(schema_.kind, schema_);
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    RETURN_IF_ERROR(reservation_.Set(0));
    if (!more || batch->num_rows == 0) return more;
    for (size_t i = 0; i < items_.size(); ++i) {
      ASSIGN_OR_RETURN(Column column, items_[i].expression->Evaluate(*batch));
      RETURN_IF_ERROR(reservation_.Add(ApproximateBytes(column)));
      if (places_[i] < batch->columns.size()) {
        batch->columns[places_[i]] = std::move(column);
      } else {
        batch->columns.push_back(std::move(column));
      }
    }
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<ExtendOperator>(std::move(part), items_, context_);
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  OperatorPtr input_;
  std::vector<NamedExpression> items_;
  QueryContext* context_;
  Reservation reservation_;  // of the batch given last
  Schema schema_;
  std::vector<size_t> places_;
};

class KeepOperator : public Operator {
 public:
  KeepOperator(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context)
      : input_(std::move(input)), items_(std::move(items)), context_(context), reservation_(context, "keep") {
    schema_.kind = input_->schema().kind;
    for (const NamedExpression& item : items_) {
      schema_ = WithColumn(std::move(schema_), item.name, item.expression->type());
      const auto at = static_cast<size_t>(schema_.Find(item.name));
      if (at < expressions_.size()) {
        expressions_[at] = item.expression;
      } else {
        expressions_.push_back(item.expression);
      }
    }
    schema_.kind = KindOfColumns(schema_.kind, schema_);
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    RecordBatch rows;
    ASSIGN_OR_RETURN(const bool more, input_->Next(&rows));
    *batch = RecordBatch();
    RETURN_IF_ERROR(reservation_.Set(0));
    if (!more) return false;
    batch->num_rows = rows.num_rows;
    if (rows.num_rows == 0) return true;
    for (const RowExpressionPtr& expression : expressions_) {
      ASSIGN_OR_RETURN(Column column, expression->Evaluate(rows));
      RETURN_IF_ERROR(reservation_.Add(ApproximateBytes(column)));
      batch->columns.push_back(std::move(column));
    }
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<KeepOperator>(std::move(part), items_, context_);
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  OperatorPtr input_;
  std::vector<NamedExpression> items_;
  QueryContext* context_;
  Reservation reservation_;  // of the batch given last
  Schema schema_;
  std::vector<RowExpressionPtr> expressions_;
};

class DropOperator : public Operator {
 public:
  DropOperator(OperatorPtr input, const std::vector<std::string>& names, QueryContext* context)
      : input_(std::move(input)), names_(names), context_(context) {
    schema_.kind = input_->schema().kind;
    const auto& columns = input_->schema().columns;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (std::find(names.begin(), names.end(), columns[i].name) != names.end()) continue;
      schema_.columns.push_back(columns[i]);
      kept_.push_back(i);
    }
    schema_.kind = KindOfColumns(schema_.kind, schema_);
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    RecordBatch rows;
    ASSIGN_OR_RETURN(const bool more, input_->Next(&rows));
    *batch = RecordBatch();
    if (!more) return false;
    batch->num_rows = rows.num_rows;
    if (rows.num_rows == 0) return true;
    for (size_t from : kept_) batch->columns.push_back(std::move(rows.columns[from]));
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<DropOperator>(std::move(part), names_, context_);
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  OperatorPtr input_;
  std::vector<std::string> names_;
  QueryContext* context_;
  Schema schema_;
  std::vector<size_t> kept_;
};

class UnionOperator : public Operator {
 public:
  UnionOperator(OperatorPtr left, OperatorPtr right, QueryContext* context)
      : left_(std::move(left)), right_(std::move(right)), context_(context) {
    schema_.columns = left_->schema().columns;
    for (const SchemaColumn& column : right_->schema().columns) {
      const int at = schema_.Find(column.name);
      if (at < 0) {
        schema_.columns.push_back(column);
        continue;
      }
      Type& type = schema_.columns[static_cast<size_t>(at)].type;
      if (type == Type::kNull) {
        type = column.type;
      } else if (column.type != Type::kNull && column.type != type) {
        type = Type::kMixed;
      }
    }
    const bool timed = left_->schema().Find("time") >= 0 && right_->schema().Find("time") >= 0;
    schema_.kind = timed ? Kind::kEvents : Kind::kRows;
    for (const SchemaColumn& column : schema_.columns) {
      from_left_.push_back(left_->schema().Find(column.name));
      from_right_.push_back(right_->schema().Find(column.name));
    }
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    RecordBatch rows;
    if (!left_done_) {
      ASSIGN_OR_RETURN(const bool more, left_->Next(&rows));
      if (more) {
        Arrange(from_left_, std::move(rows), batch);
        return true;
      }
      left_done_ = true;
      rows = RecordBatch();
    }
    ASSIGN_OR_RETURN(const bool more, right_->Next(&rows));
    if (more) Arrange(from_right_, std::move(rows), batch);
    return more;
  }

 private:
  static void Arrange(const std::vector<int>& from, RecordBatch rows, RecordBatch* batch) {
    *batch = RecordBatch();
    batch->num_rows = rows.num_rows;
    if (rows.num_rows == 0) return;
    for (int place : from) {
      batch->columns.push_back(place < 0 ? Nulls(rows.num_rows) : std::move(rows.columns[static_cast<size_t>(place)]));
    }
  }

  OperatorPtr left_;
  OperatorPtr right_;
  QueryContext* context_;
  Schema schema_;
  std::vector<int> from_left_;
  std::vector<int> from_right_;
  bool left_done_ = false;
};

}  // namespace

OperatorPtr MakeExtend(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context) {
  return std::make_unique<ExtendOperator>(std::move(input), std::move(items), context);
}

OperatorPtr MakeKeep(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context) {
  return std::make_unique<KeepOperator>(std::move(input), std::move(items), context);
}

OperatorPtr MakeDrop(OperatorPtr input, const std::vector<std::string>& names, QueryContext* context) {
  return std::make_unique<DropOperator>(std::move(input), names, context);
}

OperatorPtr MakeUnion(OperatorPtr left, OperatorPtr right, QueryContext* context) {
  return std::make_unique<UnionOperator>(std::move(left), std::move(right), context);
}

}  // namespace braid
