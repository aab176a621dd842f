// Query: parse, execute, explain.

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

#include "braid/query.h"
#include "query/plan/empty_note.h"
#include "query/plan/plan_builder.h"
#include "query/plan/query_range.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// A limit like others; without a text if there is no memory even for that.
absl::Status OutOfMemory() noexcept {
  try {
    return absl::ResourceExhaustedError("there is no memory left for this query");
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

// Asked once: the system answers by reading files.
int CoresOfThisMachine() {
  static const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  return cores;
}

absl::StatusOr<std::unique_ptr<QueryContext>> MakeContext(const QueryAst& query,
                                                          std::shared_ptr<const Snapshot> snapshot,
                                                          const QueryOptions& options) {
  if (snapshot == nullptr) return absl::InvalidArgumentError("a query needs a snapshot");
  ASSIGN_OR_RETURN(const QueryRange range, RangeOf(query, options));
  auto context = std::make_unique<QueryContext>();
  context->snapshot = std::move(snapshot);
  context->start = range.start;
  context->end = range.end;
  context->step = range.step;
  context->now = options.now;
  context->limits = options.limits;
  context->params = options.params;
  context->use_indexes = options.use_indexes;
  context->threads = options.threads > 0 ? options.threads : CoresOfThisMachine();
  context->split_small = options.threads > 1;
  context->cancel = options.cancel;
  for (const Note& note : options.notes) context->AddNote(note.kind, note.text);
  if (options.limits.time_max > 0) {
    context->deadline_steady_ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count() +
        options.limits.time_max;
  }
  return context;
}

// One row per line of a text.
class TextReader : public ResultReader {
 public:
  TextReader(std::string text, ResultSummary summary) : text_(std::move(text)), summary_(std::move(summary)) {
    summary_.explain = text_;
  }

  Kind kind() const override { return Kind::kRows; }
  const std::vector<ResultColumn>& columns() const override { return columns_; }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (done_) return false;
    done_ = true;
    ColumnBuilder lines(Type::kString);
    size_t begin = 0;
    while (begin < text_.size()) {
      size_t end = text_.find('\n', begin);
      if (end == std::string::npos) end = text_.size();
      lines.AppendString(std::string_view(text_).substr(begin, end - begin));
      begin = end + 1;
    }
    batch->num_rows = lines.size();
    batch->columns.clear();
    batch->columns.push_back(lines.Finish());
    return true;
  }
  const ResultSummary& summary() const override { return summary_; }

 private:
  std::string text_;
  ResultSummary summary_;
  std::vector<ResultColumn> columns_ = {{"plan", Type::kString}};
  bool done_ = false;
};

class PlanReader : public ResultReader {
 public:
  PlanReader(std::shared_ptr<const QueryAst> ast, std::unique_ptr<QueryContext> context)
      : ast_(std::move(ast)), context_(std::move(context)), builder_(*ast_, context_.get(), false) {}

  absl::Status Build() {
    ASSIGN_OR_RETURN(BuiltPipeline built, builder_.BuildBody());
    op_ = std::move(built.op);
    root_ = std::move(built.node);
    for (const SchemaColumn& column : op_->schema().columns) {
      columns_.push_back(ResultColumn{column.name, column.type == Type::kMixed ? Type::kNull : column.type});
    }
    return absl::OkStatus();
  }

  Kind kind() const override { return ast_->body->kind == Kind::kRows ? Kind::kRows : op_->schema().kind; }
  const std::vector<ResultColumn>& columns() const override { return columns_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override try {
    if (!failed_.ok()) return failed_;
    if (done_) return false;
    RETURN_IF_ERROR(context_->CheckAlive());
    const uint64_t rows_max = context_->limits.rows_max;
    ASSIGN_OR_RETURN(const bool more, op_->Next(batch));
    if (!more) {
      Finish();
      return false;
    }
    for (size_t i = 0; i < batch->columns.size(); ++i) Note(batch->columns[i], &columns_[i].type);
    if (batch->num_rows > rows_max - rows_) {
      std::vector<uint32_t> head(static_cast<size_t>(rows_max - rows_));
      for (size_t row = 0; row < head.size(); ++row) head[row] = static_cast<uint32_t>(row);
      *batch = batch->Select(head);
      summary_.truncated = true;
      context_->AddNote("cut", "the answer has more rows than its limit of " + std::to_string(rows_max) +
                                   "; the first ones are shown");
      rows_ = rows_max;
      Finish();
      return batch->num_rows > 0;
    }
    rows_ += batch->num_rows;
    return true;
  } catch (const std::bad_alloc&) {
    // Operators that were left half-done cannot go on.
    return failed_ = OutOfMemory();
  }

  const ResultSummary& summary() const override { return summary_; }
  const PlanNode& root() const { return *root_; }

 private:
  static void Note(const Column& column, Type* type) {
    if (column.type == Type::kNull || column.size == 0 || column.type == *type) return;
    *type = *type == Type::kNull ? column.type : Type::kMixed;
  }

  void Finish() {
    done_ = true;
    ExplainEmptyAnswer(*ast_, *root_, &builder_, context_.get());
    summary_.notes = context_->notes();
    summary_.stages = ReportStages(*root_);
    if (ast_->explain == QueryAst::ExplainMode::kAnalyze) summary_.explain = ExplainText(*root_, true);
  }

  std::shared_ptr<const QueryAst> ast_;
  std::unique_ptr<QueryContext> context_;
  PlanBuilder builder_;
  std::unique_ptr<PlanNode> root_;
  OperatorPtr op_;
  std::vector<ResultColumn> columns_;
  ResultSummary summary_;
  uint64_t rows_ = 0;
  bool done_ = false;
  absl::Status failed_;
};

absl::StatusOr<std::string> PlanText(const QueryAst& query, std::shared_ptr<const Snapshot> snapshot,
                                     const QueryOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<QueryContext> context, MakeContext(query, std::move(snapshot), options));
  PlanBuilder builder(query, context.get(), true);
  ASSIGN_OR_RETURN(const BuiltPipeline built, builder.BuildBody());
  return ExplainText(*built.node, false);
}

}  // namespace

absl::StatusOr<Query> Query::Parse(std::string_view text) try {
  Query query;
  query.text_ = std::string(text);
  ASSIGN_OR_RETURN(query.ast_, ParseQuery(text));
  return query;
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

absl::StatusOr<std::unique_ptr<ResultReader>> Query::Execute(std::shared_ptr<const Snapshot> snapshot,
                                                             const QueryOptions& options) const try {
  if (ast_->explain == QueryAst::ExplainMode::kPlan) {
    ASSIGN_OR_RETURN(std::string text, PlanText(*ast_, std::move(snapshot), options));
    return std::unique_ptr<ResultReader>(std::make_unique<TextReader>(std::move(text), ResultSummary()));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<QueryContext> context, MakeContext(*ast_, std::move(snapshot), options));
  auto reader = std::make_unique<PlanReader>(ast_, std::move(context));
  RETURN_IF_ERROR(reader->Build());
  if (ast_->explain == QueryAst::ExplainMode::kAnalyze) {
    RecordBatch batch;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, reader->Next(&batch));
      if (!more) break;
    }
    ResultSummary summary = reader->summary();
    return std::unique_ptr<ResultReader>(std::make_unique<TextReader>(summary.explain, summary));
  }
  return std::unique_ptr<ResultReader>(std::move(reader));
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

absl::StatusOr<std::string> Query::Explain(std::shared_ptr<const Snapshot> snapshot, const QueryOptions& options) const
    try {
  return PlanText(*ast_, std::move(snapshot), options);
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

std::string Query::ToString() const { return Print(*ast_); }

}  // namespace braid
