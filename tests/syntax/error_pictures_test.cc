// Errors as users see them, byte for byte.
#include <gtest/gtest.h>

#include "query/syntax/errors.h"
#include "query/syntax/foreign_words.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

std::string Picture(std::string_view text) {
  const auto query = ParseQuery(text);
  if (query.ok()) return "parsed: " + Print(**query);
  const auto error = ErrorOf(query.status());
  return error.has_value() ? Format(*error, text) : "no error inside";
}

TEST(ErrorPictures, FilterWithoutWhere) {
  EXPECT_EQ(Picture(R"(logs{service="api"} |= "error" | json | status >= 500)"),
            "error[E019] 1:41: 'status' is not a stage\n"
            "  logs{service=\"api\"} |= \"error\" | json | status >= 500\n"
            "                                          ^^^^^^\n"
            "  hint: to filter rows write `| where status >= ...`");
}

TEST(ErrorPictures, RangeOverEvents) {
  EXPECT_EQ(Picture(R"(sum by (service) (rate(logs{level="error"}[5m])))"),
            "error[E045] 1:43: rate() over events is written as a stage\n"
            "  sum by (service) (rate(logs{level=\"error\"}[5m]))\n"
            "                                            ^\n"
            "  hint: (logs{...} | stats rate() by (service) [5m])");
}

TEST(ErrorPictures, WordOfAnotherLanguage) {
  EXPECT_EQ(Picture("logs{} | summarize n = count() by service"),
            "error[E019] 1:10: 'summarize' is not a stage\n"
            "  logs{} | summarize n = count() by service\n"
            "           ^^^^^^^^^\n"
            "  hint: use `stats`");
}

TEST(ErrorPictures, JoinWithoutName) {
  EXPECT_EQ(Picture("spans{status=error} | join (logs{level=error}) on (trace_id)"),
            "error[E040] 1:48: join needs a name for its right side\n"
            "  spans{status=error} | join (logs{level=error}) on (trace_id)\n"
            "                                                 ^^\n"
            "  hint: join (...) as e on (trace_id) - its columns are then e.message, e.time, ...");
}

TEST(ErrorPictures, StructureOfLogs) {
  EXPECT_EQ(Picture(R"(logs{service="a"} >> {service="b"})"),
            "error[E030] 1:19: structural operator '>>' only works on spans\n"
            "  logs{service=\"a\"} >> {service=\"b\"}\n"
            "                    ^^\n"
            "  hint: logs have no parent/child structure; join them with `where trace_id in (...)`");
}

TEST(ErrorPictures, OneSidedWindow) {
  EXPECT_EQ(Picture("logs{} | join logs as b on (host) within -5m"),
            "error[E016] 1:43: a one-sided window needs both ends\n"
            "  logs{} | join logs as b on (host) within -5m\n"
            "                                            ^^\n"
            "  hint: write -5m..0s");
}

TEST(ErrorPictures, AssignmentWithoutLet) {
  EXPECT_EQ(Picture("p99 = histogram_quantile(0.99, x); p99 > 1"),
            "error[E046] 1:5: '=' is not an operator here\n"
            "  p99 = histogram_quantile(0.99, x); p99 > 1\n"
            "      ^\n"
            "  hint: to name a pipeline write `let p99 = ...;`, to compare values write ==");
}

TEST(ErrorPictures, SecondLineTabsAndLetters) {
  EXPECT_EQ(Picture("logs{a = \"\xC3\xA9\"}\n\t| where x = \"\xC3\xA9\xC3\xA9\" yy"),
            "error[E010] 2:19: unexpected identifier \"yy\"\n"
            "  \t| where x = \"\xC3\xA9\xC3\xA9\" yy\n"
            "  \t                 ^^");
}

TEST(ErrorPictures, FarToTheRightShowsAWindow) {
  const std::string text = std::string(1000, ' ') + "logs | wher x" + std::string(1000, ' ') + "| limit 1";
  const std::string picture = Picture(text);
  EXPECT_LT(picture.size(), 500u);
  const size_t carets = picture.find("^^^^");
  ASSERT_NE(carets, std::string::npos);
  const size_t caret_line = picture.rfind('\n', carets) + 1;
  const size_t text_line = picture.find('\n') + 1;
  EXPECT_EQ(picture.substr(text_line + carets - caret_line, 4), "wher");
}

TEST(ErrorPictures, CodesAndHints) {
  struct Case {
    std::string_view text, code, hint;
  };
  const Case kCases[] = {
      {"logs | wher x = 1", "E019", "did you mean `where`?"},
      {"logs | mv-expand x", "E019", "lists are not unfolded; join with `events` or `links` for the parts of a span"},
      {"logs | stats count() by service, name", "E017", "write by (service, name)"},
      {"logs | stats count() as n", "E018", "write n = count()"},
      {"logs | stats service", "E052", "to group by it write `by (service)`"},
      {"logs | extend n = count()", "E051", "write `... | stats count(...) by (...)`"},
      {"logs | stats max(count())", "E051", "aggregates do not nest; use two `stats`"},
      {"SELECT a FROM logs", "E010", "a query starts with a source: `logs{...} | where ... | keep ...`"},
      {"let x := logs; x", "E014", "write `let x = ...;`"},
      {"logs |> where x", "E014", "stages begin with `|`"},
      {"let errs = logs; logs | where trace_id in err", "E020", "did you mean `errs`?"},
      {"let a = up; let a = up; a", "E021", ""},
      {"let spans = up; a", "E022", ""},
      {"let p = up; p{a=\"b\"}", "E024", "filter its rows with `| where ...`, or write {\"p\", ...} for the metric"},
      {"spans{a} > {b} avoiding {c}", "E031", "it follows `>>` or `<<`"},
      {"spans | context 3", "E032", "put it behind `logs{...}`, before `keep`, `drop`, `join` or `union`"},
      {"1 + 1 | where x", "E033", "write vector(...) to make it a series"},
      {"over now..-1h; up", "E035", "times before now have a minus: `over -1h..now;`"},
      {"logs | join logs as l within 5m", "E042", "write `on (trace_id)`, or `on ()` with `within` or `asof`"},
      {"logs | join logs as l on ()", "E043", "add `within -5m..0s` or `asof 1m`, or join on (time)"},
      {"logs | join rate(x[5m]) as r on (a)", "E041", "write `join (rate...)`"},
      {"logs | join up as r on (a)", "E020", "for the metric write (up)"},
      {"logs / 2", "E045", "(logs{...} | stats rate() [5m])"},
      {"let p = logs; p + 1", "E045", "(p | stats rate() [5m])"},
      {"sum((logs | stats count() by (x)))", "E045",
       "give its `stats` a window to get a series: stats ... by (...) [5m]"},
      {"logs | where time > 2026-01-31", "E006", "write 2026-01-31T00:00:00Z"},
      {"logs | where time > now-1h", "E006", "write end() - 1h, or set the range: `over -1h..now; ...`"},
      {"{app=\"x\"} |= \"e\"", "E047", "line filters stand right after `logs{...}`"},
      {"logs | json |= \"e\"", "E047", "move it before the first `|`, or write `| where contains(message, \"...\")`"},
      {"logs | where (a, b) = 3", "E050", "write `(a, b) in set`"},
      {"logs | where n > (logs | stats count())", "E053", "for one value of it write scalar(logs | stats count())"},
      {"rate(foo)", "E055", "add a range: rate(...[5m])"},
      {"histogrm_quantile(1, a)", "E060", "did you mean `histogram_quantile`?"},
      {"logs | where deriv(x)", "E060", "PromQL's functions stand before the first `|`"},
      {"rate(foo[5m:1m] anchored)", "E057", "it stands behind a selector: x[5m] anchored"},
      {"logs | where code >/ 3", "E070", "to compare, put a space behind < or >"},
      {"foo[abs(5m)]", "E071", "durations know step(), range(), min_of(a, b) and max_of(a, b)"},
      {"logs | stats rate() [$w]", "E071", "write [5m]"},
      {"foo + fill (bar) baz", "E010", ""},
      {"logs | context 3..1", "E059", ""},
      {"logs | join logs as l on (a) within 5", "E013", "write 5s or 5m"},
      {"\"abc", "E002", ""},
      {"\"\\q\"", "E004", ""},
      {"5k", "E003", "units of time are ns us ms s m h d w y, of size B KB MB GB KiB MiB GiB"},
      {"", "E009", "a query starts with a source: logs{...}, spans{...} or a metric"},
  };
  for (const Case& c : kCases) {
    const auto query = ParseQuery(c.text);
    ASSERT_FALSE(query.ok()) << c.text;
    const auto error = ErrorOf(query.status());
    ASSERT_TRUE(error.has_value()) << c.text;
    EXPECT_EQ(error->code, c.code) << c.text << "\n" << error->message;
    EXPECT_EQ(error->hint, c.hint) << c.text << "\n" << error->message;
  }
}

TEST(ErrorPictures, WordsOfOtherLanguagesHaveHints) {
  for (const std::string_view word :
       {"summarize",  "project",     "eval",        "uniq",         "timechart", "unwrap",      "filter", "group",
        "order",      "take",        "head",        "mv-expand",    "rex",       "fields",      "table",  "dedupe",
        "distinct",   "count",       "line_format", "label_format", "sequence",  "transaction", "search", "select",
        "having",     "rename",      "parse",       "grok",         "dissect",   "unpack",      "lookup", "append",
        "eventstats", "streamstats", "make-series", "project-away", "mutate",    "aggregate",   "bin"}) {
    const std::string text = "logs | " + std::string(word) + " x";
    const auto query = ParseQuery(text);
    ASSERT_FALSE(query.ok()) << word;
    const QueryError error = *ErrorOf(query.status());
    EXPECT_EQ(error.code, "E019") << word;
    EXPECT_EQ(error.hint, ForeignStageHint(word));
    EXPECT_FALSE(error.hint.empty()) << word;
    EXPECT_EQ(error.length, word.size());
  }
}

TEST(Errors, SurviveTheStatus) {
  const QueryError error{"E019", "a:b\n\"c\"", 3, 14, 2, ""};
  const absl::Status status = MakeError(error);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const auto back = ErrorOf(status);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->code, error.code);
  EXPECT_EQ(back->message, error.message);
  EXPECT_EQ(back->line, 3u);
  EXPECT_EQ(back->column, 14u);
  EXPECT_EQ(back->length, 2u);
  EXPECT_EQ(back->hint, "");
  EXPECT_FALSE(ErrorOf(absl::InvalidArgumentError("x")).has_value());
  EXPECT_EQ(MakeError({"E081", "m", 1, 1, 1, ""}).code(), absl::StatusCode::kResourceExhausted);
}

TEST(Errors, NearestForgivesTypingMistakesOnly) {
  EXPECT_EQ(Nearest("wehre", {"where", "extend"}), "where");
  EXPECT_EQ(Nearest("Sort", {"sort"}), "sort");
  EXPECT_EQ(Nearest("xyz", {"where", "sort"}), "");
  EXPECT_EQ(Nearest("", {"a"}), "");
}

}  // namespace
}  // namespace braid
