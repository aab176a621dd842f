// A small store that uses every signal, value type and encoding, and what it must answer: the writes themselves.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "braid/db.h"
#include "tests/support/naive_store.h"

namespace braid {

// What was written, in order.
struct SampleStore {
  std::vector<std::unique_ptr<NaiveWrite>> writes;

  NaiveWrites All() const;
  NaiveWrites First(size_t count) const;
};

// Writes it: flushes after the first and the second third of `writes`, so that it has two parts and a WAL. The same
// writes each time; another `variant` has other values of the same number and kind. REQUIRES: at least 3 writes.
absl::StatusOr<SampleStore> WriteSampleStore(DB* db, size_t writes = 9, int variant = 0);

// Everything a snapshot shows, rows by their arrival, samples one by one.
struct StoreAnswer {
  std::map<Table, std::multimap<int64_t, std::string>> rows;
  NaiveSeries series;
  std::vector<MetricMetadata> metadata;
  std::vector<std::string> damaged;  // what the scans reported
};
StoreAnswer AnswerOf(const Snapshot& snapshot);
StoreAnswer AnswerOf(const NaiveWrites& writes);

// "": the same. Else the first difference, for people.
std::string Difference(const StoreAnswer& expected, const StoreAnswer& found);
// "": `found` has nothing that is not in `expected`. A sample may be any that was written at its time, because the one
// written last may be what is missing.
std::string Altered(const SampleStore& store, const StoreAnswer& expected, const StoreAnswer& found);

// The answer as text, a line per row and series, sorted: what tests/golden keeps.
std::string TextOf(const StoreAnswer& answer);

}  // namespace braid
