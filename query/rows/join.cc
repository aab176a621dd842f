#include "query/rows/join.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/indexed_side.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
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
    ASSIGN_OR_RETURN(const bool whole, indexed_->TakeWhole(&rows));
    if (!whole) {
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
