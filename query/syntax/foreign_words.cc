#include "query/syntax/foreign_words.h"

#include <string>

#include "absl/strings/ascii.h"

namespace braid {
namespace {

struct ForeignWord {
  std::string_view word;
  std::string_view hint;
};

// From SQL, KQL, SPL, LogQL, TraceQL, EQL, ES|QL, DQL and shells.
constexpr ForeignWord kStages[] = {
    {"summarize", "use `stats`"},
    {"aggregate", "use `stats`"},
    {"aggr", "use `stats`"},
    {"group", "use `stats ... by (...)`"},
    {"chart", "use `stats ... by (...)`"},
    {"timechart", "use `stats ... by (...) [5m]`"},
    {"make-series", "use `stats ... by (...) [5m]`"},
    {"maketimeseries", "use `stats ... by (...) [5m]`"},
    {"bin", "use `stats ... by (...) [5m]`"},
    {"by", "use `stats ... by (...)`"},
    {"count", "use `stats n = count()`"},
    {"sum", "use `stats sum(...)`"},
    {"avg", "use `stats avg(...)`"},
    {"min", "use `stats min(...)`"},
    {"max", "use `stats max(...)`"},
    {"rate", "use `stats rate() [5m]`"},
    {"count_over_time", "use `stats count() [5m]`"},
    {"quantile_over_time", "use `stats quantile(0.9, ...) [5m]`"},
    {"histogram_over_time", "use `stats histogram(...) [5m]`"},
    {"eventstats", "join with a `stats` of the same rows: `join (... | stats ...) as s on (...)`"},
    {"streamstats", "join with a `stats` of the same rows: `join (... | stats ...) as s on (...)`"},
    {"project", "use `keep`"},
    {"select", "use `keep`"},
    {"fields", "use `keep`"},
    {"table", "use `keep`"},
    {"project-away", "use `drop`"},
    {"fieldsremove", "use `drop`"},
    {"remove", "use `drop`"},
    {"eval", "use `extend`"},
    {"fieldsadd", "use `extend`"},
    {"mutate", "use `extend`"},
    {"rename", "use `extend new = old | drop old`"},
    {"line_format", "use `extend message = ...`"},
    {"label_format", "use `extend new = old`"},
    {"filter", "use `where`"},
    {"search", "use `where`, or a line filter: logs{...} |= \"text\""},
    {"having", "use `where` after `stats`"},
    {"grep", "use a line filter: logs{...} |= \"text\""},
    {"uniq", "use `dedup (...)`"},
    {"distinct", "use `dedup (...)`"},
    {"dedupe", "use `dedup (...)`"},
    {"order", "use `sort`"},
    {"orderby", "use `sort`"},
    {"take", "use `limit`"},
    {"head", "use `limit`"},
    {"unwrap", "name the column in the aggregate: `stats quantile(0.9, ms) [5m]`"},
    {"rex", "use `regexp \"(?P<name>...)\"`"},
    {"parse", "use `pattern \"<name> ...\"` or `regexp \"(?P<name>...)\"`"},
    {"grok", "use `pattern \"<name> ...\"` or `regexp \"(?P<name>...)\"`"},
    {"dissect", "use `pattern \"<name> ...\"`"},
    {"unpack", "use `json`"},
    {"unpack_json", "use `json`"},
    {"spath", "use `json`"},
    {"mv-expand", "lists are not unfolded; join with `events` or `links` for the parts of a span"},
    {"mvexpand", "lists are not unfolded; join with `events` or `links` for the parts of a span"},
    {"expand", "lists are not unfolded; join with `events` or `links` for the parts of a span"},
    {"lookup", "use `join left (...) as l on (...)`"},
    {"append", "use `union`"},
    {"transaction", "use `stats ... by (id)`, or `join ... on (id) within 0s..30s`"},
    {"sequence", "use `join ... as b on (id) within 0s..30s`"},
    {"sample", "use `limit`"},
    {"from", "the source stands first: `logs{...} | where ...`"},
    {"let", "a `let` stands before the pipeline: `let x = ...; ...`"},
    {"range", "use `stats ... [5m]`"},
};

constexpr ForeignWord kStarts[] = {
    {"select", "a query starts with a source: `logs{...} | where ... | keep ...`"},
    {"from", "a query starts with a source: `logs{...} | where ... | keep ...`"},
    {"with", "name a part with `let x = ...;`"},
    {"fetch", "a query starts with a source: `logs{...} | where ...`"},
    {"search", "a query starts with a source: `logs |= \"text\" | where ...`"},
    {"index", "a query starts with a source: `logs{...} | where ...`"},
    {"sequence", "write `A | join B as b on (id) within 0s..30s`"},
    {"traces", "spans are the rows of traces: `spans{...}`"},
    {"log", "log records are in `logs{...}`"},
    {"span", "spans are in `spans{...}`"},
    {"show", "a query starts with a source: `logs{...} | limit 10`"},
};

template <size_t N>
std::string_view Find(const ForeignWord (&words)[N], std::string_view word) {
  if (word.size() > 32) return "";
  const std::string lower = absl::AsciiStrToLower({word.data(), word.size()});
  for (const ForeignWord& entry : words) {
    if (entry.word == lower) return entry.hint;
  }
  return "";
}

}  // namespace

std::string_view ForeignStageHint(std::string_view word) { return Find(kStages, word); }
std::string_view ForeignStartHint(std::string_view word) { return Find(kStarts, word); }

}  // namespace braid
