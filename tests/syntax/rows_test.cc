// Row position, stages, sources and the frame around pipelines.
#include <gtest/gtest.h>

#include "query/syntax/parser.h"
#include "tests/syntax/tree_text.h"

namespace braid {
namespace {

std::string Tree(std::string_view text) {
  const auto query = ParseQuery(text);
  return query.ok() ? TreeText(**query) : Format(*ErrorOf(query.status()), text);
}
std::string Where(const std::string& condition) {
  const std::string tree = Tree("logs | where " + condition);
  const std::string before = "0;logs@0|where ", after = ":events";
  if (tree.rfind(before, 0) != 0) return tree;
  return tree.substr(before.size(), tree.size() - before.size() - after.size());
}

TEST(RowSyntax, PrecedenceAndAssociativity) {
  EXPECT_EQ(Where("not a = b and c or d"), "(or (and (not (= a b)) c) d)");
  EXPECT_EQ(Where("not not a"), "(not (not a))");
  EXPECT_EQ(Where("!a && b || c"), "(or (and (not a) b) c)");
  EXPECT_EQ(Where("a + b * c ^ 2 > -d"), "(> (+ a (* b (^ c 2))) (neg d))");
  EXPECT_EQ(Where("a in (1, 2) and b"), "(and (in [a,] 1,2,) b)");
  EXPECT_EQ(Where("not a in (1, 2)"), "(not (in [a,] 1,2,))");
  EXPECT_EQ(Where("a not in $p"), "(notin [a,] p)");
  EXPECT_EQ(Where("a = b = c"), "(= (= a b) c)");
  EXPECT_EQ(Where("(a or b) and c"), "(and paren((or a b)) c)");
  EXPECT_EQ(Where("a + 1 in (3)"), "(in [(+ a 1),] 3,)");
}

TEST(RowSyntax, Fields) {
  EXPECT_EQ(Where("attr.\"weird key\".x = 1"), "(= attr/weird key/x 1)");
  EXPECT_EQ(Where(".http.status = 1"), "(= .http/status 1)");
  EXPECT_EQ(Where(".\"a b\" = 1"), "(= .a b 1)");
  EXPECT_EQ(Where("span:duration > 1s"), "(> span:duration 1000000000ns)");
  EXPECT_EQ(Where("trace:id = \"ab\""), "(= trace:id 'ab')");
  EXPECT_EQ(Where("root.service = resource.k8s.pod.name"), "(= root/service resource/k8s/pod/name)");
  EXPECT_EQ(Where("spans > limit and by = on"), "(and (> spans limit) (= by on))");
}

TEST(RowSyntax, Literals) {
  EXPECT_EQ(Where("a = true or b = null or c = $x"), "(or (or (= a true) (= b null)) (= c $x))");
  EXPECT_EQ(Where("t > 2026-01-31T10:00:00Z"), "(> t t1769853600000000000)");
  EXPECT_EQ(Where("t > 2026-01-31T10:00:00.25+01:30"), "(> t t1769848200250000000)");
  EXPECT_EQ(Where("t > 1969-12-31T23:59:59.5Z"), "(> t t-500000000)");
  EXPECT_EQ(Where("a > 10KB and b < 1h30m"), "(and (> a 10000) (< b 5400000000000ns))");
}

// A subtraction looks like one; a column may be called now.
TEST(RowSyntax, NumbersThatAreNoDate) {
  EXPECT_EQ(Where("a = 2026 - 01 - 31"), "(= a (- (- 2026 1) 31))");
  EXPECT_EQ(Where("a = 2026-1"), "(= a (- 2026 1))");
  EXPECT_EQ(Where("now = 1"), "(= now 1)");
  EXPECT_NE(Tree("logs | limit -1").find("unexpected \"-\" in `limit`, expected a whole number"), std::string::npos);
}

TEST(RowSyntax, Sets) {
  EXPECT_EQ(Where("level in (warn, error)"), "(in [level,] 'warn','error',)");
  EXPECT_EQ(Where("level in (error)"), "(in [level,] 'error',)");
  EXPECT_EQ(Where("service in (up)"), "(in [service,] sel(up __name__/0/up):series)");
  EXPECT_EQ(Where("a in (-1, -2s, \"x\", true, null)"), "(in [a,] -1,-2000000000ns,'x',true,null,)");
  EXPECT_EQ(Where("(a, b) in (spans)"), "(in [a,b,] spans@0:events)");
  EXPECT_EQ(Where("a in (spans, links)"), "(in [a,] spans@0|union links@0:events:events)");
  EXPECT_EQ(Tree("let x = up; logs | where time in x"),
            "0;x=sel(up __name__/0/up):series;logs@0|where (in [time,] x):events");
}

TEST(RowSyntax, ComparisonsInsideCallsAreNotNames) {
  EXPECT_EQ(Tree("logs | stats n = count_if(level = error)"),
            "0;logs@0|stats [{n:count_if[{:(= level error)}]}] w-1:rows");
}

TEST(RowSyntax, Spansets) {
  EXPECT_EQ(Tree("spans{a} >> {b} avoiding {c} > {d}"), "0;spans<<<a,> op1/0 <b,> avoiding <c,>> op0/0 <d,>>@0:events");
  EXPECT_EQ(Tree("spans({a} !>> {b}) && ({c} &~ {d})"), "0;spans<<<a,> op1/1 <b,>> op5/0 <<c,> op4/2 <d,>>>@0:events");
  EXPECT_EQ(Tree("spans{} !~ {b} offset 1h"), "0;spans<<> op4/1 <b,>>@3600000000000:events");
  EXPECT_EQ(Tree("logs{a = 1, b = 2,} !~ \"x\" != \"y\""), "0;logs<(= a 1),(= b 2),>@0|!~ 3x|!= 1y:events");
}

TEST(RowSyntax, EveryStage) {
  EXPECT_EQ(Tree("logs | json | logfmt from body | regexp \"(?P<x>a)\" from l.m | pattern \"<x>\""),
            "0;logs@0|json |logfmt  from body|regexp (?P<x>a) from l/m|pattern <x>:events");
  EXPECT_EQ(Tree("logs | extend a = 1, b = a | keep a, time | drop a"),
            "0;logs@0|extend [{a:1}{b:a}]|keep [{:a}{:time}]|drop [{:a}]:events");
  EXPECT_EQ(Tree("spans | stats n = count(), max(x) by (a, b = c) [1m]"),
            "0;spans@0|stats [{n:count[]}{:max[{:x}]}] by [{:a}{b:c}] w60000000000:series");
  EXPECT_EQ(Tree("spans | top 5 by a * b per (c) | sort a desc, b asc | limit 3 | tail 2 | dedup (a, b)"),
            "0;spans@0|top 5(* a b)[{:c}]|sort av"
            "b^|limit 3|tail 2|dedup [{:a}{:b}]:events");
  EXPECT_EQ(
      Tree("spans | join left links as l on (trace_id, a = b.c) within 5m"),
      "0;spans@0|join left links@0:events as l trace_id=trace_id a=b.c within -300000000000ns..300000000000ns:events");
  EXPECT_EQ(Tree("spans | join (up) as u on (time) asof 1m"),
            "0;spans@0|join sel(up __name__/0/up):series as u time=time! asof 60000000000:events");
  EXPECT_EQ(Tree("up | windows by (a) gap 1m pad -2m..0s"),
            "0;sel(up __name__/0/up)|windows [{:a}] gap60000000000 pad-120000000000ns..0ns:windows");
  EXPECT_EQ(Tree("logs | context 3 | union spans"), "0;logs@0|context -3#..3#|union spans@0:events:events");
  EXPECT_EQ(Tree("logs | context -3..5m"), "0;logs@0|context -3#..300000000000ns:events");
  EXPECT_EQ(Tree("spans | compare status = error top 5"), "0;spans@0|compare (= status error) top5:rows");
  EXPECT_EQ(Tree("samples{metric = \"up\"} | windows"), "0;samples<(= metric 'up'),>@0|windows  gap-1:windows");
}

TEST(RowSyntax, Kinds) {
  const std::pair<std::string_view, Kind> kKinds[] = {
      {"up", Kind::kSeries},
      {"1 + 1", Kind::kScalar},
      {"scalar(up)", Kind::kScalar},
      {"\"x\"", Kind::kScalar},
      {"up[5m]", Kind::kSeries},
      {"up | where value > 1 | limit 5", Kind::kSeries},
      {"up | keep time, value", Kind::kSeries},
      {"up | keep time", Kind::kEvents},
      {"up | drop time", Kind::kRows},
      {"up | keep t = time", Kind::kRows},
      {"up | keep time = time, x = value", Kind::kEvents},
      {"up | windows", Kind::kWindows},
      {"up | windows | drop end", Kind::kEvents},
      {"logs", Kind::kEvents},
      {"logs | stats count()", Kind::kRows},
      {"logs | stats count() [5m]", Kind::kSeries},
      {"logs | stats count() [5m] | windows | union logs", Kind::kEvents},
      {"logs | stats n = count() by (a) | union logs", Kind::kRows},
      {"(logs | stats rate() [5m]) / 2", Kind::kSeries},
      {"(logs) | where a", Kind::kEvents},
      {"let w = up | windows; w | where n > 1", Kind::kWindows},
      {"let s = up; s * 2", Kind::kSeries},
  };
  for (const auto& [text, kind] : kKinds) {
    const auto query = ParseQuery(text);
    ASSERT_TRUE(query.ok()) << text << query.status();
    EXPECT_EQ(ToString((*query)->body->kind), ToString(kind)) << text;
  }
}

TEST(RowSyntax, Frame) {
  EXPECT_EQ(Tree("over -1h..now step 30s; up"), "0;1/3600000000000..0/0/30000000000;sel(up __name__/0/up):series");
  EXPECT_EQ(Tree("over $a..2026-01-31T10:00:00Z; up;"),
            "0;3/0a..2/1769853600000000000/-1;sel(up __name__/0/up):series");
  EXPECT_EQ(Tree("explain analyze up").substr(0, 2), "2;");
  EXPECT_EQ(Tree("explain logs").substr(0, 2), "1;");
  EXPECT_EQ(Tree("explain analyze").substr(0, 2), "1;");
  EXPECT_EQ(Tree("explain + 1"), "0;(+ sel(explain __name__/0/explain) 1):series");
  EXPECT_EQ(Tree("over - 5m"), "0;(- sel(over __name__/0/over) 300000000000ns):series");
  EXPECT_EQ(Tree("let + 1"), "0;(+ sel(let __name__/0/let) 1):series");
  EXPECT_EQ(Tree("{\"logs\"}"), "0;sel(logs __name__/0/logs):series");
  EXPECT_EQ(Tree("up{a=$v}"), "0;sel(up __name__/0/up a/0/v):series");
}

TEST(RowSyntax, LetOperands) {
  EXPECT_EQ(Tree("let a = up; a > 1 | windows"),
            "0;a=sel(up __name__/0/up):series;(> pipe(&a:series) 1)|windows  gap-1:windows");
  EXPECT_EQ(Tree("let a = logs; a |= \"x\" | limit 1"),
            "0;a=logs@0:events;&a|"
            "|= 0x|limit 1:events");
  EXPECT_EQ(Tree("let a = up; a[5m:1m]"),
            "0;a=sel(up __name__/0/up):series;sub(pipe(&a:series) 300000000000:60000000000):series");
}

}  // namespace
}  // namespace braid
