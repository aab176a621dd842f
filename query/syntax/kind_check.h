// Static kinds of pipelines: what a source gives, which stages may follow, what they make of it.
#pragma once

#include <optional>
#include <string>

#include "braid/query.h"
#include "query/syntax/ast.h"
#include "query/syntax/function_table.h"

namespace braid {

// What is known of a pipeline's rows after its source and some of its stages.
struct Flow {
  Kind kind = Kind::kRows;
  bool logs = false;        // still whole log records, each with its place in its stream
  bool only_lines = false;  // nothing but line filters stand behind the source
  bool matrix = false;      // a bare range selector
  bool text = false;        // a bare string
  bool has_time() const { return kind == Kind::kSeries || kind == Kind::kEvents || kind == Kind::kWindows; }
};

Flow FlowOfSource(SourceTable table);
Flow FlowOfVector(ExprType type);

struct KindProblem {
  std::string code;
  std::string message;
  std::string hint;
};
// Moves `*flow` over the stage, or says why the stage may not stand there.
std::optional<KindProblem> ApplyStage(const Stage& stage, Flow* flow);

std::string_view ToString(SourceTable table);
// The verb of a stage: "where", "stats", ...
std::string_view VerbOf(const Stage& stage);

}  // namespace braid
