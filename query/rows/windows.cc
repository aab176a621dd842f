#include "query/rows/windows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "query/rows/cells.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/rows/sort_in_steps.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

struct Interval {
  uint32_t key;
  Timestamp start;
  Timestamp end;
  double peak;  // NaN: none
  int64_t rows;
};

// The greater of two peaks, NaN being none.
double Greater(double a, double b) { return std::isnan(a) || b > a ? b : a; }

class WindowsOperator : public Operator {
 public:
  WindowsOperator(OperatorPtr input, WindowsSpec spec, QueryContext* context)
      : input_(std::move(input)),
        spec_(std::move(spec)),
        context_(context),
        reservation_(context, "windows"),
        kind_(input_->schema().kind),
        time_(FindTimeColumns(input_->schema())) {
    value_ = input_->schema().Find(kind_ == Kind::kWindows ? "peak" : "value");
    schema_.kind = Kind::kWindows;
    for (const NamedExpression& key : spec_.by) {
      schema_ = WithColumn(std::move(schema_), key.name, key.expression->type());
    }
    for (const auto& [name, type] : {std::pair{"start", Type::kTimestamp},
                                     {"end", Type::kTimestamp},
                                     {"time", Type::kTimestamp},
                                     {"n", Type::kInt},
                                     {"peak", Type::kDouble}}) {
      schema_ = WithColumn(std::move(schema_), name, type);
    }
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (done_) return false;
    done_ = true;
    KeyTable table(spec_.by.size(), NullKeys::kAreKeys);
    std::vector<Interval> intervals;
    RETURN_IF_ERROR(Collect(&table, &intervals));
    const std::vector<Column> keys = table.TakeKeys();
    RETURN_IF_ERROR(Merge(&intervals));
    ASSIGN_OR_RETURN(*batch, Output(keys, std::move(intervals)));
    return true;
  }

 private:
  absl::Status Collect(KeyTable* table, std::vector<Interval>* intervals) {
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&batch));
      if (!more) return absl::OkStatus();
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      const Column& times = batch.columns[static_cast<size_t>(time_.time)];
      if (times.type == Type::kNull) continue;
      if (times.type != Type::kTimestamp) return absl::InvalidArgumentError("`time` of windows is not a timestamp");
      const Column* ends = time_.end < 0 ? nullptr : &batch.columns[static_cast<size_t>(time_.end)];
      if (ends != nullptr && ends->type != Type::kTimestamp) ends = nullptr;
      std::vector<uint32_t> rows;
      for (size_t row = 0; row < batch.num_rows; ++row) {
        if (!times.IsNull(row)) rows.push_back(static_cast<uint32_t>(row));
      }
      std::vector<Column> keys;
      for (const NamedExpression& key : spec_.by) {
        ASSIGN_OR_RETURN(Column column, key.expression->Evaluate(batch));
        keys.push_back(rows.size() == batch.num_rows ? std::move(column) : column.Select(rows));
      }
      table->Assign(PointersTo(keys), rows.size(), &numbers);
      for (size_t i = 0; i < rows.size(); ++i) {
        const uint32_t row = rows[i];
        Interval interval{numbers[i], times.ints[row], times.ints[row], std::nan(""), 1};
        if (kind_ == Kind::kSeries) {
          interval.start = Shift(interval.start, -spec_.step);
        } else if (ends != nullptr && !ends->IsNull(row)) {
          interval.end = std::max(interval.end, ends->ints[row]);
        }
        if (value_ >= 0) {
          const auto value = NumberOf(CellAt(batch.columns[static_cast<size_t>(value_)], row));
          if (value) interval.peak = *value;
        }
        intervals->push_back(interval);
      }
      RETURN_IF_ERROR(reservation_.Set(table->bytes() + intervals->capacity() * sizeof(Interval)));
    }
  }

  absl::Status Merge(std::vector<Interval>* intervals) {
    const auto before = [](const Interval& a, const Interval& b) {
      return a.key != b.key ? a.key < b.key : a.start < b.start;
    };
    RETURN_IF_ERROR(reservation_.Add(intervals->size() * sizeof(Interval)));
    RETURN_IF_ERROR(SortInSteps(intervals, before, context_));
    std::vector<Interval> merged;
    for (const Interval& interval : *intervals) {
      if (!merged.empty() && merged.back().key == interval.key &&
          interval.start <= Shift(merged.back().end, spec_.gap)) {
        Interval& window = merged.back();
        window.end = std::max(window.end, interval.end);
        window.peak = Greater(window.peak, interval.peak);
        ++window.rows;
      } else {
        merged.push_back(interval);
      }
    }
    for (Interval& window : merged) {
      window.start = Shift(window.start, spec_.pad.first);
      window.end = Shift(window.end, spec_.pad.second);
    }
    std::erase_if(merged, [](const Interval& window) { return window.end < window.start; });
    *intervals = std::move(merged);
    return absl::OkStatus();
  }

  absl::StatusOr<RecordBatch> Output(const std::vector<Column>& keys, std::vector<Interval> windows) const {
    // The place of each key in the order of keys decides between windows of one extent.
    const size_t num_keys = keys.empty() ? 1 : keys[0].size;
    ASSIGN_OR_RETURN(const std::vector<uint32_t> key_order, SortedRows(keys, num_keys, context_));
    std::vector<uint32_t> place(num_keys);
    for (size_t i = 0; i < key_order.size(); ++i) place[key_order[i]] = static_cast<uint32_t>(i);
    const auto before = [&](const Interval& a, const Interval& b) {
      if (a.start != b.start) return a.start < b.start;
      return a.end != b.end ? a.end < b.end : place[a.key] < place[b.key];
    };
    RETURN_IF_ERROR(SortInSteps(&windows, before, context_));
    RecordBatch batch;
    batch.num_rows = windows.size();
    batch.columns.resize(schema_.columns.size());
    std::vector<uint32_t> numbers;
    ColumnBuilder starts, ends, counts, peaks;
    for (const Interval& window : windows) {
      numbers.push_back(window.key);
      starts.AppendInt(Type::kTimestamp, window.start);
      ends.AppendInt(Type::kTimestamp, window.end);
      counts.AppendInt(Type::kInt, window.rows);
      if (std::isnan(window.peak)) {
        peaks.AppendNull();
      } else {
        peaks.AppendDouble(window.peak);
      }
    }
    const auto at = [&](const std::string& name) -> Column& {
      return batch.columns[static_cast<size_t>(schema_.Find(name))];
    };
    for (size_t i = 0; i < keys.size(); ++i) at(spec_.by[i].name) = keys[i].Select(numbers);
    at("start") = starts.Finish();
    at("time") = at("start");
    at("end") = ends.Finish();
    at("n") = counts.Finish();
    at("peak") = peaks.Finish();
    return batch;
  }

  OperatorPtr input_;
  WindowsSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  Kind kind_;
  TimeColumns time_;
  int value_;
  Schema schema_;
  bool done_ = false;
};

}  // namespace

Timestamp Shift(Timestamp time, Duration offset) {
  Timestamp sum;
  if (__builtin_add_overflow(time, offset, &sum)) return offset < 0 ? kMinTimestamp : kMaxTimestamp;
  return sum;
}

absl::StatusOr<OperatorPtr> MakeWindows(OperatorPtr input, WindowsSpec spec, QueryContext* context) {
  if (FindTimeColumns(input->schema()).time < 0) return absl::InvalidArgumentError("windows needs rows with `time`");
  if (spec.gap < 0 || spec.step < 0) return absl::InvalidArgumentError("the gap of windows must not be negative");
  return OperatorPtr(std::make_unique<WindowsOperator>(std::move(input), std::move(spec), context));
}

}  // namespace braid
