#include <algorithm>
#include <array>

#include "query/syntax/errors.h"
#include "query/syntax/foreign_words.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser_state.h"
#include "re2/re2.h"

namespace braid {
namespace {

const std::vector<std::string_view>& Verbs() {
  static const auto* const kVerbs = new std::vector<std::string_view>{
      "where", "extend", "keep", "drop",  "json", "logfmt", "regexp",  "pattern", "stats",  "top",
      "sort",  "limit",  "tail", "dedup", "join", "union",  "windows", "context", "compare"};
  return *kVerbs;
}

bool IsPlainField(const Item& item) { return item.name.empty() && std::holds_alternative<FieldRef>(item.expr->node); }

std::string JoinedPath(const FieldRef& field) {
  std::string out = field.leading_dot ? "." : "";
  for (size_t i = 0; i < field.path.size(); ++i) out += (i > 0 ? "." : "") + field.path[i];
  return out;
}

}  // namespace

bool Parser::ParseStages(Pipeline* pipeline, Flow* flow) {
  while (true) {
    const bool line_operator = Is(TokenType::kPipeEqual) || Is(TokenType::kPipeMatch) ||
                               ((Is(TokenType::kNotEqual) || Is(TokenType::kNotMatch)) && flow->kind == Kind::kEvents);
    if (!Is(TokenType::kPipe) && !line_operator) return true;
    const Place first = Peek().place;
    if (++stages_ > kStagesMax) return Fail(first, "E084", "the query has more than 1000 stages");
    Stage stage;
    if (!ParseOneStage(&stage)) return false;
    if (auto problem = ApplyStage(stage, flow)) {
      Place place = stage.place;
      place.length = static_cast<uint32_t>(VerbOf(stage).size());
      return Fail(place, problem->code, problem->message, problem->hint);
    }
    pipeline->stages.push_back(std::move(stage));
  }
}

bool Parser::ParseOneStage(Stage* stage) {
  size_t first = at_;
  bool good = false;
  if (Is(TokenType::kPipe)) {
    ++first;
    Advance();
    good = ParseVerb(stage);
  } else {
    LineFilter filter;
    switch (Advance().type) {
      case TokenType::kPipeEqual: filter.op = LineFilter::Op::kContains; break;
      case TokenType::kNotEqual: filter.op = LineFilter::Op::kNotContains; break;
      case TokenType::kPipeMatch: filter.op = LineFilter::Op::kRegex; break;
      default: filter.op = LineFilter::Op::kNotRegex;
    }
    if (!Is(TokenType::kString)) return Unexpected("line filter", "string");
    filter.text = StringOf(Advance());
    if (filter.op == LineFilter::Op::kRegex || filter.op == LineFilter::Op::kNotRegex) {
      RE2::Options options;
      options.set_log_errors(false);
      options.set_max_mem(8 << 20);
      const RE2 pattern(filter.text, options);
      if (!pattern.ok()) {
        return Fail(list_.tokens[at_ - 1].place, "E058", "error parsing regexp: " + pattern.error(),
                    "patterns are RE2");
      }
    }
    if (IsAnyCaseWord("or")) {
      return Unexpected("line filter", "", "for one of several texts write |~ \"one|other\"");
    }
    stage->node = std::move(filter);
    good = true;
  }
  stage->place = PlaceFrom(first);
  stage->text = TextFrom(first);
  return good;
}

bool Parser::ParseVerb(Stage* stage) {
  if (AcceptWord("where")) {
    WhereStage where;
    where.condition = ParseExpr(Position::kRow);
    stage->node = where;
    return where.condition != nullptr && !AtForeignOperator();
  }
  if (AcceptWord("extend")) {
    ExtendStage extend;
    if (!ParseItems(&extend.items)) return false;
    for (const Item& item : extend.items) {
      if (item.name.empty())
        return Fail(item.place, "E018", "`extend` needs a name for its column", "write `extend x = " + item.text + "`");
    }
    stage->node = std::move(extend);
    return true;
  }
  if (AcceptWord("keep")) {
    KeepStage keep;
    if (!ParseItems(&keep.items)) return false;
    stage->node = std::move(keep);
    return true;
  }
  if (AcceptWord("drop")) {
    DropStage drop;
    if (!ParseItems(&drop.items)) return false;
    for (const Item& item : drop.items) {
      if (!IsPlainField(item)) return Fail(item.place, "E054", "`drop` takes names of columns");
    }
    stage->node = std::move(drop);
    return true;
  }
  const bool json = IsWord("json");
  if (json || IsWord("logfmt")) {
    Advance();
    ParseStage parse;
    parse.format = json ? ParseStage::Format::kJson : ParseStage::Format::kLogfmt;
    if (!ParseFrom(&parse.from)) return false;
    stage->node = std::move(parse);
    return true;
  }
  const bool regexp = IsWord("regexp");
  if (regexp || IsWord("pattern")) {
    Advance();
    ParseStage parse;
    parse.format = regexp ? ParseStage::Format::kRegexp : ParseStage::Format::kPattern;
    if (!Is(TokenType::kString)) return Unexpected(regexp ? "`regexp`" : "`pattern`", "string");
    const Token& token = Advance();
    parse.pattern = StringOf(token);
    if (regexp) {
      RE2::Options options;
      options.set_log_errors(false);
      options.set_max_mem(8 << 20);
      const RE2 pattern(parse.pattern, options);
      if (!pattern.ok())
        return Fail(token.place, "E058", "error parsing regexp: " + pattern.error(), "patterns are RE2");
      if (pattern.NamedCapturingGroups().empty()) {
        return Fail(token.place, "E054", "the pattern names no group", "write `(?P<name>...)` for each new column");
      }
    }
    if (!ParseFrom(&parse.from)) return false;
    stage->node = std::move(parse);
    return true;
  }
  if (AcceptWord("stats")) {
    StatsStage stats;
    if (!ParseStats(&stats)) return false;
    stage->node = std::move(stats);
    return true;
  }
  if (AcceptWord("top")) {
    TopStage top;
    if (!ParseTop(&top)) return false;
    stage->node = std::move(top);
    return true;
  }
  if (AcceptWord("sort")) {
    SortStage sort;
    if (!ParseSort(&sort)) return false;
    stage->node = std::move(sort);
    return true;
  }
  const bool tail = IsWord("tail");
  if (tail || IsWord("limit")) {
    Advance();
    LimitStage limit;
    limit.tail = tail;
    stage->node = limit;
    return ParseCount(&std::get<LimitStage>(stage->node).count, tail ? "`tail`" : "`limit`");
  }
  if (AcceptWord("dedup")) {
    DedupStage dedup;
    if (!ParseGroupItems(&dedup.keys, "dedup")) return false;
    if (dedup.keys.empty())
      return Fail(list_.tokens[at_ - 1].place, "E012", "`dedup` needs a column", "write `dedup (trace_id)`");
    stage->node = std::move(dedup);
    return true;
  }
  if (AcceptWord("join")) {
    JoinStage join;
    if (!ParseJoin(&join)) return false;
    stage->node = std::move(join);
    return true;
  }
  if (AcceptWord("union")) {
    UnionStage append;
    append.right = ParseOperand("union");
    stage->node = append;
    return append.right != nullptr;
  }
  if (AcceptWord("windows")) {
    WindowsStage windows;
    if (!ParseWindows(&windows)) return false;
    stage->node = std::move(windows);
    return true;
  }
  if (AcceptWord("context")) {
    ContextStage context;
    if (!ParseWindow(&context.window, true)) return false;
    stage->node = context;
    return true;
  }
  if (AcceptWord("compare")) {
    CompareStage compare;
    compare.condition = ParseExpr(Position::kRow);
    if (compare.condition == nullptr) return false;
    if (AcceptWord("top") && !ParseCount(&compare.top, "`compare`")) return false;
    stage->node = std::move(compare);
    return true;
  }
  return UnknownVerb();
}

// `message contains "x"` as other languages write it, behind a column.
bool Parser::AtForeignOperator() {
  if (!Is(TokenType::kName) || !Is(TokenType::kString, 1)) return false;
  const Token* const before = at_ == 0 ? nullptr : &list_.tokens[at_ - 1];
  const std::string column = before != nullptr && before->type == TokenType::kName ? std::string(TextOf(*before)) : "x";
  const std::string text(TextOf(Peek(1)));
  struct Foreign {
    std::string_view word;
    std::string hint;
  };
  const std::string regex = "write " + column + " =~ \"...\"";
  const Foreign kOperators[] = {{"contains", "write contains(" + column + ", " + text + ")"},
                                {"has", "write contains(" + column + ", " + text + ")"},
                                {"startswith", regex + ", which matches the whole text: \"start.*\""},
                                {"endswith", regex + ", which matches the whole text: \".*end\""},
                                {"like", regex + ", a regular expression for the whole text"},
                                {"ilike", regex + ", a regular expression for the whole text: \"(?i)...\""},
                                {"matches", regex + ", a regular expression for the whole text"},
                                {"is", "write " + column + " = " + text}};
  for (const Foreign& foreign : kOperators) {
    if (!IsAnyCaseWord(foreign.word)) continue;
    Unexpected("`where`", "an operator", foreign.hint);
    return true;
  }
  return false;
}

bool Parser::UnknownVerb() {
  if (!Is(TokenType::kName))
    return Unexpected("", "a stage", "stages: where, extend, keep, stats, join, sort, limit, ...");
  const size_t first = at_;
  std::string word(TextOf(Advance()));
  // `mv-expand` and `project-away` are three tokens.
  if (Is(TokenType::kMinus) && Is(TokenType::kName, 1)) {
    const std::string joined = word + "-" + std::string(TextOf(Peek(1)));
    if (!ForeignStageHint(joined).empty()) {
      word = joined;
      at_ += 2;
    }
  }
  const Place place = PlaceFrom(first);
  std::string hint;
  switch (Peek().type) {
    case TokenType::kAssign:
    case TokenType::kEqual:
    case TokenType::kNotEqual:
    case TokenType::kLess:
    case TokenType::kLessEqual:
    case TokenType::kGreater:
    case TokenType::kGreaterEqual:
    case TokenType::kMatch:
    case TokenType::kNotMatch:
      hint = "to filter rows write `| where " + word + " " + std::string(TextOf(Peek())) + " ...`";
      break;
    default:
      if (IsAnyCaseWord("in") || (IsAnyCaseWord("not") && IsAnyCaseWord("in", 1))) {
        hint = "to filter rows write `| where " + word + " in ...`";
        break;
      }
      hint = std::string(ForeignStageHint(word));
      if (hint.empty()) hint = DidYouMean(word, Verbs());
      if (hint.empty())
        hint =
            "the stages are where, extend, keep, drop, json, logfmt, regexp, pattern, stats, top, sort, limit, tail, "
            "dedup, join, union, windows, context, compare";
  }
  return Fail(place, "E019", "'" + word + "' is not a stage", std::move(hint));
}

bool Parser::ParseItem(Item* item) {
  const size_t first = at_;
  if (Is(TokenType::kName) && Is(TokenType::kAssign, 1)) {
    item->name = std::string(TextOf(Advance()));
    Advance();
  }
  const size_t start = at_;
  item->expr = ParseExpr(Position::kRow);
  if (item->expr == nullptr) return false;
  item->text = TextFrom(start);
  item->place = PlaceFrom(first);
  if (IsAnyCaseWord("as") && Is(TokenType::kName, 1)) {
    return Fail(Peek().place, "E018", "a name stands before its expression",
                "write " + std::string(TextOf(Peek(1))) + " = " + item->text);
  }
  return true;
}

bool Parser::ParseItems(std::vector<Item>* items) {
  do {
    Item item;
    if (!ParseItem(&item)) return false;
    items->push_back(std::move(item));
  } while (Accept(TokenType::kComma));
  return true;
}

bool Parser::ParseGroupItems(std::vector<Item>* items, std::string_view clause) {
  const std::string name(clause);
  if (!Is(TokenType::kLeftParen)) {
    std::string list = "...";
    if (Is(TokenType::kName)) {
      // Echo the whole list, as far as it is plain names.
      list.clear();
      for (size_t ahead = 0; Is(TokenType::kName, ahead) && ahead < 16; ahead += 2) {
        list += (list.empty() ? "" : ", ") + std::string(TextOf(Peek(ahead)));
        if (!Is(TokenType::kComma, ahead + 1)) break;
      }
    }
    return Fail(Peek().place, "E017", "`" + name + "` needs parentheses", "write " + name + " (" + list + ")");
  }
  const Place opening = Advance().place;
  open_parens_.push_back(opening);
  while (!Is(TokenType::kRightParen)) {
    Item item;
    if (!ParseItem(&item)) return false;
    items->push_back(std::move(item));
    if (!Accept(TokenType::kComma)) break;
  }
  if (!Close(TokenType::kRightParen, opening, "`" + name + "`")) return false;
  open_parens_.pop_back();
  return true;
}

bool Parser::ParseFrom(ExprPtr* from) {
  if (!AcceptWord("from")) return true;
  *from = ParseField();
  return *from != nullptr;
}

bool Parser::ParseStats(StatsStage* stats) {
  if (IsWord("by") && Is(TokenType::kLeftParen, 1)) {
    return Unexpected("`stats`", "an aggregate",
                      "for the distinct keys alone write `dedup (...)` or `stats n = count() by (...)`");
  }
  do {
    Item item;
    aggregates_allowed_ = true;
    aggregate_seen_ = false;
    const bool good = ParseItem(&item);
    aggregates_allowed_ = false;
    if (!good) return false;
    if (!aggregate_seen_) {
      const RowFunction* function = FindRowFunction(item.text);
      const bool bare = function != nullptr && function->aggregate;
      return Fail(item.place, "E052", "`" + item.text + "` is not an aggregate",
                  bare ? "write " + item.text + (function->args_min == 0 ? "()" : "(...)")
                       : "to group by it write `by (" + item.text + ")`");
    }
    aggregate_seen_ = false;
    stats->aggregates.push_back(std::move(item));
  } while (Accept(TokenType::kComma));
  if (AcceptWord("by")) {
    stats->has_by = true;
    if (!ParseGroupItems(&stats->by, "by")) return false;
  }
  if (Is(TokenType::kLeftBracket)) {
    const Place opening = Advance().place;
    Duration window = 0;
    ExprPtr open;
    if (!ParseRange(&window, &open, "`stats`")) return false;
    if (open != nullptr) return Fail(open->place, "E071", "the window of `stats` is a constant", "write [5m]");
    if (!Close(TokenType::kRightBracket, opening, "`stats`")) return false;
    stats->window = window;
    if (IsWord("by")) return Unexpected("`stats`", "", "`by` stands before the window: by (...) [5m]");
  }
  return true;
}

bool Parser::ParseCount(uint64_t* count, std::string_view stage) {
  const Token& token = Peek();
  if (token.type != TokenType::kNumber) return Unexpected(stage, "a whole number");
  const NumberPayload& number = NumberOf(token);
  if (!number.is_integer || number.integer < 0)
    return Fail(token.place, "E013", std::string(stage) + " needs a whole number");
  Advance();
  *count = static_cast<uint64_t>(number.integer);
  return true;
}

bool Parser::ParseTop(TopStage* top) {
  if (!ParseCount(&top->count, "`top`")) return false;
  if (!AcceptWord("by")) return Unexpected("`top`", "\"by\"", "write `top 10 by n`");
  top->expr = ParseExpr(Position::kRow);
  if (top->expr == nullptr) return false;
  return !AcceptWord("per") || ParseGroupItems(&top->per, "per");
}

bool Parser::ParseSort(SortStage* sort) {
  if (IsWord("by") && (Is(TokenType::kName, 1) || Is(TokenType::kLeftParen, 1))) {
    return Unexpected("`sort`", "a column", "write `sort a, b desc`");
  }
  do {
    SortKey key;
    if (Is(TokenType::kMinus) && Is(TokenType::kName, 1)) {
      // A minus would sort numbers descending and everything else not at all.
      return Unexpected("`sort`", "a column", "write `sort " + std::string(TextOf(Peek(1))) + " desc`");
    }
    key.expr = ParseExpr(Position::kRow);
    if (key.expr == nullptr) return false;
    if (IsAnyCaseWord("desc")) {
      key.descending = true;
      Advance();
    } else if (IsAnyCaseWord("asc")) {
      Advance();
    }
    sort->keys.push_back(std::move(key));
  } while (Accept(TokenType::kComma));
  return true;
}

PipelinePtr Parser::ParseOperand(std::string_view stage) {
  const Nesting nesting(this);
  if (!nesting.ok()) return nullptr;
  const size_t first = at_;
  if (Is(TokenType::kLeftParen)) {
    const Place opening = Advance().place;
    open_parens_.push_back(opening);
    PipelinePtr pipeline = ParsePipeline(false);
    if (pipeline == nullptr || !Close(TokenType::kRightParen, opening, "operand")) return nullptr;
    open_parens_.pop_back();
    return pipeline;
  }
  auto pipeline = std::make_shared<Pipeline>();
  if (AtTable()) {
    EventSource source;
    if (!ParseEventSource(&source)) return nullptr;
    pipeline->source = std::move(source);
    pipeline->kind = Kind::kEvents;
  } else if (Is(TokenType::kName)) {
    const std::string name(TextOf(Peek()));
    const auto let = lets_.find(name);
    if (let == lets_.end()) {
      const bool more = Is(TokenType::kLeftParen, 1) || Is(TokenType::kLeftBrace, 1) || Is(TokenType::kLeftBracket, 1);
      if (more) {
        return Fail(Peek().place, "E041", "a vector has parentheses here",
                    "write `" + std::string(stage) + " (" + name + "...)`");
      }
      std::string hint = DidYouMean(name, LetNames());
      if (hint.empty()) hint = "for the metric write (" + name + ")";
      return Fail(Peek().place, "E020", "no `let` is named '" + name + "'", std::move(hint));
    }
    Advance();
    pipeline->source = LetRef{name};
    pipeline->kind = let->second.flow.kind;
  } else {
    return Unexpected("`" + std::string(stage) + "`", "a source, a name or \"(\"");
  }
  pipeline->source_text = TextFrom(first);
  pipeline->place = PlaceFrom(first);
  return pipeline;
}

bool Parser::ParseJoin(JoinStage* join) {
  if (IsWord("left") && !IsWord("as", 1)) {
    Advance();
    join->left_outer = true;
  } else if (Is(TokenType::kName) && Is(TokenType::kAssign, 1)) {
    return Unexpected("`join`", "", "write `join ...`, `join left ...`, or `where k not in (...)` for an anti-join");
  } else {
    for (const std::string_view foreign : {"inner", "outer", "full", "right", "cross", "anti", "semi"}) {
      if (!IsWord(foreign) || IsWord("as", 1) || lets_.find(foreign) != lets_.end()) continue;
      return Unexpected("`join`", "",
                        foreign == "inner"  ? "`join` alone keeps the matching pairs"
                        : foreign == "anti" ? "write `where k not in (...)`"
                        : foreign == "semi" ? "write `where k in (...)`"
                                            : "there are `join` and `join left`");
    }
  }
  join->right = ParseOperand("join");
  if (join->right == nullptr) return false;
  if (!AcceptWord("as")) {
    std::string keys = "on (...)";
    if (IsWord("on") && Is(TokenType::kLeftParen, 1)) {
      size_t end = 2;
      while (end < 40 && !Is(TokenType::kRightParen, end) && !Is(TokenType::kEnd, end)) ++end;
      const size_t here = std::exchange(at_, std::min(at_ + end + 1, list_.tokens.size() - 1));
      keys = TextFrom(here);
      at_ = here;
    }
    const auto* events = std::get_if<EventSource>(&join->right->source);
    const std::string column = events != nullptr && events->table == SourceTable::kLogs    ? "e.message, "
                               : events != nullptr && events->table == SourceTable::kSpans ? "e.name, "
                               : join->right->kind == Kind::kSeries                        ? "e.value, "
                                                                                           : "";
    return Fail(Peek().place, "E040", "join needs a name for its right side",
                "join (...) as e " + keys + " - its columns are then " + column + "e.time, ...");
  }
  if (!Is(TokenType::kName) || IsWord("on")) return Unexpected("`join`", "a name");
  const Token& name = Advance();
  join->name = std::string(TextOf(name));
  if (join->name.find('.') != std::string::npos) {
    return Fail(name.place, "E022", "'" + join->name + "' cannot name a side of a join", "use letters, digits and _");
  }
  if (!AcceptWord("on")) {
    return Fail(Peek().place, "E042", "join needs its keys",
                "write `on (trace_id)`, or `on ()` with `within` or `asof`");
  }
  if (!ParseJoinKeys(&join->keys)) return false;
  if (AcceptWord("within")) {
    join->within.emplace();
    if (!ParseWindow(&*join->within, false)) return false;
    if (IsWord("asof")) return Unexpected("`join`", "", "a join has `within` or `asof`, not both");
  } else if (AcceptWord("asof")) {
    Duration asof = 0;
    const Place place = Peek().place;
    if (!ParseDurationToken(&asof, "`asof`")) return false;
    if (asof < 0) return Fail(place, "E059", "`asof` looks back by a duration");
    join->asof = asof;
    if (IsWord("within")) return Unexpected("`join`", "", "a join has `within` or `asof`, not both");
  }
  return true;
}

bool Parser::ParseJoinKeys(std::vector<JoinKey>* keys) {
  if (!Is(TokenType::kLeftParen)) {
    const std::string name = Is(TokenType::kName) ? std::string(TextOf(Peek())) : "...";
    return Fail(Peek().place, "E017", "`on` needs parentheses", "write on (" + name + ")");
  }
  const Place opening = Advance().place;
  open_parens_.push_back(opening);
  while (!Is(TokenType::kRightParen)) {
    const size_t first = at_;
    JoinKey key;
    if (Is(TokenType::kString)) return Unexpected("`on`", "a column", "odd names are written attr.\"weird key\"");
    key.left = ParseField();
    if (key.left == nullptr) return false;
    const FieldRef& left = std::get<FieldRef>(key.left->node);
    key.right = JoinedPath(left);
    if (Is(TokenType::kAssign) || Is(TokenType::kEqual)) {
      Advance();
      const ExprPtr right = ParseField();
      if (right == nullptr) return false;
      key.right = JoinedPath(std::get<FieldRef>(right->node));
    }
    key.is_time = key.right == "time" && JoinedPath(left) == "time";
    key.place = PlaceFrom(first);
    keys->push_back(std::move(key));
    if (!Is(TokenType::kRightParen) && !Is(TokenType::kComma) && !Is(TokenType::kEnd)) {
      return Unexpected("`on`", "\",\" or \")\"", "keys are columns; compute others with `extend` before the join");
    }
    if (!Accept(TokenType::kComma)) break;
  }
  if (!Close(TokenType::kRightParen, opening, "`on`")) return false;
  open_parens_.pop_back();
  return true;
}

bool Parser::ParseWindows(WindowsStage* windows) {
  while (true) {
    const Place place = Peek().place;
    const auto twice = [&](bool already, std::string_view clause) {
      return already ? static_cast<bool>(Fail(place, "E010", "`" + std::string(clause) + "` stands twice")) : true;
    };
    if (AcceptWord("by")) {
      if (!twice(windows->has_by, "by") || !ParseGroupItems(&windows->by, "by")) return false;
      windows->has_by = true;
    } else if (AcceptWord("gap")) {
      Duration gap = 0;
      if (!twice(windows->gap.has_value(), "gap") || !ParseDurationToken(&gap, "`gap`")) return false;
      windows->gap = gap;
    } else if (AcceptWord("pad")) {
      Window pad;
      if (!twice(windows->pad.has_value(), "pad") || !ParseWindow(&pad, false)) return false;
      windows->pad = pad;
    } else {
      return true;
    }
  }
}

bool Parser::ParseDurationToken(Duration* duration, std::string_view context) {
  const Token& token = Peek();
  if (token.type == TokenType::kDuration) {
    *duration = NumberOf(Advance()).integer;
    return true;
  }
  if (token.type == TokenType::kNumber) {
    const NumberPayload& number = NumberOf(token);
    if (number.is_integer && number.integer == 0) {
      Advance();
      *duration = 0;
      return true;
    }
    return Fail(token.place, "E013", "a duration needs its unit",
                "write " + std::string(TextOf(token)) + "s or " + std::string(TextOf(token)) + "m");
  }
  return Unexpected(context, "a duration");
}

bool Parser::ParseBound(Bound* bound, bool counts, int* sign) {
  *sign = Is(TokenType::kMinus) ? -1 : Is(TokenType::kPlus) ? 1 : 0;
  if (*sign != 0) Advance();
  const int64_t factor = *sign < 0 ? -1 : 1;
  if (counts && Is(TokenType::kNumber)) {
    const Token& token = Peek();
    const NumberPayload& number = NumberOf(token);
    if (!number.is_integer || number.integer > 1'000'000) {
      return Fail(token.place, "E059", "a count of rows is a whole number up to 1000000");
    }
    Advance();
    bound->is_count = true;
    bound->value = factor * number.integer;
    return true;
  }
  if (!ParseDurationToken(&bound->value, counts ? "`context`" : "window")) return false;
  bound->value *= factor;
  return true;
}

bool Parser::ParseWindow(Window* window, bool counts) {
  const size_t first = at_;
  int sign = 0;
  if (!ParseBound(&window->from, counts, &sign)) return false;
  const size_t number = at_ - 1;
  if (!Accept(TokenType::kDotDot)) {
    if (sign != 0) {
      const std::string text(TextOf(list_.tokens[number]));
      const std::string zero = window->from.is_count ? "0" : "0s";
      return Fail(list_.tokens[number].place, "E016", "a one-sided window needs both ends",
                  "write " + (sign < 0 ? "-" + text + ".." + zero : zero + ".." + text));
    }
    window->to = window->from;
    window->from.value = -window->from.value;
    return true;
  }
  if (!ParseBound(&window->to, counts, &sign)) return false;
  if (window->from.is_count == window->to.is_count && window->from.value > window->to.value) {
    return Fail(PlaceFrom(first), "E059", "the window ends before it starts");
  }
  return true;
}

}  // namespace braid
