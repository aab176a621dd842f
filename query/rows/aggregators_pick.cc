// Aggregates that keep one value of a group: any, first, last, min, max, arg_min, arg_max.
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "query/rows/aggregators.h"

namespace braid {
namespace {

// A value that outlives its column.
class KeptValue {
 public:
  bool empty() const { return type_ == Type::kNull; }
  void Clear() { type_ = Type::kNull; }
  Type type() const { return type_; }
  int64_t integer() const { return integer_; }
  double number() const { return number_; }

  void Set(const Column& column, size_t row) {
    const CellView cell = CellAt(column, row);
    type_ = cell.type;
    integer_ = cell.integer;
    number_ = cell.number;
    trace_id_ = cell.trace_id;
    if (type_ == Type::kString) text_.assign(cell.text);
    if (type_ == Type::kHistogram) histogram_ = column.histograms[row];
  }
  // Another value of the same type, which is kept as a whole number.
  void SetInteger(int64_t integer) { integer_ = integer; }
  CellView View() const {
    CellView cell;
    cell.type = type_;
    cell.integer = integer_;
    cell.number = number_;
    cell.text = text_;
    cell.trace_id = trace_id_;
    cell.histogram = histogram_.get();
    return cell;
  }
  void Emit(ColumnBuilder* out) const {
    switch (type_) {
      case Type::kNull:
      case Type::kMixed: return out->AppendNull();
      case Type::kDouble: return out->AppendDouble(number_);
      case Type::kString: return out->AppendString(text_);
      case Type::kTraceId: return out->AppendTraceId(trace_id_);
      case Type::kHistogram: return out->AppendHistogram(histogram_);
      default: return out->AppendInt(type_, integer_);
    }
  }

 private:
  Type type_ = Type::kNull;
  int64_t integer_ = 0;
  double number_ = 0;
  TraceId trace_id_;
  std::string text_;
  std::shared_ptr<const Histogram> histogram_;
};

bool IsNan(const CellView& cell) { return cell.type == Type::kDouble && std::isnan(cell.number); }

// Whether `fresh` takes the place of `kept`: strictly better; NaN is worse than everything. Neither is null.
bool IsBetter(const CellView& fresh, const CellView& kept, bool greatest) {
  if (IsNan(fresh) || IsNan(kept)) return !IsNan(fresh);
  const int order = CompareCells(fresh, kept);
  return greatest ? order > 0 : order < 0;
}

class PickAggregator : public Aggregator {
 public:
  explicit PickAggregator(AggregateFunction function) : function_(function) {}

  void Resize(size_t slots) override {
    values_.resize(std::max(slots, values_.size()));
    rows_.resize(values_.size());
    if (ByKey()) keys_.resize(values_.size());
  }

  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column* y) override {
    if (!x->ints.empty() && x->type != Type::kSpanId) {
      if (function_ == AggregateFunction::kMax) return UpdateIntegers<true>(slots, *x);
      if (function_ == AggregateFunction::kMin) return UpdateIntegers<false>(slots, *x);
    }
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] == kNoKey || x->IsNull(i)) continue;
      KeptValue& kept = values_[slots[i]];
      const auto take = [&] {
        kept.Set(*x, i);
        rows_[slots[i]] = seen_ + i;
      };
      switch (function_) {
        case AggregateFunction::kLast:
          if (x->type != Type::kMixed || !CellAt(*x, i).null()) take();
          break;
        case AggregateFunction::kMin:
        case AggregateFunction::kMax:
          if (kept.empty() || Improves(*x, i, kept)) take();
          break;
        case AggregateFunction::kArgMin:
        case AggregateFunction::kArgMax: {
          KeptValue& key = keys_[slots[i]];
          const CellView fresh = CellAt(*y, i);
          if (fresh.null() || CellAt(*x, i).null()) break;
          if (!key.empty() && !Improves(*y, i, key)) break;
          key.Set(*y, i);
          take();
          break;
        }
        default:
          if (kept.empty()) take();
      }
    }
    seen_ += slots.size();
  }

  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    const auto& source = *static_cast<const PickAggregator*>(other);
    KeptValue& kept = values_[into];
    const KeptValue& fresh = source.values_[from];
    if (fresh.empty()) return;
    const bool earlier = other == this && rows_[from] < rows_[into];
    bool take = kept.empty();
    switch (function_) {
      case AggregateFunction::kLast: take = take || !earlier; break;
      case AggregateFunction::kMin:
      case AggregateFunction::kMax: take = take || Precedes(fresh, kept, earlier); break;
      case AggregateFunction::kArgMin:
      case AggregateFunction::kArgMax:
        take = take || Precedes(source.keys_[from], keys_[into], earlier);
        if (take) keys_[into] = source.keys_[from];
        break;
      default: take = take || earlier;
    }
    if (!take) return;
    kept = fresh;
    rows_[into] = source.rows_[from];
  }

  void Clear(uint32_t slot) override {
    values_[slot].Clear();
    if (ByKey()) keys_[slot].Clear();
  }
  bool HasValue(uint32_t slot) const override { return !values_[slot].empty(); }
  void Emit(uint32_t slot, ColumnBuilder* out) override { values_[slot].Emit(out); }
  uint64_t bytes() const override { return (values_.size() + keys_.size()) * (sizeof(KeptValue) + 24); }

 private:
  bool ByKey() const { return function_ == AggregateFunction::kArgMin || function_ == AggregateFunction::kArgMax; }

  // Better, or as good and met earlier.
  bool Precedes(const KeptValue& fresh, const KeptValue& kept, bool earlier) const {
    const bool greatest = function_ == AggregateFunction::kMax || function_ == AggregateFunction::kArgMax;
    if (IsBetter(fresh.View(), kept.View(), greatest)) return true;
    return earlier && !IsBetter(kept.View(), fresh.View(), greatest);
  }

  // The least or greatest of a column that is kept as whole numbers.
  template <bool kGreatest>
  void UpdateIntegers(const std::vector<uint32_t>& slots, const Column& column) {
    const uint8_t* const valid = column.valid.empty() ? nullptr : column.valid.data();
    if (valid == nullptr && UpdateKept<kGreatest>(slots, column)) return;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] == kNoKey || (valid != nullptr && valid[i] == 0)) continue;
      KeptValue& kept = values_[slots[i]];
      const int64_t value = column.ints[i];
      if (kept.type() == column.type) {
        if (kGreatest ? value <= kept.integer() : value >= kept.integer()) continue;
        kept.SetInteger(value);
      } else if (kept.empty() || Improves(column, i, kept)) {
        kept.Set(column, i);
      } else {
        continue;
      }
      rows_[slots[i]] = seen_ + i;
    }
    seen_ += slots.size();
  }

  // The same where each group has a value of this type already: then groups are numbers that stand together. False
  // if not, or if there are too many groups for that to pay.
  template <bool kGreatest>
  bool UpdateKept(const std::vector<uint32_t>& slots, const Column& column) {
    if (values_.size() * 4 > slots.size()) return false;
    best_.clear();
    for (const KeptValue& kept : values_) {
      if (kept.type() != column.type) return false;
      best_.push_back({kept.integer(), kNoKey});
    }
    Best* const best = best_.data();
    const uint32_t* const slot = slots.data();
    const int64_t* const value = column.ints.data();
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slot[i] == kNoKey) continue;
      Best& at = best[slot[i]];
      if (kGreatest ? value[i] > at.value : value[i] < at.value) at = {value[i], static_cast<uint32_t>(i)};
    }
    for (size_t group = 0; group < values_.size(); ++group) {
      if (best_[group].row == kNoKey) continue;
      values_[group].SetInteger(best_[group].value);
      rows_[group] = seen_ + best_[group].row;
    }
    seen_ += slots.size();
    return true;
  }

  bool Improves(const Column& column, size_t row, const KeptValue& kept) const {
    const bool greatest = function_ == AggregateFunction::kMax || function_ == AggregateFunction::kArgMax;
    if (column.type == kept.type() && column.type == Type::kDouble && !std::isnan(kept.number())) {
      return greatest ? column.doubles[row] > kept.number() : column.doubles[row] < kept.number();
    }
    if (column.type == kept.type() && !column.ints.empty() && column.type != Type::kSpanId) {
      return greatest ? column.ints[row] > kept.integer() : column.ints[row] < kept.integer();
    }
    const CellView fresh = CellAt(column, row);
    return !fresh.null() && IsBetter(fresh, kept.View(), greatest);
  }

  struct Best {
    int64_t value;
    uint32_t row;  // of the batch; kNoKey: none of it
  };

  AggregateFunction function_;
  std::vector<Best> best_;  // of one batch
  std::vector<KeptValue> values_;
  std::vector<KeptValue> keys_;
  std::vector<uint64_t> rows_;  // where each value was met
  uint64_t seen_ = 0;           // rows of all updates
};

}  // namespace

std::unique_ptr<Aggregator> MakePickAggregator(const AggregateItem& item) {
  return std::make_unique<PickAggregator>(item.function);
}

}  // namespace braid
