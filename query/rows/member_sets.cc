#include "query/rows/member_sets.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "engine/memory/hash_map.h"
#include "query/rows/key_table.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr const char* kOwner = "in";
// Of a set that only makes a scan smaller, intervals are worth their exactness up to so many rows.
constexpr size_t kExactRowsMax = 4096;

// Types that the probing column may have without a conversion of either side changing what is equal.
Type TargetOf(const SetInput& input, size_t key) {
  return KeyTypeOf(input.columns[key].type, key < input.probe_types.size() ? input.probe_types[key] : Type::kMixed);
}

// One trace id per row: a sorted array beats a hash table in memory and hands itself to scans.
class TraceIdSet : public MemberSet {
 public:
  explicit TraceIdSet(std::shared_ptr<const std::vector<TraceId>> ids) : ids_(std::move(ids)) {}

  absl::StatusOr<std::vector<uint8_t>> Contains(const std::vector<const Column*>& keys, const Column*,
                                                size_t num_rows) const override {
    Column storage;
    const Column& column = CoerceKey(*keys[0], Type::kTraceId, &storage);
    std::vector<uint8_t> found(num_rows, 0);
    if (column.type != Type::kTraceId) return found;
    TraceId last;
    uint8_t last_found = 0;
    bool any = false;
    for (size_t row = 0; row < num_rows; ++row) {
      if (column.IsNull(row)) continue;
      const TraceId id = column.trace_ids[row];
      // Spans of a trace mostly stand together.
      if (!any || id != last) {
        last_found = std::binary_search(ids_->begin(), ids_->end(), id) ? 1 : 0;
        last = id;
        any = true;
      }
      found[row] = last_found;
    }
    return found;
  }

 private:
  std::shared_ptr<const std::vector<TraceId>> ids_;
};

// Tuples of values compared by equality, and per tuple, if `time` is among the keys, sorted disjoint intervals.
class KeySet : public MemberSet {
 public:
  KeySet(size_t keys, int time_key) : table_(keys, NullKeys::kNeverMatch), time_key_(time_key) {}

  absl::StatusOr<std::vector<uint8_t>> Contains(const std::vector<const Column*>& keys, const Column* end,
                                                size_t num_rows) const override {
    std::vector<const Column*> others;
    std::vector<Column> storage(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (static_cast<int>(i) == time_key_) continue;
      others.push_back(&CoerceKey(*keys[i], targets[others.size()], &storage[i]));
    }
    KeyTable::Cache cache;
    std::vector<uint32_t> numbers;
    table_.Find(others, num_rows, &cache, &numbers);
    std::vector<uint8_t> found(num_rows, 0);
    if (time_key_ < 0) {
      for (size_t row = 0; row < num_rows; ++row) found[row] = numbers[row] != kNoKey ? 1 : 0;
      return found;
    }
    const Column& times = *keys[static_cast<size_t>(time_key_)];
    if (times.type == Type::kNull) return found;
    if (times.type != Type::kTimestamp) return absl::InvalidArgumentError("`time` of a set test is not a timestamp");
    const bool lasting = end != nullptr && end->type == Type::kTimestamp;
    for (size_t row = 0; row < num_rows; ++row) {
      if (numbers[row] == kNoKey || times.IsNull(row)) continue;
      const Timestamp from = times.ints[row];
      const Timestamp to = lasting && !end->IsNull(row) ? std::max(from, end->ints[row]) : from;
      const auto first = ranges.begin() + begins[numbers[row]];
      const auto last = ranges.begin() + begins[numbers[row] + 1];
      const auto range = std::partition_point(first, last, [&](const TimeRange& r) { return r.end < from; });
      found[row] = range != last && range->start <= to ? 1 : 0;
    }
    return found;
  }

  KeyTable* table() { return &table_; }

  std::vector<Type> targets;     // per key other than time
  std::vector<uint32_t> begins;  // of a key's ranges; one more entry than keys
  std::vector<TimeRange> ranges;

 private:
  KeyTable table_;
  int time_key_;
};

// The intervals of the set's rows, merged per key. `numbers`: the key of each row or kNoKey.
void MergeIntervals(const std::vector<uint32_t>& numbers, const Column& starts, const Column& ends, size_t keys,
                    KeySet* set, bool* only_instants) {
  struct Row {
    uint32_t key;
    TimeRange range;
  };
  std::vector<Row> rows;
  *only_instants = true;
  for (size_t row = 0; row < numbers.size(); ++row) {
    if (numbers[row] == kNoKey || starts.IsNull(row)) continue;
    Row interval{numbers[row], {starts.ints[row], starts.ints[row]}};
    if (ends.size > 0 && ends.type == Type::kTimestamp && !ends.IsNull(row)) {
      interval.range.end = std::max(interval.range.end, ends.ints[row]);
    }
    *only_instants = *only_instants && interval.range.start == interval.range.end;
    rows.push_back(interval);
  }
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.key != b.key ? a.key < b.key : a.range.start < b.range.start; });
  set->begins.assign(keys + 1, 0);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i - 1].key == rows[i].key && rows[i].range.start <= set->ranges.back().end) {
      set->ranges.back().end = std::max(set->ranges.back().end, rows[i].range.end);
      continue;
    }
    set->ranges.push_back(rows[i].range);
    ++set->begins[rows[i].key + 1];
  }
  std::partial_sum(set->begins.begin(), set->begins.end(), set->begins.begin());
}

// One interval per key, from its first row to its last: for scans, where many rows make many intervals.
void SpanIntervals(const std::vector<uint32_t>& numbers, const Column& starts, const Column& ends, size_t keys,
                   KeySet* set) {
  std::vector<TimeRange> spans(keys, TimeRange{kMaxTimestamp, kMinTimestamp});
  for (size_t row = 0; row < numbers.size(); ++row) {
    if (numbers[row] == kNoKey || starts.IsNull(row)) continue;
    TimeRange& span = spans[numbers[row]];
    span.start = std::min(span.start, starts.ints[row]);
    span.end = std::max(span.end, starts.ints[row]);
    if (ends.size > 0 && ends.type == Type::kTimestamp && !ends.IsNull(row)) {
      span.end = std::max(span.end, ends.ints[row]);
    }
  }
  set->begins.assign(keys + 1, 0);
  for (size_t key = 0; key < keys; ++key) {
    if (!spans[key].empty()) set->ranges.push_back(spans[key]);
    set->begins[key + 1] = static_cast<uint32_t>(set->ranges.size());
  }
}

// The same for scans: keys as texts, or no keys at all where one is not a text.
std::shared_ptr<const IntervalSet> ForScans(const SetInput& input, int time_key, const std::vector<Column>& keys,
                                            const KeySet& set) {
  auto intervals = std::make_shared<IntervalSet>();
  bool texts = true;
  for (size_t i = 0; i < keys.size(); ++i) {
    texts = texts && (keys[i].type == Type::kString || keys[i].type == Type::kNull) && set.targets[i] != Type::kMixed;
  }
  // A set of texts may be probed by other types; then only the static type string makes the index exact.
  for (size_t i = 0; i < input.names.size() && texts; ++i) {
    if (static_cast<int>(i) == time_key) continue;
    intervals->keys.push_back({ColumnLevel::kAny, input.names[i]});
  }
  if (!texts) {
    IntervalSet::Entry entry;
    entry.ranges = set.ranges;
    std::sort(entry.ranges.begin(), entry.ranges.end(),
              [](const TimeRange& a, const TimeRange& b) { return a.start < b.start; });
    size_t kept = 0;
    for (const TimeRange& range : entry.ranges) {
      if (kept > 0 && range.start <= entry.ranges[kept - 1].end) {
        entry.ranges[kept - 1].end = std::max(entry.ranges[kept - 1].end, range.end);
      } else {
        entry.ranges[kept++] = range;
      }
    }
    entry.ranges.resize(kept);
    intervals->entries.push_back(std::move(entry));
    return intervals;
  }
  for (size_t number = 0; number + 1 < set.begins.size(); ++number) {
    IntervalSet::Entry entry;
    for (const Column& key : keys) entry.key.emplace_back(key.StringAt(number));
    entry.ranges.assign(set.ranges.begin() + set.begins[number], set.ranges.begin() + set.begins[number + 1]);
    if (!entry.ranges.empty()) intervals->entries.push_back(std::move(entry));
  }
  std::sort(intervals->entries.begin(), intervals->entries.end(),
            [](const IntervalSet::Entry& a, const IntervalSet::Entry& b) { return a.key < b.key; });
  return intervals;
}

std::shared_ptr<const std::vector<TraceId>> SortedIds(const Column& column) {
  auto ids = std::make_shared<std::vector<TraceId>>();
  if (column.type != Type::kTraceId) return ids;
  // A trace has many rows: repeats go before the sort.
  HashSet<std::pair<uint64_t, uint64_t>> met;
  TraceId last;
  for (size_t row = 0; row < column.size; ++row) {
    if (column.IsNull(row)) continue;
    const TraceId id = column.trace_ids[row];
    if (!ids->empty() && id == last) continue;
    last = id;
    if (met.insert({id.high, id.low}).second) ids->push_back(id);
  }
  std::sort(ids->begin(), ids->end());
  ids->shrink_to_fit();
  return ids;
}

}  // namespace

absl::StatusOr<BuiltSet> BuildMemberSet(const SetInput& input, QueryContext* context, bool for_scans) {
  if (input.names.empty() || input.names.size() != input.columns.size()) {
    return absl::InternalError("a set needs one column per key");
  }
  int time_key = -1;
  for (size_t i = 0; i < input.names.size(); ++i) {
    if (input.names[i] != "time") continue;
    if (time_key >= 0) return absl::InvalidArgumentError("`time` stands twice in the keys of a set test");
    time_key = static_cast<int>(i);
  }
  BuiltSet built;
  // Trace ids of all rows; rows that other keys leave out only make the push-down wider.
  for (size_t i = 0; i < input.names.size() && built.trace_key < 0; ++i) {
    if (static_cast<int>(i) == time_key || TargetOf(input, i) != Type::kTraceId) continue;
    Column storage;
    built.trace_ids = SortedIds(CoerceKey(input.columns[i], Type::kTraceId, &storage));
    built.trace_key = static_cast<int>(i);
    RETURN_IF_ERROR(context->Reserve(built.trace_ids->size() * sizeof(TraceId), kOwner));
  }
  if (built.trace_key >= 0 && input.names.size() == 1) {
    built.size = built.trace_ids->size();
    built.set = std::make_shared<TraceIdSet>(built.trace_ids);
    return built;
  }

  if (for_scans && time_key < 0) {
    built.size = built.trace_key >= 0 ? built.trace_ids->size() : input.num_rows;
    return built;
  }

  auto set = std::make_shared<KeySet>(input.names.size() - (time_key >= 0 ? 1 : 0), time_key);
  std::vector<Column> others;
  for (size_t i = 0; i < input.names.size(); ++i) {
    if (static_cast<int>(i) == time_key) continue;
    Column storage;
    set->targets.push_back(TargetOf(input, i));
    others.push_back(CoerceKey(input.columns[i], set->targets.back(), &storage));
  }
  std::vector<uint32_t> numbers;
  set->table()->Assign(PointersTo(others), input.num_rows, &numbers);
  RETURN_IF_ERROR(context->Reserve(set->table()->bytes(), kOwner));
  built.size = set->table()->size();
  if (time_key >= 0) {
    const Column& starts = input.columns[static_cast<size_t>(time_key)];
    if (starts.type != Type::kTimestamp && starts.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of a set test is not a timestamp");
    }
    if (for_scans && input.num_rows > kExactRowsMax) {
      SpanIntervals(numbers, starts, input.ends, set->table()->size(), set.get());
    } else {
      MergeIntervals(numbers, starts, input.ends, set->table()->size(), set.get(), &built.only_instants);
    }
    built.size = set->ranges.size();
    built.only_instants = built.only_instants && built.size > 0;
    RETURN_IF_ERROR(context->Reserve(set->ranges.size() * 2 * sizeof(TimeRange), kOwner));
    built.time = TimeRange{kMaxTimestamp, kMinTimestamp};
    for (const TimeRange& range : set->ranges) {
      built.time.start = std::min(built.time.start, range.start);
      built.time.end = std::max(built.time.end, range.end);
    }
    // The distinct keys in order of their numbers, from the rows that had them first.
    std::vector<uint32_t> first_rows;
    for (size_t row = 0; row < numbers.size(); ++row) {
      if (numbers[row] == first_rows.size()) first_rows.push_back(static_cast<uint32_t>(row));
    }
    std::vector<Column> keys;
    for (const Column& column : others) keys.push_back(column.Select(first_rows));
    built.intervals = ForScans(input, time_key, keys, *set);
  }
  built.set = std::move(set);
  return built;
}

}  // namespace braid
