// From a parsed query to operators over a snapshot.
//
// A pipeline is built from its last stage to its source: each stage hands down what it knows (Pushdown), sets and the
// smaller sides of joins are read on the way, before the scan that they make smaller is opened.
//
// Threads: belongs to the thread of its query. Ownership: the operators point into the builder and its context; both
// must outlive them.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "query/plan/column_needs.h"
#include "query/plan/plan_tree.h"
#include "query/plan/pushdown.h"
#include "query/plan/series_source.h"
#include "query/plan/table_source.h"
#include "query/rows/join.h"
#include "query/rows/operator.h"
#include "query/rows/operators.h"
#include "query/syntax/ast.h"
#include "query/vector/evaluator.h"

namespace braid {

struct BuiltPipeline {
  OperatorPtr op;
  std::unique_ptr<PlanNode> node;
};

class PlanBuilder {
 public:
  // `dry`: nothing is run; sets and scalars stay unknown. For explain.
  PlanBuilder(const QueryAst& query, QueryContext* context, bool dry);

  absl::StatusOr<BuiltPipeline> BuildBody();

  // Names of columns that no row of a table has, with the table, as met while planning: the reason for many an empty
  // answer.
  const std::vector<std::pair<std::string, Table>>& unknown_columns() const { return unknown_columns_; }
  // For notes: the vector expressions that were evaluated as sources, with their nodes.
  absl::StatusOr<VectorResult> EvaluateAt(const Expr& expr, const std::vector<Timestamp>& times, PlanNode* node,
                                          Duration lookback);
  const TableColumns& ColumnsOf(Table table);

 private:
  struct EvaluatedSet {
    std::shared_ptr<const MemberSet> set;
    PushedSet pushed;
    std::vector<std::string> key_names;
  };
  struct RightSide;  // of a join, see join_plan.cc

  // The first `stages` stages of the pipeline.
  absl::StatusOr<BuiltPipeline> Build(const Pipeline& pipeline, size_t stages, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildWhole(const Pipeline& pipeline, Pushdown down) {
    return Build(pipeline, pipeline.stages.size(), std::move(down));
  }
  absl::StatusOr<BuiltPipeline> BuildUnordered(const Pipeline& pipeline, size_t stages, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildSource(const Pipeline& pipeline, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildTable(const Pipeline& pipeline, const EventSource& source, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildSamples(const Pipeline& pipeline, const EventSource& source, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildVector(const Pipeline& pipeline, const VectorSource& source, const Pushdown& down);
  void HintAtGaps(const Expr& expr);  // steps that a range selector does not reach across
  absl::StatusOr<BuiltPipeline> BuildLet(const Pipeline& pipeline, const LetRef& let, Pushdown down);
  absl::StatusOr<OperatorPtr> FilterMatchers(OperatorPtr op, const Spanset* spanset, PlanNode* node);

  // Conditions and sets of `condition` go into `down`; sets are evaluated below `node`.
  absl::Status PushCondition(const ExprPtr& condition, Pushdown* down, PlanNode* node);

  absl::StatusOr<OperatorPtr> ApplyStage(const Pipeline& pipeline, size_t stage, OperatorPtr input, PlanNode* node,
                                         TimeRange range);
  absl::StatusOr<OperatorPtr> ApplyStats(const StatsStage& stats, OperatorPtr input, PlanNode* node);
  absl::StatusOr<OperatorPtr> ApplyWindows(const Pipeline& pipeline, size_t stage, const WindowsStage& windows,
                                           OperatorPtr input, PlanNode* node);
  absl::StatusOr<OperatorPtr> ApplyContext(const Pipeline& pipeline, size_t stage, const ContextStage& around,
                                           OperatorPtr input, PlanNode* node, TimeRange range);
  absl::StatusOr<OperatorPtr> ApplyParse(const Pipeline& pipeline, size_t stage, const ParseStage& parse,
                                         OperatorPtr input, PlanNode* node);

  absl::StatusOr<BuiltPipeline> BuildJoin(const Pipeline& pipeline, size_t stage, Pushdown down);
  absl::StatusOr<BuiltPipeline> BuildVectorAsof(const Pipeline& pipeline, size_t stage, const Expr& vector,
                                                Pushdown down, std::unique_ptr<PlanNode> node);
  absl::StatusOr<BuiltPipeline> BuildUnion(const Pipeline& pipeline, size_t stage, Pushdown down);
  // The set of the keys in `rows`, under the other side's names; unset if it is of no use.
  absl::StatusOr<std::optional<PushedSet>> KeysAsSet(const JoinStage& join, const Schema& schema,
                                                     const RecordBatch& rows, bool rows_are_left);
  bool ReadsAllTraces(const JoinStage& join, size_t left_rows, TimeRange range);
  double EstimateRows(const Pipeline& pipeline, const Pushdown& down);

  absl::StatusOr<const EvaluatedSet*> EvaluateSet(const InExpr& in, const std::vector<std::string>& key_names,
                                                  PlanNode* node);
  absl::StatusOr<RowSet> RowsOfSet(const InExpr& in, const std::vector<std::string>& key_names, PlanNode* node);
  absl::StatusOr<Value> EvaluateScalar(const Pipeline& pipeline, const Place& place, PlanNode* node);
  absl::StatusOr<VectorResult> EvaluateOperand(const Pipeline& pipeline, const std::vector<Timestamp>& times,
                                               PlanNode* node);
  absl::StatusOr<RowSet> ReadAll(BuiltPipeline built, const char* owner);

  absl::StatusOr<RowExpressionPtr> Bind(const Expr& expr, const Schema& schema, PlanNode* node);
  // Names that no row has are null: a note, because a text without quotes or a slip of the pen is the usual reason.
  void HintAtUnknownNames(const Expr& expr, const Schema& schema);
  absl::StatusOr<std::vector<NamedExpression>> BindItems(const std::vector<Item>& items, const Schema& schema,
                                                         PlanNode* node);
  TimeRange BaseRange() const { return TimeRange{context_->start, context_->end}; }
  const Pipeline* FindLet(const std::string& name) const;
  // The vector expression if the pipeline (or the let that it names) is nothing else.
  const Expr* PureVector(const Pipeline& pipeline) const;

  const QueryAst& query_;
  QueryContext* context_;
  bool dry_;
  NeedsAnalysis needs_;
  LetLookup lets_;
  std::map<Table, std::unique_ptr<TableColumns>> columns_;
  std::map<const InExpr*, EvaluatedSet> sets_;
  // Lets that are used more than once: by name and range.
  std::map<std::pair<std::string, std::pair<Timestamp, Timestamp>>, RowSet> evaluated_lets_;
  std::vector<std::pair<std::string, Table>> unknown_columns_;
  // Pipelines as vector operands on other instants than the query's have a context and a builder of their own.
  std::deque<std::unique_ptr<QueryContext>> contexts_;
  std::deque<std::unique_ptr<PlanBuilder>> builders_;
};

// `time` moved by `by`, staying at the ends of the range of times.
Timestamp Moved(Timestamp time, Duration by);
Table TableOf(SourceTable table);  // REQUIRES: not kSamples

}  // namespace braid
