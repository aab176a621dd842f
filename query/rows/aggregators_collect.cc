// Aggregates that keep many values of a group: quantile, distinct, values.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>

#include "engine/memory/hash_map.h"
#include "query/rows/aggregators.h"
#include "query/rows/cardinality_sketch.h"
#include "query/rows/quantile_sketch.h"

namespace braid {
namespace {

// Durations and timestamps are kept in seconds: a double of seconds gives the nanoseconds of durations up to 26 days
// back exactly.
class QuantileAggregator : public Aggregator {
 public:
  explicit QuantileAggregator(double q) : q_(q) {}

  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }
  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    ForEachNumber(
        slots, *x,
        [&](size_t i, Type type, int64_t value) {
          const auto number = static_cast<double>(value);
          Add(slots[i], type == Type::kInt ? number : number / 1e9, type);
        },
        [&](size_t i, double value) { Add(slots[i], value, Type::kDouble); });
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    State& a = states_[into];
    const State& b = static_cast<const QuantileAggregator*>(other)->states_[from];
    if (b.sketch.empty()) return;
    const uint64_t before = a.sketch.bytes();
    a.type = a.sketch.empty() || a.type == b.type ? b.type : Type::kDouble;
    a.sketch.Merge(b.sketch);
    Account(a, before);
  }
  void Clear(uint32_t slot) override {
    const uint64_t before = states_[slot].sketch.bytes();
    states_[slot].sketch.Clear();
    Account(states_[slot], before);
  }
  bool HasValue(uint32_t slot) const override { return !states_[slot].sketch.empty(); }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    const State& state = states_[slot];
    if (state.sketch.empty()) return out->AppendNull();
    const double value = state.sketch.Quantile(q_);
    if (state.type == Type::kDuration || state.type == Type::kTimestamp) {
      return out->AppendInt(state.type, std::llround(value * 1e9));
    }
    out->AppendDouble(value);
  }
  uint64_t bytes() const override { return bytes_ + states_.size() * sizeof(State); }
  bool approximate() const override { return approximate_; }

 private:
  struct State {
    QuantileSketch sketch{kExactValuesMax};
    Type type = Type::kDouble;  // kDuration or kTimestamp if all values are
  };

  void Add(uint32_t slot, double value, Type type) {
    State& state = states_[slot];
    const Type kind = type == Type::kInt ? Type::kDouble : type;
    if (state.sketch.empty()) {
      state.type = kind;
    } else if (state.type != kind) {
      state.type = Type::kDouble;
    }
    const bool was_approximate = state.sketch.approximate();
    state.sketch.Add(value);
    if (!was_approximate) {
      bytes_ += sizeof(double) * 2;  // vectors grow by doubling
      approximate_ = approximate_ || state.sketch.approximate();
    }
  }
  void Account(const State& state, uint64_t before) {
    bytes_ = bytes_ + state.sketch.bytes() - std::min(before, bytes_);
    approximate_ = approximate_ || state.sketch.approximate();
  }

  double q_;
  std::vector<State> states_;
  uint64_t bytes_ = 0;
  bool approximate_ = false;
};

// Values become numbers shared by all slots; a slot holds a set of them until it is too large.
class DistinctAggregator : public Aggregator {
 public:
  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }

  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    if (sketches_ == 0) return AddExact(slots, *x);
    // Slots beyond the exact range take hashes; their values need no numbers.
    std::vector<uint32_t> rows;
    std::vector<uint32_t> exact_slots;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] == kNoKey || x->IsNull(i)) continue;
      State& state = states_[slots[i]];
      if (state.sketch) {
        if (!CellAt(*x, i).null()) state.sketch->Add(HashCell(*x, i));
      } else {
        rows.push_back(static_cast<uint32_t>(i));
        exact_slots.push_back(slots[i]);
      }
    }
    if (!rows.empty()) AddExact(exact_slots, x->Select(rows));
  }

  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    auto* source = static_cast<DistinctAggregator*>(other);
    State& a = states_[into];
    const State& b = source->states_[from];
    if (b.sketch) {
      ToSketch(&a);
      a.sketch->Merge(*b.sketch);
      return;
    }
    if (source != this) {
      const std::vector<uint32_t>& own = NumbersOf(source);
      for (const uint32_t number : b.numbers) AddNumber(&a, own[number]);
      return;
    }
    for (const uint32_t number : b.numbers) AddNumber(&a, number);
  }
  void Clear(uint32_t slot) override {
    State& state = states_[slot];
    bytes_ -= std::min(bytes_, state.numbers.size() * kBytesPerNumber);
    if (state.sketch) --sketches_;
    state = State();
  }
  bool HasValue(uint32_t) const override { return true; }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    const State& state = states_[slot];
    out->AppendInt(Type::kInt,
                   state.sketch ? std::llround(state.sketch->Estimate()) : static_cast<int64_t>(state.numbers.size()));
  }
  uint64_t bytes() const override {
    return bytes_ + values_.bytes() + hashes_.size() * sizeof(uint64_t) + states_.size() * sizeof(State) +
           sketches_ * CardinalitySketch::bytes();
  }
  bool approximate() const override { return approximate_; }

 private:
  static constexpr uint64_t kBytesPerNumber = 8;

  struct State {
    HashSet<uint32_t> numbers;
    std::optional<CardinalitySketch> sketch;
  };

  void AddExact(const std::vector<uint32_t>& slots, const Column& x) {
    values_.Assign(x, slots.size(), NullKeys::kNeverMatch, &numbers_);
    for (size_t i = 0; i < slots.size(); ++i) {
      const uint32_t number = numbers_[i];
      if (number == kNoKey) continue;
      if (number >= hashes_.size()) {  // numbers come in order of their first rows
        hashes_.resize(number);
        hashes_.push_back(HashCell(x, i));
      }
      if (slots[i] != kNoKey) AddNumber(&states_[slots[i]], number);
    }
  }
  // Our numbers of the values that `other` has numbered; takes its values.
  const std::vector<uint32_t>& NumbersOf(DistinctAggregator* other) {
    if (merged_ == other) return merged_numbers_;
    merged_ = other;
    merged_numbers_.clear();
    if (other->hashes_.empty()) return merged_numbers_;
    const Column values = other->values_.TakeValues();
    AddExact(std::vector<uint32_t>(values.size, kNoKey), values);
    merged_numbers_ = numbers_;
    return merged_numbers_;
  }
  void AddNumber(State* state, uint32_t number) {
    if (state->sketch) return state->sketch->Add(hashes_[number]);
    if (!state->numbers.insert(number).second) return;
    bytes_ += kBytesPerNumber;
    if (state->numbers.size() > kExactValuesMax) ToSketch(state);
  }
  void ToSketch(State* state) {
    if (state->sketch) return;
    approximate_ = true;
    ++sketches_;
    state->sketch.emplace();
    for (const uint32_t number : state->numbers) state->sketch->Add(hashes_[number]);
    bytes_ -= std::min(bytes_, state->numbers.size() * kBytesPerNumber);
    state->numbers = {};
  }

  ValueNumbers values_;
  std::vector<uint64_t> hashes_;  // per number
  std::vector<uint32_t> numbers_;
  const DistinctAggregator* merged_ = nullptr;  // the one merged last
  std::vector<uint32_t> merged_numbers_;
  std::vector<State> states_;
  uint64_t sketches_ = 0;
  uint64_t bytes_ = 0;
  bool approximate_ = false;
};

void AppendJsonText(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
          *out += escape;
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

class ValuesAggregator : public Aggregator {
 public:
  explicit ValuesAggregator(uint64_t values_max) : values_max_(values_max) {}

  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }
  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    std::string storage;
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] == kNoKey || x->IsNull(i) || states_[slots[i]].size() >= values_max_) continue;
      const CellView cell = CellAt(*x, i);
      if (cell.null()) continue;
      const bool bare = cell.type == Type::kInt || cell.type == Type::kBool ||
                        (cell.type == Type::kDouble && std::isfinite(cell.number));
      std::string text;
      if (bare) {
        text = TextOf(cell, &storage);
      } else {
        AppendJsonText(TextOf(cell, &storage), &text);
      }
      Add(&states_[slots[i]], {std::move(text), seen_ + i});
    }
    seen_ += slots.size();
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    const std::vector<Met>& source = static_cast<const ValuesAggregator*>(other)->states_[from];
    if (other != this) {
      for (const Met& value : source) {
        if (states_[into].size() < values_max_) Add(&states_[into], value);
      }
      return;
    }
    std::vector<Met> both;
    std::merge(states_[into].begin(), states_[into].end(), source.begin(), source.end(), std::back_inserter(both),
               [](const Met& a, const Met& b) { return a.row < b.row; });
    Clear(into);
    for (Met& value : both) {
      if (states_[into].size() < values_max_) Add(&states_[into], std::move(value));
    }
  }
  void Clear(uint32_t slot) override {
    for (const Met& value : states_[slot]) bytes_ -= std::min<uint64_t>(bytes_, sizeof value + value.text.size());
    states_[slot].clear();
  }
  bool HasValue(uint32_t slot) const override { return !states_[slot].empty(); }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    if (states_[slot].empty()) return out->AppendNull();
    std::string text = "[";
    for (const Met& value : states_[slot]) {
      if (text.size() > 1) text += ",";
      text += value.text;
    }
    out->AppendString(text + "]");
  }
  uint64_t bytes() const override { return bytes_ + states_.size() * sizeof(std::vector<Met>); }

 private:
  struct Met {
    std::string text;
    uint64_t row;  // of all updates
  };

  // A list stays short (kAggregateValuesMax), so that looking through it is enough.
  void Add(std::vector<Met>* values, Met value) {
    for (const Met& known : *values) {
      if (known.text == value.text) return;
    }
    bytes_ += sizeof value + value.text.size();
    values->push_back(std::move(value));
  }

  uint64_t values_max_;
  std::vector<std::vector<Met>> states_;  // ascending by row
  uint64_t bytes_ = 0;
  uint64_t seen_ = 0;  // rows of all updates
};

}  // namespace

std::unique_ptr<Aggregator> MakeCollectingAggregator(const AggregateItem& item) {
  if (item.function == AggregateFunction::kQuantile) return std::make_unique<QuantileAggregator>(item.quantile);
  if (item.function == AggregateFunction::kDistinct) return std::make_unique<DistinctAggregator>();
  return std::make_unique<ValuesAggregator>(item.values_max);
}

}  // namespace braid
