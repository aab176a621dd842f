// compare: which values stand out among the rows where a condition holds.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "query/rows/cells.h"
#include "query/rows/key_table.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Ids tell rows apart and times never repeat: neither explains anything.
bool IsComparable(Type type) {
  switch (type) {
    case Type::kTimestamp:
    case Type::kDuration:
    case Type::kTraceId:
    case Type::kSpanId:
    case Type::kHistogram: return false;
    default: return true;
  }
}

class CompareOperator : public Operator {
 public:
  CompareOperator(OperatorPtr input, RowExpressionPtr condition, const std::vector<std::string>& excluded, uint64_t top,
                  QueryContext* context)
      : input_(std::move(input)),
        condition_(std::move(condition)),
        top_(top),
        context_(context),
        reservation_(context, "compare") {
    schema_.kind = Kind::kRows;
    schema_.columns = {{"attribute", Type::kString},
                       {"value", Type::kString},
                       {"selected", Type::kDouble},
                       {"baseline", Type::kDouble},
                       {"diff", Type::kDouble}};
    const auto& columns = input_->schema().columns;
    for (size_t i = 0; i < columns.size(); ++i) {
      const bool left_out = std::find(excluded.begin(), excluded.end(), columns[i].name) != excluded.end();
      if (!left_out && IsComparable(columns[i].type)) attributes_.emplace_back(i, columns[i].name);
    }
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (done_) return false;
    done_ = true;
    RETURN_IF_ERROR(Count());
    *batch = Output();
    return true;
  }

 private:
  struct Counts {
    uint64_t selected = 0;
    uint64_t baseline = 0;
  };
  struct Attribute {
    Attribute(size_t place, std::string title) : column(place), name(std::move(title)) {}
    size_t column;
    std::string name;
    bool left_out = false;
    ValueNumbers values;
    std::vector<Counts> counts;  // by number
  };
  struct Row {
    const std::string* attribute;
    std::string value;
    double selected;
    double baseline;
    double diff() const { return selected - baseline; }
  };

  absl::Status Count() {
    std::vector<uint32_t> rows;
    std::vector<uint8_t> selected;
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&batch));
      if (!more) break;
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(EvaluateCondition(*condition_, batch, &rows));
      selected.assign(batch.num_rows, 0);
      for (const uint32_t row : rows) selected[row] = 1;
      totals_.selected += rows.size();
      totals_.baseline += batch.num_rows - rows.size();
      uint64_t bytes = 0;
      for (Attribute& attribute : attributes_) {
        const Column& column = batch.columns[attribute.column];
        if (attribute.left_out || !IsComparable(column.type)) continue;
        attribute.values.Assign(column, batch.num_rows, NullKeys::kNeverMatch, &numbers);
        attribute.counts.resize(attribute.values.size());
        for (size_t row = 0; row < batch.num_rows; ++row) {
          if (numbers[row] == kNoKey) continue;
          Counts& counts = attribute.counts[numbers[row]];
          ++(selected[row] != 0 ? counts.selected : counts.baseline);
        }
        if (attribute.values.size() > kCompareValuesMax) {
          attribute.left_out = true;
          attribute.values = ValueNumbers();
          attribute.counts = {};
          context_->AddNote("cut", "compare leaves out `" + attribute.name + "`: more than " +
                                       std::to_string(kCompareValuesMax) + " different values");
        }
        bytes += attribute.values.bytes() + attribute.counts.size() * sizeof(Counts);
      }
      RETURN_IF_ERROR(reservation_.Set(bytes));
    }
    return absl::OkStatus();
  }

  RecordBatch Output() {
    const auto share = [](uint64_t count, uint64_t total) {
      return total == 0 ? 0.0 : static_cast<double>(count) / static_cast<double>(total);
    };
    std::vector<Row> rows;
    std::string storage;
    for (Attribute& attribute : attributes_) {
      if (attribute.left_out) continue;
      const Column values = attribute.values.TakeValues();
      for (size_t number = 0; number < attribute.counts.size(); ++number) {
        const Counts& counts = attribute.counts[number];
        rows.push_back({&attribute.name, std::string(TextOf(CellAt(values, number), &storage)),
                        share(counts.selected, totals_.selected), share(counts.baseline, totals_.baseline)});
      }
    }
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
      const double size_a = std::abs(a.diff());
      const double size_b = std::abs(b.diff());
      if (size_a != size_b) return size_a > size_b;
      return a.attribute != b.attribute && *a.attribute != *b.attribute ? *a.attribute < *b.attribute
                                                                        : a.value < b.value;
    });
    if (top_ > 0 && rows.size() > top_) rows.resize(top_);
    ColumnBuilder attributes(Type::kString), values(Type::kString), selected(Type::kDouble), baseline(Type::kDouble),
        diffs(Type::kDouble);
    for (const Row& row : rows) {
      attributes.AppendString(*row.attribute);
      values.AppendString(row.value);
      selected.AppendDouble(row.selected);
      baseline.AppendDouble(row.baseline);
      diffs.AppendDouble(row.diff());
    }
    RecordBatch batch;
    batch.num_rows = rows.size();
    for (ColumnBuilder* builder : {&attributes, &values, &selected, &baseline, &diffs}) {
      batch.columns.push_back(builder->Finish());
    }
    return batch;
  }

  OperatorPtr input_;
  RowExpressionPtr condition_;
  uint64_t top_;
  QueryContext* context_;
  Reservation reservation_;
  Schema schema_;
  std::vector<Attribute> attributes_;
  Counts totals_;
  bool done_ = false;
};

}  // namespace

OperatorPtr MakeCompare(OperatorPtr input, RowExpressionPtr condition, std::vector<std::string> excluded, uint64_t top,
                        QueryContext* context) {
  return std::make_unique<CompareOperator>(std::move(input), std::move(condition), excluded, top, context);
}

}  // namespace braid
