// Rows of a join: left columns beside right ones under new names.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "query/rows/operator.h"

namespace braid {

inline constexpr uint32_t kNoRow = UINT32_MAX;

// As Column::Select, where kNoRow stands for null.
Column SelectOrNull(const Column& column, const std::vector<uint32_t>& rows);

// The output of a join whose right columns become `name.column`.
class JoinedRows {
 public:
  // `wanted`: names of the columns that are read, unset for all; the others are null.
  JoinedRows(const Schema& left, const Schema& right, const std::string& name,
             const std::optional<std::set<std::string>>& wanted);
  const Schema& schema() const { return schema_; }
  // Row i is left row left_rows[i] with right row right_rows[i], or nulls for kNoRow.
  RecordBatch Assemble(const RecordBatch& left, const std::vector<uint32_t>& left_rows, const RecordBatch& right,
                       const std::vector<uint32_t>& right_rows) const;

 private:
  Schema schema_;
  size_t left_columns_;
  std::vector<size_t> places_;   // of the right columns in the output
  std::vector<uint8_t> wanted_;  // per output column
};

}  // namespace braid
