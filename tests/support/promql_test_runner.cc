#include "tests/support/promql_test_runner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "query/syntax/parser.h"
#include "query/vector/evaluator.h"
#include "re2/re2.h"
#include "tests/support/promql_nhcb.h"
#include "tests/support/promql_series_notation.h"

namespace braid {
namespace {

constexpr double kTolerance = 1e-6;  // relative
constexpr Duration kMinute = 60 * kSecond;

struct Expectation {
  bool any = true;  // any text will do
  std::string message;
  std::string pattern;
  bool Accepts(const std::string& text) const {
    if (any) return true;
    if (!pattern.empty()) return RE2::PartialMatch(text, pattern);
    return text == message;
  }
};

struct Eval {
  int line = 0;
  std::string expr;
  Timestamp start = 0, end = 0;
  Duration step = 0;
  bool range = false;
  bool fail = false, warn = false, info = false, ordered = false, no_warn = false, no_info = false;
  std::vector<Expectation> fails, warns, infos;
  std::optional<std::string> text;
  std::optional<double> scalar;
  bool range_vector = false;
  std::vector<SeriesNotation> series;
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

bool AlmostEqual(double a, double b) {
  if (IsStaleNan(a) || IsStaleNan(b)) return IsStaleNan(a) && IsStaleNan(b);
  if (std::isnan(a) && std::isnan(b)) return true;
  if (a == b) return true;
  const double sum = std::fabs(a) + std::fabs(b);
  const double difference = std::fabs(a - b);
  constexpr double kMinNormal = std::numeric_limits<double>::min();
  if (a == 0 || b == 0 || sum < kMinNormal) return difference < kTolerance * kMinNormal;
  return difference / std::min(sum, std::numeric_limits<double>::max()) < kTolerance;
}

std::string Describe(const Histogram& h) {
  std::string text = "{{schema:" + std::to_string(h.schema) + " count:" + std::to_string(h.count) +
                     " sum:" + std::to_string(h.sum) + " z:" + std::to_string(h.zero_count) + "/" +
                     std::to_string(h.zero_threshold);
  if (h.is_gauge) text += " gauge";
  if (h.reset) text += " reset";
  if (!h.reset_unknown) text += " known";
  for (const auto& b : h.positive) text += " " + std::to_string(b.index) + "=" + std::to_string(b.count);
  for (const auto& b : h.negative) text += " -" + std::to_string(b.index) + "=" + std::to_string(b.count);
  for (double b : h.custom_bounds) text += " <" + std::to_string(b);
  return text + "}}";
}

std::vector<Histogram::Bucket> Filled(const std::vector<Histogram::Bucket>& buckets) {
  std::vector<Histogram::Bucket> filled;
  std::copy_if(buckets.begin(), buckets.end(), std::back_inserter(filled), [](const auto& b) { return b.count != 0; });
  return filled;
}

bool SameHistogram(const SequenceValue& expected, const Histogram& actual) {
  const Histogram& e = *expected.histogram;
  if (e.schema != actual.schema || !AlmostEqual(e.count, actual.count) || !AlmostEqual(e.sum, actual.sum)) return false;
  if (e.schema == -53 && e.custom_bounds != actual.custom_bounds) return false;
  if (e.zero_threshold != actual.zero_threshold || !AlmostEqual(e.zero_count, actual.zero_count)) return false;
  for (bool positive : {true, false}) {
    const auto a = Filled(positive ? e.positive : e.negative), b = Filled(positive ? actual.positive : actual.negative);
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i) {
      if (a[i].index != b[i].index || !AlmostEqual(a[i].count, b[i].count)) return false;
    }
  }
  if (!expected.hint_given) return true;
  if (e.is_gauge || actual.is_gauge) return e.is_gauge == actual.is_gauge;
  return e.reset == actual.reset && e.reset_unknown == actual.reset_unknown;
}

std::string ComparePoint(const SequenceValue& expected, double value, const Histogram* histogram) {
  if (expected.histogram.has_value() != (histogram != nullptr)) {
    return histogram != nullptr ? "got a histogram " + Describe(*histogram) + ", expected a float"
                                : "got float " + std::to_string(value) + ", expected a histogram";
  }
  if (histogram != nullptr) {
    if (SameHistogram(expected, *histogram)) return "";
    return "got " + Describe(*histogram) + ", expected " + Describe(*expected.histogram);
  }
  if (AlmostEqual(expected.value, value)) return "";
  return "got " + std::to_string(value) + ", expected " + std::to_string(expected.value);
}

// Runs the evals of one file against a store.
class Runner {
 public:
  Runner(const OpenStore& open, const SettleStore& settle) : open_(open), settle_(settle) { db_ = open_(); }

  PromqlTestReport Run(const std::string& text) {
    SplitLines(text);
    for (at_ = 0; at_ < lines_.size(); ++at_) {
      const std::string& line = lines_[at_];
      if (line.empty()) continue;
      const std::string_view command = std::string_view(line).substr(0, line.find_first_of(" \t"));
      if (command == "clear") {
        db_.reset();
        db_ = open_();
      } else if (command.substr(0, 4) == "load") {
        Load(command == "load_with_nhcb");
      } else if (command.substr(0, 4) == "eval") {
        RunEval();
      } else {
        Fail(static_cast<int>(at_ + 1), line, "unknown command");
      }
    }
    return std::move(report_);
  }

 private:
  void SplitLines(const std::string& text) {
    size_t begin = 0;
    while (begin <= text.size()) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      std::string_view line = Trim(std::string_view(text).substr(begin, end - begin));
      if (!line.empty() && line.front() == '#') line = {};
      lines_.emplace_back(line);
      begin = end + 1;
    }
  }

  void Fail(int line, const std::string& what, const std::string& why) {
    report_.failures.push_back("line " + std::to_string(line) + ": " + what + ": " + why);
  }

  void Load(bool with_nhcb) {
    const int line = static_cast<int>(at_ + 1);
    const std::string head = lines_[at_];
    const std::optional<Duration> step =
        ParseNotationDuration(Trim(std::string_view(head).substr(head.find_first_of(" \t"))));
    if (!step) return Fail(line, head, "bad step");
    std::map<Labels, std::vector<SequenceValue>> loaded;
    for (; at_ + 1 < lines_.size() && !lines_[at_ + 1].empty(); ++at_) {
      std::string error;
      const std::optional<SeriesNotation> series = ParseSeriesNotation(lines_[at_ + 1], &error);
      if (!series) {
        Fail(static_cast<int>(at_ + 2), lines_[at_ + 1], error);
        continue;
      }
      loaded[series->labels] = series->values;
    }
    if (with_nhcb) {
      for (SeriesNotation& series : ConvertClassicHistograms(loaded)) loaded[series.labels] = std::move(series.values);
    }
    WriteBatch batch;
    for (const auto& [labels, values] : loaded) {
      std::vector<LabelView> views;
      for (const Label& label : labels) views.push_back({label.name, label.value});
      const WriteBatch::SeriesRef ref = batch.AddSeries(views);
      for (size_t i = 0; i < values.size(); ++i) {
        if (values[i].omitted) continue;
        const Timestamp time = static_cast<Timestamp>(i) * *step;
        if (values[i].histogram) {
          batch.AddHistogram(ref, time, *values[i].histogram);
        } else {
          batch.AddSample(ref, time, values[i].value);
        }
      }
    }
    if (absl::Status status = db_->Write(batch); !status.ok()) return Fail(line, head, status.ToString());
    if (settle_) settle_(&db_);
  }

  // Reads the command and the lines below it. Empty for success.
  std::string ReadEval(Eval* eval) {
    static const RE2 kInstant(R"(^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$)");
    static const RE2 kRange(
        R"(^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$)");
    static const RE2 kExpect(R"(^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$)");
    static const RE2 kExpectRange(R"(^expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$)");
    eval->line = static_cast<int>(at_ + 1);
    std::string mode, from, to, step;
    const std::string& head = lines_[at_];
    if (RE2::FullMatch(head, kRange, &mode, &from, &to, &step, &eval->expr)) {
      const auto a = ParseNotationDuration(from), b = ParseNotationDuration(to), s = ParseNotationDuration(step);
      if (!a || !b || !s) return "bad range";
      eval->range = true;
      eval->start = *a;
      eval->end = *b;
      eval->step = *s;
    } else if (RE2::FullMatch(head, kInstant, &mode, &from, &eval->expr)) {
      const auto at = ParseNotationDuration(from.empty() ? "0" : from);
      if (!at) return "bad instant";
      eval->start = eval->end = *at;
    } else {
      return "bad eval command";
    }
    eval->fail = mode == "fail";
    eval->warn = mode == "warn";
    eval->info = mode == "info";
    eval->ordered = mode == "ordered";
    for (; at_ + 1 < lines_.size() && !lines_[at_ + 1].empty(); ++at_) {
      const std::string& line = lines_[at_ + 1];
      std::string kind, form, argument;
      if (line.rfind("expected_fail_message", 0) == 0 || line.rfind("expected_fail_regexp", 0) == 0) {
        Expectation expectation;
        expectation.any = false;
        const std::string value(Trim(std::string_view(line).substr(line.find(' '))));
        (line.rfind("expected_fail_message", 0) == 0 ? expectation.message : expectation.pattern) = value;
        eval->fails.push_back(expectation);
      } else if (RE2::FullMatch(line, kExpectRange, &from, &to, &step)) {
        eval->range_vector = true;
        eval->start = ParseNotationDuration(from).value_or(0);
        eval->end = ParseNotationDuration(to).value_or(0);
        eval->step = ParseNotationDuration(step).value_or(kMinute);
      } else if (line.rfind("expect string", 0) == 0) {
        std::string_view rest = Trim(std::string_view(line).substr(13));
        eval->text = TakeQuoted(&rest);
        if (!eval->text) return "bad expect string";
      } else if (RE2::FullMatch(line, kExpect, &kind, &form, &argument)) {
        Expectation expectation;
        expectation.any = form.empty();
        (form == "msg" ? expectation.message : expectation.pattern) = std::string(Trim(argument));
        if (kind == "ordered") eval->ordered = true;
        if (kind == "no_warn") eval->no_warn = true;
        if (kind == "no_info") eval->no_info = true;
        if (kind == "fail") {
          eval->fail = true;
          eval->fails.push_back(expectation);
        }
        if (kind == "warn") eval->warns.push_back(expectation);
        if (kind == "info") eval->infos.push_back(expectation);
      } else if (const auto number = ParseNotationNumber(line)) {
        eval->scalar = number;
      } else {
        std::string error;
        std::optional<SeriesNotation> series = ParseSeriesNotation(line, &error);
        if (!series) return error;
        eval->series.push_back(std::move(*series));
      }
    }
    return "";
  }

  void RunEval() {
    Eval eval;
    ++report_.evals;
    const std::string problem = ReadEval(&eval);
    while (!problem.empty() && at_ + 1 < lines_.size() && !lines_[at_ + 1].empty()) ++at_;
    const std::string failure = problem.empty() ? Check(eval) : problem;
    if (failure.empty()) {
      ++report_.passed;
    } else {
      Fail(eval.line, eval.expr, failure);
    }
  }

  absl::StatusOr<VectorResult> Evaluate(const std::string& expr, Timestamp start, Timestamp end, Duration step,
                                        std::vector<Note>* notes) {
    absl::StatusOr<ExprPtr> parsed = ParseVectorExpression(expr);
    if (!parsed.ok()) return parsed.status();
    std::vector<Timestamp> times;
    for (Timestamp t = start; t <= end; t += std::max<Duration>(step, 1)) {
      times.push_back(t);
      if (step == 0) break;
    }
    VectorContext context;
    context.snapshot = db_->GetSnapshot();
    context.start = start;
    context.end = end;
    context.step = step;
    context.subquery_step = kMinute;
    context.notes = notes;
    return EvaluateVector(**parsed, times, context);
  }

  static std::string MessageOf(const absl::Status& status) {
    const std::optional<QueryError> error = ErrorOf(status);
    return error ? error->message : std::string(status.message());
  }

  std::string Check(const Eval& eval) {
    std::vector<Note> notes;
    // `expect range vector` tells the times of the samples; the query itself asks for one instant.
    const bool grid = eval.range;
    const Timestamp start = grid ? eval.start : eval.end;
    const absl::StatusOr<VectorResult> result = Evaluate(eval.expr, start, eval.end, grid ? eval.step : 0, &notes);
    if (!result.ok()) {
      const std::string message = MessageOf(result.status());
      if (!eval.fail) return "error: " + message;
      for (const Expectation& expectation : eval.fails) {
        if (!expectation.Accepts(message)) {
          return "expected error \"" + expectation.message + expectation.pattern + "\", got \"" + message + "\"";
        }
      }
      return "";
    }
    if (eval.fail) return "expected an error";
    if (std::string problem = CheckNotes(eval, notes); !problem.empty()) return problem;
    if (std::string problem = Compare(eval, *result); !problem.empty()) return problem;
    if (eval.range || eval.range_vector || eval.text || eval.ordered) return "";
    if (RE2::PartialMatch(eval.expr, R"(\b(range|step|start|end)\s*\(\s*\))")) return "";

    std::vector<Note> ignored;
    absl::StatusOr<VectorResult> middle =
        Evaluate(eval.expr, eval.end - kMinute, eval.end + kMinute, kMinute, &ignored);
    if (!middle.ok()) return "in range mode: error: " + MessageOf(middle.status());
    VectorResult slice;
    slice.type = middle->type;
    for (VectorSeries& series : middle->series) {
      if (series.present[1] == 0) continue;
      slice.series.push_back({series.labels, {1}, {series.values[1]}, {}});
      if (!series.histograms.empty()) slice.series.back().histograms.push_back(series.histograms[1]);
    }
    const std::string problem = Compare(eval, slice);
    return problem.empty() ? "" : "in range mode: " + problem;
  }

  static std::string CheckNotes(const Eval& eval, const std::vector<Note>& notes) {
    std::vector<std::string> warnings, infos;
    for (const Note& note : notes) (note.kind == "warning" ? warnings : infos).push_back(note.text);
    const auto check = [](const std::vector<Expectation>& expected, const std::vector<std::string>& found, bool wanted,
                          bool unwanted, const std::string& kind) -> std::string {
      if (wanted && found.empty()) return "expected " + kind;
      if (unwanted && !found.empty()) return "unexpected " + kind + ": " + found.front();
      for (const Expectation& expectation : expected) {
        if (std::none_of(found.begin(), found.end(), [&](const std::string& t) { return expectation.Accepts(t); })) {
          return "no " + kind + " like \"" + expectation.message + expectation.pattern + "\"" +
                 (found.empty() ? "" : ", but: " + found.front());
        }
      }
      if (expected.empty()) return "";
      for (const std::string& text : found) {
        if (std::none_of(expected.begin(), expected.end(), [&](const Expectation& e) { return e.Accepts(text); })) {
          return "unexpected " + kind + ": " + text;
        }
      }
      return "";
    };
    if (std::string problem = check(eval.warns, warnings, eval.warn, eval.no_warn, "warning"); !problem.empty()) {
      return problem;
    }
    return check(eval.infos, infos, eval.info, eval.no_info, "info");
  }

  static std::string Compare(const Eval& eval, const VectorResult& result) {
    if (eval.text || result.type == VectorType::kString) {
      if (result.type != VectorType::kString || !eval.text) return "expected or got a string";
      return result.text == *eval.text ? "" : "got string \"" + result.text + "\"";
    }
    if (result.type == VectorType::kScalar && !eval.range) {
      if (!eval.scalar) return "got a scalar";
      SequenceValue expected;
      expected.value = *eval.scalar;
      return ComparePoint(expected, result.series[0].values[0], nullptr);
    }
    if (eval.scalar) return "expected a scalar";
    std::map<Labels, const SeriesNotation*> expected;
    for (const SeriesNotation& series : eval.series) expected[series.labels] = &series;
    if (result.type == VectorType::kMatrix) return CompareMatrix(eval, result, std::move(expected));
    for (size_t s = 0; s < result.series.size(); ++s) {
      const VectorSeries& series = result.series[s];
      const auto it = expected.find(series.labels);
      if (it == expected.end()) return "unexpected series " + ToString(series.labels);
      const SeriesNotation& notation = *it->second;
      if (eval.ordered && &notation != &eval.series[s]) return "wrong position of " + ToString(series.labels);
      for (size_t i = 0; i < std::max(series.present.size(), notation.values.size()); ++i) {
        const bool wanted = i < notation.values.size() && !notation.values[i].omitted;
        const bool found = i < series.present.size() && series.present[i] != 0;
        const std::string where = ToString(series.labels) + " at point " + std::to_string(i) + ": ";
        if (wanted != found) return where + (found ? "unexpected point" : "missing point");
        if (!wanted) continue;
        const Histogram* histogram = series.histograms.empty() ? nullptr : series.histograms[i].get();
        const std::string problem = ComparePoint(notation.values[i], series.values[i], histogram);
        if (!problem.empty()) return where + problem;
      }
      expected.erase(it);
    }
    return expected.empty() ? "" : "missing series " + ToString(expected.begin()->first);
  }

  static std::string CompareMatrix(const Eval& eval, const VectorResult& result,
                                   std::map<Labels, const SeriesNotation*> expected) {
    for (const SeriesData& series : result.matrix) {
      const auto it = expected.find(series.labels);
      if (it == expected.end()) return "unexpected series " + ToString(series.labels);
      size_t next = 0;
      for (size_t i = 0; i < it->second->values.size(); ++i) {
        const SequenceValue& value = it->second->values[i];
        if (value.omitted) continue;
        const std::string where = ToString(series.labels) + " at point " + std::to_string(i) + ": ";
        if (next >= series.times.size()) return where + "missing point";
        if (series.times[next] != eval.start + static_cast<Timestamp>(i) * eval.step) return where + "other time";
        const Histogram* histogram = series.histograms.empty() ? nullptr : series.histograms[next].get();
        const std::string problem = ComparePoint(value, series.values[next], histogram);
        if (!problem.empty()) return where + problem;
        ++next;
      }
      if (next != series.times.size()) return "more points in " + ToString(series.labels);
      expected.erase(it);
    }
    return expected.empty() ? "" : "missing series " + ToString(expected.begin()->first);
  }

  const OpenStore& open_;
  const SettleStore& settle_;
  std::unique_ptr<DB> db_;
  std::vector<std::string> lines_;
  size_t at_ = 0;
  PromqlTestReport report_;
};

}  // namespace

PromqlTestReport RunPromqlTest(const std::string& text, const OpenStore& open, const SettleStore& settle) {
  return Runner(open, settle).Run(text);
}

}  // namespace braid
