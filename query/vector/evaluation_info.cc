// info(): adds the labels of info metrics (target_info by default) to series of the same instance and job.
#include <algorithm>
#include <limits>

#include "engine/memory/hash_map.h"
#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/label_set.h"
#include "query/vector/number_text.h"
#include "re2/re2.h"

namespace braid::promql {
namespace {

constexpr std::string_view kTargetInfo = "target_info";
constexpr size_t kNone = std::numeric_limits<size_t>::max();

bool Matches(const Matcher& matcher, std::string_view value) {
  switch (matcher.op) {
    case Matcher::Op::kEqual: return value == matcher.value;
    case Matcher::Op::kNotEqual: return value != matcher.value;
    case Matcher::Op::kRegex:
    case Matcher::Op::kNotRegex: break;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  const bool found = RE2::FullMatch(re2::StringPiece(value.data(), value.size()), RE2(matcher.value, options));
  return found == (matcher.op == Matcher::Op::kRegex);
}

bool AllMatch(const std::vector<LabelMatcher>& matchers, std::string_view value) {
  return std::all_of(matchers.begin(), matchers.end(),
                     [value](const LabelMatcher& m) { return Matches(m.matcher, value); });
}

LabelMatcher NameMatcher(Matcher::Op op, std::string_view value) {
  LabelMatcher matcher;
  matcher.matcher = {op, std::string(kMetricNameLabel), std::string(value)};
  return matcher;
}

// Which metrics count as info metrics: what the caller says; anything that ends in _info if the caller only says what
// not.
std::vector<LabelMatcher> InfoNames(std::vector<LabelMatcher> given) {
  if (given.empty()) return {NameMatcher(Matcher::Op::kEqual, kTargetInfo)};
  const bool positive = std::any_of(given.begin(), given.end(), [](const LabelMatcher& m) {
    return m.matcher.op == Matcher::Op::kEqual || m.matcher.op == Matcher::Op::kRegex;
  });
  if (!positive) given.insert(given.begin(), NameMatcher(Matcher::Op::kRegex, ".+_info"));
  return given;
}

// The time modifiers of the first selector in `expr`, sub-queries around it included. False if there is no selector.
bool FirstTimeModifiers(const Expr& expr, TimeModifiers* time) {
  if (const auto* selector = std::get_if<Selector>(&expr.node)) {
    *time = selector->time;
    return true;
  }
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return FirstTimeModifiers(*paren->inner, time);
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return FirstTimeModifiers(*unary->operand, time);
  if (const auto* aggregation = std::get_if<AggregationExpr>(&expr.node)) {
    if (FirstTimeModifiers(*aggregation->inner, time)) return true;
    return aggregation->param != nullptr && FirstTimeModifiers(*aggregation->param, time);
  }
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    return FirstTimeModifiers(*binary->left, time) || FirstTimeModifiers(*binary->right, time);
  }
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) {
    return std::any_of(call->args.begin(), call->args.end(),
                       [time](const Item& item) { return FirstTimeModifiers(*item.expr, time); });
  }
  if (const auto* subquery = std::get_if<SubqueryExpr>(&expr.node)) {
    if (!FirstTimeModifiers(*subquery->inner, time)) return false;
    if (time->at || time->at_start || time->at_end) return true;
    time->at = subquery->time.at;
    time->at_start = subquery->time.at_start;
    time->at_end = subquery->time.at_end;
    time->offset += subquery->time.offset;
    return true;
  }
  return false;
}

// The info series of one metric name and one (instance, job); values are the times of their samples.
struct InfoGroup {
  std::string name;
  std::vector<EvalSeries> series;
};

}  // namespace

absl::Status Evaluation::EachInfo(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink) {
  static const std::vector<std::string> kIdentity = {"instance", "job"};
  Selector info;
  FirstTimeModifiers(*call.args[0].expr, &info.time);
  std::vector<LabelMatcher> names, data;
  if (call.args.size() > 1) {
    const auto* selector = std::get_if<Selector>(&WithoutParens(*call.args[1].expr).node);
    if (selector == nullptr) return ErrorOn(expr, "info() takes matchers as second argument");
    for (const LabelMatcher& m : selector->selector.matchers) {
      (m.matcher.name == kMetricNameLabel ? names : data).push_back(m);
    }
  }
  names = InfoNames(std::move(names));
  info.selector.matchers = names;
  info.selector.matchers.insert(info.selector.matchers.end(), data.begin(), data.end());

  ASSIGN_OR_RETURN(Collected base, Collect(*call.args[0].expr, times));
  HashMap<std::string, std::vector<InfoGroup>> groups;  // by identity
  for (const EvalSeries& series : base.series) {
    if (AllMatch(names, FindLabel(series.labels, kMetricNameLabel))) continue;
    std::string identity = SignatureOf(series.labels, kIdentity);
    if (!identity.empty()) groups.try_emplace(std::move(identity));
  }
  if (!groups.empty()) {
    RETURN_IF_ERROR(EachSelected(info, times, true, [&](EvalSeries&& series) {
      const auto it = groups.find(SignatureOf(series.labels, kIdentity));
      if (it == groups.end()) return absl::OkStatus();
      RETURN_IF_ERROR(base.hold.Add(series.MemoryBytes()));
      const std::string name(FindLabel(series.labels, kMetricNameLabel));
      auto group = std::find_if(it->second.begin(), it->second.end(), [&](const auto& g) { return g.name == name; });
      if (group == it->second.end()) group = it->second.insert(group, InfoGroup{name, {}});
      group->series.push_back(std::move(series));
      return absl::OkStatus();
    }));
  }

  const bool empty_matches =
      std::all_of(data.begin(), data.end(), [](const LabelMatcher& m) { return Matches(m.matcher, ""); });
  // The labels of `series` with those of the chosen info series, one index per group.
  const auto combine = [&](const EvalSeries& series, const std::vector<InfoGroup>& of,
                           const std::vector<size_t>& chosen, Labels* labels) -> absl::Status {
    Labels added;
    for (size_t g = 0; g < of.size(); ++g) {
      if (chosen[g] == kNone) continue;
      for (const Label& label : of[g].series[chosen[g]].labels) {
        if (label.name == kMetricNameLabel) continue;
        const bool wanted = data.empty() || std::any_of(data.begin(), data.end(), [&](const LabelMatcher& m) {
                              return m.matcher.name == label.name;
                            });
        if (!wanted) continue;
        const std::string_view before = FindLabel(added, label.name);
        if (!before.empty() && before != label.value) return ErrorOn(expr, "conflicting label: " + label.name);
        if (FindLabel(series.labels, label.name).empty()) SetLabel(&added, label.name, label.value);
      }
    }
    *labels = series.labels;
    for (const Label& label : added) SetLabel(labels, label.name, label.value);
    return absl::OkStatus();
  };

  SeriesMerger merger;
  const std::vector<InfoGroup> no_groups;
  for (EvalSeries& series : base.series) {
    if (AllMatch(names, FindLabel(series.labels, kMetricNameLabel))) {
      RETURN_IF_ERROR(merger.Add(std::move(series)));
      continue;
    }
    const auto found = groups.find(SignatureOf(series.labels, kIdentity));
    const std::vector<InfoGroup>& of = found == groups.end() ? no_groups : found->second;
    std::vector<std::pair<std::vector<size_t>, EvalSeries>> results;  // by what was chosen
    for (size_t i = 0; i < times.size(); ++i) {
      if (series.present[i] == 0) continue;
      std::vector<size_t> chosen(of.size(), kNone);
      bool any = false;
      for (size_t g = 0; g < of.size(); ++g) {
        const std::vector<EvalSeries>& candidates = of[g].series;
        for (size_t c = 0; c < candidates.size(); ++c) {
          if (candidates[c].present[i] == 0) continue;
          any = true;
          // The one seen last counts.
          if (chosen[g] == kNone || candidates[c].values[i] > candidates[chosen[g]].values[i]) {
            chosen[g] = c;
          } else if (candidates[c].values[i] == candidates[chosen[g]].values[i]) {
            const std::string at = " @ " + FixedText(candidates[c].values[i] * 1000);
            return ErrorOn(expr, "found duplicate series for info metric: existing " +
                                     LabelsText(candidates[chosen[g]].labels) + at + ", new " +
                                     LabelsText(candidates[c].labels) + at);
          }
        }
      }
      if (!any && !empty_matches) continue;
      auto result = std::find_if(results.begin(), results.end(), [&](const auto& r) { return r.first == chosen; });
      if (result == results.end()) {
        Labels labels;
        RETURN_IF_ERROR(combine(series, of, chosen, &labels));
        result = results.insert(results.end(), {chosen, EvalSeries(std::move(labels), series.drop_name, times.size())});
      }
      if (series.IsHistogram(i)) {
        result->second.SetHistogram(i, series.histograms[i]);
      } else {
        result->second.SetFloat(i, series.values[i]);
      }
    }
    for (auto& [chosen, result] : results) {
      RETURN_IF_ERROR(base.hold.Add(result.MemoryBytes()));
      if (absl::Status status = merger.Add(std::move(result)); !status.ok()) {
        return ErrorOn(expr, std::string(status.message()));
      }
    }
  }
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
