// context: the rows before and after each match in its stream.
#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/rows/select_rows.h"
#include "query/rows/windows.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// How far the first look around a match goes when rows are counted, and how much farther each next one.
constexpr Duration kFirstReach = kSecond;
constexpr Duration kReachGrowth = 8;

class ContextOperator : public Operator {
 public:
  ContextOperator(OperatorPtr input, ContextSpec spec, QueryContext* context)
      : input_(std::move(input)),
        spec_(std::move(spec)),
        context_(context),
        reservation_(context, "context"),
        time_(static_cast<size_t>(input_->schema().Find("time"))),
        stream_(static_cast<size_t>(input_->schema().Find("stream"))),
        reader_time_(static_cast<size_t>(spec_.reader_schema.Find("time"))) {
    for (const SchemaColumn& column : input_->schema().columns) {
      reader_columns_.push_back(spec_.reader_schema.Find(column.name));
    }
  }

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (done_) return false;
    done_ = true;
    ASSIGN_OR_RETURN(matches_, DrainInto(input_.get(), context_, &reservation_));
    builders_.resize(schema().columns.size());
    RETURN_IF_ERROR(ReadStreams());
    RecordBatch rows;
    rows.num_rows = builders_.empty() ? 0 : builders_[0].size();
    for (ColumnBuilder& builder : builders_) rows.columns.push_back(builder.Finish());
    *batch = RecordBatch();
    if (rows.num_rows == 0) return true;
    ASSIGN_OR_RETURN(const std::vector<uint32_t> order,
                     SortedRows({rows.columns[time_], rows.columns[stream_]}, rows.num_rows, context_));
    *batch = rows.Select(order);
    return true;
  }

 private:
  // A piece of a stream with the matches in it.
  struct Piece {
    TimeRange range;
    size_t first, last;  // of `sorted`, last included
    RecordBatch rows;
    std::vector<uint32_t> found;  // per match its row
  };

  absl::Status ReadStreams() {
    if (matches_.num_rows == 0) return absl::OkStatus();
    const Column& times = matches_.columns[time_];
    const Column& streams = matches_.columns[stream_];
    if (times.type != Type::kTimestamp || streams.type != Type::kInt) {
      return absl::InvalidArgumentError("context needs log rows with their `time` and `stream`");
    }
    ASSIGN_OR_RETURN(const std::vector<uint32_t> sorted, SortedRows({streams, times}, matches_.num_rows, context_));
    for (size_t begin = 0; begin < sorted.size();) {
      size_t end = begin;
      while (end < sorted.size() && streams.ints[sorted[end]] == streams.ints[sorted[begin]]) ++end;
      const std::vector<uint32_t> rows(sorted.begin() + static_cast<ptrdiff_t>(begin),
                                       sorted.begin() + static_cast<ptrdiff_t>(end));
      RETURN_IF_ERROR(ReadStream(streams.ints[rows[0]], rows));
      begin = end;
    }
    return absl::OkStatus();
  }

  int64_t TimeOf(uint32_t match) const { return matches_.columns[time_].ints[match]; }

  absl::Status ReadStream(int64_t stream, const std::vector<uint32_t>& sorted) {
    const Duration before =
        spec_.window.from.is_count ? (spec_.window.from.value == 0 ? 0 : -kFirstReach) : spec_.window.from.value;
    const Duration after =
        spec_.window.to.is_count ? (spec_.window.to.value == 0 ? 0 : kFirstReach) : spec_.window.to.value;
    std::vector<Piece> pieces;
    for (size_t i = 0; i < sorted.size(); ++i) {
      TimeRange range{Shift(TimeOf(sorted[i]), before), Shift(TimeOf(sorted[i]), after)};
      if (!pieces.empty() && range.start <= pieces.back().range.end) {
        pieces.back().range.end = std::max(pieces.back().range.end, range.end);
        pieces.back().last = i;
      } else {
        pieces.push_back({range, i, i, {}, {}});
      }
    }
    for (Piece& piece : pieces) RETURN_IF_ERROR(Widen(stream, sorted, &piece));
    // Pieces that grew into each other are read once more as one; what each needs is then in it.
    std::vector<Piece> merged;
    for (Piece& piece : pieces) {
      if (merged.empty() || piece.range.start > merged.back().range.end) {
        merged.push_back(std::move(piece));
        continue;
      }
      merged.back().range.end = std::max(merged.back().range.end, piece.range.end);
      merged.back().last = piece.last;
      merged.back().rows = RecordBatch();
    }
    for (Piece& piece : merged) {
      if (piece.rows.columns.empty()) RETURN_IF_ERROR(Read(stream, sorted, &piece));
      Emit(piece, sorted);
      RETURN_IF_ERROR(reservation_.Add(ApproximateBytes(piece.rows)));
      piece.rows = RecordBatch();
    }
    return absl::OkStatus();
  }

  // Reads the piece, farther and farther until it has the rows that are counted or meets the bounds.
  absl::Status Widen(int64_t stream, const std::vector<uint32_t>& sorted, Piece* piece) {
    const auto wanted_before = static_cast<uint64_t>(-spec_.window.from.value);
    const auto wanted_after = static_cast<uint64_t>(spec_.window.to.value);
    Duration reach = kFirstReach;
    while (true) {
      RETURN_IF_ERROR(Read(stream, sorted, piece));
      const bool short_before = spec_.window.from.is_count &&
                                *std::min_element(piece->found.begin(), piece->found.end()) < wanted_before &&
                                piece->range.start > spec_.bounds.start;
      const bool short_after =
          spec_.window.to.is_count &&
          piece->rows.num_rows - 1 - *std::max_element(piece->found.begin(), piece->found.end()) < wanted_after &&
          piece->range.end < spec_.bounds.end;
      if (!short_before && !short_after) return absl::OkStatus();
      if (__builtin_mul_overflow(reach, kReachGrowth, &reach)) reach = INT64_MAX;
      if (short_before) {
        piece->range.start = std::max(Shift(TimeOf(sorted[piece->first]), -reach), spec_.bounds.start);
      }
      if (short_after) piece->range.end = std::min(Shift(TimeOf(sorted[piece->last]), reach), spec_.bounds.end);
    }
  }

  absl::Status Read(int64_t stream, const std::vector<uint32_t>& sorted, Piece* piece) {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(piece->rows, spec_.reader(stream, piece->range));
    // What is read is held until the piece is done; reserved here so that a busy stream cannot run away.
    Reservation held(context_, "context");
    RETURN_IF_ERROR(held.Set(ApproximateBytes(piece->rows)));
    return Locate(sorted, piece);
  }

  // Finds each match again: by its time, then by all columns in common; rows that are all equal in their order.
  absl::Status Locate(const std::vector<uint32_t>& sorted, Piece* piece) const {
    piece->found.clear();
    if (piece->rows.num_rows == 0) return NotFound();
    const std::vector<int64_t>& times = piece->rows.columns[reader_time_].ints;
    std::vector<uint8_t> taken(piece->rows.num_rows, 0);
    for (size_t i = piece->first; i <= piece->last; ++i) {
      const int64_t time = TimeOf(sorted[i]);
      const auto [first, last] = std::equal_range(times.begin(), times.end(), time);
      uint32_t found = kNoRow;
      for (auto at = first; at != last && found == kNoRow; ++at) {
        const auto row = static_cast<uint32_t>(at - times.begin());
        if (taken[row] == 0 && IsSame(sorted[i], piece->rows, row)) found = row;
      }
      if (found == kNoRow) return NotFound();
      taken[found] = 1;
      piece->found.push_back(found);
    }
    return absl::OkStatus();
  }

  static absl::Status NotFound() {
    return absl::InvalidArgumentError(
        "context finds its rows again by what is stored: put it before stages that change columns");
  }

  bool IsSame(uint32_t match, const RecordBatch& rows, uint32_t row) const {
    for (size_t i = 0; i < reader_columns_.size(); ++i) {
      if (reader_columns_[i] < 0) continue;
      if (!EqualCells(matches_.columns[i], match, rows.columns[static_cast<size_t>(reader_columns_[i])], row)) {
        return false;
      }
    }
    return true;
  }

  void Emit(const Piece& piece, const std::vector<uint32_t>& sorted) {
    const std::vector<int64_t>& times = piece.rows.columns[reader_time_].ints;
    const auto rows = static_cast<int64_t>(piece.rows.num_rows);
    std::vector<uint32_t> match_of(piece.rows.num_rows, kNoRow);
    // How many windows begin, less how many end, at each row: windows may be many, and as long as the piece.
    std::vector<int64_t> wanted(piece.rows.num_rows + 1, 0);
    for (size_t i = 0; i < piece.found.size(); ++i) {
      const int64_t at = piece.found[i];
      match_of[piece.found[i]] = sorted[piece.first + i];
      int64_t begin = 0;
      int64_t end = rows;
      if (spec_.window.from.is_count) {
        begin = std::max<int64_t>(0, at + std::max(spec_.window.from.value, -rows));
      } else {
        begin = std::lower_bound(times.begin(), times.end(), Shift(times[piece.found[i]], spec_.window.from.value)) -
                times.begin();
      }
      if (spec_.window.to.is_count) {
        end = std::min(rows, at + 1 + std::min(spec_.window.to.value, rows));
      } else {
        end = std::upper_bound(times.begin(), times.end(), Shift(times[piece.found[i]], spec_.window.to.value)) -
              times.begin();
      }
      ++wanted[static_cast<size_t>(begin)];
      --wanted[static_cast<size_t>(end)];
    }
    std::partial_sum(wanted.begin(), wanted.end(), wanted.begin());
    for (size_t column = 0; column < builders_.size(); ++column) {
      const int from = reader_columns_[column];
      for (uint32_t row = 0; row < piece.rows.num_rows; ++row) {
        if (wanted[row] == 0) continue;
        if (match_of[row] != kNoRow) {
          builders_[column].AppendFrom(matches_.columns[column], match_of[row]);
        } else if (from >= 0) {
          builders_[column].AppendFrom(piece.rows.columns[static_cast<size_t>(from)], row);
        } else {
          builders_[column].AppendNull();
        }
      }
    }
  }

  OperatorPtr input_;
  ContextSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  size_t time_;
  size_t stream_;
  size_t reader_time_;
  std::vector<int> reader_columns_;  // per column of the input
  RecordBatch matches_;
  std::vector<ColumnBuilder> builders_;
  bool done_ = false;
};

}  // namespace

absl::StatusOr<OperatorPtr> MakeContext(OperatorPtr input, ContextSpec spec, QueryContext* context) {
  if (spec.window.from.value > 0 || spec.window.to.value < 0) {
    return absl::InvalidArgumentError("the window of context goes from before the match to after it, such as -3..10");
  }
  if (input->schema().Find("time") < 0 || input->schema().Find("stream") < 0 || spec.reader_schema.Find("time") < 0) {
    return absl::InvalidArgumentError("context needs log rows with their `time` and `stream`");
  }
  return OperatorPtr(std::make_unique<ContextOperator>(std::move(input), std::move(spec), context));
}

}  // namespace braid
