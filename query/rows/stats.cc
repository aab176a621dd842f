#include <algorithm>
#include <numeric>
#include <string>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "query/rows/aggregators.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr size_t kRowsPerBatch = 4096;

// What both forms of stats share: keys, arguments, aggregates.
class Groups {
 public:
  Groups(StatsSpec spec, double seconds, QueryContext* context)
      : spec_(std::move(spec)),
        context_(context),
        reservation_(context, "stats"),
        table_(spec_.by.size(), NullKeys::kAreKeys) {
    for (const AggregateItem& item : spec_.aggregates) aggregators_.push_back(MakeAggregator(item, seconds));
  }

  const StatsSpec& spec() const { return spec_; }
  KeyTable& table() { return table_; }
  std::vector<std::unique_ptr<Aggregator>>& aggregators() { return aggregators_; }

  void AddColumns(Schema* schema) const {
    for (const NamedExpression& key : spec_.by)
      *schema = WithColumn(std::move(*schema), key.name, key.expression->type());
    for (const AggregateItem& item : spec_.aggregates) {
      *schema = WithColumn(std::move(*schema), item.name,
                           AggregateType(item.function, item.x == nullptr ? Type::kNull : item.x->type()));
    }
  }

  // The key of each row.
  absl::Status Keys(const RecordBatch& batch, std::vector<uint32_t>* numbers) {
    std::vector<Column> keys;
    for (const NamedExpression& key : spec_.by) {
      ASSIGN_OR_RETURN(Column column, key.expression->Evaluate(batch));
      keys.push_back(std::move(column));
    }
    table_.Assign(keys, batch.num_rows, numbers);
    return CheckCount();
  }

  absl::Status Update(const RecordBatch& batch, const std::vector<uint32_t>& slots, size_t slot_count) {
    for (size_t i = 0; i < aggregators_.size(); ++i) {
      const AggregateItem& item = spec_.aggregates[i];
      Column x;
      Column y;
      if (item.x != nullptr) {
        ASSIGN_OR_RETURN(x, item.x->Evaluate(batch));
      }
      if (item.y != nullptr) {
        ASSIGN_OR_RETURN(y, item.y->Evaluate(batch));
      }
      aggregators_[i]->Resize(slot_count);
      aggregators_[i]->Update(slots, &x, &y);
    }
    return Account();
  }

  // Takes over what `other`, made for the same stage, has collected.
  absl::Status Merge(Groups* other) {
    std::vector<uint32_t> numbers;
    const size_t groups = other->table_.size();
    if (groups == 0) return absl::OkStatus();
    table_.Assign(other->table_.TakeKeys(), groups, &numbers);
    RETURN_IF_ERROR(CheckCount());
    for (size_t i = 0; i < aggregators_.size(); ++i) {
      aggregators_[i]->Resize(table_.size());
      for (uint32_t group = 0; group < groups; ++group) {
        aggregators_[i]->Merge(numbers[group], other->aggregators_[i].get(), group);
      }
    }
    return Account();
  }

  // Whether groups and aggregates are the same in whatever order rows come: values that are equal and look different
  // (1 and 1.0, 0 and -0) are shown as met first.
  bool ForgetsOrder() const {
    const auto one_look = [](Type type) { return type != Type::kMixed && type != Type::kDouble; };
    for (const NamedExpression& key : spec_.by) {
      if (!one_look(key.expression->type())) return false;
    }
    for (const AggregateItem& item : spec_.aggregates) {
      if (IsOrderSensitive(item.function)) return false;
      const bool picks = item.function == AggregateFunction::kMin || item.function == AggregateFunction::kMax;
      if (picks && !one_look(item.x->type())) return false;
    }
    return true;
  }

  absl::Status Account(uint64_t more = 0) {
    uint64_t bytes = table_.bytes() + more;
    for (const auto& aggregator : aggregators_) bytes += aggregator->bytes();
    return reservation_.Set(bytes);
  }

  void NoteApproximations() {
    for (size_t i = 0; i < aggregators_.size(); ++i) {
      if (!aggregators_[i]->approximate()) continue;
      const bool quantile = spec_.aggregates[i].function == AggregateFunction::kQuantile;
      context_->AddNote("approximate", "`" + spec_.aggregates[i].name + "`: " +
                                           (quantile ? "quantiles of groups with more than 65536 values are within 1 % "
                                                       "of the value"
                                                     : "distinct counts above 65536 are within about 1 %"));
    }
  }

  // The key columns by number, and the numbers in output order.
  void SortKeys(std::vector<Column>* keys, std::vector<uint32_t>* order) {
    const size_t size = table_.size();
    *keys = table_.TakeKeys();
    *order = SortedRows(*keys, size);
  }

  // Places the columns: names may repeat, the later one counts.
  static void Place(const Schema& schema, const std::string& name, Column column, RecordBatch* batch) {
    batch->columns.resize(schema.columns.size());
    batch->columns[static_cast<size_t>(schema.Find(name))] = std::move(column);
  }

 private:
  absl::Status CheckCount() const {
    if (table_.size() <= context_->limits.groups_max) return absl::OkStatus();
    return MakeError({"E085", "stats has more than " + std::to_string(context_->limits.groups_max) + " groups", 1, 1, 1,
                      "group by fewer or coarser columns, filter first, or raise the limit"});
  }

  StatsSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  KeyTable table_;
  std::vector<std::unique_ptr<Aggregator>> aggregators_;
};

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
    const size_t end = std::min(order_.size(), at_ + kRowsPerBatch);
    const std::vector<uint32_t> numbers(order_.begin() + static_cast<ptrdiff_t>(at_),
                                        order_.begin() + static_cast<ptrdiff_t>(end));
    at_ = end;
    *batch = RecordBatch();
    batch->num_rows = numbers.size();
    const StatsSpec& spec = groups_.spec();
    for (size_t i = 0; i < keys_.size(); ++i) Groups::Place(schema_, spec.by[i].name, keys_[i].Select(numbers), batch);
    for (size_t i = 0; i < spec.aggregates.size(); ++i) {
      ColumnBuilder builder;
      for (const uint32_t number : numbers) groups_.aggregators()[i]->Emit(number, &builder);
      Groups::Place(schema_, spec.aggregates[i].name, builder.Finish(), batch);
    }
    return true;
  }

 private:
  double Seconds() const { return static_cast<double>(context_->end - context_->start) / 1e9; }

  absl::Status CollectFrom(Operator* input, Groups* groups) const {
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input->Next(&batch));
      if (!more) return absl::OkStatus();
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(groups->Keys(batch, &numbers));
      RETURN_IF_ERROR(groups->Update(batch, numbers, groups->table().size()));
    }
  }

  // Each thread collects groups of its own part of the rows; they are merged in the end.
  absl::Status CollectParts(std::vector<OperatorPtr> parts) {
    std::vector<std::unique_ptr<Groups>> groups;
    std::vector<absl::Status> statuses(parts.size());
    std::vector<std::thread> threads;
    for (size_t i = 1; i < parts.size(); ++i) {
      groups.push_back(std::make_unique<Groups>(groups_.spec(), Seconds(), context_));
      threads.emplace_back([&, i, own = groups.back().get()] { statuses[i] = CollectFrom(parts[i].get(), own); });
    }
    statuses[0] = CollectFrom(parts[0].get(), &groups_);
    for (std::thread& thread : threads) thread.join();
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
    groups_.SortKeys(&keys_, &order_);
    return absl::OkStatus();
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

// stats [w]: rows go to panes of gcd(step, w); the window of each step merges the panes that it holds.
class WindowedStatsOperator : public Operator {
 public:
  WindowedStatsOperator(OperatorPtr input, StatsSpec spec, QueryContext* context)
      : input_(std::move(input)),
        context_(context),
        window_(*spec.window),
        time_(FindTimeColumns(input_->schema()).time),
        groups_(std::move(spec), static_cast<double>(window_) / 1e9, context) {
    if (context->step > 0 && context->end > context->start) {
      first_ = context->start;
      step_ = context->step;
      steps_ = static_cast<uint64_t>(context->end - context->start) / static_cast<uint64_t>(step_) + 1;
    } else {
      first_ = context->end;
      step_ = window_;
      steps_ = 1;
    }
    pane_ = std::gcd(step_, window_);
    schema_.kind = Kind::kSeries;
    schema_.columns = {{"time", Type::kTimestamp}};
    groups_.AddColumns(&schema_);
    for (const AggregateItem& item : groups_.spec().aggregates) {
      zero_when_empty_ = zero_when_empty_ || IsZeroWhenEmpty(item.function);
    }
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    if (!collected_) {
      RETURN_IF_ERROR(Collect());
      collected_ = true;
    }
    *batch = RecordBatch();
    if (at_step_ >= steps_ || order_.empty()) return false;
    const StatsSpec& spec = groups_.spec();
    std::vector<int64_t> times;
    std::vector<uint32_t> numbers;
    std::vector<ColumnBuilder> builders(spec.aggregates.size());
    size_t looked_at = 0;
    while (at_step_ < steps_ && times.size() < kRowsPerBatch && looked_at < 16 * kRowsPerBatch) {
      const uint32_t number = order_[at_key_];
      ++looked_at;
      if (const int64_t slot = WindowSlot(number); slot >= 0) {
        times.push_back(first_ + static_cast<int64_t>(at_step_) * step_);
        numbers.push_back(number);
        for (size_t i = 0; i < builders.size(); ++i) {
          groups_.aggregators()[i]->Emit(static_cast<uint32_t>(slot), &builders[i]);
        }
      }
      if (++at_key_ == order_.size()) {
        at_key_ = 0;
        ++at_step_;
      }
    }
    groups_.NoteApproximations();
    batch->num_rows = times.size();
    if (times.empty()) return true;
    Column time;
    time.type = Type::kTimestamp;
    time.size = times.size();
    time.ints = std::move(times);
    Groups::Place(schema_, "time", std::move(time), batch);
    for (size_t i = 0; i < keys_.size(); ++i) Groups::Place(schema_, spec.by[i].name, keys_[i].Select(numbers), batch);
    for (size_t i = 0; i < builders.size(); ++i) {
      Groups::Place(schema_, spec.aggregates[i].name, builders[i].Finish(), batch);
    }
    return true;
  }

 private:
  struct Pane {
    int64_t index;  // pane p holds times in (first + (p - 1) * pane, first + p * pane]
    uint32_t slot;
  };
  struct Key {
    std::vector<Pane> panes;    // those with rows, ascending
    size_t begin = 0, end = 0;  // those of the window where the output stands
  };

  absl::Status Collect() {
    absl::flat_hash_map<std::pair<uint32_t, int64_t>, uint32_t> slots_of;
    uint32_t slots = 1;  // slot 0 is where panes are merged
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input_->Next(&batch));
      if (!more) break;
      RETURN_IF_ERROR(context_->CheckAlive());
      if (batch.num_rows == 0) continue;
      const Column& times = batch.columns[static_cast<size_t>(time_)];
      if (times.type == Type::kNull) continue;
      if (times.type != Type::kTimestamp) return absl::InvalidArgumentError("`time` of stats [w] is not a timestamp");
      KeepRowsOfWindows(&batch);
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(groups_.Keys(batch, &numbers));
      keys_of_.resize(groups_.table().size());
      const Column& kept = batch.columns[static_cast<size_t>(time_)];
      for (size_t row = 0; row < batch.num_rows; ++row) {
        const int64_t pane = PaneOf(kept.ints[row]);
        const auto [slot, fresh] = slots_of.try_emplace({numbers[row], pane}, slots);
        if (fresh) {
          keys_of_[numbers[row]].panes.push_back({pane, slots});
          ++slots;
        }
        numbers[row] = slot->second;
      }
      RETURN_IF_ERROR(groups_.Update(batch, numbers, slots));
      RETURN_IF_ERROR(groups_.Account(slots_of.capacity() * 25 + slots * sizeof(Pane)));
    }
    for (auto& aggregator : groups_.aggregators()) aggregator->Resize(slots);
    if (groups_.spec().by.empty()) {
      keys_of_.resize(1);
      order_ = {0};
    } else {
      groups_.SortKeys(&keys_, &order_);
    }
    for (Key& key : keys_of_) {
      std::sort(key.panes.begin(), key.panes.end(), [](const Pane& a, const Pane& b) { return a.index < b.index; });
    }
    return absl::OkStatus();
  }

  void KeepRowsOfWindows(RecordBatch* batch) const {
    const Column& times = batch->columns[static_cast<size_t>(time_)];
    const int64_t last = first_ + static_cast<int64_t>(steps_ - 1) * step_;
    std::vector<uint32_t> rows;
    for (size_t row = 0; row < batch->num_rows; ++row) {
      if (times.IsNull(row) || times.ints[row] > last) continue;
      int64_t age;
      const bool overflow = __builtin_sub_overflow(first_, times.ints[row], &age);
      if (!overflow && age < window_) rows.push_back(static_cast<uint32_t>(row));
    }
    if (rows.size() < batch->num_rows) *batch = batch->Select(rows);
  }

  int64_t PaneOf(Timestamp time) const {
    const int64_t offset = time - first_;
    return offset > 0 ? (offset + pane_ - 1) / pane_ : -((-offset) / pane_);
  }

  // The slot with the aggregates of the key's window at the current step; -1 for a gap. Steps come in order per key.
  int64_t WindowSlot(uint32_t number) {
    Key& key = keys_of_[number];
    const int64_t last = static_cast<int64_t>(at_step_) * (step_ / pane_);
    const int64_t first = last - window_ / pane_ + 1;
    while (key.end < key.panes.size() && key.panes[key.end].index <= last) ++key.end;
    while (key.begin < key.end && key.panes[key.begin].index < first) ++key.begin;
    if (key.begin == key.end && !zero_when_empty_) return -1;
    uint32_t slot = 0;
    if (key.end - key.begin == 1) {
      slot = key.panes[key.begin].slot;
    } else {
      for (auto& aggregator : groups_.aggregators()) {
        aggregator->Clear(0);
        for (size_t i = key.begin; i < key.end; ++i) aggregator->Merge(0, aggregator.get(), key.panes[i].slot);
      }
    }
    if (zero_when_empty_) return slot;
    for (const auto& aggregator : groups_.aggregators()) {
      if (aggregator->HasValue(slot)) return slot;
    }
    return -1;
  }

  OperatorPtr input_;
  QueryContext* context_;
  Duration window_;
  int time_;
  Groups groups_;
  Schema schema_;
  Timestamp first_ = 0;
  Duration step_ = 0;
  uint64_t steps_ = 0;
  Duration pane_ = 0;
  bool zero_when_empty_ = false;
  bool collected_ = false;
  std::vector<Key> keys_of_;
  std::vector<Column> keys_;
  std::vector<uint32_t> order_;
  uint64_t at_step_ = 0;
  size_t at_key_ = 0;
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
  return OperatorPtr(std::make_unique<WindowedStatsOperator>(std::move(input), std::move(spec), context));
}

}  // namespace braid
