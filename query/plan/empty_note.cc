#include "query/plan/empty_note.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "query/plan/series_reason.h"
#include "query/rows/cells.h"
#include "query/syntax/errors.h"
#include "query/syntax/foreign_words.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

std::string Verb(const PlanNode& node) {
  if (node.is_source) return "source";
  // A line filter has no verb: `|= "text"`.
  const std::string_view mark = std::string_view(node.text).substr(0, 2);
  if (mark == "|=" || mark == "!=" || mark == "|~" || mark == "!~") return node.text;
  const size_t begin = node.text.find_first_not_of("| ");
  if (begin == std::string::npos || begin != 0) {
    const size_t from = begin == std::string::npos ? 0 : begin;
    return node.text.substr(from, node.text.find(' ', from) - from);
  }
  return node.text.substr(0, node.text.find(' '));
}

std::string RangeText(TimeRange range) { return FormatTimestamp(range.start) + ".." + FormatTimestamp(range.end); }

// The source at the bottom of a chain of stages.
const PlanNode& SourceOf(const PlanNode& node) {
  const PlanNode* at = &node;
  while (!at->is_source && !at->children.empty()) at = at->children[0].get();
  return *at;
}

// The stages from the source up, as they ran.
std::vector<const PlanNode*> ChainOf(const PlanNode& root) {
  std::vector<const PlanNode*> chain;
  for (const PlanNode* at = &root;; at = at->children[0].get()) {
    chain.push_back(at);
    if (at->is_source || at->children.empty()) break;
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

std::string WhyTable(const PlanNode& source, const QueryContext& context) {
  const std::string name(ToString(source.table));
  const TimeRange extent = context.snapshot->Range(source.table);
  if (extent.empty()) return "there are no " + name;
  if (!extent.Overlaps(source.range)) {
    return "no data in the range " + RangeText(source.range) + "; data of `" + name + "` spans " + RangeText(extent);
  }
  std::string conditions;
  for (const std::string& detail : source.details) {
    if (detail.rfind("pushed ", 0) == 0) conditions += (conditions.empty() ? "`" : " and `") + detail.substr(7) + "`";
  }
  if (conditions.empty()) conditions = "the conditions";
  const bool by_index = source.scan.rows_read == 0 && source.scan.sources_read == 0 && source.scan.sources_total > 0;
  return "no row of `" + name + "` in the range meets " + conditions + (by_index ? ", as indexes show" : "");
}

// A selector that nothing matches, or two sides whose labels never meet.
std::string WhyVector(const Expr& wrapped, const PlanNode& source, PlanBuilder* builder, QueryContext* context) {
  const Expr* expr = &wrapped;
  while (const auto* paren = std::get_if<ParenExpr>(&expr->node)) expr = paren->inner.get();
  const TimeRange extent = context->snapshot->SampleRange();
  if (extent.empty()) return "there are no samples";
  if (!extent.Overlaps(TimeRange{Moved(source.range.start, -3600 * kSecond), source.range.end})) {
    return "no data in the range " + RangeText(source.range) + "; samples span " + RangeText(extent);
  }
  const auto* binary = std::get_if<BinaryExpr>(&expr->node);
  const bool set = binary != nullptr && (binary->op == BinaryOp::kOr || binary->op == BinaryOp::kUnless);
  const std::string missing = set ? "" : WhyNoSeries(*expr, source.range, *context);
  if (!missing.empty()) return missing;
  if (binary == nullptr) return "no series has a value there";
  PlanNode scratch;
  const auto grid = StepGrid(context->start, context->start == context->end ? 0 : context->step,
                             TimeRange{context->start, context->end});
  if (!grid.ok()) return "";
  const std::vector<Timestamp>& times = *grid;
  if (times.empty()) return "no series has a value there";
  const auto left = builder->EvaluateAt(*binary->left, times, &scratch, 300 * kSecond);
  const auto right = builder->EvaluateAt(*binary->right, times, &scratch, 300 * kSecond);
  if (!left.ok() || !right.ok()) return "";
  if (left->type == VectorType::kVector && left->series.empty())
    return "the left side `" + Print(*binary->left) + "` has no series";
  if (right->type == VectorType::kVector && right->series.empty())
    return "the right side `" + Print(*binary->right) + "` has no series";
  if (left->type != VectorType::kVector || right->type != VectorType::kVector) return "no value meets the condition";
  std::set<Labels> labels;
  for (const VectorSeries& series : left->series) labels.insert(series.labels);
  const bool compares = binary->op >= BinaryOp::kEqual && binary->op <= BinaryOp::kGreaterEqual;
  if (compares && !binary->matching.given &&
      std::any_of(right->series.begin(), right->series.end(),
                  [&](const VectorSeries& s) { return labels.count(s.labels) > 0; })) {
    return "no value meets the condition";
  }
  return "label sets of the two sides never met: left for example " + ToString(left->series[0].labels) +
         ", right for example " + ToString(right->series[0].labels);
}

// What the matchers of samples{...} leave out.
std::string WhySamples(const QueryAst& query, const PlanNode& source, QueryContext* context) {
  const auto* events = std::get_if<EventSource>(&query.body->source);
  if (events == nullptr || events->table != SourceTable::kSamples) return "";
  const TimeRange extent = context->snapshot->SampleRange();
  if (extent.empty()) return "there are no samples";
  if (!extent.Overlaps(source.range)) {
    return "no data in the range " + RangeText(source.range) + "; samples span " + RangeText(extent);
  }
  std::vector<PushedCondition> conditions;
  for (const ExprPtr& matcher : events->spanset == nullptr ? std::vector<ExprPtr>() : events->spanset->matchers) {
    std::vector<ExprPtr> conjuncts;
    SplitConjuncts(matcher, &conjuncts);
    for (const ExprPtr& conjunct : conjuncts) {
      if (auto pushed = AsPushed(*conjunct, context)) conditions.push_back(*std::move(pushed));
    }
  }
  std::string reason = WhyNoSeries(MatchersOf(conditions), source.range, *context);
  return reason.empty() ? "no sample in the range meets the conditions" : reason;
}

const VectorSource* VectorOf(const QueryAst& query, const Pipeline& pipeline) {
  if (const auto* vector = std::get_if<VectorSource>(&pipeline.source)) return vector;
  if (const auto* let = std::get_if<LetRef>(&pipeline.source)) {
    for (const LetClause& clause : query.lets) {
      if (clause.name == let->name) return VectorOf(query, *clause.pipeline);
    }
  }
  return nullptr;
}

// Sub-queries that gave nothing, as reasons of what used them.
void ListEmptyBranches(const PlanNode& node, std::vector<std::string>* reasons, const QueryContext& context) {
  for (size_t i = node.is_source ? 0 : 1; i < node.children.size(); ++i) {
    const PlanNode& child = *node.children[i];
    if (!child.ran || child.rows > 0) continue;
    std::string reason = "`" + (child.role.empty() ? child.text : child.role) + "`: 0 rows";
    const PlanNode& source = SourceOf(child);
    if (source.is_table && source.rows == 0) reason += " (`" + source.text + "`: " + WhyTable(source, context) + ")";
    reasons->push_back(std::move(reason));
  }
}

}  // namespace

std::string NoSuchColumn(const TableColumns& columns, const std::string& name) {
  const std::vector<std::string> names = columns.Names();
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string nearest = DidYouMean(name, candidates);
  return "no row of `" + std::string(ToString(columns.table())) + "` has a column '" + name + "'" +
         (nearest.empty() ? "" : ", " + nearest);
}

void ExplainEmptyAnswer(const QueryAst& query, const PlanNode& root, PlanBuilder* builder, QueryContext* context) {
  const std::vector<const PlanNode*> chain = ChainOf(root);
  auto first = std::find_if(chain.begin(), chain.end(), [](const PlanNode* node) { return node->rows == 0; });
  if (first == chain.end()) return;
  // An answer can have rows behind an empty stage: a count of nothing is 0.
  const auto after = std::find_if(first, chain.end(), [](const PlanNode* node) { return node->rows > 0; });
  if (after != chain.end() && Verb(**after) != "stats") return;
  if (first == chain.begin() && chain[0]->is_table && chain.size() > 1) {
    // What only a line filter asked for is its doing, though the source already left it out.
    const std::vector<std::string>& details = chain[0]->details;
    const auto pushed = std::find_if(details.begin(), details.end(),
                                     [](const std::string& detail) { return detail.rfind("pushed ", 0) == 0; });
    const bool in_extent = context->snapshot->Range(chain[0]->table).Overlaps(chain[0]->range);
    if (in_extent && pushed != details.end() && pushed->substr(7) == chain[1]->text) ++first;
  }
  const auto position = static_cast<size_t>(first - chain.begin());
  std::string text = position == 0 ? "empty at the source `" + chain[0]->text + "`"
                                   : "empty after stage " + std::to_string(position) + " " + Verb(*chain[position]);
  text += "; rows per stage:";
  for (size_t i = 0; i < chain.size(); ++i) {
    text += (i == 0 ? " " : ", ") + Verb(*chain[i]) + " " + std::to_string(chain[i]->rows);
  }
  std::vector<std::string> reasons;
  for (const auto& [name, table] : builder->unknown_columns()) {
    std::string reason = NoSuchColumn(builder->ColumnsOf(table), name);
    if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.push_back(std::move(reason));
  }
  if (chain[0]->rows == 0) {
    if (chain[0]->is_table) {
      reasons.push_back(WhyTable(*chain[0], *context));
    } else if (const VectorSource* vector = VectorOf(query, *query.body)) {
      reasons.push_back(WhyVector(*vector->expr, *chain[0], builder, context));
      // `log{...}` is a metric to the language, and a slip of the pen to most who write it.
      if (const auto* selector = std::get_if<Selector>(&vector->expr->node)) {
        reasons.emplace_back(ForeignStartHint(selector->selector.metric));
      }
    } else {
      reasons.push_back(WhySamples(query, *chain[0], context));
    }
  }
  for (const PlanNode* node : chain) ListEmptyBranches(*node, &reasons, *context);
  for (const std::string& reason : reasons) {
    if (!reason.empty()) text += "; " + reason;
  }
  context->AddNote("empty", std::move(text));
}

}  // namespace braid
