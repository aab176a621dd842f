// label_replace and label_join: they look at labels alone.
#include <cctype>

#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/label_set.h"
#include "re2/re2.h"

namespace braid::promql {
namespace {

// A text that was made stands in its label, in the signature by which series are told apart, and here.
constexpr uint64_t kTextCopies = 4;

bool IsNameByte(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Puts groups into `$1`, `$name`, `${name}`; `$$` is a dollar. What names no group is empty; a `$` that starts nothing
// stays as it is. Stops once the result is longer than `size_max`.
std::string Expand(std::string_view replacement, const std::vector<re2::StringPiece>& groups,
                   const std::map<std::string, int>& names, uint64_t size_max) {
  std::string result;
  for (size_t i = 0; i < replacement.size() && result.size() <= size_max;) {
    if (replacement[i] != '$' || i + 1 == replacement.size()) {
      result += replacement[i++];
      continue;
    }
    if (replacement[i + 1] == '$') {
      result += '$';
      i += 2;
      continue;
    }
    const bool braced = replacement[i + 1] == '{';
    const size_t begin = i + 1 + (braced ? 1 : 0);
    size_t end = begin;
    while (end < replacement.size() && IsNameByte(replacement[end])) ++end;
    const bool closed = !braced || (end < replacement.size() && replacement[end] == '}');
    if (end == begin || !closed) {
      result += replacement[i++];
      continue;
    }
    const std::string name(replacement.substr(begin, end - begin));
    i = end + (braced ? 1 : 0);
    size_t group = groups.size();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      if (name.size() < 6) group = std::stoul(name);
    } else if (const auto it = names.find(name); it != names.end()) {
      group = static_cast<size_t>(it->second);
    }
    if (group < groups.size()) result.append(groups[group].data(), groups[group].size());
  }
  return result;
}

}  // namespace

absl::Status Evaluation::EachLabelReplace(const Expr& expr, const CallExpr& call, const Instants& times,
                                          SeriesSink sink) {
  std::string text[4];
  for (size_t i = 0; i < 4; ++i) {
    ASSIGN_OR_RETURN(text[i], Text(*call.args[i + 1].expr));
  }
  const auto& [target, replacement, source, pattern] = text;
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  const RE2 regex(pattern, options);
  if (!regex.ok()) return ErrorOn(expr, "invalid regular expression in label_replace(): " + pattern);
  if (!IsLabelName(target)) return ErrorOn(expr, "invalid destination label name in label_replace(): " + target);

  SeriesMerger merger;
  MemoryHold hold = Hold();
  RETURN_IF_ERROR(Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    const std::string value(FindLabel(series.labels, source));
    std::vector<re2::StringPiece> groups(static_cast<size_t>(regex.NumberOfCapturingGroups()) + 1);
    if (regex.Match(value, 0, value.size(), RE2::ANCHOR_BOTH, groups.data(), static_cast<int>(groups.size()))) {
      const uint64_t room = hold.room() / kTextCopies;
      const std::string text = Expand(replacement, groups, regex.NamedCapturingGroups(), room);
      if (text.size() > room) return hold.Add(context_.limits.memory_bytes_max + 1);
      SetLabel(&series.labels, target, text);
      // A name that was given here is meant to stay.
      if (target == kMetricNameLabel) series.drop_name = false;
    }
    RETURN_IF_ERROR(hold.Add(series.MemoryBytes()));
    if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
      return ErrorOn(expr, std::string(status.message()));
    }
    return absl::OkStatus();
  }));
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

absl::Status Evaluation::EachLabelJoin(const Expr& expr, const CallExpr& call, const Instants& times, SeriesSink sink) {
  ASSIGN_OR_RETURN(const std::string target, Text(*call.args[1].expr));
  ASSIGN_OR_RETURN(const std::string separator, Text(*call.args[2].expr));
  std::vector<std::string> sources;
  for (size_t i = 3; i < call.args.size(); ++i) {
    ASSIGN_OR_RETURN(std::string source, Text(*call.args[i].expr));
    if (!IsLabelName(source)) return ErrorOn(expr, "invalid source label name in label_join(): " + source);
    sources.push_back(std::move(source));
  }
  if (!IsLabelName(target)) return ErrorOn(expr, "invalid destination label name in label_join(): " + target);

  SeriesMerger merger;
  MemoryHold hold = Hold();
  RETURN_IF_ERROR(Each(*call.args[0].expr, times, [&](EvalSeries&& series) {
    uint64_t size = sources.size() * separator.size();
    for (const std::string& source : sources) size += FindLabel(series.labels, source).size();
    if (size > hold.room() / kTextCopies) RETURN_IF_ERROR(hold.Add(kTextCopies * size));
    std::string value;
    for (size_t i = 0; i < sources.size(); ++i) {
      if (i > 0) value += separator;
      value += FindLabel(series.labels, sources[i]);
    }
    SetLabel(&series.labels, target, value);
    if (target == kMetricNameLabel) series.drop_name = false;
    RETURN_IF_ERROR(hold.Add(series.MemoryBytes()));
    if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
      return ErrorOn(expr, std::string(status.message()));
    }
    return absl::OkStatus();
  }));
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
