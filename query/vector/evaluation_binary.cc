// Binary operators between a vector and a scalar, and between matched series of two vectors.
#include <algorithm>

#include "query/syntax/status_macros.h"
#include "query/vector/binary_operation.h"
#include "query/vector/evaluation.h"
#include "query/vector/label_set.h"
#include "query/vector/matching.h"

namespace braid::promql {
namespace {

Point PointAt(const EvalSeries& series, size_t step) {
  return {series.values[step], series.IsHistogram(step) ? series.histograms[step] : nullptr};
}

void SetPoint(EvalSeries* series, size_t step, Point&& point) {
  if (point.histogram != nullptr) {
    series->SetHistogram(step, std::move(point.histogram));
  } else {
    series->SetFloat(step, point.value);
  }
}

// The labels of a result, from the "many" side (the left one of a one-to-one match) and the "one" side.
Labels ResultLabels(const Labels& many, const Labels& one, BinaryOp op, const VectorMatching& matching,
                    const std::vector<std::string>& names) {
  Labels labels = many;
  if (ChangesMetric(op)) RemoveMetricName(&labels);
  if (matching.group == VectorMatching::Group::kOneToOne) {
    labels = matching.on ? KeepLabels(labels, names) : WithoutLabels(labels, names);
  }
  for (const std::string& name : matching.include) SetLabel(&labels, name, FindLabel(one, name));
  return labels;
}

// The labels by which a series is matched: what a filled-in series has.
Labels MatchLabels(const Labels& labels, const VectorMatching& matching, const std::vector<std::string>& names) {
  if (matching.on) return KeepLabels(labels, names);
  Labels rest = WithoutLabels(labels, names);
  RemoveLabel(&rest, kMetricNameLabel);
  return rest;
}

}  // namespace

absl::Status Evaluation::EachBinary(const Expr& expr, const BinaryExpr& binary, const Instants& times,
                                    SeriesSink sink) {
  const bool left_scalar = TypeOf(*binary.left) == ExprType::kScalar;
  const bool right_scalar = TypeOf(*binary.right) == ExprType::kScalar;
  if (left_scalar || right_scalar) return EachWithScalar(expr, binary, times, sink);
  switch (binary.op) {
    case BinaryOp::kAnd:
    case BinaryOp::kOr:
    case BinaryOp::kUnless: return EachOfSets(expr, binary, times, sink);
    case BinaryOp::kMatch:
    case BinaryOp::kNotMatch: return ErrorOn(expr, "=~ and !~ are no operators between vectors");
    default: return EachMatched(expr, binary, times, sink);
  }
}

absl::Status Evaluation::EachWithScalar(const Expr& expr, const BinaryExpr& binary, const Instants& times,
                                        SeriesSink sink) {
  const bool swapped = TypeOf(*binary.left) == ExprType::kScalar;
  ASSIGN_OR_RETURN(const std::vector<double> scalars, Scalar(swapped ? *binary.left : *binary.right, times));
  const BinaryOp op = binary.op;
  const bool comparison = IsComparison(op);
  const bool trims = op == BinaryOp::kTrimUpper || op == BinaryOp::kTrimLower;
  const bool drops_name = ChangesMetric(op) || binary.return_bool;
  return Each(swapped ? *binary.right : *binary.left, times, [&](EvalSeries&& series) -> absl::Status {
    bool any = false;
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      if (!series.IsHistogram(i) && !trims) {
        bool kept = true;
        const double vector_value = series.values[i];
        double result = swapped ? ApplyToFloats(op, scalars[i], vector_value, &kept)
                                : ApplyToFloats(op, vector_value, scalars[i], &kept);
        // The vector's value passes, whichever side it stands on.
        if (comparison) result = binary.return_bool ? (kept ? 1 : 0) : vector_value;
        if (!kept && !binary.return_bool) {
          series.Clear(i);
          continue;
        }
        series.values[i] = result;
        any = true;
        continue;
      }
      OperationResult result;
      const Point point = PointAt(series, i);
      const Point scalar{scalars[i], nullptr};
      if (!ApplyToPoints(op, swapped ? scalar : point, swapped ? point : scalar, expr.place, &annotations_, &result)) {
        series.Clear(i);
        continue;
      }
      SetPoint(&series, i, std::move(result.point));
      any = true;
    }
    if (!any) return absl::OkStatus();
    if (drops_name) series.drop_name = true;
    return sink(std::move(series));
  });
}

absl::Status Evaluation::EachMatched(const Expr& expr, const BinaryExpr& binary, const Instants& times,
                                     SeriesSink sink) {
  const VectorMatching& matching = binary.matching;
  const bool one_to_one = matching.group == VectorMatching::Group::kOneToOne;
  const bool trims = binary.op == BinaryOp::kTrimUpper || binary.op == BinaryOp::kTrimLower;
  // "many" is the left side unless group_right turns it round.
  const bool swapped = matching.group == VectorMatching::Group::kRight;
  ASSIGN_OR_RETURN(Collected left, Collect(*binary.left, times));
  ASSIGN_OR_RETURN(Collected right, Collect(*binary.right, times));
  std::vector<EvalSeries>& many = swapped ? right.series : left.series;
  std::vector<EvalSeries>& one = swapped ? left.series : right.series;

  MatchKeys keys(matching);
  const std::vector<std::vector<size_t>> many_of = keys.Assign(many);
  const std::vector<std::vector<size_t>> one_of = keys.Assign(one);
  // At an instant at which one side has no series at all nothing is compared, so duplicates do not matter there.
  const bool fills = matching.fill_left.has_value() || matching.fill_right.has_value();
  const std::vector<uint8_t> any_many = AnyPresentAt(many, times.size());

  constexpr size_t kNone = static_cast<size_t>(-1);
  SeriesMerger merger;
  MemoryHold hold = Hold();
  std::vector<size_t> partner(times.size());
  std::vector<uint8_t> matched(times.size());
  for (size_t key = 0; key < one_of.size(); ++key) {
    if (key % 64 == 0) RETURN_IF_ERROR(CheckAlive());
    MemoryHold pairs = Hold();  // of this key alone
    // The one series on the "one" side at each instant.
    std::fill(partner.begin(), partner.end(), kNone);
    for (size_t r : one_of[key]) {
      for (size_t i = 0; i < times.size(); ++i) {
        if (one[r].present[i] == 0 || (any_many[i] == 0 && !fills)) continue;
        if (partner[i] != kNone) {
          return ErrorOn(expr, DuplicateMessage(matching, one[partner[i]].labels, one[r].labels));
        }
        partner[i] = r;
      }
    }
    std::fill(matched.begin(), matched.end(), 0);
    // With grouping, equal labels of two results of one key are an error even if a comparison filters one of them.
    SeriesMerger uniqueness;
    const auto pair_up = [&](const EvalSeries& from) -> absl::Status {
      RETURN_IF_ERROR(CheckAlive());
      EvalSeries filled;
      if (matching.fill_right) {
        filled = EvalSeries(MatchLabels(from.labels, matching, keys.names()), false, times.size());
        std::fill(filled.values.begin(), filled.values.end(), *matching.fill_right);
      }
      EvalSeries* target = nullptr;
      EvalSeries* seen = nullptr;
      size_t target_partner = kNone;
      std::vector<std::pair<size_t, EvalSeries>> results;  // by partner
      std::vector<EvalSeries> occurrences;                 // parallel to results
      for (size_t i = 0; i < times.size(); ++i) {
        if (from.present[i] == 0 || (partner[i] == kNone && !matching.fill_right)) continue;
        const EvalSeries& other = partner[i] == kNone ? filled : one[partner[i]];
        OperationResult result;
        if (!from.IsHistogram(i) && !other.IsHistogram(i) && !trims) {
          result.point.value = swapped ? ApplyToFloats(binary.op, other.values[i], from.values[i], &result.kept)
                                       : ApplyToFloats(binary.op, from.values[i], other.values[i], &result.kept);
        } else {
          const Point a = PointAt(from, i), b = PointAt(other, i);
          if (!ApplyToPoints(binary.op, swapped ? b : a, swapped ? a : b, expr.place, &annotations_, &result)) continue;
        }
        if (one_to_one && matched[i] != 0) {
          return ErrorOn(expr,
                         "multiple matches for labels: many-to-one matching must be explicit "
                         "(group_left/group_right)");
        }
        matched[i] = 1;
        if (target == nullptr || target_partner != partner[i]) {
          target_partner = partner[i];
          auto it = std::find_if(results.begin(), results.end(),
                                 [&](const auto& entry) { return entry.first == target_partner; });
          if (it == results.end()) {
            Labels labels = ResultLabels(from.labels, other.labels, binary.op, matching, keys.names());
            const bool drop = binary.return_bool || (IsComparison(binary.op) && from.drop_name);
            if (!one_to_one) {
              occurrences.emplace_back(labels, false, times.size());
              RETURN_IF_ERROR(pairs.Add(occurrences.back().MemoryBytes()));
            }
            RETURN_IF_ERROR(pairs.Add(times.size() * 9));
            results.emplace_back(target_partner, EvalSeries(std::move(labels), drop, times.size()));
            it = results.end() - 1;
          }
          target = &it->second;
          if (!one_to_one) seen = &occurrences[static_cast<size_t>(it - results.begin())];
        }
        if (!one_to_one) seen->SetFloat(i, 1);
        if (binary.return_bool) {
          target->SetFloat(i, result.kept ? 1 : 0);
        } else if (result.kept) {
          SetPoint(target, i, std::move(result.point));
        }
      }
      for (EvalSeries& occurrence : occurrences) {
        if (!uniqueness.Add(std::move(occurrence)).ok()) {
          return ErrorOn(expr, "multiple matches for labels: grouping labels must ensure unique matches");
        }
      }
      for (auto& [other, series] : results) {
        if (!series.AnyPresent()) continue;
        RETURN_IF_ERROR(hold.Add(series.MemoryBytes()));
        if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
          return ErrorOn(expr, std::string(status.message()));
        }
      }
      return absl::OkStatus();
    };
    if (key < many_of.size()) {
      for (size_t l : many_of[key]) RETURN_IF_ERROR(pair_up(many[l]));
    }
    if (!matching.fill_left) continue;
    for (size_t r : one_of[key]) {
      EvalSeries missing(MatchLabels(one[r].labels, matching, keys.names()), false, times.size());
      for (size_t i = 0; i < times.size(); ++i) {
        if (partner[i] == r && matched[i] == 0) missing.SetFloat(i, *matching.fill_left);
      }
      if (missing.AnyPresent()) RETURN_IF_ERROR(pair_up(missing));
    }
  }
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
