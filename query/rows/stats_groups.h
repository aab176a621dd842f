// What both forms of stats share: keys, arguments, aggregates.
//
// Threads: one at a time; each thread of a query collects groups of its own.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "query/rows/aggregators.h"
#include "query/rows/key_table.h"
#include "query/rows/reservation.h"
#include "query/rows/row_order.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {

// Rows of a batch that stats gives out.
inline constexpr size_t kStatsRowsPerBatch = 4096;

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
    ReadColumns keys(spec_.by.size());
    for (const NamedExpression& key : spec_.by) RETURN_IF_ERROR(keys.Add(*key.expression, batch));
    table_.Assign(keys.columns(), batch.num_rows, numbers);
    return CheckCount();
  }

  absl::Status CheckCount() const {
    if (table_.size() <= context_->limits.groups_max) return absl::OkStatus();
    return MakeError({"E085", "stats has more than " + std::to_string(context_->limits.groups_max) + " groups", 1, 1, 1,
                      "group by fewer or coarser columns, filter first, or raise the limit"});
  }

  absl::Status Update(const RecordBatch& batch, const std::vector<uint32_t>& slots, size_t slot_count) {
    for (size_t i = 0; i < aggregators_.size(); ++i) {
      const AggregateItem& item = spec_.aggregates[i];
      Column x_storage, y_storage;
      const Column* x = &x_storage;
      const Column* y = &y_storage;
      if (item.x != nullptr) {
        ASSIGN_OR_RETURN(x, ReadColumn(*item.x, batch, &x_storage));
      }
      if (item.y != nullptr) {
        ASSIGN_OR_RETURN(y, ReadColumn(*item.y, batch, &y_storage));
      }
      aggregators_[i]->Resize(slot_count);
      aggregators_[i]->Update(slots, x, y);
    }
    return Account();
  }

  // Takes over what `other`, made for the same stage, has collected.
  absl::Status Merge(Groups* other) {
    std::vector<uint32_t> numbers;
    const size_t groups = other->table_.size();
    if (groups == 0) return absl::OkStatus();
    const std::vector<Column> keys = other->table_.TakeKeys();
    table_.Assign(PointersTo(keys), groups, &numbers);
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
  absl::Status SortKeys(std::vector<Column>* keys, std::vector<uint32_t>* order) {
    const size_t size = table_.size();
    *keys = table_.TakeKeys();
    ASSIGN_OR_RETURN(*order, SortedRows(*keys, size, context_));
    return absl::OkStatus();
  }

  // Places the columns: names may repeat, the later one counts.
  static void Place(const Schema& schema, const std::string& name, Column column, RecordBatch* batch) {
    batch->columns.resize(schema.columns.size());
    batch->columns[static_cast<size_t>(schema.Find(name))] = std::move(column);
  }

 private:
  StatsSpec spec_;
  QueryContext* context_;
  Reservation reservation_;
  KeyTable table_;
  std::vector<std::unique_ptr<Aggregator>> aggregators_;
};

// stats [w]: as MakeStats where spec.window is set.
OperatorPtr MakeWindowedStats(OperatorPtr input, StatsSpec spec, QueryContext* context);

}  // namespace braid
