// Rows that are at hand as one batch.
//
// Threads: as Operator.
#pragma once

#include "query/rows/operator.h"

namespace braid {

// All rows of an operator that MakeBatchSource made and nobody has asked yet,
// without a copy. False for any other.
bool TakeWholeBatch(Operator* op, RecordBatch* rows);

}  // namespace braid
