#include "query/plan/pushdown.h"

#include <algorithm>
#include <utility>

#include "query/plan/column_needs.h"
#include "query/rows/expression_nodes.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

const Expr& Unwrap(const Expr& expr) {
  const Expr* inner = &expr;
  while (const auto* paren = std::get_if<ParenExpr>(&inner->node)) inner = paren->inner.get();
  return *inner;
}

bool HasFields(const Expr& expr) {
  std::vector<const FieldRef*> fields;
  CollectFields(expr, &fields);
  return !fields.empty();
}

bool HasQueries(const Expr& expr) {
  if (const auto* call = std::get_if<CallExpr>(&expr.node)) {
    if (call->function == "scalar") return true;
    return std::any_of(call->args.begin(), call->args.end(), [](const Item& item) { return HasQueries(*item.expr); });
  }
  if (const auto* binary = std::get_if<BinaryExpr>(&expr.node)) {
    return HasQueries(*binary->left) || HasQueries(*binary->right);
  }
  if (const auto* unary = std::get_if<UnaryExpr>(&expr.node)) return HasQueries(*unary->operand);
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return HasQueries(*paren->inner);
  return std::holds_alternative<InExpr>(expr.node) || std::holds_alternative<PipelineExpr>(expr.node);
}

// The value of an expression that reads no row, as one cell.
std::optional<Column> ValueOf(const Expr& expr, QueryContext* context) {
  if (HasFields(expr) || HasQueries(expr)) return std::nullopt;
  Schema nothing;
  BindScope scope;
  scope.schema = &nothing;
  scope.context = context;
  const auto bound = BindExpression(expr, scope);
  if (!bound.ok()) return std::nullopt;
  const Column* constant = ConstantOf(*bound);
  if (constant == nullptr) return std::nullopt;
  return *constant;
}

std::optional<Predicate::Op> PushedOp(BinaryOp op, bool mirrored) {
  switch (op) {
    case BinaryOp::kEqual: return Predicate::Op::kEqual;
    case BinaryOp::kLess: return mirrored ? Predicate::Op::kGreater : Predicate::Op::kLess;
    case BinaryOp::kLessEqual: return mirrored ? Predicate::Op::kGreaterEqual : Predicate::Op::kLessEqual;
    case BinaryOp::kGreater: return mirrored ? Predicate::Op::kLess : Predicate::Op::kGreater;
    case BinaryOp::kGreaterEqual: return mirrored ? Predicate::Op::kLessEqual : Predicate::Op::kGreaterEqual;
    default: return std::nullopt;  // != holds for absent values, which indexes do not know
  }
}

// `a|b|c` without any other meaning: the words.
std::optional<std::vector<std::string>> WordsOfRegex(std::string_view pattern) {
  std::vector<std::string> words(1);
  for (const char c : pattern) {
    if (c == '|') {
      words.emplace_back();
    } else if (std::string_view(R"(\.+*?()[]{}^$)").find(c) != std::string_view::npos) {
      return std::nullopt;
    } else {
      words.back().push_back(c);
    }
  }
  for (const std::string& word : words) {
    if (word.empty()) return std::nullopt;  // an absent value would match
  }
  return words;
}

std::optional<PushedCondition> ComparisonAsPushed(const BinaryExpr& node, const Expr& expr, QueryContext* context) {
  for (const bool mirrored : {false, true}) {
    const Expr& column = Unwrap(mirrored ? *node.right : *node.left);
    const Expr& value = Unwrap(mirrored ? *node.left : *node.right);
    const auto op = PushedOp(node.op, mirrored);
    if (!op) return std::nullopt;
    PushedCondition pushed;
    pushed.column = PlainField(column);
    pushed.op = *op;
    pushed.text = Print(expr);
    if (pushed.column.empty()) continue;
    if (auto cell = ValueOf(value, context)) {
      // `= ""` and `= null` hold for absent values, which indexes do not know.
      if (cell->IsNull(0) || (cell->type == Type::kString && cell->StringAt(0).empty())) return std::nullopt;
      pushed.values.push_back(*std::move(cell));
      return pushed;
    }
    const auto* word = std::get_if<FieldRef>(&value.node);
    if (word != nullptr && word->path.size() == 1 && !word->leading_dot) {
      pushed.word = word->path[0];
      return pushed;
    }
  }
  return std::nullopt;
}

std::optional<PushedCondition> OrAsPushed(const BinaryExpr& node, const Expr& expr, QueryContext* context) {
  auto left = AsPushed(*node.left, context);
  auto right = AsPushed(*node.right, context);
  if (!left || !right || left->column != right->column || !left->word.empty() || !right->word.empty()) {
    return std::nullopt;
  }
  const auto is_list = [](const PushedCondition& condition) {
    return condition.op == Predicate::Op::kEqual || condition.op == Predicate::Op::kIn;
  };
  if (!is_list(*left) || !is_list(*right)) return std::nullopt;
  left->op = Predicate::Op::kIn;
  left->values.insert(left->values.end(), right->values.begin(), right->values.end());
  left->text = Print(expr);
  return left;
}

}  // namespace

void SplitConjuncts(const ExprPtr& condition, std::vector<ExprPtr>* conjuncts) {
  if (const auto* paren = std::get_if<ParenExpr>(&condition->node)) {
    SplitConjuncts(paren->inner, conjuncts);
    return;
  }
  const auto* binary = std::get_if<BinaryExpr>(&condition->node);
  if (binary != nullptr && binary->op == BinaryOp::kAnd) {
    SplitConjuncts(binary->left, conjuncts);
    SplitConjuncts(binary->right, conjuncts);
    return;
  }
  conjuncts->push_back(condition);
}

std::optional<PushedCondition> AsPushed(const Expr& wrapped, QueryContext* context) {
  const Expr& expr = Unwrap(wrapped);
  if (const auto* node = std::get_if<BinaryExpr>(&expr.node)) {
    if (node->op == BinaryOp::kOr) return OrAsPushed(*node, expr, context);
    if (node->op == BinaryOp::kMatch) {
      PushedCondition pushed;
      pushed.column = PlainField(*node->left);
      const auto pattern = ValueOf(*node->right, context);
      if (pushed.column.empty() || !pattern || pattern->type != Type::kString) return std::nullopt;
      const auto words = WordsOfRegex(pattern->StringAt(0));
      if (!words) return std::nullopt;
      pushed.op = Predicate::Op::kIn;
      for (const std::string& word : *words) pushed.values.push_back(StringCell(word));
      pushed.text = Print(expr);
      return pushed;
    }
    return ComparisonAsPushed(*node, expr, context);
  }
  if (const auto* in = std::get_if<InExpr>(&expr.node)) {
    if (in->negated || in->keys.size() != 1 || in->set_values.empty()) return std::nullopt;
    PushedCondition pushed;
    pushed.column = PlainField(*in->keys[0]);
    if (pushed.column.empty()) return std::nullopt;
    pushed.op = Predicate::Op::kIn;
    for (const ExprPtr& value : in->set_values) {
      auto cell = ValueOf(*value, context);
      if (!cell || cell->IsNull(0)) return std::nullopt;
      pushed.values.push_back(*std::move(cell));
    }
    pushed.text = Print(expr);
    return pushed;
  }
  return std::nullopt;
}

bool IsTraceCondition(const PushedCondition& condition) {
  return condition.column == "trace_id" && condition.word.empty() &&
         (condition.op == Predicate::Op::kEqual || condition.op == Predicate::Op::kIn);
}

void PushThrough(const Stage& stage, Table table, Pushdown* down) {
  const auto items_source = [](const std::vector<Item>& items, const std::string& name, bool others_stay) {
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
      if (ItemName(*item) == name) return PlainField(*item->expr);
    }
    return others_stay ? name : std::string();
  };
  if (const auto* filter = std::get_if<LineFilter>(&stage.node)) {
    if (filter->op == LineFilter::Op::kContains && !filter->text.empty()) down->terms.push_back(filter->text);
  } else if (std::holds_alternative<WhereStage>(stage.node) || std::holds_alternative<SortStage>(stage.node)) {
    // Rows pass as they are.
  } else if (const auto* extend = std::get_if<ExtendStage>(&stage.node)) {
    // One item at a time, from the last: each sees what those before it made.
    for (auto item = extend->items.rbegin(); item != extend->items.rend(); ++item) {
      RenamePushed(down,
                   [&](const std::string& name) { return ItemName(*item) == name ? PlainField(*item->expr) : name; });
    }
  } else if (const auto* keep = std::get_if<KeepStage>(&stage.node)) {
    RenamePushed(down, [&](const std::string& name) { return items_source(keep->items, name, false); });
  } else if (const auto* drop = std::get_if<DropStage>(&stage.node)) {
    RenamePushed(down, [&](const std::string& name) {
      for (const Item& item : drop->items) {
        if (ItemName(item) == name) return std::string();
      }
      return name;
    });
  } else if (std::holds_alternative<ParseStage>(stage.node)) {
    // Parsing may replace any column but the built-in ones.
    RenamePushed(down, [&](const std::string& name) {
      for (const auto& [builtin, type] : BuiltinColumns(table)) {
        if (builtin == name) return name;
      }
      return std::string();
    });
  } else if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    RenamePushed(down, [&](const std::string& name) {
      return name == "time" || name == "message" ? std::string() : items_source(stats->by, name, false);
    });
    down->terms.clear();
  } else if (const auto* windows = std::get_if<WindowsStage>(&stage.node)) {
    RenamePushed(down, [&](const std::string& name) {
      if (windows->has_by) return items_source(windows->by, name, false);
      return std::string();
    });
    down->terms.clear();
  } else {
    down->DropConditions();
  }
  const bool row_by_row =
      std::holds_alternative<ExtendStage>(stage.node) || std::holds_alternative<KeepStage>(stage.node) ||
      std::holds_alternative<DropStage>(stage.node) || std::holds_alternative<ParseStage>(stage.node);
  if (!row_by_row) {
    down->first.reset();
    down->last.reset();
  }
}

}  // namespace braid
