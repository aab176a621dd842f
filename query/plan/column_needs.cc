#include "query/plan/column_needs.h"

#include <algorithm>
#include <utility>

#include "query/rows/expression.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

void AddTimes(ColumnNeeds* needs) { needs->names.insert({"time", "start", "end"}); }

// Calls `visit` for every expression below and including `expr`, sub-queries not entered.
template <typename Visit>
void Walk(const Expr& expr, const Visit& visit) {
  visit(expr);
  const auto walk = [&](const ExprPtr& child) {
    if (child != nullptr) Walk(*child, visit);
  };
  if (const auto* node = std::get_if<SubqueryExpr>(&expr.node)) {
    walk(node->inner);
  } else if (const auto* node = std::get_if<AggregationExpr>(&expr.node)) {
    walk(node->param);
    walk(node->inner);
  } else if (const auto* node = std::get_if<UnaryExpr>(&expr.node)) {
    walk(node->operand);
  } else if (const auto* node = std::get_if<BinaryExpr>(&expr.node)) {
    walk(node->left);
    walk(node->right);
  } else if (const auto* node = std::get_if<CallExpr>(&expr.node)) {
    for (const Item& argument : node->args) walk(argument.expr);
  } else if (const auto* node = std::get_if<ParenExpr>(&expr.node)) {
    walk(node->inner);
  } else if (const auto* node = std::get_if<TupleExpr>(&expr.node)) {
    for (const ExprPtr& part : node->parts) walk(part);
  } else if (const auto* node = std::get_if<InExpr>(&expr.node)) {
    for (const ExprPtr& key : node->keys) walk(key);
  }
}

ColumnNeeds Everything() {
  ColumnNeeds needs;
  needs.all = true;
  return needs;
}

}  // namespace

void ColumnNeeds::Add(const ColumnNeeds& other) {
  all = all || other.all;
  names.insert(other.names.begin(), other.names.end());
}

void EachPart(const Expr& expr, const std::function<void(const Expr&)>& visit) { Walk(expr, visit); }

std::string PlainField(const Expr& expr) {
  if (const auto* paren = std::get_if<ParenExpr>(&expr.node)) return PlainField(*paren->inner);
  const auto* field = std::get_if<FieldRef>(&expr.node);
  return field == nullptr ? std::string() : FieldName(*field);
}

std::string ItemName(const Item& item) {
  if (!item.name.empty()) return item.name;
  std::string name = PlainField(*item.expr);
  if (!name.empty()) return name;
  return item.text.empty() ? Print(*item.expr) : item.text;
}

Kind KindAt(const Pipeline& pipeline, size_t stage, const LetLookup& lets) {
  if (stage >= pipeline.stages.size()) return pipeline.kind;
  Kind kind = Kind::kEvents;
  if (std::holds_alternative<VectorSource>(pipeline.source)) kind = Kind::kSeries;
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    const auto found = lets.find(let->name);
    if (found != lets.end()) kind = found->second->kind;
  }
  for (size_t i = 0; i < stage; ++i) {
    const auto& node = pipeline.stages[i].node;
    if (const auto* stats = std::get_if<StatsStage>(&node)) {
      kind = stats->window ? Kind::kSeries : Kind::kRows;
    } else if (std::holds_alternative<WindowsStage>(node)) {
      kind = Kind::kWindows;
    } else if (std::holds_alternative<CompareStage>(node)) {
      kind = Kind::kRows;
    } else if (const auto* append = std::get_if<UnionStage>(&node)) {
      const bool timed = kind != Kind::kRows && append->right->kind != Kind::kRows;
      kind = timed ? Kind::kEvents : Kind::kRows;
    } else if (const auto* keep = std::get_if<KeepStage>(&node)) {
      const bool time = std::any_of(keep->items.begin(), keep->items.end(),
                                    [](const Item& item) { return ItemName(item) == "time"; });
      if (!time) kind = Kind::kRows;
    }
  }
  return kind;
}

std::optional<std::vector<std::string>> StaticColumns(const Pipeline& pipeline, const LetLookup& lets) {
  std::optional<std::vector<std::string>> columns;
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    const auto found = lets.find(let->name);
    if (found != lets.end()) columns = StaticColumns(*found->second, lets);
  }
  const auto names_of = [](const std::vector<Item>& items) {
    std::vector<std::string> names;
    for (const Item& item : items) names.push_back(ItemName(item));
    return names;
  };
  const auto append = [&columns](std::string name) {
    if (columns && std::find(columns->begin(), columns->end(), name) == columns->end()) {
      columns->push_back(std::move(name));
    }
  };
  for (size_t i = 0; i < pipeline.stages.size(); ++i) {
    const Stage& stage = pipeline.stages[i];
    if (const auto* keep = std::get_if<KeepStage>(&stage.node)) {
      columns = names_of(keep->items);
    } else if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
      columns = std::vector<std::string>();
      if (stats->window) columns->push_back("time");
      for (std::string& name : names_of(stats->by)) append(std::move(name));
      for (std::string& name : names_of(stats->aggregates)) append(std::move(name));
    } else if (const auto* windows = std::get_if<WindowsStage>(&stage.node)) {
      columns.reset();
      if (windows->has_by || KindAt(pipeline, i, lets) == Kind::kEvents) {
        columns = names_of(windows->by);
        for (const char* name : {"start", "end", "time", "n", "peak"}) append(name);
      }
    } else if (const auto* extend = std::get_if<ExtendStage>(&stage.node)) {
      for (std::string& name : names_of(extend->items)) append(std::move(name));
    } else if (const auto* drop = std::get_if<DropStage>(&stage.node)) {
      for (const std::string& name : names_of(drop->items)) {
        if (columns) std::erase(*columns, name);
      }
    } else if (std::holds_alternative<CompareStage>(stage.node)) {
      columns = {"attribute", "value", "selected", "baseline", "diff"};
    } else if (std::holds_alternative<JoinStage>(stage.node) || std::holds_alternative<UnionStage>(stage.node) ||
               std::holds_alternative<ParseStage>(stage.node) || std::holds_alternative<ContextStage>(stage.node)) {
      columns.reset();
    }
  }
  return columns;
}

NeedsAnalysis::NeedsAnalysis(const QueryAst& query) {
  for (const LetClause& let : query.lets) {
    lets_[let.name].pipeline = let.pipeline;
    lookup_[let.name] = let.pipeline;
  }
  Visit(*query.body, Everything());
  // A let sees only those before it: backwards, all uses of one are known when its turn comes.
  for (auto let = query.lets.rbegin(); let != query.lets.rend(); ++let) {
    const Let& entry = lets_[let->name];
    // A let that is never used is planned all the same where somebody asks for it (explain of its errors).
    Visit(*entry.pipeline, entry.uses == 0 ? Everything() : entry.needs);
  }
}

const ColumnNeeds& NeedsAnalysis::At(const Pipeline& pipeline, size_t stage) const {
  static const ColumnNeeds everything = Everything();
  const auto found = needs_.find(&pipeline);
  return found == needs_.end() || stage >= found->second.size() ? everything : found->second[stage];
}

int NeedsAnalysis::UsesOf(const std::string& let) const {
  const auto found = lets_.find(let);
  return found == lets_.end() ? 0 : found->second.uses;
}

void NeedsAnalysis::UseLet(const std::string& name, const ColumnNeeds& needs) {
  Let& let = lets_[name];
  let.needs.Add(needs);
  ++let.uses;
}

void NeedsAnalysis::VisitSet(const InExpr& in) {
  ColumnNeeds needs;
  for (const ExprPtr& key : in.keys) {
    const std::string name = PlainField(*key);
    // Without a name the set must have one column, whatever it is called.
    if (name.empty()) needs.all = true;
    if (name == "time") {
      AddTimes(&needs);
    } else if (!name.empty()) {
      needs.names.insert(name);
    }
  }
  const auto add_single = [&](const Pipeline& set) {
    const auto columns = StaticColumns(set, lookup_);
    if (columns && columns->size() == 1) needs.names.insert((*columns)[0]);
  };
  if (!in.set_name.empty()) {
    const auto let = lets_.find(in.set_name);
    if (let != lets_.end() && let->second.pipeline != nullptr) add_single(*let->second.pipeline);
    UseLet(in.set_name, needs);
  } else if (in.set_pipeline != nullptr) {
    add_single(*in.set_pipeline);
    Visit(*in.set_pipeline, std::move(needs));
  }
}

void NeedsAnalysis::VisitExpr(const Expr& expr) {
  Walk(expr, [this](const Expr& node) {
    if (const auto* in = std::get_if<InExpr>(&node.node)) VisitSet(*in);
    if (const auto* pipeline = std::get_if<PipelineExpr>(&node.node)) Visit(*pipeline->pipeline, Everything());
  });
}

void NeedsAnalysis::AddFields(const Expr& expr, ColumnNeeds* needs) {
  std::vector<const FieldRef*> fields;
  CollectFields(expr, &fields);
  for (const FieldRef* field : fields) {
    needs->names.insert(FieldName(*field));
    // `(service, time) in windows` asks for overlap, to which the end of a row belongs.
    if (FieldName(*field) == "time") needs->names.insert("end");
  }
  VisitExpr(expr);
}

void NeedsAnalysis::Visit(const Pipeline& pipeline, ColumnNeeds needs) {
  std::vector<ColumnNeeds> at(pipeline.stages.size() + 1);
  at[pipeline.stages.size()] = needs;
  for (size_t i = pipeline.stages.size(); i > 0; --i) {
    needs = Before(pipeline, i - 1, std::move(needs));
    at[i - 1] = needs;
  }
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    UseLet(let->name, needs);
  } else if (const auto* vector = std::get_if<VectorSource>(&pipeline.source)) {
    VisitExpr(*vector->expr);
  } else {
    const auto visit_spanset = [&](const auto& self, const Spanset& spanset) -> void {
      for (const ExprPtr& matcher : spanset.matchers) {
        if (spanset.leaf()) AddFields(*matcher, &at[0]);
      }
      for (const SpansetPtr& child : {spanset.left, spanset.right, spanset.avoiding}) {
        if (child != nullptr) self(self, *child);
      }
    };
    const auto& source = std::get<EventSource>(pipeline.source);
    if (source.spanset != nullptr) visit_spanset(visit_spanset, *source.spanset);
  }
  needs_[&pipeline] = std::move(at);
}

ColumnNeeds NeedsAnalysis::Before(const Pipeline& pipeline, size_t stage_index, ColumnNeeds after) {
  const Stage& stage = pipeline.stages[stage_index];
  ColumnNeeds needs = std::move(after);
  const auto add_items = [&](const std::vector<Item>& items) {
    for (const Item& item : items) AddFields(*item.expr, &needs);
  };
  if (std::holds_alternative<LineFilter>(stage.node)) {
    needs.names.insert("message");
  } else if (const auto* where = std::get_if<WhereStage>(&stage.node)) {
    AddFields(*where->condition, &needs);
  } else if (const auto* extend = std::get_if<ExtendStage>(&stage.node)) {
    for (auto item = extend->items.rbegin(); item != extend->items.rend(); ++item) {
      needs.names.erase(ItemName(*item));
      AddFields(*item->expr, &needs);
    }
  } else if (const auto* keep = std::get_if<KeepStage>(&stage.node)) {
    needs = ColumnNeeds();
    add_items(keep->items);
  } else if (const auto* drop = std::get_if<DropStage>(&stage.node)) {
    for (const Item& item : drop->items) needs.names.erase(ItemName(item));
  } else if (const auto* parse = std::get_if<ParseStage>(&stage.node)) {
    if (parse->from != nullptr) {
      AddFields(*parse->from, &needs);
    } else {
      needs.names.insert("message");
    }
  } else if (const auto* stats = std::get_if<StatsStage>(&stage.node)) {
    needs = ColumnNeeds();
    add_items(stats->by);
    add_items(stats->aggregates);
    if (stats->window) needs.names.insert("time");
  } else if (const auto* top = std::get_if<TopStage>(&stage.node)) {
    AddFields(*top->expr, &needs);
    add_items(top->per);
  } else if (const auto* sort = std::get_if<SortStage>(&stage.node)) {
    for (const SortKey& key : sort->keys) AddFields(*key.expr, &needs);
  } else if (const auto* dedup = std::get_if<DedupStage>(&stage.node)) {
    add_items(dedup->keys);
  } else if (const auto* join = std::get_if<JoinStage>(&stage.node)) {
    ColumnNeeds left;
    ColumnNeeds right;
    left.all = right.all = needs.all;
    const std::string prefix = join->name + ".";
    for (const std::string& name : needs.names) {
      if (name.rfind(prefix, 0) == 0) {
        right.names.insert(name.substr(prefix.size()));
      } else {
        left.names.insert(name);
      }
    }
    for (const JoinKey& key : join->keys) {
      if (key.is_time) {
        AddTimes(&left);
        AddTimes(&right);
        continue;
      }
      AddFields(*key.left, &left);
      right.names.insert(key.right);
    }
    // The order of matches is by the right side's time.
    AddTimes(&right);
    if (join->within || join->asof) AddTimes(&left);
    Visit(*join->right, std::move(right));
    needs = std::move(left);
  } else if (const auto* join_union = std::get_if<UnionStage>(&stage.node)) {
    Visit(*join_union->right, needs);
  } else if (const auto* windows = std::get_if<WindowsStage>(&stage.node)) {
    const bool peak = needs.Has("peak");
    needs = ColumnNeeds();
    add_items(windows->by);
    AddTimes(&needs);
    if (peak) needs.names.insert({"value", "peak"});
    // Without `by`, windows of a series are per label set, and the labels are known only from the data.
    if (!windows->has_by) needs.all = KindAt(pipeline, stage_index, lookup_) != Kind::kEvents;
  } else if (std::holds_alternative<ContextStage>(stage.node)) {
    needs.names.insert({"time", "stream"});
  } else if (const auto* compare = std::get_if<CompareStage>(&stage.node)) {
    needs = Everything();
    AddFields(*compare->condition, &needs);
  }
  return needs;
}

}  // namespace braid
