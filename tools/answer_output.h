// An answer for people: a line with a sparkline per series on a terminal, else a table.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "braid/query.h"
#include "tools/table_output.h"

namespace braid {

// Reads the answer to its end. `table`: rows even where lines would do. The width and the colours are those of
// standard output.
// `query` is the text that it answers: columns that it names are shown even if they are null in every row.
absl::StatusOr<std::string> FormatAnswer(ResultReader* result, const std::string& query, bool table);

// An answer read into memory, which can be read once more.
class KeptResult : public ResultReader {
 public:
  static absl::StatusOr<std::unique_ptr<KeptResult>> Read(ResultReader* from);
  Kind kind() const override { return kind_; }
  const std::vector<ResultColumn>& columns() const override { return columns_; }
  absl::StatusOr<bool> Next(RecordBatch* batch) override;
  const ResultSummary& summary() const override { return summary_; }
  const std::vector<RecordBatch>& batches() const { return batches_; }

 private:
  Kind kind_ = Kind::kRows;
  std::vector<ResultColumn> columns_;
  std::vector<RecordBatch> batches_;
  ResultSummary summary_;
  size_t next_ = 0;
};

// One line per series: labels, sparkline, last value, least and greatest. Empty if the answer is no series over several
// instants. Reads `result` to its end, keeps what it read and gives it out again.
std::string FormatSeries(const KeptResult& result, const TableStyle& style);

// The values as block characters, at most `width` of them: each is the greatest of the values that fall on it. NaN and
// missing values (NaN) are blanks.
std::string Sparkline(const std::vector<double>& values, size_t width);

}  // namespace braid
