#include "query/syntax/kind_check.h"

#include <algorithm>
#include <type_traits>
#include <vector>

namespace braid {
namespace {

bool IsField(const ExprPtr& expr, std::string_view name) {
  const auto* field = std::get_if<FieldRef>(&expr->node);
  return field != nullptr && !field->leading_dot && field->path.size() == 1 && field->path[0] == name;
}

// Whether `keep` leaves a column of this name.
bool Keeps(const std::vector<Item>& items, std::string_view name) {
  return std::any_of(items.begin(), items.end(), [&](const Item& item) {
    return item.name.empty() ? IsField(item.expr, name) : item.name == name;
  });
}

bool Drops(const std::vector<Item>& items, std::string_view name) {
  return std::any_of(items.begin(), items.end(), [&](const Item& item) { return IsField(item.expr, name); });
}

// The kind of rows that had `kind` before some of their columns went.
Kind Without(Kind kind, bool time, bool value, bool start, bool end) {
  if (!time) return Kind::kRows;
  if (kind == Kind::kSeries && !value) return Kind::kEvents;
  if (kind == Kind::kWindows && (!start || !end)) return Kind::kEvents;
  return kind;
}

KindProblem Illegal(std::string_view verb, std::string_view needs, const Flow& flow, std::string hint) {
  return {"E032",
          "`" + std::string(verb) + "` needs " + std::string(needs) + ", but here stand " +
              std::string(ToString(flow.kind)),
          std::move(hint)};
}

std::optional<KindProblem> CheckJoin(const JoinStage& join, const Flow& flow) {
  const bool right_time = join.right->kind != Kind::kRows && join.right->kind != Kind::kScalar;
  const bool time_key = std::any_of(join.keys.begin(), join.keys.end(), [](const JoinKey& key) { return key.is_time; });
  const std::string_view wish = time_key ? "the key `time`" : join.within.has_value() ? "`within`" : "`asof`";
  if (!time_key && !join.within.has_value() && !join.asof.has_value()) {
    if (join.keys.empty()) {
      return KindProblem{"E043", "a join on () needs a time to go by",
                         "add `within -5m..0s` or `asof 1m`, or join on (time)"};
    }
    return std::nullopt;
  }
  if (!flow.has_time() || !right_time) {
    return KindProblem{"E044",
                       std::string(wish) + " needs a time on both sides, but the " +
                           (flow.has_time() ? "right" : "left") + " side has none",
                       "keep `time` in its rows, or give `stats` a window: stats ... by (...) [5m]"};
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(Kind kind) {
  switch (kind) {
    case Kind::kSeries: return "series";
    case Kind::kEvents: return "events";
    case Kind::kWindows: return "windows";
    case Kind::kRows: return "rows";
    case Kind::kScalar: return "scalar";
  }
  return "";
}

std::string_view ToString(SourceTable table) {
  switch (table) {
    case SourceTable::kLogs: return "logs";
    case SourceTable::kSpans: return "spans";
    case SourceTable::kEvents: return "events";
    case SourceTable::kLinks: return "links";
    case SourceTable::kExemplars: return "exemplars";
    case SourceTable::kSamples: return "samples";
  }
  return "";
}

std::string_view VerbOf(const Stage& stage) {
  return std::visit(
      [](const auto& node) -> std::string_view {
        using T = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<T, LineFilter>) {
          constexpr std::string_view kSpellings[] = {"|=", "!=", "|~", "!~"};
          return kSpellings[static_cast<int>(node.op)];
        } else if constexpr (std::is_same_v<T, WhereStage>) {
          return "where";
        } else if constexpr (std::is_same_v<T, ExtendStage>) {
          return "extend";
        } else if constexpr (std::is_same_v<T, KeepStage>) {
          return "keep";
        } else if constexpr (std::is_same_v<T, DropStage>) {
          return "drop";
        } else if constexpr (std::is_same_v<T, ParseStage>) {
          constexpr std::string_view kFormats[] = {"json", "logfmt", "regexp", "pattern"};
          return kFormats[static_cast<int>(node.format)];
        } else if constexpr (std::is_same_v<T, StatsStage>) {
          return "stats";
        } else if constexpr (std::is_same_v<T, TopStage>) {
          return "top";
        } else if constexpr (std::is_same_v<T, SortStage>) {
          return "sort";
        } else if constexpr (std::is_same_v<T, LimitStage>) {
          return node.tail ? "tail" : "limit";
        } else if constexpr (std::is_same_v<T, DedupStage>) {
          return "dedup";
        } else if constexpr (std::is_same_v<T, JoinStage>) {
          return "join";
        } else if constexpr (std::is_same_v<T, UnionStage>) {
          return "union";
        } else if constexpr (std::is_same_v<T, WindowsStage>) {
          return "windows";
        } else if constexpr (std::is_same_v<T, ContextStage>) {
          return "context";
        } else {
          return "compare";
        }
      },
      stage.node);
}

Flow FlowOfSource(SourceTable table) {
  Flow flow;
  flow.kind = Kind::kEvents;
  flow.logs = flow.only_lines = table == SourceTable::kLogs;
  return flow;
}

Flow FlowOfVector(ExprType type) {
  Flow flow;
  flow.kind = type == ExprType::kVector || type == ExprType::kMatrix ? Kind::kSeries : Kind::kScalar;
  flow.matrix = type == ExprType::kMatrix;
  flow.text = type == ExprType::kString;
  return flow;
}

std::optional<KindProblem> ApplyStage(const Stage& stage, Flow* flow) {
  const std::string_view verb = VerbOf(stage);
  if (flow->kind == Kind::kScalar) {
    return KindProblem{"E033", "a single value has no rows for `" + std::string(verb) + "`",
                       flow->text ? "" : "write vector(...) to make it a series"};
  }
  if (flow->matrix) {
    return KindProblem{"E034", "a range of samples cannot go through `" + std::string(verb) + "`",
                       "apply a function such as rate(...[5m]), or take the raw samples: samples{metric = \"...\"}"};
  }
  const Flow before = *flow;
  if (std::holds_alternative<LineFilter>(stage.node)) {
    if (flow->only_lines) return std::nullopt;
    if (flow->logs) {
      return KindProblem{"E047", "line filters stand right after the source",
                         "move it before the first `|`, or write `| where contains(message, \"...\")`"};
    }
    return KindProblem{"E047", "'" + std::string(verb) + "' tests the message of log lines, but here stand none",
                       "line filters stand right after `logs{...}`"};
  }
  flow->only_lines = false;

  if (const auto* keep = std::get_if<KeepStage>(&stage.node)) {
    flow->kind = Without(before.kind, before.has_time() && Keeps(keep->items, "time"), Keeps(keep->items, "value"),
                         Keeps(keep->items, "start"), Keeps(keep->items, "end"));
    flow->logs = false;
  } else if (const auto* drop = std::get_if<DropStage>(&stage.node)) {
    flow->kind = Without(before.kind, before.has_time() && !Drops(drop->items, "time"), !Drops(drop->items, "value"),
                         !Drops(drop->items, "start"), !Drops(drop->items, "end"));
    flow->logs = false;
  } else if (std::holds_alternative<ParseStage>(stage.node)) {
    if (before.kind != Kind::kEvents) {
      return Illegal(verb, "events", before, "parse before `stats`, `windows` or whatever else takes the time away");
    }
  } else if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    if (stats->window.has_value() && before.kind != Kind::kEvents && before.kind != Kind::kSeries) {
      return Illegal("stats ... [w]", "events or series", before, "leave the window out to group the rows");
    }
    *flow = Flow{};
    flow->kind = stats->window.has_value() ? Kind::kSeries : Kind::kRows;
  } else if (const auto* join = std::get_if<JoinStage>(&stage.node)) {
    if (auto problem = CheckJoin(*join, before)) return problem;
    flow->logs = false;
  } else if (const auto* append = std::get_if<UnionStage>(&stage.node)) {
    const Kind right = append->right->kind;
    if (right == Kind::kScalar) {
      return KindProblem{"E033", "a single value has no rows for `union`", "write vector(...) to make it a series"};
    }
    *flow = Flow{};
    flow->kind = before.has_time() && right != Kind::kRows ? Kind::kEvents : Kind::kRows;
  } else if (std::holds_alternative<WindowsStage>(stage.node)) {
    if (!before.has_time()) {
      return Illegal(verb, "series, events or windows", before,
                     "keep `time`, or give `stats` a window: stats ... [5m]");
    }
    *flow = Flow{};
    flow->kind = Kind::kWindows;
  } else if (std::holds_alternative<ContextStage>(stage.node)) {
    if (!before.logs) {
      return KindProblem{"E032",
                         "`context` needs whole log records, but here stand " +
                             std::string(before.kind == Kind::kEvents ? "other rows" : ToString(before.kind)),
                         "put it behind `logs{...}`, before `keep`, `drop`, `join` or `union`"};
    }
  } else if (std::holds_alternative<CompareStage>(stage.node)) {
    if (before.kind != Kind::kEvents) return Illegal(verb, "events", before, "compare logs or spans themselves");
    *flow = Flow{};
    flow->kind = Kind::kRows;
  }
  return std::nullopt;
}

}  // namespace braid
