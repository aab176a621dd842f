// Aggregations that fold: series stream in, only groups are held.
#include "query/syntax/status_macros.h"
#include "query/vector/aggregation.h"
#include "query/vector/evaluation.h"
#include "query/vector/grouping.h"
#include "query/vector/histogram_quantile.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"

namespace braid::promql {
namespace {

// Values that quantile() sorts between two questions whether the query is still wanted.
constexpr size_t kValuesPerCheck = 50'000;

}  // namespace

absl::Status Evaluation::EachAggregated(const Expr& expr, const AggregationExpr& aggregation, const Instants& times,
                                        SeriesSink sink) {
  FoldOp op;
  if (aggregation.op == "quantile") return EachQuantile(aggregation, times, sink);
  if (aggregation.op == "count_values") return EachCountedValue(expr, aggregation, times, sink);
  if (!ParseFoldOp(aggregation.op, &op)) return EachRanked(expr, aggregation, times, sink);

  const Place& place = WithoutParens(*aggregation.inner).place;
  Grouping grouping(aggregation);
  std::vector<GroupFold> folds;
  MemoryHold hold = Hold();
  RETURN_IF_ERROR(Each(*aggregation.inner, times, [&](EvalSeries&& series) {
    const size_t group = grouping.GroupOf(series.labels);
    if (group == folds.size()) {
      folds.emplace_back(op, times.size());
      RETURN_IF_ERROR(hold.Add(folds.back().MemoryBytes() + BytesOf(series.labels)));
    }
    const uint64_t before = folds[group].HistogramBytes();
    folds[group].Add(series, &annotations_, place);
    const uint64_t after = folds[group].HistogramBytes();
    return after > before ? hold.Add(after - before) : absl::OkStatus();
  }));
  for (size_t group = 0; group < folds.size(); ++group) {
    EvalSeries series = folds[group].Finish(&annotations_, place);
    series.labels = grouping.TakeLabels(group);
    if (series.AnyPresent()) RETURN_IF_ERROR(sink(std::move(series)));
  }
  return absl::OkStatus();
}

absl::Status Evaluation::EachQuantile(const AggregationExpr& aggregation, const Instants& times, SeriesSink sink) {
  const Place& place = WithoutParens(*aggregation.inner).place;
  ASSIGN_OR_RETURN(const std::vector<double> quantiles, Scalar(*aggregation.param, times));
  for (double q : quantiles) {
    if (!(q >= 0 && q <= 1)) annotations_.InvalidQuantile(q, WithoutParens(*aggregation.param).place);
  }
  ASSIGN_OR_RETURN(Collected collected, Collect(*aggregation.inner, times));
  Grouping grouping(aggregation);
  std::vector<std::vector<const EvalSeries*>> members;
  for (const EvalSeries& series : collected.series) {
    const size_t group = grouping.GroupOf(series.labels);
    if (group == members.size()) members.emplace_back();
    members[group].push_back(&series);
  }
  std::vector<double> values;
  for (size_t group = 0; group < members.size(); ++group) {
    EvalSeries result(grouping.TakeLabels(group), false, times.size());
    size_t sorted = 0;
    for (size_t i = 0; i < times.size(); ++i) {
      if (sorted == 0 || sorted >= kValuesPerCheck) {
        RETURN_IF_ERROR(CheckAlive());
        sorted = 0;
      }
      sorted += members[group].size();
      values.clear();
      for (const EvalSeries* series : members[group]) {
        if (series->present[i] == 0) continue;
        if (series->IsHistogram(i)) {
          annotations_.HistogramIgnoredInAggregation("quantile", place);
          continue;
        }
        result.drop_name = result.drop_name || series->drop_name;
        values.push_back(series->values[i]);
      }
      if (!values.empty()) result.SetFloat(i, QuantileOfValues(quantiles[i], &values));
    }
    if (result.AnyPresent()) RETURN_IF_ERROR(sink(std::move(result)));
  }
  return absl::OkStatus();
}

absl::Status Evaluation::EachCountedValue(const Expr& expr, const AggregationExpr& aggregation, const Instants& times,
                                          SeriesSink sink) {
  ASSIGN_OR_RETURN(const std::string label, Text(*aggregation.param));
  if (!IsLabelName(label)) return ErrorOn(expr, "invalid label name " + QuotedText(label));
  AggregationExpr by_value = aggregation;
  if (!by_value.without) by_value.grouping.push_back(label);
  Grouping grouping(by_value);
  std::vector<EvalSeries> groups;
  MemoryHold hold = Hold();
  RETURN_IF_ERROR(Each(*aggregation.inner, times, [&](EvalSeries&& series) {
    // Neighbouring points often have the same value.
    std::string last_text;
    size_t last_group = 0;
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      std::string text = series.IsHistogram(i) ? HistogramText(*series.histograms[i]) : FixedText(series.values[i]);
      if (text != last_text) {
        SetLabel(&series.labels, label, text);
        last_group = grouping.GroupOf(series.labels);
        last_text = std::move(text);
      }
      if (last_group == groups.size()) {
        groups.emplace_back(Labels(), false, times.size());
        RETURN_IF_ERROR(hold.Add(groups.back().MemoryBytes() + BytesOf(series.labels)));
      }
      groups[last_group].SetFloat(i, groups[last_group].values[i] + 1);
    }
    return absl::OkStatus();
  }));
  for (size_t group = 0; group < groups.size(); ++group) {
    groups[group].labels = grouping.TakeLabels(group);
    RETURN_IF_ERROR(sink(std::move(groups[group])));
  }
  return absl::OkStatus();
}

}  // namespace braid::promql
