// where and the line filters: operators that only drop rows.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "query/rows/cells.h"
#include "query/rows/operators.h"
#include "query/syntax/status_macros.h"
#include "re2/re2.h"

namespace braid {
namespace {

// Keeps `rows` (ascending) of the batch, without copying when that is all of them.
void KeepRows(const std::vector<uint32_t>& rows, RecordBatch* batch) {
  if (rows.size() == batch->num_rows) return;
  *batch = batch->Select(rows);
}

class FilterOperator : public Operator {
 public:
  FilterOperator(OperatorPtr input, RowExpressionPtr condition, QueryContext* context)
      : input_(std::move(input)), condition_(std::move(condition)), context_(context) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    RETURN_IF_ERROR(EvaluateCondition(*condition_, *batch, &rows_));
    KeepRows(rows_, batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<FilterOperator>(std::move(part), condition_, context_);
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  OperatorPtr input_;
  RowExpressionPtr condition_;
  QueryContext* context_;
  std::vector<uint32_t> rows_;
};

// Whether a text that the pattern matches makes every longer text around it match, too: where nothing in it looks at
// the text's ends or at what stands beside a place. May be false for such a pattern as well.
bool MatchesInsideOfMore(std::string_view pattern) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char before = i > 0 ? pattern[i - 1] : '\0';
    if (pattern[i] == '$') return false;
    if (pattern[i] == '^') {
      // The first of a class turns it round; an escaped bracket is none.
      const bool opens = before == '[' && (i < 2 || pattern[i - 2] != '\\');
      if (!opens) return false;
    }
    if (before == '\\' && std::string_view("bBAz").find(pattern[i]) != std::string_view::npos) return false;
  }
  return true;
}

std::shared_ptr<const RE2> Compile(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  return std::make_shared<const RE2>(pattern, options);
}

class LineFilterOperator : public Operator {
 public:
  LineFilterOperator(OperatorPtr input, LineFilter filter, std::shared_ptr<const RE2> regex, QueryContext* context)
      : input_(std::move(input)),
        filter_(std::move(filter)),
        regex_(std::move(regex)),
        context_(context),
        message_(input_->schema().Find("message")),
        in_runs_(regex_ != nullptr && MatchesInsideOfMore(filter_.text)) {}

  const Schema& schema() const override { return input_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    rows_.clear();
    const Column none;
    const Column& column = message_ < 0 ? none : batch->columns[static_cast<size_t>(message_)];
    if (column.type == Type::kString) {
      RETURN_IF_ERROR(TestTexts(column, batch->num_rows));
    } else {
      std::string storage;
      for (size_t row = 0; row < batch->num_rows; ++row) {
        if (Test(column.type == Type::kNull ? "" : TextOf(CellAt(column, row), &storage))) {
          rows_.push_back(static_cast<uint32_t>(row));
        }
      }
    }
    KeepRows(rows_, batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) {
      // Threads that match with one automaton wait for its lock at every text.
      std::shared_ptr<const RE2> own = regex_;
      if (own != nullptr && part != split.front()) own = Compile(filter_.text);
      if (own != nullptr && !own->ok()) own = regex_;
      part = std::make_unique<LineFilterOperator>(std::move(part), filter_, std::move(own), context_);
    }
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  absl::Status TestTexts(const Column& column, size_t rows) {
    const bool null_passes = Test("");
    // A dictionary that many rows share is tested entry by entry, as far as rows ask for it.
    const size_t texts = column.dictionary->values.size();
    const bool in_runs = in_runs_ && texts <= 2 * rows;
    const bool shared = in_runs || texts < rows;
    if (shared) verdicts_.assign(texts, kUntested);
    if (in_runs) RETURN_IF_ERROR(TestRuns(column.dictionary->values));
    for (size_t row = 0; row < rows; ++row) {
      if (row % kRowsPerCheck == 0) RETURN_IF_ERROR(context_->CheckAlive());
      bool passes = null_passes;
      if (!column.IsNull(row)) {
        if (shared) {
          uint8_t& verdict = verdicts_[column.codes[row]];
          if (verdict == kUntested) verdict = Test(column.StringAt(row)) ? 1 : 0;
          passes = verdict == 1;
        } else {
          passes = Test(column.StringAt(row));
        }
      }
      if (passes) rows_.push_back(static_cast<uint32_t>(row));
    }
    return absl::OkStatus();
  }

  // Verdicts of texts that stand one after another in memory, as those of a stored column do: to begin a search costs
  // more than to search most texts, and where the pattern is not found in all of them together, none has it.
  absl::Status TestRuns(const std::vector<std::string_view>& texts) {
    const uint8_t absent = filter_.op == LineFilter::Op::kNotRegex ? 1 : 0;
    size_t run = kRunTextsMax;
    for (size_t begin = 0; begin < texts.size();) {
      RETURN_IF_ERROR(context_->CheckAlive());
      size_t end = begin + 1, bytes = texts[begin].size();
      while (end < texts.size() && end - begin < run && bytes < kRunBytesMax &&
             texts[end].data() == texts[begin].data() + bytes) {
        bytes += texts[end++].size();
      }
      if (end - begin == 1) {
        // Most texts match: leave some untested before the next try.
        end = run > 1 ? end : std::min(texts.size(), begin + kRunTextsMax);
        run = 2;
      } else if (!Search(std::string_view(texts[begin].data(), bytes))) {
        std::fill(verdicts_.begin() + static_cast<ptrdiff_t>(begin), verdicts_.begin() + static_cast<ptrdiff_t>(end),
                  absent);
        run = std::min(kRunTextsMax, 2 * run);
      } else {
        // Somewhere inside, or across two texts: rows ask for them one by one.
        run /= 2;
      }
      begin = end;
    }
    return absl::OkStatus();
  }

  bool Test(std::string_view text) const {
    switch (filter_.op) {
      case LineFilter::Op::kContains: return text.find(filter_.text) != std::string_view::npos;
      case LineFilter::Op::kNotContains: return text.find(filter_.text) == std::string_view::npos;
      case LineFilter::Op::kRegex: return Search(text);
      case LineFilter::Op::kNotRegex: return !Search(text);
    }
    return false;
  }

  bool Search(std::string_view text) const {
    return regex_->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  }

  static constexpr uint8_t kUntested = 2;
  static constexpr size_t kRowsPerCheck = 256;  // texts may be long
  // Texts that are searched together at most: fewer where many match, so that little is searched twice.
  static constexpr size_t kRunTextsMax = 64;
  static constexpr size_t kRunBytesMax = 8 << 10;

  OperatorPtr input_;
  LineFilter filter_;
  std::shared_ptr<const RE2> regex_;
  QueryContext* context_;
  int message_;
  bool in_runs_;  // the pattern allows it
  std::vector<uint32_t> rows_;
  std::vector<uint8_t> verdicts_;
};

}  // namespace

OperatorPtr MakeFilter(OperatorPtr input, RowExpressionPtr condition, QueryContext* context) {
  return std::make_unique<FilterOperator>(std::move(input), std::move(condition), context);
}

absl::StatusOr<OperatorPtr> MakeLineFilter(OperatorPtr input, const LineFilter& filter, QueryContext* context) {
  std::shared_ptr<const RE2> regex;
  if (filter.op == LineFilter::Op::kRegex || filter.op == LineFilter::Op::kNotRegex) {
    regex = Compile(filter.text);
    if (!regex->ok()) return absl::InvalidArgumentError("bad regular expression: " + regex->error());
  }
  return OperatorPtr(std::make_unique<LineFilterOperator>(std::move(input), filter, std::move(regex), context));
}

}  // namespace braid
