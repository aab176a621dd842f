#include <algorithm>
#include <string>
#include <utility>

#include "query/rows/stats_groups.h"
#include "query/rows/worker_threads.h"

namespace braid {
namespace {

class StatsOperator : public Operator {
 public:
  StatsOperator(OperatorPtr input, StatsSpec spec, QueryContext* context)
      : input_(std::move(input)), context_(context), groups_(std::move(spec), Seconds(), context) {
    schema_.kind = Kind::kRows;
    groups_.AddColumns(&schema_);
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!collected_) {
      RETURN_IF_ERROR(Collect());
      collected_ = true;
    }
    if (at_ >= order_.size()) return false;
    const size_t end = std::min(order_.size(), at_ + kStatsRowsPerBatch);
    const std::vector<uint32_t> numbers(order_.begin() + static_cast<ptrdiff_t>(at_),
                                        order_.begin() + static_cast<ptrdiff_t>(end));
    at_ = end;
    *batch = RecordBatch();
    batch->num_rows = numbers.size();
    const StatsSpec& spec = groups_.spec();
    for (size_t i = 0; i < keys_.size(); ++i) Groups::Place(schema_, spec.by[i].name, keys_[i].Select(numbers), batch);
    for (size_t i = 0; i < spec.aggregates.size(); ++i) {
      ColumnBuilder builder;
      for (const uint32_t number : numbers) {
        // The values of a group may be thousands, which are sorted only now.
        if (number % 16 == 0) RETURN_IF_ERROR(context_->CheckAlive());
        groups_.aggregators()[i]->Emit(number, &builder);
      }
      Groups::Place(schema_, spec.aggregates[i].name, builder.Finish(), batch);
    }
    return true;
  }

 private:
  double Seconds() const { return static_cast<double>(context_->end - context_->start) / 1e9; }

  // `others`: threads that may join in; may be null.
  absl::Status CollectFrom(Operator* input, Groups* groups, WorkerThreads* others = nullptr) const {
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input->Next(&batch));
      if (!more) return absl::OkStatus();
      RETURN_IF_ERROR(context_->CheckAlive());
      if (others != nullptr) others->StartIfDue();
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(groups->Keys(batch, &numbers));
      RETURN_IF_ERROR(groups->Update(batch, numbers, groups->table().size()));
    }
  }

  // Each thread collects groups of its own part of the rows; they are merged in the end.
  absl::Status CollectParts(std::vector<OperatorPtr> parts) {
    std::vector<std::unique_ptr<Groups>> groups;
    std::vector<absl::Status> statuses(parts.size());
    WorkerThreads threads(context_->split_small);
    for (size_t i = 1; i < parts.size(); ++i) {
      groups.push_back(std::make_unique<Groups>(groups_.spec(), Seconds(), context_));
      // A part without a thread leaves its rows to the others.
      threads.Add(&statuses[i],
                  [this, part = parts[i].get(), own = groups.back().get()] { return CollectFrom(part, own); });
    }
    statuses[0] = CollectFrom(parts[0].get(), &groups_, &threads);
    threads.Join();
    for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
    for (std::unique_ptr<Groups>& own : groups) {
      RETURN_IF_ERROR(context_->CheckAlive());
      RETURN_IF_ERROR(groups_.Merge(own.get()));
      own = nullptr;
    }
    return absl::OkStatus();
  }

  absl::Status Collect() {
    std::vector<OperatorPtr> parts;
    if (context_->threads > 1 && groups_.ForgetsOrder()) parts = input_->Split(static_cast<size_t>(context_->threads));
    if (!parts.empty()) {
      RETURN_IF_ERROR(CollectParts(std::move(parts)));
    } else {
      input_ = MakeParallel(std::move(input_), context_);
      RETURN_IF_ERROR(CollectFrom(input_.get(), &groups_));
    }
    groups_.NoteApproximations();
    if (groups_.spec().by.empty()) {
      for (auto& aggregator : groups_.aggregators()) aggregator->Resize(1);
      order_ = {0};
      return absl::OkStatus();
    }
    return groups_.SortKeys(&keys_, &order_);
  }

  OperatorPtr input_;
  QueryContext* context_;
  Groups groups_;
  Schema schema_;
  bool collected_ = false;
  std::vector<Column> keys_;
  std::vector<uint32_t> order_;
  size_t at_ = 0;
};

}  // namespace

std::optional<AggregateFunction> FindAggregate(std::string_view name, size_t arguments) {
  struct Entry {
    std::string_view name;
    size_t arguments;
    AggregateFunction function;
  };
  static constexpr Entry kEntries[] = {
      {"count", 0, AggregateFunction::kCount},       {"count", 1, AggregateFunction::kCountValues},
      {"count_if", 1, AggregateFunction::kCountIf},  {"rate", 0, AggregateFunction::kRate},
      {"rate", 1, AggregateFunction::kRateOf},       {"sum", 1, AggregateFunction::kSum},
      {"avg", 1, AggregateFunction::kAvg},           {"min", 1, AggregateFunction::kMin},
      {"max", 1, AggregateFunction::kMax},           {"stddev", 1, AggregateFunction::kStddev},
      {"quantile", 2, AggregateFunction::kQuantile}, {"histogram", 1, AggregateFunction::kHistogram},
      {"distinct", 1, AggregateFunction::kDistinct}, {"any", 1, AggregateFunction::kAny},
      {"first", 1, AggregateFunction::kFirst},       {"last", 1, AggregateFunction::kLast},
      {"arg_min", 2, AggregateFunction::kArgMin},    {"arg_max", 2, AggregateFunction::kArgMax},
      {"corr", 2, AggregateFunction::kCorr},         {"values", 2, AggregateFunction::kValues},
  };
  for (const Entry& entry : kEntries) {
    if (entry.name == name && entry.arguments == arguments) return entry.function;
  }
  return std::nullopt;
}

Type AggregateType(AggregateFunction function, Type x) {
  switch (function) {
    case AggregateFunction::kCount:
    case AggregateFunction::kCountValues:
    case AggregateFunction::kCountIf:
    case AggregateFunction::kDistinct: return Type::kInt;
    case AggregateFunction::kRate:
    case AggregateFunction::kRateOf:
    case AggregateFunction::kCorr: return Type::kDouble;
    case AggregateFunction::kSum:
      // Sums of ints may leave their range; of what is not known, anything may come.
      return x == Type::kDuration || x == Type::kDouble ? x : Type::kMixed;
    case AggregateFunction::kAvg:
    case AggregateFunction::kQuantile:
      if (x == Type::kMixed) return x;
      return x == Type::kDuration || x == Type::kTimestamp ? x : Type::kDouble;
    case AggregateFunction::kStddev: return x == Type::kDuration || x == Type::kMixed ? x : Type::kDouble;
    case AggregateFunction::kHistogram: return Type::kHistogram;
    case AggregateFunction::kValues: return Type::kString;
    default: return x;
  }
}

bool IsOrderSensitive(AggregateFunction function) {
  switch (function) {
    case AggregateFunction::kAny:
    case AggregateFunction::kFirst:
    case AggregateFunction::kLast:
    case AggregateFunction::kArgMin:
    case AggregateFunction::kArgMax:
    case AggregateFunction::kValues: return true;
    default: return false;
  }
}

bool IsZeroWhenEmpty(AggregateFunction function) {
  return function == AggregateFunction::kCount || function == AggregateFunction::kCountValues ||
         function == AggregateFunction::kCountIf || function == AggregateFunction::kRate ||
         function == AggregateFunction::kRateOf;
}

std::unique_ptr<Aggregator> MakeAggregator(const AggregateItem& item, double seconds) {
  switch (item.function) {
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
    case AggregateFunction::kAny:
    case AggregateFunction::kFirst:
    case AggregateFunction::kLast:
    case AggregateFunction::kArgMin:
    case AggregateFunction::kArgMax: return MakePickAggregator(item);
    case AggregateFunction::kQuantile:
    case AggregateFunction::kDistinct:
    case AggregateFunction::kValues: return MakeCollectingAggregator(item);
    default: return MakeNumberAggregator(item, seconds);
  }
}

absl::StatusOr<OperatorPtr> MakeStats(OperatorPtr input, StatsSpec spec, QueryContext* context) {
  for (const AggregateItem& item : spec.aggregates) {
    if (item.function == AggregateFunction::kQuantile && !(item.quantile >= 0 && item.quantile <= 1)) {
      return absl::InvalidArgumentError("quantile() needs a number between 0 and 1 first");
    }
    if (item.function == AggregateFunction::kValues &&
        (item.values_max == 0 || item.values_max > kAggregateValuesMax)) {
      return absl::InvalidArgumentError("values() takes 1 to " + std::to_string(kAggregateValuesMax) + " values");
    }
    const bool needs_x = item.function != AggregateFunction::kCount && item.function != AggregateFunction::kRate;
    const bool needs_y = item.function == AggregateFunction::kArgMin || item.function == AggregateFunction::kArgMax ||
                         item.function == AggregateFunction::kCorr;
    if ((needs_x && item.x == nullptr) || (needs_y && item.y == nullptr)) {
      return absl::InternalError("an aggregate lacks its argument");
    }
  }
  if (!spec.window) return OperatorPtr(std::make_unique<StatsOperator>(std::move(input), std::move(spec), context));
  if (*spec.window <= 0) return absl::InvalidArgumentError("stats [w] needs a window longer than 0");
  if (FindTimeColumns(input->schema()).time < 0) return absl::InvalidArgumentError("stats [w] needs rows with `time`");
  return MakeWindowedStats(std::move(input), std::move(spec), context);
}

}  // namespace braid
