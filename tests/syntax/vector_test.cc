// PromQL: trees by hand, Prometheus' own words for what is wrong.
#include <gtest/gtest.h>

#include "query/syntax/parser.h"
#include "tests/syntax/tree_text.h"

namespace braid {
namespace {

std::string Tree(std::string_view text) {
  const auto expr = ParseVectorExpression(text);
  return expr.ok() ? TreeText(**expr) : std::string(expr.status().message());
}

TEST(VectorSyntax, PrecedenceAndAssociativity) {
  const auto m = [](const std::string& name) { return "sel(" + name + " __name__/0/" + name + ")"; };
  const std::string a = m("a"), b = m("b"), c = m("c"), d = m("d");
  EXPECT_EQ(Tree("a + b * c"), "(+ " + a + " (* " + b + " " + c + "))");
  EXPECT_EQ(Tree("a - b - c"), "(- (- " + a + " " + b + ") " + c + ")");
  EXPECT_EQ(Tree("a ^ b ^ c"), "(^ " + a + " (^ " + b + " " + c + "))");
  EXPECT_EQ(Tree("-a ^ b"), "(neg (^ " + a + " " + b + "))");
  EXPECT_EQ(Tree("-a * b"), "(* (neg " + a + ") " + b + ")");
  EXPECT_EQ(Tree("a ^ -b"), "(^ " + a + " (neg " + b + "))");
  EXPECT_EQ(Tree("a or b and c unless d"), "(or " + a + " (unless (and " + b + " " + c + ") " + d + "))");
  EXPECT_EQ(Tree("a and b > c + d"), "(and " + a + " (> " + b + " (+ " + c + " " + d + ")))");
  EXPECT_EQ(Tree("a % b atan2 c"), "(atan2 (% " + a + " " + b + ") " + c + ")");
  EXPECT_EQ(Tree("(a or b) * c"), "(* paren((or " + a + " " + b + ")) " + c + ")");
  EXPECT_EQ(Tree("a > bool b == c"), "(= (> bool " + a + " " + b + ") " + c + ")");
  EXPECT_EQ(Tree("--a"), "(neg (neg " + a + "))");
}

TEST(VectorSyntax, SelectorsAndModifiers) {
  EXPECT_EQ(Tree("foo{a=\"b\",c!~\"d\",}[5m] offset -1m @ 12.3456"),
            "sel(foo __name__/0/foo a/0/b c/3/d range=300000000000 offset=-60000000000 at=12346000000)");
  EXPECT_EQ(Tree("foo @ end() offset 1h30m"), "sel(foo __name__/0/foo offset=5400000000000 at=end)");
  EXPECT_EQ(Tree("{\"my metric\", \"a.b\"='x'}"), "sel(my metric __name__/0/my metric a.b/0/x)");
  EXPECT_EQ(Tree("{__name__=~\"x.+\"}"), "sel( __name__/2/x.+)");
  EXPECT_EQ(Tree("foo[300]"), "sel(foo __name__/0/foo range=300000000000)");
  EXPECT_EQ(Tree("foo[0x3c]"), "sel(foo __name__/0/foo range=60000000000)");
  EXPECT_EQ(Tree("foo[2*5m+(30s)]"), "sel(foo __name__/0/foo range=630000000000)");
  EXPECT_EQ(Tree("sum(foo)[1h:5m] @ start()"),
            "sub(agg(sum sel(foo __name__/0/foo)) 3600000000000:300000000000 at=start)");
  EXPECT_EQ(Tree("foo[1h:]"), "sub(sel(foo __name__/0/foo) 3600000000000:-1)");
  EXPECT_EQ(Tree("a:b{c=\"d\"}"), "sel(a:b __name__/0/a:b c/0/d)");
  EXPECT_EQ(Tree(":a"), "sel(:a __name__/0/:a)");
}

TEST(VectorSyntax, Aggregations) {
  const std::string x = "sel(x __name__/0/x)";
  EXPECT_EQ(Tree("SUM BY (a, \"b c\") (x)"), "agg(sum by['a''b c'] " + x + ")");
  EXPECT_EQ(Tree("sum(x) without (a,)"), "agg(sum without['a'] " + x + ")");
  EXPECT_EQ(Tree("sum by () (x)"), "agg(sum by[] " + x + ")");
  EXPECT_EQ(Tree("topk(3, x)"), "agg(topk 3 " + x + ")");
  EXPECT_EQ(Tree("limit_ratio(-0.5, x)"), "agg(limit_ratio (neg 0.500000) " + x + ")");
  EXPECT_EQ(Tree("sum"), "sel(sum __name__/0/sum)");
  EXPECT_EQ(Tree("sum{on=\"a\", by=\"b\"}"), "sel(sum __name__/0/sum on/0/a by/0/b)");
}

TEST(VectorSyntax, Matching) {
  const std::string a = "sel(a __name__/0/a)", b = "sel(b __name__/0/b)";
  EXPECT_EQ(Tree("a * on (x, y) group_left (z) b"), "(* on['x''y'] left['z'] " + a + " " + b + ")");
  EXPECT_EQ(Tree("a * ignoring (x) group_right b"), "(* ignoring['x'] right[] " + a + " " + b + ")");
  EXPECT_EQ(Tree("a >= bool on () b"), "(>= bool on[] " + a + " " + b + ")");
  EXPECT_EQ(Tree("a unless on (x) b"), "(unless on['x'] " + a + " " + b + ")");
}

TEST(VectorSyntax, Numbers) {
  EXPECT_EQ(Tree("0x1F"), "31");
  EXPECT_EQ(Tree("017"), "15");
  EXPECT_EQ(Tree("08"), "8");
  EXPECT_EQ(Tree("1_000"), "1000");
  EXPECT_EQ(Tree("1e3"), "1000.000000");
  EXPECT_EQ(Tree(".5"), "0.500000");
  EXPECT_EQ(Tree("5."), "5.000000");
  EXPECT_EQ(Tree("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(Tree("+iNf"), "(pos inf)");
  EXPECT_EQ(Tree("NaN"), "nan");
  EXPECT_EQ(Tree("1h30m"), "5400000000000ns");
  EXPECT_EQ(Tree("1.5h"), "5400000000000ns");
  EXPECT_EQ(Tree("5MiB"), "5242880");
  EXPECT_EQ(Tree("10KB"), "10000");
}

TEST(VectorSyntax, Strings) {
  EXPECT_EQ(Tree(R"("a\tb\x41\u00e9\101\"")"),
            "'a\tbA\xC3\xA9"
            "A\"'");
  EXPECT_EQ(Tree("'it''s'").substr(0, 4), "1:5:");
  EXPECT_EQ(Tree("'\"'"), "'\"'");
  EXPECT_EQ(Tree("`a\\n`"), "'a\\n'");
  EXPECT_EQ(Tree(R"("\'")"), "1:2: parse error: unknown escape sequence in string");
}

TEST(VectorSyntax, SourcesAreMetricsForPrometheus) {
  EXPECT_EQ(Tree("logs"), "sel(logs __name__/0/logs)");
  EXPECT_EQ(Tree("rate(events[5m])"), "rate[{:sel(events __name__/0/events range=300000000000)}]");
  EXPECT_EQ(Tree("a | where b").substr(0, 4), "1:3:");
  EXPECT_EQ(Tree("let x = 1; x").substr(0, 4), "1:5:");
}

TEST(VectorSyntax, ErrorsInPrometheusWords) {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"", "1:1: parse error: no expression found in input"},
      {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
      {"1 +", "1:4: parse error: unexpected end of input"},
      {"sum(foo", "1:4: parse error: unclosed left parenthesis"},
      {"foo)", "1:4: parse error: unexpected \")\""},
      {"foo{", "1:4: parse error: unexpected end of input inside braces"},
      {"foo{a=5}", "1:7: parse error: unexpected number \"5\" in label matching, expected string"},
      {"foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator"},
      {"foo[5m] offset 1m offset 1m", "1:19: parse error: offset may not be set multiple times"},
      {"foo offset",
       "1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()"},
      {"foo @ x", "1:7: parse error: unexpected identifier \"x\" in @, expected timestamp"},
      {"foo @ 1 @ 2", "1:9: parse error: @ <timestamp> may not be set multiple times"},
      {"1 offset 1m",
       "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a "
       "subquery"},
      {"rate(foo)", "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
      {"abs(foo[5m])", "1:5: parse error: expected type instant vector in call to function \"abs\", got range vector"},
      {"abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"},
      {"round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"},
      {"label_join(a)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"},
      {"nope(foo)", "1:1: parse error: unknown function with name \"nope\""},
      {"sum()", "1:1: parse error: no arguments for aggregate expression provided"},
      {"topk(foo)", "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
      {"topk(foo, bar)", "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"},
      {"count_values(1, bar)", "1:14: parse error: expected type string in aggregation parameter, got scalar"},
      {"sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"},
      {"sum(foo,)", "1:8: parse error: trailing commas not allowed in function call args"},
      {"sum by foo (x)", "1:8: parse error: unexpected identifier \"foo\" in grouping opts, expected \"(\""},
      {"sum by (5) (x)", "1:9: parse error: unexpected number \"5\" in grouping opts, expected label"},
      {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"{a=~\".*\",b!=\"x\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
      {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
      {"1 > 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
      {"a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"},
      {"a and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
      {"a or on (x) group_left b", "1:1: parse error: no grouping allowed for \"or\" operation"},
      {"a * on (x) group_left (x) b", "1:3: parse error: label \"x\" must not occur in ON and GROUP clause at once"},
      {"a * on (x) 2", "1:1: parse error: vector matching only allowed between instant vectors"},
      {"a[5m] + b", "1:1: parse error: binary expression must contain only scalar and instant vector types"},
      {"-\"x\"",
       "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "
       "\"string\""},
      {"1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"},
      {"sum(a)[5m]", "1:7: parse error: ranges only allowed for vector selectors"},
      {"a offset 1m [5m]", "1:13: parse error: no offset modifiers allowed before range"},
      {"a @ 1 [5m]", "1:7: parse error: no @ modifiers allowed before range"},
      {"a[0s]", "1:3: parse error: duration must be greater than 0"},
      {"a[]", "1:3: parse error: unexpected \"]\" in subquery or range selector, expected duration"},
      {"\"x", "1:1: parse error: unterminated quoted string"},
      {"5m6h", "1:1: parse error: bad number or duration syntax: \"5m6h\""},
      {"a\n  + %", "2:5: parse error: unexpected <op:%>"},
      {"$x", "1:1: parse error: unexpected character: '$'"},
  };
  for (const auto& [text, message] : kCases) EXPECT_EQ(Tree(text), message) << text;
  EXPECT_EQ(Tree("foo{a=~\"(\"}").substr(0, 44), "1:5: parse error: error parsing regexp: miss");
}

// Of every function group one with each kind of argument; the names are the whole list of Prometheus 3.
TEST(VectorSyntax, EveryFunctionHasItsArguments) {
  for (const char* name : {"abs",
                           "absent",
                           "acos",
                           "acosh",
                           "asin",
                           "asinh",
                           "atan",
                           "atanh",
                           "ceil",
                           "cos",
                           "cosh",
                           "day_of_month",
                           "day_of_week",
                           "day_of_year",
                           "days_in_month",
                           "deg",
                           "exp",
                           "floor",
                           "histogram_avg",
                           "histogram_count",
                           "histogram_stddev",
                           "histogram_stdvar",
                           "histogram_sum",
                           "hour",
                           "info",
                           "ln",
                           "log10",
                           "log2",
                           "minute",
                           "month",
                           "rad",
                           "round",
                           "scalar",
                           "sgn",
                           "sin",
                           "sinh",
                           "sort",
                           "sort_desc",
                           "sqrt",
                           "tan",
                           "tanh",
                           "timestamp",
                           "year"}) {
    EXPECT_TRUE(ParseVectorExpression(std::string(name) + "(x)").ok()) << name;
    EXPECT_FALSE(ParseVectorExpression(std::string(name) + "(x[5m])").ok()) << name;
  }
  for (const char* name : {"absent_over_time",
                           "avg_over_time",
                           "changes",
                           "count_over_time",
                           "delta",
                           "deriv",
                           "first_over_time",
                           "idelta",
                           "increase",
                           "irate",
                           "last_over_time",
                           "mad_over_time",
                           "max_over_time",
                           "min_over_time",
                           "present_over_time",
                           "rate",
                           "resets",
                           "stddev_over_time",
                           "stdvar_over_time",
                           "sum_over_time",
                           "ts_of_first_over_time",
                           "ts_of_last_over_time",
                           "ts_of_max_over_time",
                           "ts_of_min_over_time"}) {
    EXPECT_TRUE(ParseVectorExpression(std::string(name) + "(x[5m])").ok()) << name;
    EXPECT_TRUE(ParseVectorExpression(std::string(name) + "(x[5m:1m])").ok()) << name;
    EXPECT_FALSE(ParseVectorExpression(std::string(name) + "(x)").ok()) << name;
  }
  for (const char* text : {"time()",
                           "pi()",
                           "start()",
                           "end()",
                           "step()",
                           "range()",
                           "vector(1)",
                           "clamp(x, 1, 2)",
                           "clamp_min(x, 1)",
                           "clamp_max(x, 1)",
                           "predict_linear(x[5m], 3600)",
                           "quantile_over_time(0.5, x[5m])",
                           "round(x, 5)",
                           "hour()",
                           "histogram_quantile(0.9, x)",
                           "histogram_fraction(0, 1, x)",
                           "histogram_quantiles(x, \"q\", 0.5, 0.9, 0.99)",
                           "double_exponential_smoothing(x[5m], 0.1, 0.1)",
                           "label_replace(x, \"a\", \"$1\", \"b\", \"(.*)\")",
                           "label_join(x, \"a\", \",\")",
                           "label_join(x, \"a\", \",\", \"b\", \"c\")",
                           "sort_by_label(x, \"a\", \"b\")",
                           "sort_by_label_desc(x)",
                           "min_of(1, 2)",
                           "max_of(1, scalar(x))",
                           "info(x, {a=\"b\"})",
                           "info(x, {a=~\".*\"})",
                           "count_values(\"v\", x)",
                           "quantile(0.5, x)",
                           "limitk(2, x)",
                           "group(x)",
                           "bottomk(1, x)",
                           "stdvar(x)"}) {
    EXPECT_TRUE(ParseVectorExpression(text).ok()) << text << ParseVectorExpression(text).status();
  }
}

TEST(VectorSyntax, PrintsWhatItReads) {
  for (const char* text : {"sum by (a) (rate(foo{b=\"c\"}[5m]))",
                           "-foo ^ 2",
                           "(a + b) * c",
                           "a / on (x) group_left (y) b",
                           "foo[5m:30s] @ 1.5 offset 1h",
                           "{\"logs\"}",
                           "{\"a b\", \"c d\"!=\"e\"}",
                           "topk(3, foo)",
                           "a > bool 1",
                           "foo @ start()",
                           "max without (x) (a)",
                           "1h30m",
                           "Inf",
                           "{__name__=~\"a.+\"}",
                           "a ^ b ^ c",
                           "a - (b - c)",
                           "foo[2 * step()] anchored offset -step()",
                           "foo[min_of(range(), 5m):step() / 2]",
                           "foo smoothed @ end()",
                           "a + on (x) group_left (y) fill_left (-1) fill_right (2) b",
                           "h </ 2 >/ 1"}) {
    const auto expr = ParseVectorExpression(text);
    ASSERT_TRUE(expr.ok()) << text;
    EXPECT_EQ(Print(**expr), text);
  }
}

}  // namespace
}  // namespace braid
