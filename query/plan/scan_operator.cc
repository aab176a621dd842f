#include "query/plan/scan_operator.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "query/rows/column_concat.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// How much wider each further slice of a range is: conditions may leave little of every slice, and opening a scan costs
// something.
constexpr Duration kSliceGrowth = 4;
// Rows below which a second thread is not worth starting, unless the caller asked for one.
constexpr uint64_t kSplitRowsMin = 32'768;

Column Combine(RecordBatch* stored, const std::vector<size_t>& parts) {
  if (parts.size() == 1) return std::move(stored->columns[parts[0]]);
  ColumnBuilder builder;
  for (size_t row = 0; row < stored->num_rows; ++row) {
    const auto part =
        std::find_if(parts.begin(), parts.end(), [&](size_t index) { return !stored->columns[index].IsNull(row); });
    if (part == parts.end()) {
      builder.AppendNull();
    } else {
      builder.AppendFrom(stored->columns[*part], row);
    }
  }
  return builder.Finish();
}

void Convert(const TableScan& plan, RecordBatch stored, RecordBatch* batch) {
  batch->num_rows = stored.num_rows;
  batch->columns.clear();
  batch->columns.reserve(plan.parts.size());
  for (const std::vector<size_t>& parts : plan.parts) {
    Column column = Combine(&stored, parts);
    if (plan.offset != 0 && column.type == Type::kTimestamp) {
      for (int64_t& time : column.ints) time += plan.offset;
    }
    batch->columns.push_back(std::move(column));
  }
}

void NoteDamage(const ScanStats& stats, QueryContext* context) {
  for (const std::string& damaged : stats.damaged) context->AddNote("partial", "rows are missing: " + damaged);
}

// Pieces without rows are read one after another for so long before the reader is asked again, for others may be
// waiting, or a further thread be due.
constexpr int64_t kPiecesAtOnceNs = 25'000;

// What the threads that read one scan share.
struct SharedPieces {
  std::unique_ptr<const SplitScan> split;
  std::atomic<size_t> next{0};
  std::mutex mutex;  // of *stats
  ScanStats* stats;  // may be null
};

// Takes one piece after the other, as far as others leave them.
class PieceReader : public Operator {
 public:
  PieceReader(const TableScan* plan, std::shared_ptr<SharedPieces> pieces, QueryContext* context)
      : plan_(plan), pieces_(std::move(pieces)), context_(context), reservation_(context, "scan") {}

  const Schema& schema() const override { return plan_->schema; }
  uint64_t place() const override { return place_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    *batch = RecordBatch();
    const int64_t begin = PlanClock();
    do {
      if (piece_ == nullptr) {
        const size_t number = pieces_->next.fetch_add(1, std::memory_order_relaxed);
        if (number >= pieces_->split->pieces()) return false;
        place_ = number;
        ASSIGN_OR_RETURN(piece_, pieces_->split->OpenPiece(number));
        counted_bytes_ = 0;
      }
      RecordBatch stored;
      ASSIGN_OR_RETURN(const bool more, piece_->Next(&stored));
      const uint64_t bytes = piece_->stats().bytes_read;
      RETURN_IF_ERROR(context_->CountScanned(bytes - std::exchange(counted_bytes_, bytes)));
      if (more) {
        RETURN_IF_ERROR(reservation_.Set(ApproximateBytes(stored)));
        Convert(*plan_, std::move(stored), batch);
        return true;
      }
      ClosePiece();
    } while (PlanClock() - begin < kPiecesAtOnceNs);
    return true;  // others wait to hear that these places are done
  }

 private:
  void ClosePiece() {
    ScanStats stats = piece_->stats();
    NoteDamage(stats, context_);
    piece_ = nullptr;
    if (pieces_->stats == nullptr) return;
    // Sources and indexes were counted when the scan was planned.
    stats.sources_total = stats.sources_read = stats.blocks_total = 0;
    stats.indexes.clear();
    std::lock_guard<std::mutex> lock(pieces_->mutex);
    pieces_->stats->Add(stats);
  }

  const TableScan* plan_;
  std::shared_ptr<SharedPieces> pieces_;
  QueryContext* context_;
  Reservation reservation_;  // of the batch given last
  std::unique_ptr<Scan> piece_;
  uint64_t place_ = 0;
  uint64_t counted_bytes_ = 0;
};

class ScanOperator : public Operator {
 public:
  ScanOperator(TableScan plan, std::unique_ptr<Scan> scan, TimeRange range, QueryContext* context, PlanNode* node)
      : plan_(std::move(plan)),
        scan_(std::move(scan)),
        range_(range),
        context_(context),
        node_(node),
        reservation_(context, "scan") {
    TakeStats();
  }

  const Schema& schema() const override { return plan_.schema; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (!planned_.ok()) return planned_;
    if (pieces_ != nullptr) return pieces_->Next(batch);
    if (scan_ == nullptr) return false;
    RETURN_IF_ERROR(context_->CheckAlive());
    RecordBatch stored;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, scan_->Next(&stored));
      TakeStats();
      if (more) break;
      NoteDamage(scan_->stats(), context_);
      ASSIGN_OR_RETURN(const bool opened, OpenNextSlice());
      if (!opened) return false;
      RETURN_IF_ERROR(context_->CheckAlive());
    }
    const uint64_t bytes = closed_.bytes_read + scan_->stats().bytes_read;
    RETURN_IF_ERROR(context_->CountScanned(bytes - std::exchange(counted_bytes_, bytes)));
    RETURN_IF_ERROR(reservation_.Set(ApproximateBytes(stored)));
    Convert(plan_, std::move(stored), batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    auto* splittable = dynamic_cast<SplittableScan*>(scan_.get());
    if (splittable == nullptr || plan_.slices != nullptr || parts < 2) return {};
    auto split = splittable->PlanSplit();
    if (!split.ok()) {
      planned_ = split.status();
      return {};
    }
    const ScanStats& planned = (*split)->planned();
    const size_t useful = std::min(parts, (*split)->pieces());
    const bool pays = useful >= 2 && (context_->split_small || planned.rows_read >= kSplitRowsMin);
    auto shared = std::make_shared<SharedPieces>();
    shared->stats = node_ == nullptr ? nullptr : &node_->scan;
    if (node_ != nullptr) {
      node_->scan = planned;
      node_->scan.blocks_read = node_->scan.rows_read = 0;
    }
    NoteDamage(planned, context_);
    planned_ = context_->CountScanned(planned.bytes_read);
    shared->split = *std::move(split);
    scan_ = nullptr;
    if (!pays || !planned_.ok()) {
      // Planned is planned: this thread reads the pieces alone.
      pieces_ = std::make_unique<PieceReader>(&plan_, std::move(shared), context_);
      return {};
    }
    std::vector<OperatorPtr> readers;
    for (size_t i = 0; i < useful; ++i) readers.push_back(std::make_unique<PieceReader>(&plan_, shared, context_));
    return readers;
  }

 private:
  void TakeStats() {
    if (node_ != nullptr && scan_ != nullptr) node_->scan = Together(closed_, scan_->stats());
  }

  // Slices look at the same parts again.
  static ScanStats Together(const ScanStats& closed, const ScanStats& open) {
    ScanStats all = closed;
    all.Add(open);
    all.sources_total = std::max(closed.sources_total, open.sources_total);
    all.sources_read = std::min(all.sources_read, all.sources_total);
    all.blocks_total = std::max(closed.blocks_total, open.blocks_total);
    all.blocks_read = std::min(all.blocks_read, all.blocks_total);
    return all;
  }

  // False if no further slice is wanted or left.
  absl::StatusOr<bool> OpenNextSlice() {
    if (plan_.slices == nullptr || plan_.slices->enough) return false;
    TimeRange& slice = plan_.spec.time;
    if (plan_.slices->backwards ? slice.start <= range_.start : slice.end >= range_.end) return false;
    // Where rows of all times stand together, as spans by trace, a slice costs as much as the rest at once.
    const bool cheap = 2 * static_cast<double>(scan_->stats().rows_read) < plan_.rows_estimated;
    if (!cheap || __builtin_mul_overflow(plan_.slice_width, kSliceGrowth, &plan_.slice_width)) {
      plan_.slice_width = kMaxTimestamp;
    }
    if (plan_.slices->backwards) {
      slice.end = slice.start - 1;
      slice.start = std::max(range_.start, ShiftBack(slice.end, plan_.slice_width));
    } else {
      slice.start = slice.end + 1;
      slice.end = std::min(range_.end, ShiftBack(slice.start, -plan_.slice_width));
    }
    closed_ = Together(closed_, scan_->stats());
    ASSIGN_OR_RETURN(scan_, context_->snapshot->OpenScan(plan_.spec));
    return true;
  }

  TableScan plan_;
  std::unique_ptr<Scan> scan_;
  TimeRange range_;  // what slices are cut of; the first is open
  QueryContext* context_;
  PlanNode* node_;
  Reservation reservation_;  // of the batch given last
  ScanStats closed_;         // of the slices before
  uint64_t counted_bytes_ = 0;
  absl::Status planned_;
  std::unique_ptr<PieceReader> pieces_;  // once the scan was planned in pieces
};

}  // namespace

Timestamp ShiftBack(Timestamp time, Duration offset) {
  if (time == kMinTimestamp || time == kMaxTimestamp) return time;
  Timestamp shifted = 0;
  if (__builtin_sub_overflow(time, offset, &shifted)) return offset > 0 ? kMinTimestamp : kMaxTimestamp;
  return shifted;
}

OperatorPtr MakeScanOperator(TableScan plan, std::unique_ptr<Scan> opened, TimeRange range, QueryContext* context,
                             PlanNode* node) {
  return std::make_unique<ScanOperator>(std::move(plan), std::move(opened), range, context, node);
}

}  // namespace braid
