// Aggregations that choose series of each group: topk, bottomk, limitk, limit_ratio.
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/grouping.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

struct Ranked {
  double value;
  size_t series;
};

// The k best of what is offered, with the worst of them on top of a binary heap. Which of several equal values are kept
// follows from the order of offers and the steps of the heap, which are those that Prometheus' users see.
class BestHeap {
 public:
  explicit BestHeap(bool largest) : largest_(largest) {}

  void Offer(Ranked candidate, size_t k) {
    if (heap_.size() < k) {
      heap_.push_back(candidate);
      Rise(heap_.size() - 1);
      return;
    }
    const double worst = heap_[0].value;
    const bool better = largest_ ? worst < candidate.value : worst > candidate.value;
    if (better || (std::isnan(worst) && !std::isnan(candidate.value))) {
      heap_[0] = candidate;
      Sink(0);
    }
  }

  // Best first, NaN last.
  std::vector<Ranked> TakeSorted() {
    std::stable_sort(heap_.begin(), heap_.end(), [this](const Ranked& a, const Ranked& b) {
      if (std::isnan(b.value)) return !std::isnan(a.value);
      if (std::isnan(a.value)) return false;
      return largest_ ? a.value > b.value : a.value < b.value;
    });
    return std::exchange(heap_, {});
  }

 private:
  bool Worse(size_t i, size_t j) const {
    const double a = heap_[i].value, b = heap_[j].value;
    return std::isnan(a) || (largest_ ? a < b : a > b);
  }
  void Rise(size_t child) {
    while (child > 0) {
      const size_t parent = (child - 1) / 2;
      if (!Worse(child, parent)) return;
      std::swap(heap_[child], heap_[parent]);
      child = parent;
    }
  }
  void Sink(size_t parent) {
    while (true) {
      size_t child = 2 * parent + 1;
      if (child >= heap_.size()) return;
      if (child + 1 < heap_.size() && Worse(child + 1, child)) ++child;
      if (!Worse(child, parent)) return;
      std::swap(heap_[parent], heap_[child]);
      parent = child;
    }
  }

  const bool largest_;
  std::vector<Ranked> heap_;
};

// A number in [0, 1] that depends on the labels alone and spreads evenly: the one by which Prometheus (as it is built
// by default) chooses, so that the same series are chosen. XXH64 over each name and value behind its length.
double SpreadOf(const Labels& labels) {
  std::string bytes;
  const auto add = [&bytes](std::string_view text) {
    const size_t size = text.size();
    if (size < 255) {
      bytes += static_cast<char>(size);
    } else {
      for (const size_t byte : {size_t{255}, size, size >> 8, size >> 16}) bytes += static_cast<char>(byte & 0xff);
    }
    bytes += text;
  };
  for (const Label& label : labels) {
    add(label.name);
    add(label.value);
  }
  return static_cast<double>(XXH64(bytes.data(), bytes.size(), 0)) / 18446744073709551615.0;
}

}  // namespace

absl::Status Evaluation::EachRanked(const Expr& expr, const AggregationExpr& aggregation, const Instants& times,
                                    SeriesSink sink) {
  const bool topk = aggregation.op == "topk", bottomk = aggregation.op == "bottomk";
  const bool limitk = aggregation.op == "limitk", ratio = aggregation.op == "limit_ratio";
  if (!topk && !bottomk && !limitk && !ratio) {
    return ErrorOn(expr, "unknown aggregation operator " + QuotedText(aggregation.op));
  }
  ASSIGN_OR_RETURN(const std::vector<double> params, Scalar(*aggregation.param, times));
  // First: what is wrong inside is wrong even if nothing is asked for.
  ASSIGN_OR_RETURN(Collected collected, Collect(*aggregation.inner, times));
  const double low = *std::min_element(params.begin(), params.end());
  const double high = *std::max_element(params.begin(), params.end());
  const bool any_nan = std::any_of(params.begin(), params.end(), [](double p) { return std::isnan(p); });
  if (ratio) {
    if (any_nan) return ErrorOn(expr, "Ratio value is NaN");
    const Place& place = WithoutParens(*aggregation.param).place;
    if (high > 1) annotations_.InvalidRatio(high, 1, place);
    if (low < -1) annotations_.InvalidRatio(low, -1, place);
  } else {
    constexpr double kInt64Bound = 9223372036854774784.0;
    if (any_nan) return ErrorOn(expr, "Parameter value is NaN");
    if (high < 1) return absl::OkStatus();
    if (low <= -kInt64Bound) return ErrorOn(expr, "Scalar value " + GeneralText(low) + " underflows int64");
    if (high >= kInt64Bound) return ErrorOn(expr, "Scalar value " + GeneralText(high) + " overflows int64");
  }

  std::vector<EvalSeries>& all = collected.series;
  Grouping grouping(aggregation);
  std::vector<std::vector<size_t>> members;
  std::vector<double> spread;
  for (size_t s = 0; s < all.size(); ++s) {
    const size_t group = grouping.GroupOf(all[s].labels);
    if (group == members.size()) members.emplace_back();
    members[group].push_back(s);
    if (ratio) spread.push_back(SpreadOf(all[s].labels));
  }

  // Chosen points stay, others go; at one instant the order of choice is the order of the result.
  std::vector<size_t> order;
  RETURN_IF_ERROR(collected.hold.Add(all.size() * (times.size() + sizeof(std::vector<uint8_t>))));
  std::vector<std::vector<uint8_t>> chosen(all.size());
  for (std::vector<uint8_t>& points : chosen) points.resize(times.size());
  BestHeap heap(topk);
  for (size_t i = 0; i < times.size(); ++i) {
    if (i % 64 == 0 || all.size() > 1000) RETURN_IF_ERROR(CheckAlive());
    const double param = ratio ? std::clamp(params[i], -1.0, 1.0) : params[i];
    if (!ratio && param < 1) continue;
    const size_t k = ratio ? 0 : static_cast<size_t>(std::min(param, static_cast<double>(all.size())));
    const auto choose = [&](size_t s) {
      chosen[s][i] = 1;
      order.push_back(s);
    };
    order.clear();
    for (const std::vector<size_t>& group : members) {
      size_t taken = 0;
      for (size_t s : group) {
        if (all[s].present[i] == 0) continue;
        if (ratio) {
          if (param >= 0 ? spread[s] < param : spread[s] >= 1 + param) choose(s);
        } else if (limitk) {
          if (taken++ < k) choose(s);
        } else if (all[s].IsHistogram(i)) {
          annotations_.HistogramIgnoredInAggregation(aggregation.op, expr.place);
        } else {
          heap.Offer({all[s].values[i], s}, k);
        }
      }
      if (topk || bottomk) {
        for (const Ranked& ranked : heap.TakeSorted()) choose(ranked.series);
      }
    }
  }
  if (times.size() > 1) {
    order.clear();
    for (size_t s = 0; s < all.size(); ++s) order.push_back(s);
  }
  for (size_t s : order) {
    RETURN_IF_ERROR(CheckAlive());
    for (size_t i = 0; i < times.size(); ++i) {
      if (chosen[s][i] == 0 && all[s].present[i] != 0) all[s].Clear(i);
    }
    if (all[s].AnyPresent()) RETURN_IF_ERROR(sink(std::move(all[s])));
  }
  return absl::OkStatus();
}

}  // namespace braid::promql
