#include "query/plan/series_reason.h"

#include <algorithm>
#include <set>
#include <utility>

#include "query/plan/plan_builder.h"
#include "query/syntax/errors.h"
#include "query/syntax/literals.h"

namespace braid {
namespace {

// A reason is worth looking at so many series, not more.
constexpr size_t kSeriesLookedAtMax = 50'000;
constexpr size_t kValuesShown = 5;
constexpr Duration kLookback = 300 * kSecond;

const char* OpText(Matcher::Op op) {
  switch (op) {
    case Matcher::Op::kEqual: return "=";
    case Matcher::Op::kNotEqual: return "!=";
    case Matcher::Op::kRegex: return "=~";
    case Matcher::Op::kNotRegex: return "!~";
  }
  return "=";
}

std::string Text(const Matcher& matcher) { return matcher.name + OpText(matcher.op) + PrintString(matcher.value); }

// Calls `see(labels)` for the series that match until it answers false. False if the store could not be read.
template <typename See>
bool ForSeries(const std::vector<Matcher>& matchers, TimeRange range, const QueryContext& context, const See& see) {
  SeriesSpec spec;
  spec.matchers = matchers;
  spec.time = range;
  spec.labels_only = true;
  auto scan = context.snapshot->OpenSeriesScan(spec);
  if (!scan.ok()) return false;
  for (size_t seen = 0; seen < kSeriesLookedAtMax; ++seen) {
    SeriesData series;
    const auto more = (*scan)->Next(&series);
    if (!more.ok()) return false;
    if (!*more || !see(series.labels)) return true;
  }
  return true;
}

bool Any(const std::vector<Matcher>& matchers, TimeRange range, const QueryContext& context) {
  bool any = false;
  const bool read = ForSeries(matchers, range, context, [&any](const Labels&) {
    any = true;
    return false;
  });
  return any || !read;
}

std::set<std::string> ValuesOf(const std::string& label, const std::vector<Matcher>& matchers, TimeRange range,
                               const QueryContext& context) {
  std::set<std::string> values;
  ForSeries(matchers, range, context, [&](const Labels& labels) {
    const std::string_view value = FindLabel(labels, label);
    if (!value.empty()) values.emplace(value);
    return true;
  });
  return values;
}

}  // namespace

void CollectSelectors(const Expr& expr, std::vector<const Selector*>* selectors) {
  const auto walk = [selectors](const ExprPtr& child) {
    if (child != nullptr) CollectSelectors(*child, selectors);
  };
  if (const auto* selector = std::get_if<Selector>(&expr.node)) selectors->push_back(selector);
  if (const auto* node = std::get_if<SubqueryExpr>(&expr.node)) walk(node->inner);
  if (const auto* node = std::get_if<UnaryExpr>(&expr.node)) walk(node->operand);
  if (const auto* node = std::get_if<ParenExpr>(&expr.node)) walk(node->inner);
  if (const auto* node = std::get_if<AggregationExpr>(&expr.node)) {
    walk(node->param);
    walk(node->inner);
  }
  if (const auto* node = std::get_if<BinaryExpr>(&expr.node)) {
    walk(node->left);
    walk(node->right);
  }
  if (const auto* node = std::get_if<CallExpr>(&expr.node)) {
    for (const Item& argument : node->args) walk(argument.expr);
  }
}

std::string WhyNoSeries(const std::vector<Matcher>& matchers, TimeRange range, const QueryContext& context) {
  if (Any(matchers, range, context)) return "";
  const TimeRange always = context.snapshot->SampleRange();
  if (Any(matchers, always, context)) return "the series that match have no samples in the range";
  std::vector<Matcher> metric;
  std::vector<Matcher> others;
  for (const Matcher& matcher : matchers) {
    const bool name = matcher.name == kMetricNameLabel && matcher.op == Matcher::Op::kEqual;
    (name ? metric : others).push_back(matcher);
  }
  if (!metric.empty() && !Any(metric, always, context)) {
    const std::string label(kMetricNameLabel);
    const std::set<std::string> names = ValuesOf(label, {}, always, context);
    const std::string nearest = DidYouMean(metric[0].value, std::vector<std::string_view>(names.begin(), names.end()));
    return "no metric is named '" + metric[0].value + "'" + (nearest.empty() ? "" : ", " + nearest);
  }
  const std::string of = metric.empty() ? "no series" : "no series of " + metric[0].value;
  for (const Matcher& matcher : others) {
    std::vector<Matcher> alone = metric;
    alone.push_back(matcher);
    if (Any(alone, always, context)) continue;
    const std::set<std::string> values = ValuesOf(matcher.name, metric, always, context);
    if (values.empty()) return of + " has the label " + matcher.name + ", which " + Text(matcher) + " asks for";
    std::string known;
    for (const std::string& value : values) {
      if (!known.empty()) known += ", ";
      known += PrintString(value);
      if (static_cast<size_t>(std::count(known.begin(), known.end(), ',')) + 1 >= kValuesShown) break;
    }
    if (values.size() > kValuesShown) known += ", ...";
    return of + " meets " + Text(matcher) + "; values of " + matcher.name + ": " + known;
  }
  return of + " meets all matchers at once; each alone is met";
}

std::string WhyNoSeries(const Expr& expr, TimeRange range, const QueryContext& context) {
  std::vector<const Selector*> selectors;
  CollectSelectors(expr, &selectors);
  for (const Selector* selector : selectors) {
    std::vector<Matcher> matchers;
    for (const LabelMatcher& matcher : selector->selector.matchers) {
      matchers.push_back(matcher.matcher);
      const auto value = context.params.find(matcher.param);
      if (matcher.param.empty() || value == context.params.end()) continue;
      if (const auto* text = std::get_if<std::string>(&value->second)) matchers.back().value = *text;
    }
    TimeRange seen = context.snapshot->SampleRange();
    if (!selector->time.at && !selector->time.at_start && !selector->time.at_end) {
      const Duration back = std::max(selector->range.value_or(0), kLookback);
      seen.start = Moved(Moved(range.start, -back), -selector->time.offset);
      seen.end = Moved(range.end, -selector->time.offset);
    }
    std::string reason = WhyNoSeries(matchers, seen, context);
    if (!reason.empty()) return reason;
  }
  return "";
}

}  // namespace braid
