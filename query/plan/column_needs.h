// Which columns each stage of a query must be given: the analysis that lets scans read only what is used.
//
// Works backwards from the answer, over the whole query at once, so that a `let` used several times is read once with
// the columns of all its uses. Needs no data.
//
// Threads: values.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "query/syntax/ast.h"

namespace braid {

using LetLookup = std::map<std::string, PipelinePtr>;

struct ColumnNeeds {
  bool all = false;             // everything there is
  std::set<std::string> names;  // and these

  bool Has(const std::string& name) const { return all || names.count(name) > 0; }
  void Add(const ColumnNeeds& other);
};

class NeedsAnalysis {
 public:
  explicit NeedsAnalysis(const QueryAst& query);

  // What the pipeline's source (stage = 0) or its stage number `stage` - 1 must give.
  const ColumnNeeds& At(const Pipeline& pipeline, size_t stage) const;
  // How often the `let` is used, in the query and in the lets that are used.
  int UsesOf(const std::string& let) const;

 private:
  void Visit(const Pipeline& pipeline, ColumnNeeds needs);
  ColumnNeeds Before(const Pipeline& pipeline, size_t stage, ColumnNeeds after);
  void UseLet(const std::string& name, const ColumnNeeds& needs);
  void VisitExpr(const Expr& expr);  // sub-queries and lets inside
  void AddFields(const Expr& expr, ColumnNeeds* needs);
  void VisitSet(const InExpr& in);

  struct Let {
    PipelinePtr pipeline;
    ColumnNeeds needs;
    int uses = 0;
  };
  std::map<std::string, Let> lets_;
  LetLookup lookup_;
  std::map<const Pipeline*, std::vector<ColumnNeeds>> needs_;
};

// The name of a column that an item makes: its own, that of the column it reads, or its text.
std::string ItemName(const Item& item);
// The expression and its parts, from the outside in; pipelines inside are not entered.
void EachPart(const Expr& expr, const std::function<void(const Expr&)>& visit);
// The name of the column if the expression reads one and does nothing else, or "".
std::string PlainField(const Expr& expr);

// The kind of the rows that stage number `stage` is given (0 = what the source gives).
Kind KindAt(const Pipeline& pipeline, size_t stage, const LetLookup& lets);
// The output columns of a pipeline where they are known without data: after keep, stats and windows.
std::optional<std::vector<std::string>> StaticColumns(const Pipeline& pipeline, const LetLookup& lets);

}  // namespace braid
