// What the term index of a table calls a term: the hashes that the writer adds and a scan looks up.
//
//   word    Hash64(token) of the message's tokens
//   value   Hash64(type letter, value) seeded with the column: 's' and the text of strings, 'i' and the 8 bytes of
//           booleans, integers and enums; a double with an integral value counts as that integer
//   other   'o' alone, seeded with the column: the row group has values of the column that are not indexed
//   stream  a value of the built-in column `stream`: the stream's ordinal
//   trace   a value of the built-in column `trace_id`: 't' and 16 bytes
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/record_batch.h"
#include "braid/snapshot.h"
#include "engine/part/term_index.h"

namespace braid {

uint64_t WordKey(std::string_view token);

class ColumnKeys {
 public:
  ColumnKeys(ColumnLevel level, std::string_view name);
  uint64_t Text(std::string_view value) const;
  uint64_t Int(int64_t value) const;
  uint64_t Trace(TraceId value) const;
  uint64_t Other() const;
  // The key of a value as a predicate states it; false if no indexed value equals it.
  bool OfValue(const Value& value, uint64_t* key) const;

 private:
  uint64_t seed_;
};

// Adds the terms of one column of one row group.
absl::Status AddColumnTerms(Table table, const ColumnRef& ref, const Column& column, uint32_t group,
                            TermIndexWriter* terms);
// All terms that AddColumnTerms makes, sorted and unique.
std::vector<uint64_t> ColumnTerms(Table table, const ColumnRef& ref, const Column& column);

}  // namespace braid
