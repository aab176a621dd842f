#include "query/rows/join.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/rows/select_rows.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr size_t kPairsPerBatch = 4096;
constexpr size_t kPairsPerCheck = 65'536;

Timestamp SaturatingAdd(Timestamp time, Duration offset) {
  Timestamp sum;
  if (__builtin_add_overflow(time, offset, &sum)) return offset < 0 ? kMinTimestamp : kMaxTimestamp;
  return sum;
}

// The right side: rows grouped by key, within a key by (time, row).
class RightSide {
 public:
  explicit RightSide(size_t keys) : table_(keys, NullKeys::kNeverMatch) {}

  // `timed`: rows without a time have no place. `overlap`: ends are needed too.
  absl::Status Build(RecordBatch rows, const std::vector<Column>& keys, const TimeColumns& time, bool timed,
                     bool overlap, Reservation* reservation) {
    rows_ = std::move(rows);
    std::vector<uint32_t> numbers;
    table_.Assign(keys, rows_.num_rows, &numbers);
    RETURN_IF_ERROR(reservation->Add(table_.bytes() + rows_.num_rows * (overlap ? 36 : 20)));
    const Column no_time;
    const Column& times = time.time < 0 ? no_time : rows_.columns[static_cast<size_t>(time.time)];
    const bool has_times = times.type == Type::kTimestamp;
    if (timed && !has_times && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the right side of a join is not a timestamp");
    }
    begins_.assign(table_.size() + 1, 0);
    for (size_t row = 0; row < rows_.num_rows; ++row) {
      if (timed && (!has_times || times.IsNull(row))) numbers[row] = kNoKey;
      if (numbers[row] != kNoKey) ++begins_[numbers[row] + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    order_.resize(begins_.back());
    std::vector<uint32_t> at(begins_.begin(), begins_.end() - 1);
    for (size_t row = 0; row < rows_.num_rows; ++row) {
      if (numbers[row] != kNoKey) order_[at[numbers[row]]++] = static_cast<uint32_t>(row);
    }
    if (has_times) {
      const auto time_of = [&](uint32_t row) {
        return std::pair(times.IsNull(row), times.IsNull(row) ? 0 : times.ints[row]);
      };
      const auto earlier = [&](uint32_t a, uint32_t b) { return time_of(a) < time_of(b); };
      for (size_t key = 0; key + 1 < begins_.size(); ++key) {
        const auto first = order_.begin() + begins_[key];
        const auto last = order_.begin() + begins_[key + 1];
        if (!std::is_sorted(first, last, earlier)) std::stable_sort(first, last, earlier);
      }
    }
    if (!timed) return absl::OkStatus();
    times_.resize(order_.size());
    for (size_t i = 0; i < order_.size(); ++i) times_[i] = times.ints[order_[i]];
    if (overlap) BuildEnds(time);
    return absl::OkStatus();
  }

  const RecordBatch& rows() const { return rows_; }
  const KeyTable& table() const { return table_; }
  uint32_t RowAt(size_t place) const { return order_[place]; }
  std::pair<size_t, size_t> Run(uint32_t key) const { return {begins_[key], begins_[key + 1]}; }
  // First place of [begin, end) with a time of at least / above `time`.
  size_t FirstAtLeast(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::lower_bound(At(begin), At(end), time) - times_.begin());
  }
  size_t FirstAbove(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::upper_bound(At(begin), At(end), time) - times_.begin());
  }
  Timestamp TimeAt(size_t place) const { return times_[place]; }

  // First place in [begin, end) whose row ends at or after `time`; `end` if there is none. O(log n).
  size_t NextEndingAtLeast(size_t begin, size_t end, Timestamp time) const {
    size_t place = begin;
    // Climb over whole subtrees that end too early, then descend into the one that does not.
    size_t node = place + leaves_;
    while (place < end) {
      if (greatest_[node] >= time) {
        while (node < leaves_) {
          node *= 2;
          if (greatest_[node] < time) ++node;
        }
        return std::min(node - leaves_, end);
      }
      while (node % 2 == 1) node /= 2;
      if (node == 0) return end;
      ++node;
      // The leftmost leaf below the node is where the search stands now.
      size_t leaf = node;
      while (leaf < leaves_) leaf *= 2;
      place = leaf - leaves_;
    }
    return end;
  }

 private:
  std::vector<Timestamp>::const_iterator At(size_t place) const {
    return times_.begin() + static_cast<ptrdiff_t>(place);
  }

  // A tree of greatest ends over all places.
  void BuildEnds(const TimeColumns& time) {
    leaves_ = 1;
    while (leaves_ < order_.size()) leaves_ *= 2;
    greatest_.assign(2 * leaves_, kMinTimestamp);
    const Column* ends = time.end < 0 ? nullptr : &rows_.columns[static_cast<size_t>(time.end)];
    for (size_t i = 0; i < order_.size(); ++i) {
      Timestamp end = times_[i];
      if (ends != nullptr && ends->type == Type::kTimestamp && !ends->IsNull(order_[i])) {
        end = std::max(end, ends->ints[order_[i]]);
      }
      greatest_[leaves_ + i] = end;
    }
    for (size_t node = leaves_; node-- > 1;) greatest_[node] = std::max(greatest_[2 * node], greatest_[2 * node + 1]);
  }

  KeyTable table_;
  RecordBatch rows_;
  std::vector<uint32_t> begins_;
  std::vector<uint32_t> order_;
  std::vector<Timestamp> times_;  // by place, of timed joins
  size_t leaves_ = 0;
  std::vector<Timestamp> greatest_;
};

class JoinOperator : public Operator {
 public:
  JoinOperator(OperatorPtr left, OperatorPtr right, JoinSpec spec, QueryContext* context)
      : left_(std::move(left)),
        right_(std::move(right)),
        spec_(std::move(spec)),
        context_(context),
        reservation_(context, "join"),
        side_(spec_.keys.size()),
        left_time_(FindTimeColumns(left_->schema())),
        right_time_(FindTimeColumns(right_->schema())),
        output_(left_->schema(), right_->schema(), spec_.name) {
    timed_ = spec_.overlap || spec_.within.has_value() || spec_.asof.has_value();
  }

  const Schema& schema() const override { return output_.schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (next_row_ >= current_.num_rows) {
      current_ = RecordBatch();
      next_row_ = 0;
      ASSIGN_OR_RETURN(const bool more, left_->Next(&current_));
      if (!more) return false;
      *batch = RecordBatch();
      if (current_.num_rows == 0) return true;
      RETURN_IF_ERROR(Prepare());
    }
    RETURN_IF_ERROR(MatchRows());
    *batch = output_.Assemble(current_, left_rows_, side_.rows(), right_rows_);
    return true;
  }

 private:
  // Evaluates the keys of the current left batch, and builds the right side when it is the first.
  absl::Status Prepare() {
    std::vector<Column> keys;
    for (const JoinKeyPair& pair : spec_.keys) {
      ASSIGN_OR_RETURN(Column column, pair.left->Evaluate(current_));
      keys.push_back(std::move(column));
    }
    if (!built_) {
      RETURN_IF_ERROR(BuildRight(keys));
      built_ = true;
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      Column storage;
      const Column& coerced = CoerceKey(keys[i], targets_[i], &storage);
      if (&coerced != &keys[i]) keys[i] = std::move(storage);
    }
    side_.table().Find(keys, current_.num_rows, &cache_, &numbers_);
    if (!timed_) return absl::OkStatus();
    const Column no_time;
    const Column& times = left_time_.time < 0 ? no_time : current_.columns[static_cast<size_t>(left_time_.time)];
    if (times.type != Type::kTimestamp && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the left side of a join is not a timestamp");
    }
    for (size_t row = 0; row < current_.num_rows; ++row) {
      if (times.IsNull(row)) numbers_[row] = kNoKey;
    }
    return absl::OkStatus();
  }

  absl::Status BuildRight(const std::vector<Column>& left_keys) {
    ASSIGN_OR_RETURN(RecordBatch rows, DrainInto(right_.get(), context_, &reservation_));
    std::vector<Column> keys;
    for (size_t i = 0; i < spec_.keys.size(); ++i) {
      Column column;
      if (rows.num_rows > 0) {
        ASSIGN_OR_RETURN(column, spec_.keys[i].right->Evaluate(rows));
      }
      // What the data show counts more than a vague static type.
      const Type declared = spec_.keys[i].left->type();
      const Type left_type = declared == Type::kMixed ? left_keys[i].type : declared;
      targets_.push_back(KeyTypeOf(left_type, column.type));
      Column storage;
      const Column& coerced = CoerceKey(column, targets_.back(), &storage);
      if (&coerced != &column) column = std::move(storage);
      keys.push_back(std::move(column));
    }
    return side_.Build(std::move(rows), keys, right_time_, timed_, spec_.overlap, &reservation_);
  }

  // Fills left_rows_ and right_rows_ with pairs of the next left rows.
  absl::Status MatchRows() {
    left_rows_.clear();
    right_rows_.clear();
    size_t checked = 0;
    for (; next_row_ < current_.num_rows && left_rows_.size() < kPairsPerBatch; ++next_row_) {
      const auto row = static_cast<uint32_t>(next_row_);
      const size_t before = left_rows_.size();
      if (numbers_[row] != kNoKey) RETURN_IF_ERROR(MatchRow(row));
      if (left_rows_.size() == before && spec_.left_outer) Emit(row, kNoRow);
      checked += left_rows_.size() - before;
      if (checked >= kPairsPerCheck) {
        RETURN_IF_ERROR(context_->CheckAlive());
        checked = 0;
      }
    }
    return absl::OkStatus();
  }

  void Emit(uint32_t left, uint32_t right) {
    left_rows_.push_back(left);
    right_rows_.push_back(right);
  }

  absl::Status EmitRange(uint32_t row, size_t begin, size_t end) {
    if (begin >= end) return absl::OkStatus();
    RETURN_IF_ERROR(CheckPairs(end - begin));
    for (size_t place = begin; place < end; ++place) Emit(row, side_.RowAt(place));
    return absl::OkStatus();
  }

  absl::Status MatchRow(uint32_t row) {
    const auto [begin, end] = side_.Run(numbers_[row]);
    if (!timed_) return EmitRange(row, begin, end);
    const Timestamp time = current_.columns[static_cast<size_t>(left_time_.time)].ints[row];
    if (spec_.within) {
      const size_t first = side_.FirstAtLeast(begin, end, SaturatingAdd(time, spec_.within->first));
      return EmitRange(row, first, side_.FirstAbove(first, end, SaturatingAdd(time, spec_.within->second)));
    }
    if (spec_.asof) {
      const size_t after = side_.FirstAbove(begin, end, time);
      if (after > begin && side_.TimeAt(after - 1) >= SaturatingAdd(time, -*spec_.asof)) {
        Emit(row, side_.RowAt(after - 1));
      }
      return absl::OkStatus();
    }
    Timestamp until = time;
    if (left_time_.end >= 0) {
      const Column& ends = current_.columns[static_cast<size_t>(left_time_.end)];
      if (ends.type == Type::kTimestamp && !ends.IsNull(row)) until = std::max(until, ends.ints[row]);
    }
    const size_t last = side_.FirstAbove(begin, end, until);
    uint64_t pairs = 0;
    for (size_t place = side_.NextEndingAtLeast(begin, last, time); place < last;
         place = side_.NextEndingAtLeast(place + 1, last, time)) {
      RETURN_IF_ERROR(CheckPairs(++pairs));
      Emit(row, side_.RowAt(place));
    }
    return absl::OkStatus();
  }

  absl::Status CheckPairs(uint64_t pairs) const {
    if (pairs <= context_->limits.pairs_per_row_max) return absl::OkStatus();
    return MakeError({"E085",
                      "a left row of the join with `" + spec_.name + "` matches more than " +
                          std::to_string(context_->limits.pairs_per_row_max) + " rows",
                      1, 1, 1, "add a key, narrow the window, or aggregate the right side first"});
  }

  OperatorPtr left_;
  OperatorPtr right_;
  JoinSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  RightSide side_;
  TimeColumns left_time_;
  TimeColumns right_time_;
  JoinedRows output_;
  bool timed_ = false;
  bool built_ = false;
  std::vector<Type> targets_;
  KeyTable::Cache cache_;
  RecordBatch current_;
  size_t next_row_ = 0;
  std::vector<uint32_t> numbers_;
  std::vector<uint32_t> left_rows_;
  std::vector<uint32_t> right_rows_;
};

}  // namespace

absl::StatusOr<OperatorPtr> MakeJoin(OperatorPtr left, OperatorPtr right, JoinSpec spec, QueryContext* context) {
  const int relations = (spec.overlap ? 1 : 0) + (spec.within ? 1 : 0) + (spec.asof ? 1 : 0);
  if (relations > 1) return absl::InvalidArgumentError("a join takes one of the key `time`, `within` and `asof`");
  if (relations == 1) {
    for (const Operator* side : {left.get(), right.get()}) {
      if (FindTimeColumns(side->schema()).time >= 0) continue;
      return absl::InvalidArgumentError(std::string("a join over time needs `time` on both sides; the ") +
                                        (side == left.get() ? "left" : "right") + " side has none");
    }
  }
  if (spec.within && spec.within->first > spec.within->second) {
    return absl::InvalidArgumentError("`within` needs its lesser bound first");
  }
  if (spec.asof && *spec.asof < 0) return absl::InvalidArgumentError("`asof` needs a positive duration");
  return OperatorPtr(std::make_unique<JoinOperator>(std::move(left), std::move(right), std::move(spec), context));
}

}  // namespace braid
