// Aggregates that add numbers up: counts, rates, sums, averages, deviations, correlations, histograms.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "query/rows/aggregators.h"
#include "query/rows/exact_sum.h"

namespace braid {
namespace {

class CountAggregator : public Aggregator {
 public:
  CountAggregator(AggregateFunction function, double seconds) : function_(function), seconds_(seconds) {}

  void Resize(size_t slots) override { counts_.resize(std::max(slots, counts_.size()), 0); }

  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    if (function_ == AggregateFunction::kCount || function_ == AggregateFunction::kRate) return UpdateAll(slots);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (slots[i] != kNoKey && Counts(x, i)) ++counts_[slots[i]];
    }
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    counts_[into] += static_cast<const CountAggregator*>(other)->counts_[from];
  }
  void Clear(uint32_t slot) override { counts_[slot] = 0; }
  bool HasValue(uint32_t) const override { return function_ != AggregateFunction::kRate || seconds_ > 0; }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    if (function_ != AggregateFunction::kRate) return out->AppendInt(Type::kInt, static_cast<int64_t>(counts_[slot]));
    if (seconds_ > 0) {
      out->AppendDouble(static_cast<double>(counts_[slot]) / seconds_);
    } else {
      out->AppendNull();
    }
  }
  uint64_t bytes() const override { return counts_.size() * sizeof(uint64_t); }

 private:
  // Every row counts. Rows of few groups in turn on several counters: one has to wait for what was added to it last.
  void UpdateAll(const std::vector<uint32_t>& slots) {
    const size_t groups = counts_.size(), rows = slots.size();
    const uint32_t* const slot = slots.data();
    size_t row = 0;
    if (groups * kLanes * 2 <= rows) {
      lanes_.assign(groups * kLanes, 0);
      uint32_t* const lanes = lanes_.data();
      for (; row + kLanes <= rows; row += kLanes) {
        for (size_t lane = 0; lane < kLanes; ++lane) {
          if (slot[row + lane] != kNoKey) ++lanes[slot[row + lane] * kLanes + lane];
        }
      }
      for (size_t group = 0; group < groups; ++group) {
        for (size_t lane = 0; lane < kLanes; ++lane) counts_[group] += lanes[group * kLanes + lane];
      }
    }
    for (; row < rows; ++row) {
      if (slot[row] != kNoKey) ++counts_[slot[row]];
    }
  }

  bool Counts(const Column* x, size_t row) const {
    if (x->IsNull(row)) return false;
    if (function_ == AggregateFunction::kCountValues) {
      return x->type != Type::kMixed || !std::holds_alternative<std::monostate>(x->mixed[row]);
    }
    if (x->type == Type::kBool) return x->ints[row] != 0;
    const bool* truth = x->type == Type::kMixed ? std::get_if<bool>(&x->mixed[row]) : nullptr;
    return truth != nullptr && *truth;
  }

  AggregateFunction function_;
  static constexpr size_t kLanes = 4;

  double seconds_;
  std::vector<uint64_t> counts_;
  std::vector<uint32_t> lanes_;  // of one batch
};

int64_t RoundedQuotient(__int128 sum, uint64_t count) {
  const auto divisor = static_cast<__int128>(count);
  const __int128 half = divisor / 2;
  return static_cast<int64_t>((sum >= 0 ? sum + half : sum - half) / divisor);
}

bool FitsInt64(__int128 value) { return value >= INT64_MIN && value <= INT64_MAX; }

// sum, avg, rate(x). Integers, durations and times add up in 128 bits, each apart; the rest exactly as doubles.
class SumAggregator : public Aggregator {
 public:
  SumAggregator(AggregateFunction function, double seconds) : function_(function), seconds_(seconds) {}

  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }

  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    ForEachNumber(
        slots, *x,
        [&](size_t i, Type type, int64_t value) {
          State& state = states_[slots[i]];
          const size_t kind = type == Type::kInt ? 0 : type == Type::kDuration ? 1 : 2;
          state.whole[kind] += value;
          ++state.counts[kind];
        },
        [&](size_t i, double value) {
          State& state = states_[slots[i]];
          state.reals.Add(value);
          ++state.counts[3];
        });
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    State& a = states_[into];
    const State& b = static_cast<const SumAggregator*>(other)->states_[from];
    for (size_t kind = 0; kind < 3; ++kind) a.whole[kind] += b.whole[kind];
    for (size_t kind = 0; kind < 4; ++kind) a.counts[kind] += b.counts[kind];
    a.reals.Merge(b.reals);
  }
  void Clear(uint32_t slot) override { states_[slot] = State(); }
  bool HasValue(uint32_t slot) const override {
    return function_ == AggregateFunction::kRateOf ? seconds_ > 0 : Count(states_[slot]) > 0;
  }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    if (!HasValue(slot)) return out->AppendNull();
    const State& state = states_[slot];
    const uint64_t count = Count(state);
    if (function_ == AggregateFunction::kRateOf) return out->AppendDouble(Total(state) / seconds_);
    if (function_ == AggregateFunction::kSum) {
      for (const auto& [kind, type] : {std::pair{0, Type::kInt}, std::pair{1, Type::kDuration}}) {
        if (state.counts[kind] == count && FitsInt64(state.whole[kind])) {
          return out->AppendInt(type, static_cast<int64_t>(state.whole[kind]));
        }
      }
      return out->AppendDouble(Total(state));
    }
    for (const auto& [kind, type] : {std::pair{1, Type::kDuration}, std::pair{2, Type::kTimestamp}}) {
      if (state.counts[kind] == count) return out->AppendInt(type, RoundedQuotient(state.whole[kind], count));
    }
    out->AppendDouble(Total(state) / static_cast<double>(count));
  }
  uint64_t bytes() const override { return states_.size() * (sizeof(State) + 32); }

 private:
  struct State {
    std::array<__int128, 3> whole = {};   // ints; durations and times in nanoseconds
    std::array<uint64_t, 4> counts = {};  // of the three, then of reals
    ExactSum reals;
  };

  static uint64_t Count(const State& state) {
    return state.counts[0] + state.counts[1] + state.counts[2] + state.counts[3];
  }
  // As a plain number: times count in seconds.
  static double Total(const State& state) {
    ExactSum sum = state.reals;
    sum.AddInteger(state.whole[0]);
    const __int128 nanoseconds = state.whole[1] + state.whole[2];
    sum.AddInteger(nanoseconds / kSecond);
    sum.Add(static_cast<double>(static_cast<int64_t>(nanoseconds % kSecond)) / 1e9);
    return sum.Round();
  }

  AggregateFunction function_;
  double seconds_;
  std::vector<State> states_;
};

// Any number as a double: durations and times in seconds.
template <typename OnNumber>
void ForEachDouble(const std::vector<uint32_t>& slots, const Column& column, const OnNumber& on_number) {
  ForEachNumber(
      slots, column,
      [&](size_t i, Type type, int64_t value) {
        on_number(i, type == Type::kInt ? static_cast<double>(value) : static_cast<double>(value) / 1e9, type);
      },
      [&](size_t i, double value) { on_number(i, value, Type::kDouble); });
}

// n * sum of squares - square of sum, without the cancellation that doubles would suffer.
DoubleDouble Spread(double n, const ExactSum& products, const ExactSum& a, const ExactSum& b) {
  return DoubleDouble{n, 0} * products.RoundTwice() - a.RoundTwice() * b.RoundTwice();
}

class StddevAggregator : public Aggregator {
 public:
  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }
  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    ForEachDouble(slots, *x, [&](size_t i, double value, Type type) {
      State& state = states_[slots[i]];
      state.sum.Add(value);
      state.squares.AddProduct(value, value);
      ++state.count;
      if (type == Type::kDuration) ++state.durations;
    });
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    State& a = states_[into];
    const State& b = static_cast<const StddevAggregator*>(other)->states_[from];
    a.sum.Merge(b.sum);
    a.squares.Merge(b.squares);
    a.count += b.count;
    a.durations += b.durations;
  }
  void Clear(uint32_t slot) override { states_[slot] = State(); }
  bool HasValue(uint32_t slot) const override { return states_[slot].count > 0; }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    const State& state = states_[slot];
    if (state.count == 0) return out->AppendNull();
    const auto n = static_cast<double>(state.count);
    const double spread = Spread(n, state.squares, state.sum, state.sum).high;
    const double deviation = std::isnan(spread) ? spread : std::sqrt(std::max(0.0, spread) / (n * n));
    if (state.durations == state.count) return out->AppendInt(Type::kDuration, std::llround(deviation * 1e9));
    out->AppendDouble(deviation);
  }
  uint64_t bytes() const override { return states_.size() * (sizeof(State) + 64); }

 private:
  struct State {
    uint64_t count = 0;
    uint64_t durations = 0;
    ExactSum sum;
    ExactSum squares;
  };
  std::vector<State> states_;
};

class CorrelationAggregator : public Aggregator {
 public:
  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }
  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column* y) override {
    // Both must be numbers: the first pass leaves those of x, the second takes the pairs.
    xs_.assign(slots.size(), 0);
    paired_.assign(slots.size(), kNoKey);
    ForEachDouble(slots, *x, [&](size_t i, double value, Type) {
      xs_[i] = value;
      paired_[i] = slots[i];
    });
    ForEachDouble(paired_, *y, [&](size_t i, double value, Type) {
      State& state = states_[paired_[i]];
      ++state.count;
      state.x.Add(xs_[i]);
      state.y.Add(value);
      state.xx.AddProduct(xs_[i], xs_[i]);
      state.yy.AddProduct(value, value);
      state.xy.AddProduct(xs_[i], value);
    });
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    State& a = states_[into];
    const State& b = static_cast<const CorrelationAggregator*>(other)->states_[from];
    a.count += b.count;
    a.x.Merge(b.x);
    a.y.Merge(b.y);
    a.xx.Merge(b.xx);
    a.yy.Merge(b.yy);
    a.xy.Merge(b.xy);
  }
  void Clear(uint32_t slot) override { states_[slot] = State(); }
  bool HasValue(uint32_t slot) const override { return states_[slot].count >= 2; }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    const State& state = states_[slot];
    if (state.count < 2) return out->AppendNull();
    const auto n = static_cast<double>(state.count);
    const double xx = Spread(n, state.xx, state.x, state.x).high;
    const double yy = Spread(n, state.yy, state.y, state.y).high;
    const double xy = Spread(n, state.xy, state.x, state.y).high;
    if (!(xx > 0) || !(yy > 0)) return out->AppendDouble(std::numeric_limits<double>::quiet_NaN());
    const double r = xy / (std::sqrt(xx) * std::sqrt(yy));
    out->AppendDouble(std::isnan(r) ? r : std::clamp(r, -1.0, 1.0));
  }
  uint64_t bytes() const override { return states_.size() * (sizeof(State) + 160); }

 private:
  struct State {
    uint64_t count = 0;
    ExactSum x, y, xx, yy, xy;
  };
  std::vector<State> states_;
  std::vector<double> xs_;
  std::vector<uint32_t> paired_;
};

// Native histogram of schema 3: bucket i holds (2^((i-1)/8), 2^(i/8)].
class HistogramAggregator : public Aggregator {
 public:
  void Resize(size_t slots) override { states_.resize(std::max(slots, states_.size())); }
  void Update(const std::vector<uint32_t>& slots, const Column* x, const Column*) override {
    ForEachDouble(slots, *x, [&](size_t i, double value, Type) {
      if (std::isnan(value)) return;
      State& state = states_[slots[i]];
      ++state.count;
      state.sum.Add(value);
      if (std::abs(value) <= kZeroThreshold) {
        ++state.zeros;
      } else {
        ++(value > 0 ? state.positive : state.negative)[BucketOf(std::abs(value))];
      }
    });
  }
  void Merge(uint32_t into, Aggregator* other, uint32_t from) override {
    State& a = states_[into];
    const State& b = static_cast<const HistogramAggregator*>(other)->states_[from];
    a.count += b.count;
    a.zeros += b.zeros;
    a.sum.Merge(b.sum);
    for (const auto& [bucket, count] : b.positive) a.positive[bucket] += count;
    for (const auto& [bucket, count] : b.negative) a.negative[bucket] += count;
  }
  void Clear(uint32_t slot) override { states_[slot] = State(); }
  bool HasValue(uint32_t slot) const override { return states_[slot].count > 0; }
  void Emit(uint32_t slot, ColumnBuilder* out) override {
    const State& state = states_[slot];
    if (state.count == 0) return out->AppendNull();
    auto histogram = std::make_shared<Histogram>();
    histogram->schema = 3;
    histogram->zero_threshold = kZeroThreshold;
    histogram->zero_count = static_cast<double>(state.zeros);
    histogram->count = static_cast<double>(state.count);
    histogram->sum = state.sum.Round();
    histogram->is_gauge = true;
    for (const auto& [bucket, count] : state.positive)
      histogram->positive.push_back({bucket, static_cast<double>(count)});
    for (const auto& [bucket, count] : state.negative)
      histogram->negative.push_back({bucket, static_cast<double>(count)});
    out->AppendHistogram(std::move(histogram));
  }
  uint64_t bytes() const override { return states_.size() * (sizeof(State) + 1024); }

 private:
  static constexpr double kZeroThreshold = 0x1p-128;

  struct State {
    uint64_t count = 0;
    uint64_t zeros = 0;
    ExactSum sum;
    std::map<int32_t, uint64_t> positive;
    std::map<int32_t, uint64_t> negative;
  };

  static int32_t BucketOf(double value) {
    // Bounds of the eight buckets of one octave, as fractions in [0.5, 1).
    static const std::array<double, 8> bounds = [] {
      std::array<double, 8> made;
      for (size_t i = 0; i < made.size(); ++i) made[i] = std::exp2(static_cast<double>(i) / 8 - 1);
      return made;
    }();
    int exponent = 0;
    const double fraction = std::frexp(std::min(value, std::numeric_limits<double>::max()), &exponent);
    const auto within = std::lower_bound(bounds.begin(), bounds.end(), fraction) - bounds.begin();
    return static_cast<int32_t>(within) + (exponent - 1) * 8;
  }

  std::vector<State> states_;
};

}  // namespace

std::unique_ptr<Aggregator> MakeNumberAggregator(const AggregateItem& item, double seconds) {
  switch (item.function) {
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg:
    case AggregateFunction::kRateOf: return std::make_unique<SumAggregator>(item.function, seconds);
    case AggregateFunction::kStddev: return std::make_unique<StddevAggregator>();
    case AggregateFunction::kCorr: return std::make_unique<CorrelationAggregator>();
    case AggregateFunction::kHistogram: return std::make_unique<HistogramAggregator>();
    default: return std::make_unique<CountAggregator>(item.function, seconds);
  }
}

}  // namespace braid
