#include <algorithm>
#include <utility>

#include "engine/base/fingerprint.h"
#include "engine/base/status_macros.h"
#include "engine/part/columns.h"
#include "engine/part/table_scan.h"

namespace braid {
namespace {

bool HasBuiltin(Table table, std::string_view name) {
  const auto& columns = BuiltinColumns(table);
  return std::any_of(columns.begin(), columns.end(), [&](const auto& column) { return column.first == name; });
}

// The labels that ServiceOf and InstanceOf look at (braid/snapshot.h).
constexpr const char* kIdentityLabels[] = {
    "service.name", "service",      "service_name", "app",       "job", "service.instance.id",
    "instance",     "k8s.pod.name", "pod",          "host.name", "host"};

}  // namespace

template <typename MakeColumn>
absl::StatusOr<const Column*> ColumnResolver::Known(const ColumnRef& ref, const MakeColumn& make) {
  auto at = made_.find(ref);
  if (at == made_.end()) {
    ColumnCache::Entry entry;
    ColumnCache::Key key{context_->file->cache_id(), number_, ref};
    if (cache_ != nullptr && cache_->Find(key, &entry)) {
      found_.push_back(ref);
    } else {
      std::vector<uint32_t> outer = std::exchange(blocks_, {});
      absl::StatusOr<Column> column = make();
      std::swap(outer, blocks_);
      RETURN_IF_ERROR(column.status());
      entry.column = std::make_shared<const Column>(*std::move(column));
      entry.blocks = std::move(outer);
      if (cache_ != nullptr) cache_->Put(std::move(key), entry);
    }
    for (uint32_t block : entry.blocks) {
      if (touched_[block] == 0) bytes_read_ += group_->blocks[block].ref.size;
      touched_[block] = 1;
    }
    at = made_.emplace(ref, std::move(entry)).first;
  }
  blocks_.insert(blocks_.end(), at->second.blocks.begin(), at->second.blocks.end());
  return at->second.column.get();
}

TextFilters::Parts ColumnResolver::PartsWith(const ColumnRef& ref, std::string_view literal) {
  auto at = made_.find(ref);
  if (cache_ == nullptr || at == made_.end() || at->second.column->type != Type::kString) return {};
  const ColumnCache::Key key{context_->file->cache_id(), number_, ref};
  const auto look_up = [&]() -> std::optional<TextFilters::Parts> {
    const std::shared_ptr<const TextFilters> filters = cache_->FindFilters(key);
    return filters == nullptr ? std::nullopt : filters->PartsWith(number_, literal);
  };
  auto parts = look_up();
  // What was decoded for this scan may never be searched again.
  if (!parts && std::find(found_.begin(), found_.end(), ref) != found_.end()) {
    cache_->AddToFilters(key, context_->file->groups().size(), *at->second.column->dictionary);
    parts = look_up();
  }
  return parts.value_or(TextFilters::Parts());
}

const CoarseTimes* ColumnResolver::TimesOf(const ColumnRef& ref) {
  auto at = made_.find(ref);
  if (at == made_.end()) return nullptr;
  ColumnCache::Entry& entry = at->second;
  if (entry.times == nullptr) {
    const bool again = std::find(found_.begin(), found_.end(), ref) != found_.end();
    if (!again) return nullptr;
    entry.times = std::make_shared<const CoarseTimes>(entry.column->ints);
    cache_->Attach({context_->file->cache_id(), number_, ref}, entry.times);
  }
  return entry.times.get();
}

absl::StatusOr<const Column*> ColumnResolver::Resolve(const ColumnRef& ref) {
  return Known(ref, [&] { return Make(ref); });
}

absl::StatusOr<const Column*> ColumnResolver::Stored(ColumnLevel level, const std::string& name) {
  ColumnRef ref{level, name};
  return Known(ref, [&]() -> absl::StatusOr<Column> {
    Column column;
    RETURN_IF_ERROR(Read(level, name, &column));
    return column;
  });
}

absl::Status ColumnResolver::Read(ColumnLevel level, const std::string& name, Column* column) {
  return reader_.Read(context_->file->FindColumn({level, name}), column, &blocks_);
}

absl::StatusOr<Column> ColumnResolver::Make(const ColumnRef& ref) {
  Column column;
  switch (ref.level) {
    case ColumnLevel::kAny: return MakeAny(ref.name);
    case ColumnLevel::kBuiltin: return MakeBuiltin(ref.name);
    case ColumnLevel::kAttribute: RETURN_IF_ERROR(Read(ref.level, ref.name, &column)); return column;
    case ColumnLevel::kResource:
    case ColumnLevel::kScope: return FromStream(ref.level, ref.name);
  }
  return NullColumn(rows_);
}

absl::StatusOr<Column> ColumnResolver::FromStream(ColumnLevel level, const std::string& name) {
  if (context_->table == Table::kExemplars) return NullColumn(rows_);
  // Under its stored name the column holds fingerprints (MakeBuiltin), so the ordinals are kept apart.
  ASSIGN_OR_RETURN(const Column* ordinals, Known(ColumnRef{ColumnLevel::kBuiltin, ""}, [&]() -> absl::StatusOr<Column> {
                     Column column;
                     RETURN_IF_ERROR(Read(ColumnLevel::kBuiltin, "stream", &column));
                     return column;
                   }));
  if (ordinals->type == Type::kNull) return absl::DataLossError("rows without a stream");
  if (!name.empty() || level != ColumnLevel::kBuiltin) {
    return StreamColumn(context_->streams, ordinals->ints, level, name);
  }
  Column fingerprints = *ordinals;
  for (int64_t& value : fingerprints.ints) {
    value = static_cast<int64_t>(context_->streams->entries()[static_cast<size_t>(value)].fingerprint);
  }
  return fingerprints;
}

absl::StatusOr<Column> ColumnResolver::FromSeriesLabels(const std::string& name) {
  std::vector<std::pair<std::string, const Column*>> labels;
  for (const char* label : kIdentityLabels) {
    ASSIGN_OR_RETURN(const Column* column, Stored(ColumnLevel::kAttribute, label));
    if (column->type != Type::kNull) labels.emplace_back(label, column);
  }
  ColumnBuilder builder;
  for (size_t row = 0; row < rows_; ++row) {
    Labels own;
    for (const auto& [label, column] : labels) {
      if (!column->IsNull(row)) own.push_back({label, ToText(View(column->ValueAt(row)))});
    }
    std::string value = name == "service" ? ServiceOf(own) : InstanceOf(own);
    if (value.empty()) {
      builder.AppendNull();
    } else {
      builder.AppendString(value);
    }
  }
  return builder.Finish();
}

absl::StatusOr<Column> ColumnResolver::MakeBuiltin(const std::string& name) {
  Column column;
  if (context_->table == Table::kExemplars) {
    if (name == "service" || name == "instance") return FromSeriesLabels(name);
    if (name == "metric") {
      ASSIGN_OR_RETURN(const Column* metric, Stored(ColumnLevel::kAttribute, std::string(kMetricNameLabel)));
      return *metric;
    }
  } else {
    if (StreamTable::IsDerived(name)) return FromStream(ColumnLevel::kBuiltin, name);
    if (name == "stream") return FromStream(ColumnLevel::kBuiltin, "");
  }
  if (name == "duration" && context_->table == Table::kSpans) {
    ASSIGN_OR_RETURN(const Column* time, Stored(ColumnLevel::kBuiltin, "time"));
    ASSIGN_OR_RETURN(const Column* end, Stored(ColumnLevel::kBuiltin, "end"));
    if (end->type == Type::kNull || time->type == Type::kNull) return NullColumn(rows_);
    column = *end;
    column.type = Type::kDuration;
    for (size_t row = 0; row < rows_; ++row) {
      int64_t length;
      if (end->IsNull(row)) continue;
      if (end->ints[row] <= time->ints[row]) {
        length = 0;
      } else if (__builtin_sub_overflow(end->ints[row], time->ints[row], &length)) {
        length = INT64_MAX;
      }
      column.ints[row] = length;
    }
    return column;
  }
  RETURN_IF_ERROR(Read(ColumnLevel::kBuiltin, name, &column));
  return column;
}

absl::StatusOr<Column> ColumnResolver::MakeAny(const std::string& name) {
  std::vector<Column> candidates;
  auto complete = [&] { return !candidates.empty() && CountNonNull(candidates[0]) == rows_; };
  if (HasBuiltin(context_->table, name)) {
    ASSIGN_OR_RETURN(const Column* column, Resolve({ColumnLevel::kBuiltin, name}));
    candidates.push_back(*column);
    if (complete()) return std::move(candidates[0]);
  }
  for (ColumnLevel level : {ColumnLevel::kAttribute, ColumnLevel::kResource, ColumnLevel::kScope}) {
    ASSIGN_OR_RETURN(Column column, Make({level, name}));
    candidates.push_back(std::move(column));
    if (complete()) return std::move(candidates[0]);
  }
  return CoalesceColumns(std::move(candidates));
}

}  // namespace braid
