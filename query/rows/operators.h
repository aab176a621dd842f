// The stages of a pipeline as operators: the factories that the planner calls, one per stage but for `stats`
// (aggregate.h), `windows` (windows.h) and `join` (join.h).
//
// Every factory takes its input and owns it; `context` is kept and must outlive the operator. Expressions are bound
// against the input's schema unless said otherwise. Rows keep the input's order unless said otherwise.
//
// Blocking operators (sort, tail, top, context, compare) read their input to its end in the first call of Next and
// reserve what they hold with QueryContext::Reserve; all others work a batch at a time.
//
// Errors: InvalidArgument from a factory = the query; from Next = ResourceExhausted, Cancelled, DeadlineExceeded or
// whatever the input or an expression answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "query/rows/expression.h"
#include "query/rows/operator.h"
#include "query/syntax/ast.h"

namespace braid {

// A computed column: `name = expression`.
struct NamedExpression {
  std::string name;
  RowExpressionPtr expression;
};

// ---- schemas

// `schema` with column `name`: replaced where it stands, else appended. Columns met before keep their places.
Schema WithColumn(Schema schema, const std::string& name, Type type);
// The kind of rows that were `kind` and now have the columns of `schema`: kRows without `time`; kEvents when a series
// has lost every column but its labels' (`value` gone) or windows have lost `start` or `end`.
Kind KindOfColumns(Kind kind, const Schema& schema);

// Where the time of a row stands. `end` is set for rows that last: windows, and spans (a timestamp column `end`).
struct TimeColumns {
  int time = -1;  // of windows: `start`
  int end = -1;
};
TimeColumns FindTimeColumns(const Schema& schema);

// ---- row by row

// where: the rows for which `condition` is true.
OperatorPtr MakeFilter(OperatorPtr input, RowExpressionPtr condition, QueryContext* context);

// |= != |~ !~ on the column `message`; a null message is an empty text. A dictionary entry is tested once per batch.
// InvalidArgument: a bad regular expression. A missing column is all null.
absl::StatusOr<OperatorPtr> MakeLineFilter(OperatorPtr input, const LineFilter& filter, QueryContext* context);

// extend: items are added or replaced from left to right; each is bound against the schema that the items before it
// have made with WithColumn (start from the input's), so that later items see earlier ones.
OperatorPtr MakeExtend(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context);

// keep: exactly these columns, all bound against the input's schema; a name met twice: the later one counts.
OperatorPtr MakeKeep(OperatorPtr input, std::vector<NamedExpression> items, QueryContext* context);

// drop: all columns but these; names that do not exist are ignored.
OperatorPtr MakeDrop(OperatorPtr input, const std::vector<std::string>& names, QueryContext* context);

// limit and tail: the first / last `count` rows.
OperatorPtr MakeLimit(OperatorPtr input, uint64_t count, QueryContext* context);
OperatorPtr MakeTail(OperatorPtr input, uint64_t count, QueryContext* context);

// dedup: the first row of each key; null is a key.
OperatorPtr MakeDedup(OperatorPtr input, std::vector<RowExpressionPtr> keys, QueryContext* context);

// union: all rows of `left`, then all of `right`; columns matched by name, missing ones null, those of `right` alone
// stand last. Kind: kEvents if both sides have `time`, else kRows.
OperatorPtr MakeUnion(OperatorPtr left, OperatorPtr right, QueryContext* context);

// ---- order

struct SortSpec {
  RowExpressionPtr expression;
  bool descending = false;
};
// sort: stable; nulls last both ways, NaN right before them.
OperatorPtr MakeSort(OperatorPtr input, std::vector<SortSpec> keys, QueryContext* context);

// top: the `count` rows with the largest `by`, per distinct `per` (empty: overall); nulls and NaN last. Output
// descending by `by` over all groups; ties by full row order (columns from left to right, ascending by CompareCells),
// then input order. Holds O(count) rows per group.
OperatorPtr MakeTop(OperatorPtr input, uint64_t count, RowExpressionPtr by, std::vector<RowExpressionPtr> per,
                    QueryContext* context);

// ---- parsing

struct ParseSpec {
  ParseStage::Format format = ParseStage::Format::kJson;
  std::string pattern;    // kRegexp, kPattern
  RowExpressionPtr from;  // null: the column `message`
  // The parsed names that later stages read. Unset (kJson and kLogfmt only): all; the names are then known only from
  // the data, so that the factory itself reads the input to its end.
  std::optional<std::vector<std::string>> columns;
  // Names that parsing never writes: the built-in columns of the table, whether or not the input carries them.
  std::vector<std::string> builtins;
};
// json, logfmt, regexp, pattern: new columns, then `parse_error` (string, null where the row could be parsed). A parsed
// value replaces that of a column which is not built in; where the row has none the old value stays.
//   json     objects flatten to dotted names, arrays stay JSON text, null is null; at most 64 levels deep
//   logfmt   key=value pairs, values quoted or not; words without `=` are skipped; no pair at all is an error
//   regexp   named groups, (?P<name>...) or (?<name>...), unanchored
//   pattern  literals and <name> or <_>; anchored at the start; a last capture takes the rest
// Texts (other than quoted ones of json and logfmt) that are a number or true / false as a program would print it are
// typed; "007" stays text. InvalidArgument: a bad pattern, no captures, a name twice.
absl::StatusOr<OperatorPtr> MakeParse(OperatorPtr input, ParseSpec spec, QueryContext* context);

// Most distinct names that json or logfmt may add with `columns` unset; more are left out with a note "cut".
inline constexpr size_t kParsedColumnsMax = 1000;

// ---- around matches

// Reads all rows of the stream with this fingerprint and time in the range, in source order, columns as the schema that
// is given with it names them.
using StreamReader = std::function<absl::StatusOr<RecordBatch>(int64_t stream, TimeRange range)>;
struct ContextSpec {
  Window window;         // from <= 0 <= to, each a count or a duration
  Schema reader_schema;  // of what `reader` gives; must have `time`; a match is found again by the columns in common
  StreamReader reader;
  TimeRange bounds;  // counts do not look beyond
};
// context: each input row (a match) with the rows around it in its stream, each once, by time, then stream. The input
// must have `time` and `stream`. Columns that only the input has are null in rows that are not matches.
absl::StatusOr<OperatorPtr> MakeContext(OperatorPtr input, ContextSpec spec, QueryContext* context);

// ---- compare

// compare: for every value of every column, its share among the rows where `condition` is true and among the others.
// Output: attribute (string), value (string), selected, baseline, diff (double; selected - baseline); by |diff|
// descending, then attribute, then value. Ids, timestamps, durations, histograms and the columns `excluded` are left
// out, as are columns with more than kCompareValuesMax values (with a note "cut"). `top` = 0: all rows.
OperatorPtr MakeCompare(OperatorPtr input, RowExpressionPtr condition, std::vector<std::string> excluded, uint64_t top,
                        QueryContext* context);
inline constexpr size_t kCompareValuesMax = 65'536;

}  // namespace braid
