#include "query/rows/join.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "query/rows/batch_source.h"
#include "query/rows/column_concat.h"
#include "query/rows/id_table.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/rows/select_rows.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr size_t kPairsPerBatch = 4096;
// Rows between the look at a key's run of rows and its turn.
constexpr size_t kRowsAhead = 8;
constexpr size_t kPairsPerCheck = 65'536;

Timestamp SaturatingAdd(Timestamp time, Duration offset) {
  Timestamp sum;
  if (__builtin_add_overflow(time, offset, &sum)) return offset < 0 ? kMinTimestamp : kMaxTimestamp;
  return sum;
}

// The side that is indexed: rows grouped by key, within a key by (time, row).
class IndexedSide {
 public:
  explicit IndexedSide(size_t keys) : table_(keys, NullKeys::kNeverMatch) {}

  // The number of each row's key, kNoKey if no row of this side has it.
  // REQUIRES: Build was called.
  void Find(const std::vector<const Column*>& keys, size_t rows, KeyTable::Cache* cache,
            std::vector<uint32_t>* numbers) const {
    if (ids_) {
      ids_->Find(keys, rows, numbers);
    } else {
      table_.Find(keys, rows, cache, numbers);
    }
  }

  // `targets`: what keys are compared as. `timed`: rows without a time have no
  // place. `overlap`: ends are needed too. `threads`: that may work on it.
  absl::Status Build(RecordBatch rows, const std::vector<const Column*>& keys, const std::vector<Type>& targets,
                     const TimeColumns& time, bool timed, bool overlap, size_t threads, Reservation* reservation) {
    rows_ = std::move(rows);
    const auto is_id = [&](size_t i) { return keys[i]->type == targets[i] || keys[i]->type == Type::kNull; };
    bool ids = IdTable::Fits(targets);
    for (size_t i = 0; ids && i < keys.size(); ++i) ids = is_id(i);
    if (ids) {
      ids_.emplace(targets);
      RETURN_IF_ERROR(reservation->Add(ids_->BytesFor(rows_.num_rows)));
    }
    RETURN_IF_ERROR(reservation->Add(rows_.num_rows * (overlap ? 36 : 20)));
    const Column no_time;
    const Column& times = time.time < 0 ? no_time : rows_.columns[static_cast<size_t>(time.time)];
    const bool has_times = times.type == Type::kTimestamp;
    if (timed && !has_times && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the right side of a join is not a timestamp");
    }
    if (ids) {
      RETURN_IF_ERROR(ids_->Build(keys, rows_.num_rows, threads, &begins_, &order_));
    } else {
      RETURN_IF_ERROR(GroupByKey(keys, reservation));
    }
    if (timed && (!has_times || !times.valid.empty())) DropTimeless(times);
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
  uint32_t RowAt(size_t place) const { return order_[place]; }
  std::pair<size_t, size_t> Run(uint32_t key) const { return {begins_[key], begins_[key + 1]}; }
  size_t num_keys() const { return begins_.empty() ? 0 : begins_.size() - 1; }
  void PrefetchRun(uint32_t key) const { __builtin_prefetch(&begins_[key]); }
  void PrefetchRows(uint32_t key) const { __builtin_prefetch(order_.data() + begins_[key]); }
  // First place of [begin, end) with a time of at least / above `time`.
  size_t FirstAtLeast(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::lower_bound(At(begin), At(end), time) - times_.begin());
  }
  size_t FirstAbove(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::upper_bound(At(begin), At(end), time) - times_.begin());
  }
  // The same, for who looks near `hint`, a place of [begin, end]: rows that come in order of time do not look far.
  size_t FirstAboveNear(size_t begin, size_t end, Timestamp time, size_t hint) const {
    const Timestamp* const times = times_.data();
    size_t step = 1;
    if (hint > begin && times[hint - 1] > time) {
      // It is before the hint.
      end = hint - 1;
      while (end > begin && end - begin > step && times[end - step] > time) {
        end -= step;
        step *= 2;
      }
      begin = end - begin > step ? end - step : begin;
    } else {
      begin = hint;
      while (end - begin > step && times[begin + step - 1] <= time) {
        begin += step;
        step *= 2;
      }
      end = std::min(end, begin + step);
    }
    return FirstAbove(begin, end, time);
  }
  Timestamp TimeAt(size_t place) const { return times_[place]; }

  // First place in [begin, end) whose row ends at or after `time`; `end` if
  // there is none. O(log n).
  size_t NextEndingAtLeast(size_t begin, size_t end, Timestamp time) const {
    size_t place = begin;
    // Climb over whole subtrees that end too early, then descend into the one
    // that does not.
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
  absl::Status GroupByKey(const std::vector<const Column*>& keys, Reservation* reservation) {
    std::vector<uint32_t> numbers;
    table_.Assign(keys, rows_.num_rows, &numbers);
    RETURN_IF_ERROR(reservation->Add(table_.bytes()));
    begins_.assign(table_.size() + 1, 0);
    for (const uint32_t number : numbers) {
      if (number != kNoKey) ++begins_[number + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    order_.resize(begins_.back());
    std::vector<uint32_t> at(begins_.begin(), begins_.end() - 1);
    for (size_t row = 0; row < rows_.num_rows; ++row) {
      if (numbers[row] != kNoKey) order_[at[numbers[row]]++] = static_cast<uint32_t>(row);
    }
    return absl::OkStatus();
  }

  void DropTimeless(const Column& times) {
    size_t kept = 0;
    for (size_t key = 0; key + 1 < begins_.size(); ++key) {
      const size_t begin = std::exchange(begins_[key], static_cast<uint32_t>(kept));
      for (size_t place = begin; place < begins_[key + 1]; ++place) {
        if (!times.IsNull(order_[place])) order_[kept++] = order_[place];
      }
    }
    begins_.back() = static_cast<uint32_t>(kept);
    order_.resize(kept);
  }

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
  std::optional<IdTable> ids_;  // instead of table_
  RecordBatch rows_;
  std::vector<uint32_t> begins_;
  std::vector<uint32_t> order_;
  std::vector<Timestamp> times_;  // by place, of timed joins
  size_t leaves_ = 0;
  std::vector<Timestamp> greatest_;
};

// What all threads that probe one join share; does not change once the right
// side is built.
struct JoinShared {
  JoinShared(const Schema& left, const Schema& right, JoinSpec join, QueryContext* query)
      : spec(std::move(join)),
        context(query),
        side(spec.keys.size()),
        left_time(FindTimeColumns(left)),
        right_time(FindTimeColumns(right)),
        output(left, right, spec.name, spec.wanted),
        timed(spec.overlap || spec.within.has_value() || spec.asof.has_value()) {}

  // Of the key that the streaming or the indexed side has.
  const RowExpressionPtr& KeyOf(size_t key, bool streaming) const {
    return streaming != spec.index_left ? spec.keys[key].left : spec.keys[key].right;
  }

  JoinSpec spec;
  QueryContext* context;
  IndexedSide side;
  TimeColumns left_time;
  TimeColumns right_time;
  JoinedRows output;
  bool timed;
  std::vector<Type> targets;                 // what the keys are compared as
  std::vector<std::atomic<uint32_t>> pairs;  // of each left row of a key, where that is the indexed side
};

// Matches batches of the streaming side with the indexed one.
class JoinProbe {
 public:
  explicit JoinProbe(JoinShared* shared) : shared_(shared) {}

  // Takes the next streaming rows with their keys, which may stand in them. REQUIRES: the indexed side
  // is built, and done().
  absl::Status Take(RecordBatch rows, const ReadColumns& read) {
    current_ = std::move(rows);  // columns stay where they are
    next_row_ = 0;
    std::vector<const Column*> keys = read.columns();
    std::vector<Column> storage(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = &CoerceKey(*keys[i], shared_->targets[i], &storage[i]);
    shared_->side.Find(keys, current_.num_rows, &cache_, &numbers_);
    if (!shared_->timed) return absl::OkStatus();
    const Column no_time;
    const int time = shared_->left_time.time;
    const Column& times = time < 0 ? no_time : current_.columns[static_cast<size_t>(time)];
    if (times.type != Type::kTimestamp && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the left side of a join is not a timestamp");
    }
    for (size_t row = 0; row < current_.num_rows; ++row) {
      if (times.IsNull(row)) numbers_[row] = kNoKey;
    }
    return absl::OkStatus();
  }
  bool done() const { return next_row_ >= current_.num_rows; }

  // The next pairs of the rows taken.
  absl::Status Next(RecordBatch* batch) {
    RETURN_IF_ERROR(MatchRows());
    const RecordBatch& indexed = shared_->side.rows();
    *batch = shared_->spec.index_left ? shared_->output.Assemble(indexed, indexed_rows_, current_, streaming_rows_)
                                      : shared_->output.Assemble(current_, streaming_rows_, indexed, indexed_rows_);
    return absl::OkStatus();
  }

  static absl::StatusOr<ReadColumns> Keys(const JoinShared& shared, const RecordBatch& rows) {
    ReadColumns keys(shared.spec.keys.size());
    for (size_t i = 0; i < shared.spec.keys.size(); ++i) {
      RETURN_IF_ERROR(keys.Add(*shared.KeyOf(i, /*streaming=*/true), rows));
    }
    return keys;
  }

 private:
  // Fills streaming_rows_ and indexed_rows_ with pairs of the next rows taken.
  absl::Status MatchRows() {
    streaming_rows_.clear();
    indexed_rows_.clear();
    if (shared_->spec.asof) {
      MatchLatest();
      return absl::OkStatus();
    }
    size_t checked = 0;
    for (; next_row_ < current_.num_rows && streaming_rows_.size() < kPairsPerBatch; ++next_row_) {
      PrefetchFor(next_row_);
      const auto row = static_cast<uint32_t>(next_row_);
      const size_t before = streaming_rows_.size();
      if (numbers_[row] != kNoKey) RETURN_IF_ERROR(MatchRow(row));
      if (streaming_rows_.size() == before && shared_->spec.left_outer) Emit(row, kNoRow);
      checked += streaming_rows_.size() - before;
      if (checked >= kPairsPerCheck) {
        RETURN_IF_ERROR(shared_->context->CheckAlive());
        checked = 0;
      }
    }
    return absl::OkStatus();
  }

  // As-of: at most one row for each.
  void MatchLatest() {
    const IndexedSide& side = shared_->side;
    const Duration oldest = -*shared_->spec.asof;
    const bool outer = shared_->spec.left_outer;
    const int time = shared_->left_time.time;
    const Column& times = current_.columns[static_cast<size_t>(time)];
    if (latest_.empty()) {
      for (size_t key = 0; key < side.num_keys(); ++key) latest_.push_back(side.Run(static_cast<uint32_t>(key)).first);
    }
    const size_t end_row = std::min(current_.num_rows, next_row_ + kPairsPerBatch);
    for (; next_row_ < end_row; ++next_row_) {
      const auto row = static_cast<uint32_t>(next_row_);
      const uint32_t key = numbers_[row];
      uint32_t match = kNoRow;
      if (key != kNoKey) {
        const auto [begin, end] = side.Run(key);
        const Timestamp at = times.ints[row];
        const size_t after = side.FirstAboveNear(begin, end, at, latest_[key]);
        latest_[key] = after;
        if (after > begin && side.TimeAt(after - 1) >= SaturatingAdd(at, oldest)) match = side.RowAt(after - 1);
      }
      if (match != kNoRow || outer) Emit(row, match);
    }
  }

  // Fetches what rows soon to come will want of the indexed side.
  void PrefetchFor(size_t row) const {
    const auto key_of = [&](size_t ahead) { return row + ahead < numbers_.size() ? numbers_[row + ahead] : kNoKey; };
    if (const uint32_t key = key_of(2 * kRowsAhead); key != kNoKey) {
      shared_->side.PrefetchRun(key);
      if (shared_->spec.index_left) __builtin_prefetch(&shared_->pairs[key], 1);
    }
    if (const uint32_t key = key_of(kRowsAhead); key != kNoKey) shared_->side.PrefetchRows(key);
  }

  void Emit(uint32_t streaming, uint32_t indexed) {
    streaming_rows_.push_back(streaming);
    indexed_rows_.push_back(indexed);
  }

  absl::Status EmitRange(uint32_t row, size_t begin, size_t end) {
    if (begin >= end) return absl::OkStatus();
    if (!shared_->spec.index_left) {
      RETURN_IF_ERROR(CheckPairs(end - begin));
    } else {
      // Such joins are of equal keys alone: all left rows of the key match this row too.
      RETURN_IF_ERROR(CheckPairs(shared_->pairs[numbers_[row]].fetch_add(1, std::memory_order_relaxed) + 1));
    }
    for (size_t place = begin; place < end; ++place) Emit(row, shared_->side.RowAt(place));
    return absl::OkStatus();
  }

  absl::Status MatchRow(uint32_t row) {
    const auto [begin, end] = shared_->side.Run(numbers_[row]);
    if (!shared_->timed) return EmitRange(row, begin, end);
    const Timestamp time = current_.columns[static_cast<size_t>(shared_->left_time.time)].ints[row];
    if (shared_->spec.within) {
      const size_t first = shared_->side.FirstAtLeast(begin, end, SaturatingAdd(time, shared_->spec.within->first));
      return EmitRange(row, first,
                       shared_->side.FirstAbove(first, end, SaturatingAdd(time, shared_->spec.within->second)));
    }
    Timestamp until = time;
    if (shared_->left_time.end >= 0) {
      const Column& ends = current_.columns[static_cast<size_t>(shared_->left_time.end)];
      if (ends.type == Type::kTimestamp && !ends.IsNull(row)) until = std::max(until, ends.ints[row]);
    }
    const size_t last = shared_->side.FirstAbove(begin, end, until);
    uint64_t pairs = 0;
    for (size_t place = shared_->side.NextEndingAtLeast(begin, last, time); place < last;
         place = shared_->side.NextEndingAtLeast(place + 1, last, time)) {
      RETURN_IF_ERROR(CheckPairs(++pairs));
      Emit(row, shared_->side.RowAt(place));
    }
    return absl::OkStatus();
  }

  absl::Status CheckPairs(uint64_t pairs) const {
    if (pairs <= shared_->context->limits.pairs_per_row_max) return absl::OkStatus();
    return MakeError({"E085",
                      "a left row of the join with `" + shared_->spec.name + "` matches more than " +
                          std::to_string(shared_->context->limits.pairs_per_row_max) + " rows",
                      1, 1, 1, "add a key, narrow the window, or aggregate the right side first"});
  }

  JoinShared* shared_;
  KeyTable::Cache cache_;
  RecordBatch current_;
  size_t next_row_ = 0;
  std::vector<uint32_t> numbers_;
  std::vector<size_t> latest_;  // as-of, of each key: the place behind the row matched last
  std::vector<uint32_t> streaming_rows_;
  std::vector<uint32_t> indexed_rows_;
};

// One thread's share of the streaming side.
class JoinPart : public Operator {
 public:
  JoinPart(OperatorPtr input, JoinShared* shared) : input_(std::move(input)), shared_(shared), probe_(shared) {}

  const Schema& schema() const override { return shared_->output.schema(); }
  uint64_t place() const override { return input_->place(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(shared_->context->CheckAlive());
    *batch = RecordBatch();
    if (probe_.done()) {
      RecordBatch rows;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&rows));
      if (!more || rows.num_rows == 0) return more;
      ASSIGN_OR_RETURN(const ReadColumns keys, JoinProbe::Keys(*shared_, rows));
      RETURN_IF_ERROR(probe_.Take(std::move(rows), keys));
    }
    RETURN_IF_ERROR(probe_.Next(batch));
    return true;
  }

 private:
  OperatorPtr input_;
  JoinShared* shared_;
  JoinProbe probe_;
};

class JoinOperator : public Operator {
 public:
  JoinOperator(OperatorPtr left, OperatorPtr right, JoinSpec spec, QueryContext* context)
      : shared_(left->schema(), right->schema(), std::move(spec), context),
        streaming_(shared_.spec.index_left ? std::move(right) : std::move(left)),
        indexed_(shared_.spec.index_left ? std::move(left) : std::move(right)),
        reservation_(context, "join"),
        probe_(&shared_) {}

  const Schema& schema() const override { return shared_.output.schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(status_);
    RETURN_IF_ERROR(shared_.context->CheckAlive());
    *batch = RecordBatch();
    if (probe_.done()) {
      RecordBatch rows;
      ASSIGN_OR_RETURN(const bool more, streaming_->Next(&rows));
      if (!more || rows.num_rows == 0) return more;
      ASSIGN_OR_RETURN(const ReadColumns keys, JoinProbe::Keys(shared_, rows));
      if (!built_) RETURN_IF_ERROR(BuildIndex(&keys.columns()));
      RETURN_IF_ERROR(probe_.Take(std::move(rows), keys));
    }
    RETURN_IF_ERROR(probe_.Next(batch));
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    // What a streaming key is may show only in its rows; then they must come
    // first.
    for (size_t i = 0; i < shared_.spec.keys.size(); ++i) {
      if (shared_.KeyOf(i, /*streaming=*/true)->type() == Type::kMixed) return {};
    }
    std::vector<OperatorPtr> split = streaming_->Split(parts);
    if (split.empty()) return {};
    status_ = BuildIndex(nullptr);
    if (!status_.ok()) return {};
    for (OperatorPtr& part : split) part = std::make_unique<JoinPart>(std::move(part), &shared_);
    return split;
  }

 private:
  // `streaming_keys` of the first streaming rows; null where the declared types
  // tell enough.
  absl::Status BuildIndex(const std::vector<const Column*>* streaming_keys) {
    built_ = true;
    RecordBatch rows;
    // Rows that are at hand are counted already.
    if (!TakeWholeBatch(indexed_.get(), &rows)) {
      ASSIGN_OR_RETURN(rows, DrainInto(indexed_.get(), shared_.context, &reservation_));
    }
    const size_t num_keys = shared_.spec.keys.size();
    const Column nothing;
    ReadColumns read(num_keys);
    std::vector<const Column*> keys(num_keys, &nothing);
    std::vector<Column> storage(num_keys);
    for (size_t i = 0; i < num_keys; ++i) {
      if (rows.num_rows > 0) {
        RETURN_IF_ERROR(read.Add(*shared_.KeyOf(i, /*streaming=*/false), rows));
        keys[i] = read.columns()[i];
      }
      // What the data show counts more than a vague static type.
      const Type declared = shared_.KeyOf(i, /*streaming=*/true)->type();
      const Type streaming_type = declared == Type::kMixed ? (*streaming_keys)[i]->type : declared;
      shared_.targets.push_back(KeyTypeOf(streaming_type, keys[i]->type));
      keys[i] = &CoerceKey(*keys[i], shared_.targets.back(), &storage[i]);
    }
    TimeColumns times = shared_.right_time;
    if (shared_.spec.index_left) times = TimeColumns();
    const auto threads = static_cast<size_t>(shared_.context->threads);
    RETURN_IF_ERROR(shared_.side.Build(std::move(rows), keys, shared_.targets, times, shared_.timed,
                                       shared_.spec.overlap, threads, &reservation_));
    if (!shared_.spec.index_left) return absl::OkStatus();
    RETURN_IF_ERROR(reservation_.Add(shared_.side.num_keys() * sizeof(uint32_t)));
    shared_.pairs = std::vector<std::atomic<uint32_t>>(shared_.side.num_keys());
    return absl::OkStatus();
  }

  JoinShared shared_;
  OperatorPtr streaming_;
  OperatorPtr indexed_;
  Reservation reservation_;
  JoinProbe probe_;
  bool built_ = false;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<OperatorPtr> MakeJoin(OperatorPtr left, OperatorPtr right, JoinSpec spec, QueryContext* context) {
  if (spec.index_left && (spec.left_outer || spec.overlap || spec.within || spec.asof)) {
    return absl::InternalError("a join that indexes its left side takes equality alone");
  }
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
