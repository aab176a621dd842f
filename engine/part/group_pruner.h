// Which row groups of a table may hold rows that a ScanSpec wants, by zone maps, streams and the term index.
// Threads: used by one thread. Errors: a damaged term index is reported, never fatal: pruning goes on without it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/part/row_filter.h"
#include "engine/part/table_scan.h"

namespace braid {

class GroupPruner {
 public:
  // `stats` gets the indexes used, bytes read and damage.
  GroupPruner(const TableContext* context, const ScanSpec* spec, ScanStats* stats);
  // Numbers of the row groups that are left, ascending.
  std::vector<uint32_t> Prune(const std::vector<IntervalFilter>& intervals);

 private:
  using Groups = std::vector<uint8_t>;  // 1 = may hold such rows

  void PruneByTime();
  void PruneByTraces();
  void PruneByTerms();
  void PruneByTextFilters();
  void PruneByPredicate(const Predicate& predicate);
  void PruneByIntervals(const IntervalFilter& filter);

  const TermIndex* Terms();
  // The groups that have any of the terms; empty if the index cannot be used.
  std::optional<Groups> AnyOf(const std::vector<uint64_t>& hashes);
  std::optional<Groups> ForConstants(const Predicate& predicate);
  bool AddStored(const ColumnRef& ref, const Predicate& predicate, std::vector<uint64_t>* hashes);
  Groups OfStreams(const std::vector<uint8_t>& streams);
  // REQUIRES: the file is in order of traces; `ids` is sorted.
  Groups OfTraces(const std::vector<TraceId>& ids) const;
  // Whether the stream alone decides the column's value in this table.
  bool IsOfStream(const ColumnRef& ref) const;
  ValueView StreamValue(uint32_t ordinal, const ColumnRef& ref) const;
  bool HasStored(ColumnLevel level, const std::string& name) const;
  void Keep(const Groups& groups);
  void Use(const std::string& index);

  const TableContext* context_;
  const ScanSpec* spec_;
  ScanStats* stats_;
  const std::vector<RowGroup>* groups_;
  Groups left_;
  bool asked_for_terms_ = false;
  const TermIndex* terms_ = nullptr;
};

}  // namespace braid
