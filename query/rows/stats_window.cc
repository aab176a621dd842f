#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "engine/memory/hash_map.h"
#include "query/rows/stats_groups.h"
#include "query/rows/worker_threads.h"

namespace braid {
namespace {

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
    while (at_step_ < steps_ && times.size() < kStatsRowsPerBatch && looked_at < 16 * kStatsRowsPerBatch) {
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
    std::vector<Pane> panes;    // those with rows; in the end ascending
    size_t begin = 0, end = 0;  // those of the window where the output stands
  };
  // What one thread collects.
  struct Collected {
    explicit Collected(Groups* of) : groups(of) {}
    uint32_t SlotOf(uint32_t key, int64_t pane) {
      const auto [slot, fresh] = slots_of.try_emplace({key, pane}, slots);
      if (fresh) {
        keys[key].panes.push_back({pane, slots});
        ++slots;
      }
      return slot->second;
    }
    absl::Status Account() { return groups->Account(slots_of.capacity() * 25 + slots * sizeof(Pane)); }

    Groups* groups;
    HashMap<std::pair<uint32_t, int64_t>, uint32_t> slots_of;
    uint32_t slots = 1;  // slot 0 is where panes are merged
    std::vector<Key> keys;
  };

  // `others`: threads that may join in; may be null.
  absl::Status CollectFrom(Operator* input, Collected* to, WorkerThreads* others = nullptr) const {
    std::vector<uint32_t> numbers;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, input->Next(&batch));
      if (!more) return absl::OkStatus();
      RETURN_IF_ERROR(context_->CheckAlive());
      if (others != nullptr) others->StartIfDue();
      if (batch.num_rows == 0) continue;
      const Column& times = batch.columns[static_cast<size_t>(time_)];
      if (times.type == Type::kNull) continue;
      if (times.type != Type::kTimestamp) return absl::InvalidArgumentError("`time` of stats [w] is not a timestamp");
      KeepRowsOfWindows(&batch);
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(to->groups->Keys(batch, &numbers));
      to->keys.resize(to->groups->table().size());
      const Column& kept = batch.columns[static_cast<size_t>(time_)];
      for (size_t row = 0; row < batch.num_rows; ++row) numbers[row] = to->SlotOf(numbers[row], PaneOf(kept.ints[row]));
      RETURN_IF_ERROR(to->groups->Update(batch, numbers, to->slots));
      RETURN_IF_ERROR(to->Account());
    }
  }

  // Adds what another thread has collected.
  absl::Status Merge(Collected* from, Collected* into) const {
    const size_t keys = from->keys.size();
    if (keys == 0) return absl::OkStatus();
    std::vector<uint32_t> numbers;
    const std::vector<Column> columns = from->groups->table().TakeKeys();
    into->groups->table().Assign(PointersTo(columns), keys, &numbers);
    RETURN_IF_ERROR(into->groups->CheckCount());
    into->keys.resize(into->groups->table().size());
    for (size_t key = 0; key < keys; ++key) {
      for (const Pane& pane : from->keys[key].panes) {
        const uint32_t slot = into->SlotOf(numbers[key], pane.index);
        for (size_t i = 0; i < into->groups->aggregators().size(); ++i) {
          into->groups->aggregators()[i]->Resize(into->slots);
          into->groups->aggregators()[i]->Merge(slot, from->groups->aggregators()[i].get(), pane.slot);
        }
      }
    }
    return into->Account();
  }

  absl::Status Collect() {
    Collected own(&groups_);
    std::vector<OperatorPtr> parts;
    if (context_->threads > 1 && groups_.ForgetsOrder()) parts = input_->Split(static_cast<size_t>(context_->threads));
    if (parts.empty()) {
      input_ = MakeParallel(std::move(input_), context_);
      RETURN_IF_ERROR(CollectFrom(input_.get(), &own));
    } else {
      std::vector<std::unique_ptr<Groups>> groups;
      std::vector<Collected> others;
      for (size_t i = 1; i < parts.size(); ++i) {
        groups.push_back(std::make_unique<Groups>(groups_.spec(), static_cast<double>(window_) / 1e9, context_));
        others.emplace_back(groups.back().get());
      }
      std::vector<absl::Status> statuses(parts.size());
      WorkerThreads threads(context_->split_small);
      for (size_t i = 1; i < parts.size(); ++i) {
        // A part without a thread leaves its rows to the others.
        threads.Add(&statuses[i],
                    [this, part = parts[i].get(), other = &others[i - 1]] { return CollectFrom(part, other); });
      }
      statuses[0] = CollectFrom(parts[0].get(), &own, &threads);
      threads.Join();
      for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
      for (Collected& other : others) {
        RETURN_IF_ERROR(context_->CheckAlive());
        RETURN_IF_ERROR(Merge(&other, &own));
      }
    }
    for (auto& aggregator : groups_.aggregators()) aggregator->Resize(own.slots);
    keys_of_ = std::move(own.keys);
    if (groups_.spec().by.empty()) {
      keys_of_.resize(1);
      order_ = {0};
    } else {
      RETURN_IF_ERROR(groups_.SortKeys(&keys_, &order_));
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

OperatorPtr MakeWindowedStats(OperatorPtr input, StatsSpec spec, QueryContext* context) {
  return std::make_unique<WindowedStatsOperator>(std::move(input), std::move(spec), context);
}

}  // namespace braid
