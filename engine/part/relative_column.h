// Built-in columns that are stored by their distance to another column of the same row group: observed times of logs by
// the row's time (mostly equal), parent ids of spans by the row of the parent, whose id is stored anyway (8 bytes a
// span become 0.2). Ends of spans gain nothing: their distance is as random as they are.
//
//   relative times := EncodeColumn of value - time                       (modulo 2^64; nulls stay)
//   parents        := rows:bytes ids:bytes
//   rows           := EncodeColumn of ints: row of the parent - own row, 0 = its id is in `ids`; null stays null
//   ids            := varint count, then EncodeInts: parents that are no row of this group, in row order
//
// Threads: pure functions. Errors: DataLoss.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/record_batch.h"
#include "braid/snapshot.h"

namespace braid {

enum class Relation { kNone, kToTime, kToSpan };
// How a stored column's own blocks are kept; in packed blocks every column is kept as it is.
Relation RelationOf(Table table, std::string_view builtin);

Column SubtractTime(Column column, const Column& time);
// REQUIRES: `time` has no nulls; both have the same rows.
void AddTime(const Column& time, Column* column);

std::string EncodeParents(const Column& parents, const Column& span_ids);
absl::Status DecodeParents(std::string_view bytes, const Column& span_ids, Column* parents);

}  // namespace braid
