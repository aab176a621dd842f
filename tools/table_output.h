// A query's answer as a table for people.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "braid/query.h"

namespace braid {

struct TableStyle {
  int width = 0;  // columns of the terminal; 0 = as wide as it needs
  bool colour = false;
  bool keep_empty = false;  // columns without any value too: the query has asked for them by name
};

// Reads the answer to its end and lays it out: columns without any value are left out unless asked for, numbers stand
// on the right, times share their common precision, long texts give way first when the terminal is narrow. Notes follow
// the rows.
absl::StatusOr<std::string> FormatTable(ResultReader* result, const TableStyle& style);

}  // namespace braid
