// join ... asof against a vector: the vector is evaluated at the times of the left rows.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "query/rows/join.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/select_rows.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

std::string ColumnOfLabel(const std::string& label) { return label == kMetricNameLabel ? "metric" : label; }
std::string LabelOfColumn(const std::string& column) {
  return column == "metric" ? std::string(kMetricNameLabel) : column;
}

class VectorAsofOperator : public Operator {
 public:
  VectorAsofOperator(OperatorPtr left, VectorAsofSpec spec, QueryContext* context)
      : left_(std::move(left)),
        spec_(std::move(spec)),
        context_(context),
        reservation_(context, "join"),
        time_(FindTimeColumns(left_->schema()).time) {}

  // With the labels known, the schema is; else after Evaluate.
  void SetSchema(const std::vector<std::string>& labels) {
    right_schema_.columns = {{"time", Type::kTimestamp},
                             {"value", evaluated_ && !has_histograms_ ? Type::kDouble : Type::kMixed}};
    labels_.clear();
    for (const std::string& name : labels) {
      const std::string label = LabelOfColumn(name);
      if (right_schema_.Find(ColumnOfLabel(label)) >= 0) continue;
      labels_.push_back(label);
      right_schema_.columns.push_back({ColumnOfLabel(label), Type::kString});
    }
    output_.emplace(left_->schema(), right_schema_, spec_.name, std::nullopt);
  }

  absl::Status Evaluate() {
    evaluated_ = true;
    ASSIGN_OR_RETURN(rows_, DrainInto(left_.get(), context_, &reservation_));
    const Column no_time;
    const Column& times = rows_.num_rows == 0 ? no_time : rows_.columns[static_cast<size_t>(time_)];
    if (times.type != Type::kTimestamp && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the left side of a join is not a timestamp");
    }
    for (size_t row = 0; row < rows_.num_rows; ++row) {
      if (!times.IsNull(row)) instants_.push_back(times.ints[row]);
    }
    std::sort(instants_.begin(), instants_.end());
    instants_.erase(std::unique(instants_.begin(), instants_.end()), instants_.end());
    if (rows_.num_rows == 0) return absl::OkStatus();
    if (!instants_.empty()) {
      ASSIGN_OR_RETURN(series_, spec_.reader(instants_));
    }
    uint64_t bytes = 0;
    for (const InstantSeries& one : series_) {
      bytes += one.present.size() * 9 + one.histograms.size() * 16;
      if (one.present.size() != instants_.size() || one.values.size() != instants_.size()) {
        return absl::InternalError("a vector has not one value per instant");
      }
      has_histograms_ = has_histograms_ || !one.histograms.empty();
    }
    RETURN_IF_ERROR(reservation_.Add(bytes));
    std::stable_sort(series_.begin(), series_.end(),
                     [](const InstantSeries& a, const InstantSeries& b) { return a.labels < b.labels; });
    return Match();
  }

  std::vector<std::string> MetLabels() const {
    std::set<std::string> names;
    for (const InstantSeries& one : series_) {
      for (const Label& label : one.labels) names.insert(label.name);
    }
    return {names.begin(), names.end()};
  }

  const Schema& schema() const override { return output_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!evaluated_) RETURN_IF_ERROR(Evaluate());
    if (next_row_ >= left_rows_.size()) return false;
    const size_t end = std::min(left_rows_.size(), next_row_ + kHeldRowsPerBatch);
    const auto begin_at = static_cast<ptrdiff_t>(next_row_);
    const auto end_at = static_cast<ptrdiff_t>(end);
    const std::vector<uint32_t> left(left_rows_.begin() + begin_at, left_rows_.begin() + end_at);
    std::vector<uint32_t> right(left.size());
    RecordBatch matches;
    matches.num_rows = left.size();
    for (size_t i = 0; i < left.size(); ++i) {
      right[i] = matches_[next_row_ + i] == kNoRow ? kNoRow : static_cast<uint32_t>(i);
    }
    matches.columns = MatchColumns(left, next_row_);
    *batch = output_->Assemble(rows_, left, matches, right);
    next_row_ = end;
    return true;
  }

 private:
  // The right columns for these left rows; rows without a match hold nulls.
  std::vector<Column> MatchColumns(const std::vector<uint32_t>& left, size_t first) const {
    std::vector<ColumnBuilder> builders(right_schema_.columns.size());
    const Column no_time;
    const Column& times = left.empty() ? no_time : rows_.columns[static_cast<size_t>(time_)];
    for (size_t i = 0; i < left.size(); ++i) {
      const uint32_t match = matches_[first + i];
      if (match == kNoRow) {
        for (ColumnBuilder& builder : builders) builder.AppendNull();
        continue;
      }
      const InstantSeries& one = series_[match];
      const size_t instant = InstantOf(times.ints[left[i]]);
      builders[0].AppendInt(Type::kTimestamp, instants_[instant]);
      if (!one.histograms.empty() && one.histograms[instant] != nullptr) {
        builders[1].AppendHistogram(one.histograms[instant]);
      } else {
        builders[1].AppendDouble(one.values[instant]);
      }
      for (size_t label = 0; label < labels_.size(); ++label) {
        const std::string_view value = FindLabel(one.labels, labels_[label]);
        if (value.empty()) {
          builders[2 + label].AppendNull();
        } else {
          builders[2 + label].AppendString(value);
        }
      }
    }
    std::vector<Column> columns;
    for (ColumnBuilder& builder : builders) columns.push_back(builder.Finish());
    return columns;
  }

  size_t InstantOf(Timestamp time) const {
    return static_cast<size_t>(std::lower_bound(instants_.begin(), instants_.end(), time) - instants_.begin());
  }

  // Fills left_rows_ and matches_: per output row the series, or kNoRow.
  absl::Status Match() {
    // The keys of all series, then those of all left rows.
    KeyTable table(spec_.keys.size(), NullKeys::kNeverMatch);
    std::vector<Column> series_keys;
    std::vector<Column> left_keys;
    for (const auto& [expression, label] : spec_.keys) {
      ColumnBuilder builder;
      for (const InstantSeries& one : series_) {
        const std::string_view value = FindLabel(one.labels, LabelOfColumn(label));
        if (value.empty()) {
          builder.AppendNull();
        } else {
          builder.AppendString(value);
        }
      }
      Column labels = builder.Finish();
      ASSIGN_OR_RETURN(Column column, expression->Evaluate(rows_));
      // Labels are texts; they are read as what the left side is.
      Column storage;
      const Column& coerced = CoerceKey(labels, KeyTypeOf(column.type, labels.type), &storage);
      series_keys.push_back(coerced);
      left_keys.push_back(std::move(column));
    }
    std::vector<uint32_t> numbers;
    table.Assign(PointersTo(series_keys), series_.size(), &numbers);
    std::vector<std::vector<uint32_t>> series_of(table.size());
    for (size_t i = 0; i < series_.size(); ++i) {
      if (numbers[i] != kNoKey) series_of[numbers[i]].push_back(static_cast<uint32_t>(i));
    }
    KeyTable::Cache cache;
    table.Find(PointersTo(left_keys), rows_.num_rows, &cache, &numbers);
    const Column& times = rows_.columns[static_cast<size_t>(time_)];
    bool ambiguous = false;
    for (uint32_t row = 0; row < rows_.num_rows; ++row) {
      uint32_t match = kNoRow;
      if (numbers[row] != kNoKey && !times.IsNull(row)) {
        const size_t instant = InstantOf(times.ints[row]);
        for (const uint32_t candidate : series_of[numbers[row]]) {
          if (series_[candidate].present[instant] == 0) continue;
          ambiguous = ambiguous || match != kNoRow;
          match = candidate;
        }
      }
      if (match == kNoRow && !spec_.left_outer) continue;
      left_rows_.push_back(row);
      matches_.push_back(match);
    }
    if (ambiguous) {
      context_->AddNote("hint", "several series of `" + spec_.name +
                                    "` match one row of the join; the last in label order was taken: add keys, or "
                                    "aggregate the vector by the keys");
    }
    return reservation_.Add(left_rows_.size() * 8);
  }

  OperatorPtr left_;
  VectorAsofSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  int time_;
  Schema right_schema_;
  std::vector<std::string> labels_;
  std::optional<JoinedRows> output_;
  bool evaluated_ = false;
  bool has_histograms_ = false;
  RecordBatch rows_;
  std::vector<Timestamp> instants_;
  std::vector<InstantSeries> series_;
  std::vector<uint32_t> left_rows_;
  std::vector<uint32_t> matches_;
  size_t next_row_ = 0;
};

}  // namespace

absl::StatusOr<OperatorPtr> MakeVectorAsof(OperatorPtr left, VectorAsofSpec spec, QueryContext* context) {
  if (FindTimeColumns(left->schema()).time < 0) {
    return absl::InvalidArgumentError("a join with a vector needs `time` on its left side");
  }
  const std::optional<std::vector<std::string>> labels = spec.labels;
  auto join = std::make_unique<VectorAsofOperator>(std::move(left), std::move(spec), context);
  if (labels) {
    join->SetSchema(*labels);
  } else {
    RETURN_IF_ERROR(join->Evaluate());
    join->SetSchema(join->MetLabels());
  }
  return OperatorPtr(std::move(join));
}

}  // namespace braid
