#include "engine/part/group_pruner.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"
#include "engine/codec/tokenizer.h"
#include "engine/part/column_cache.h"
#include "engine/part/term_keys.h"

namespace braid {
namespace {

// Streams beyond this many are not looked up one by one.
constexpr size_t kMaxStreamLookups = 4096;

// Looking up the row groups of a trace costs as much as looking at so many of them.
constexpr size_t kGroupsPerTraceLookup = 8;

bool IsEquality(const Predicate& predicate) {
  return predicate.op == Predicate::Op::kEqual || predicate.op == Predicate::Op::kIn;
}

bool IsBuiltin(Table table, std::string_view name) {
  const auto& columns = BuiltinColumns(table);
  return std::any_of(columns.begin(), columns.end(), [&](const auto& column) { return column.first == name; });
}

bool IsSortedByTrace(Table table) {
  return table == Table::kSpans || table == Table::kEvents || table == Table::kLinks;
}

// Whether a time in `range` may satisfy the predicate: decided by its ends for the ordered operators.
bool RangeMayMatch(const Predicate& predicate, const TimeRange& range) {
  using Op = Predicate::Op;
  switch (predicate.op) {
    case Op::kLess:
    case Op::kLessEqual: return MayMatch(predicate, range.start);
    case Op::kGreater:
    case Op::kGreaterEqual: return MayMatch(predicate, range.end);
    default: return true;
  }
}

}  // namespace

GroupPruner::GroupPruner(const TableContext* context, const ScanSpec* spec, ScanStats* stats)
    : context_(context), spec_(spec), stats_(stats), groups_(&context->file->groups()), left_(groups_->size(), 1) {}

void GroupPruner::Use(const std::string& index) {
  if (std::find(stats_->indexes.begin(), stats_->indexes.end(), index) == stats_->indexes.end()) {
    stats_->indexes.push_back(index);
  }
}

void GroupPruner::Keep(const Groups& groups) {
  for (size_t i = 0; i < left_.size(); ++i) left_[i] &= groups[i];
}

const TermIndex* GroupPruner::Terms() {
  if (asked_for_terms_) return terms_;
  asked_for_terms_ = true;
  absl::StatusOr<const TermIndex*> terms = context_->terms();
  if (terms.ok()) {
    terms_ = *terms;
  } else {
    stats_->damaged.push_back(std::string(terms.status().message()));
  }
  return terms_;
}

std::optional<GroupPruner::Groups> GroupPruner::AnyOf(const std::vector<uint64_t>& hashes) {
  const TermIndex* terms = Terms();
  if (terms == nullptr) return std::nullopt;
  auto found = terms->Lookup(hashes, &stats_->bytes_read);
  if (!found.ok()) {
    stats_->damaged.push_back(std::string(found.status().message()));
    terms_ = nullptr;
    return std::nullopt;
  }
  Groups groups(left_.size(), 0);
  for (const auto& list : *found) {
    for (uint32_t group : list) groups[group] = 1;
  }
  return groups;
}

void GroupPruner::PruneByTime() {
  if (spec_->time.start == kMinTimestamp && spec_->time.end == kMaxTimestamp) return;
  Use("zone map time");
  for (size_t i = 0; i < left_.size(); ++i) {
    const RowGroup& group = (*groups_)[i];
    TimeRange range = group.time;
    if (spec_->overlap && context_->table == Table::kSpans) range.end = group.max_end;
    if (!spec_->time.Overlaps(range) || spec_->time.empty()) left_[i] = 0;
  }
}

GroupPruner::Groups GroupPruner::OfTraces(const std::vector<TraceId>& ids) const {
  Groups groups(left_.size(), 0);
  auto from = groups_->begin();
  for (TraceId id : ids) {
    from = std::lower_bound(from, groups_->end(), id,
                            [](const RowGroup& group, TraceId wanted) { return group.max_trace < wanted; });
    for (auto at = from; at != groups_->end() && at->min_trace <= id; ++at) groups[at - groups_->begin()] = 1;
  }
  return groups;
}

void GroupPruner::PruneByTraces() {
  if (spec_->trace_ids == nullptr) return;
  Use("trace index");
  std::vector<TraceId> ids;
  for (TraceId id : *spec_->trace_ids) {
    if (context_->traces->MayContain(id)) ids.push_back(id);
  }
  if (context_->file->in_order_of_traces() && ids.size() * kGroupsPerTraceLookup <= groups_->size()) {
    Keep(OfTraces(ids));
  } else {
    for (size_t i = 0; i < left_.size(); ++i) {
      const RowGroup& group = (*groups_)[i];
      auto at = std::lower_bound(ids.begin(), ids.end(), group.min_trace);
      if (at == ids.end() || group.max_trace < *at || group.max_trace.IsZero()) left_[i] = 0;
    }
  }
  if (IsSortedByTrace(context_->table)) return;
  ColumnKeys keys(ColumnLevel::kBuiltin, "trace_id");
  std::vector<uint64_t> hashes;
  for (TraceId id : ids) hashes.push_back(keys.Trace(id));
  if (auto groups = AnyOf(hashes)) Keep(*groups);
}

void GroupPruner::PruneByTerms() {
  if (spec_->terms.empty() || context_->table != Table::kLogs) return;
  for (const std::string& term : spec_->terms) {
    for (const std::string& token : RequiredTokens(term)) {
      auto groups = AnyOf({WordKey(token)});
      if (!groups) return;
      Use("terms");
      Keep(*groups);
    }
  }
}

void GroupPruner::PruneByTextFilters() {
  if (spec_->terms.empty() || context_->table != Table::kLogs) return;
  const std::shared_ptr<const TextFilters> filters =
      ColumnCache::Shared()->FindFilters({context_->file->cache_id(), 0, {ColumnLevel::kBuiltin, "message"}});
  if (filters != nullptr) filters->Prune(spec_->terms, &left_);
}

bool GroupPruner::HasStored(ColumnLevel level, const std::string& name) const {
  int column = context_->file->FindColumn({level, name});
  return column >= 0 && context_->file->columns()[static_cast<size_t>(column)].rows > 0;
}

bool GroupPruner::IsOfStream(const ColumnRef& ref) const {
  if (context_->table == Table::kExemplars) return false;
  switch (ref.level) {
    case ColumnLevel::kResource:
    case ColumnLevel::kScope: return true;
    case ColumnLevel::kBuiltin: return StreamTable::IsDerived(ref.name);
    case ColumnLevel::kAttribute: return false;
    case ColumnLevel::kAny:
      return (StreamTable::IsDerived(ref.name) || !IsBuiltin(context_->table, ref.name)) &&
             !HasStored(ColumnLevel::kAttribute, ref.name);
  }
  return false;
}

ValueView GroupPruner::StreamValue(uint32_t ordinal, const ColumnRef& ref) const {
  if (ref.level != ColumnLevel::kAny) return context_->streams->ValueOf(ordinal, ref.level, ref.name);
  for (ColumnLevel level : {ColumnLevel::kBuiltin, ColumnLevel::kResource, ColumnLevel::kScope}) {
    ValueView value = context_->streams->ValueOf(ordinal, level, ref.name);
    if (value.index() != 0) return value;
  }
  return {};
}

GroupPruner::Groups GroupPruner::OfStreams(const std::vector<uint8_t>& streams) {
  Groups groups(left_.size(), 0);
  size_t count = static_cast<size_t>(std::count(streams.begin(), streams.end(), 1));
  if (count == 0) return groups;
  // Prefix sums answer "any stream of [min, max]" at once.
  std::vector<uint32_t> before(streams.size() + 1, 0);
  for (size_t i = 0; i < streams.size(); ++i) before[i + 1] = before[i] + streams[i];
  for (size_t i = 0; i < left_.size(); ++i) {
    const RowGroup& group = (*groups_)[i];
    groups[i] = before[group.max_stream + 1] > before[group.min_stream] ? 1 : 0;
  }
  if (context_->table == Table::kLogs || count > kMaxStreamLookups || count == streams.size()) return groups;
  ColumnKeys keys(ColumnLevel::kBuiltin, "stream");
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < streams.size(); ++i) {
    if (streams[i] != 0) hashes.push_back(keys.Int(static_cast<int64_t>(i)));
  }
  if (auto found = AnyOf(hashes)) {
    for (size_t i = 0; i < groups.size(); ++i) groups[i] &= (*found)[i];
  }
  return groups;
}

// Terms of the stored column that a row with one of the constants has; false if nothing can be said.
bool GroupPruner::AddStored(const ColumnRef& ref, const Predicate& predicate, std::vector<uint64_t>* hashes) {
  if (!HasStored(ref.level, ref.name)) return true;
  bool builtin = ref.level == ColumnLevel::kBuiltin;
  ColumnKeys keys(ref.level, ref.name);
  hashes->push_back(keys.Other());
  for (const Value& value : predicate.values) {
    uint64_t key;
    if (builtin && ref.name == "trace_id") {
      const std::string* text = std::get_if<std::string>(&value);
      TraceId id;
      if (text != nullptr && ParseTraceId(*text, &id)) hashes->push_back(keys.Trace(id));
    } else if (builtin && ref.name == "message" && context_->table == Table::kLogs) {
      // Only words are indexed: the first of the text must be there. A text without words could be anywhere.
      const std::string* text = std::get_if<std::string>(&value);
      if (text == nullptr) continue;
      bool any = false;
      ForEachToken(*text, [&](std::string_view token) {
        if (!any) hashes->push_back(WordKey(token));
        any = true;
      });
      if (!any) return false;
    } else if (builtin && ref.name == "stream" && context_->table != Table::kExemplars) {
      const int64_t* fingerprint = std::get_if<int64_t>(&value);
      uint32_t ordinal;
      if (fingerprint == nullptr) return false;
      if (context_->streams->Find(static_cast<uint64_t>(*fingerprint), &ordinal)) hashes->push_back(keys.Int(ordinal));
    } else if (keys.OfValue(value, &key)) {
      hashes->push_back(key);
    }
  }
  return true;
}

std::optional<GroupPruner::Groups> GroupPruner::ForConstants(const Predicate& predicate) {
  const ColumnRef& ref = predicate.column;
  std::vector<ColumnLevel> levels = {ref.level};
  if (ref.level == ColumnLevel::kAny) {
    levels = {ColumnLevel::kBuiltin, ColumnLevel::kAttribute, ColumnLevel::kResource, ColumnLevel::kScope};
  }
  std::vector<uint64_t> hashes;
  Groups groups(left_.size(), 0);
  for (ColumnLevel level : levels) {
    ColumnRef at{level, ref.name};
    if (level == ColumnLevel::kBuiltin && !IsBuiltin(context_->table, ref.name)) continue;
    if (IsOfStream(at)) {
      std::vector<uint8_t> streams(context_->streams->size());
      for (uint32_t i = 0; i < streams.size(); ++i) streams[i] = MayMatch(predicate, StreamValue(i, at)) ? 1 : 0;
      Groups of_streams = OfStreams(streams);
      for (size_t i = 0; i < groups.size(); ++i) groups[i] |= of_streams[i];
    } else if (level == ColumnLevel::kBuiltin && context_->table == Table::kExemplars && ref.name == "metric") {
      if (!AddStored({ColumnLevel::kAttribute, std::string(kMetricNameLabel)}, predicate, &hashes)) return std::nullopt;
    } else if (level == ColumnLevel::kBuiltin && context_->file->FindColumn(at) < 0) {
      return std::nullopt;  // derived from other columns
    } else if (level == ColumnLevel::kBuiltin || level == ColumnLevel::kAttribute) {
      if (!AddStored(at, predicate, &hashes)) return std::nullopt;
    }
  }
  auto found = AnyOf(hashes);
  if (!found) return std::nullopt;
  for (size_t i = 0; i < groups.size(); ++i) groups[i] |= (*found)[i];
  return groups;
}

void GroupPruner::PruneByPredicate(const Predicate& predicate) {
  const ColumnRef& ref = predicate.column;
  bool has_null = std::any_of(predicate.values.begin(), predicate.values.end(),
                              [](const Value& value) { return value.index() == 0; });
  if (has_null) return;
  if (ref.name == "time" && (ref.level == ColumnLevel::kBuiltin || ref.level == ColumnLevel::kAny)) {
    Use("zone map time");
    for (size_t i = 0; i < left_.size(); ++i) {
      if (!RangeMayMatch(predicate, (*groups_)[i].time)) left_[i] = 0;
    }
    return;
  }
  if (IsOfStream(ref)) {
    std::vector<uint8_t> streams(context_->streams->size());
    for (uint32_t i = 0; i < streams.size(); ++i) streams[i] = MayMatch(predicate, StreamValue(i, ref)) ? 1 : 0;
    Use(absl::StrCat("postings ", ref.name));
    Keep(OfStreams(streams));
    return;
  }
  if (!IsEquality(predicate)) return;
  if (auto groups = ForConstants(predicate)) {
    Use(absl::StrCat("postings ", ref.name));
    Keep(*groups);
  }
}

void GroupPruner::PruneByIntervals(const IntervalFilter& filter) {
  Use("zone map time");
  bool spans = context_->table == Table::kSpans;
  auto range_of = [&](const RowGroup& group) {
    return TimeRange{group.time.start, spans ? group.max_end : group.time.end};
  };
  const auto& keys = filter.set().keys;
  bool of_stream = context_->table != Table::kExemplars &&
                   std::all_of(keys.begin(), keys.end(), [&](const ColumnRef& ref) { return IsOfStream(ref); });
  std::vector<const std::vector<TimeRange>*> ranges;
  if (of_stream) {
    for (uint32_t i = 0; i < context_->streams->size(); ++i) {
      std::vector<std::string> key;
      for (const ColumnRef& ref : keys) key.push_back(ToText(StreamValue(i, ref)));
      ranges.push_back(filter.Find(key));
    }
  }
  for (size_t i = 0; i < left_.size(); ++i) {
    const RowGroup& group = (*groups_)[i];
    if (left_[i] == 0) continue;
    if (!of_stream) {
      left_[i] = filter.AnyMeets(range_of(group)) ? 1 : 0;
      continue;
    }
    left_[i] = 0;
    for (uint32_t stream = group.min_stream; stream <= group.max_stream && left_[i] == 0; ++stream) {
      if (ranges[stream] != nullptr && IntervalFilter::Meets(*ranges[stream], range_of(group))) left_[i] = 1;
    }
  }
}

std::vector<uint32_t> GroupPruner::Prune(const std::vector<IntervalFilter>& intervals) {
  PruneByTime();
  PruneByTraces();
  auto any_left = [&] { return std::find(left_.begin(), left_.end(), 1) != left_.end(); };
  for (const IntervalFilter& filter : intervals) PruneByIntervals(filter);
  for (const Predicate& predicate : spec_->predicates) {
    if (any_left()) PruneByPredicate(predicate);
  }
  if (any_left()) PruneByTerms();
  if (any_left()) PruneByTextFilters();
  std::vector<uint32_t> numbers;
  for (uint32_t i = 0; i < left_.size(); ++i) {
    if (left_[i] != 0) numbers.push_back(i);
  }
  return numbers;
}

}  // namespace braid
