#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/column_codec.h"
#include "engine/part/column_cache.h"
#include "engine/part/columns.h"
#include "engine/part/relative_column.h"
#include "engine/part/source.h"
#include "engine/part/table_file.h"

namespace braid {
namespace {

bool ReadTrace(Decoder* in, TraceId* id) { return in->ReadFixed64(&id->high) && in->ReadFixed64(&id->low); }

bool ReadBlocks(Decoder* in, size_t columns, RowGroup* group) {
  uint64_t offset, blocks;
  if (!in->ReadVarint(&offset) || !in->ReadVarintMax(in->remaining(), &blocks)) return false;
  for (uint64_t b = 0; b < blocks; ++b) {
    RowGroup::Block block;
    uint64_t count, column = 0;
    block.ref.offset = offset;
    if (!in->ReadVarint32(&block.ref.size) || !in->ReadVarint(&count)) return false;
    block.packed = (count & 1) != 0;
    count >>= 1;
    if (count == 0 || count > in->remaining() || (!block.packed && count != 1)) return in->Fail();
    offset += block.ref.size;
    for (uint64_t i = 0; i < count; ++i) {
      uint64_t step;
      if (!in->ReadVarintMax(columns, &step) || (column += step) >= columns || (i > 0 && step == 0)) return in->Fail();
      block.columns.push_back(static_cast<uint32_t>(column));
      group->places.emplace_back(static_cast<uint32_t>(column), static_cast<uint32_t>(b));
    }
    group->blocks.push_back(std::move(block));
  }
  std::sort(group->places.begin(), group->places.end());
  for (size_t i = 1; i < group->places.size(); ++i) {
    if (group->places[i].first == group->places[i - 1].first) return in->Fail();
  }
  return true;
}

}  // namespace

TableFileReader::TableFileReader() : cache_id_(ColumnCache::Shared()->NewFile()) {}

TableFileReader::~TableFileReader() { ColumnCache::Shared()->Drop(cache_id_); }

absl::Status TableFileReader::ReadColumns() {
  std::string plain;
  RETURN_IF_ERROR(file_->ReadSection("columns", BlockType::kDirectory, &plain));
  Decoder in(plain);
  uint64_t count = 0;
  bool ok = in.ReadVarintMax(kMaxColumns, &count);
  const auto& stored = StoredColumns(table_);
  for (uint64_t i = 0; ok && i < count; ++i) {
    uint8_t level;
    std::string_view name;
    TableColumn column;
    ok = in.ReadByte(&level) && in.ReadBytes(&name) && in.ReadVarint32(&column.types) && in.ReadVarint(&column.rows);
    if (!ok) break;
    column.ref = {static_cast<ColumnLevel>(level), std::string(name)};
    // Built-in columns come first and in their order; the rest are attributes.
    ok = i < stored.size() ? column.ref.level == ColumnLevel::kBuiltin && name == stored[i].first
                           : column.ref.level == ColumnLevel::kAttribute;
    ok = ok && ids_.emplace(column.ref, static_cast<uint32_t>(i)).second;
    columns_.push_back(std::move(column));
  }
  if (!ok || !in.done() || columns_.size() < stored.size()) {
    return absl::DataLossError(absl::StrCat(file_->name(), ": columns do not parse"));
  }
  return absl::OkStatus();
}

absl::Status TableFileReader::ReadGroups() {
  std::string plain;
  RETURN_IF_ERROR(file_->ReadSection("groups", BlockType::kDirectory, &plain));
  Decoder in(plain);
  uint64_t count = 0;
  bool ok = in.ReadVarintMax(std::min<uint64_t>(kMaxRowGroups, plain.size()), &count);
  for (uint64_t i = 0; ok && i < count; ++i) {
    RowGroup group;
    uint64_t rows = 0;
    ok = in.ReadVarintMax(kMaxRowsPerGroup, &rows) && in.ReadZigzag(&group.time.start) &&
         in.ReadZigzag(&group.time.end) && in.ReadZigzag(&group.max_end) && ReadTrace(&in, &group.min_trace) &&
         ReadTrace(&in, &group.max_trace) && in.ReadVarint32(&group.min_stream) && in.ReadVarint32(&group.max_stream) &&
         ReadBlocks(&in, columns_.size(), &group);
    ok = ok && rows > 0 && (table_ == Table::kExemplars || group.max_stream < streams_);
    if (!ok) break;
    group.first_row = rows_;
    group.rows = static_cast<uint32_t>(rows);
    rows_ += rows;
    groups_.push_back(std::move(group));
  }
  if (!ok || !in.done()) return absl::DataLossError(absl::StrCat(file_->name(), ": row groups do not parse"));
  const auto descends = [](const RowGroup& a, const RowGroup& b) {
    return b.min_trace < a.min_trace || b.max_trace < a.max_trace;
  };
  in_order_of_traces_ = std::adjacent_find(groups_.begin(), groups_.end(), descends) == groups_.end();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<TableFileReader>> TableFileReader::Open(FileSystem* fs, const std::string& path,
                                                                       const std::string& name, Table table,
                                                                       size_t streams) {
  std::unique_ptr<TableFileReader> reader(new TableFileReader);
  reader->table_ = table;
  reader->streams_ = streams;
  ASSIGN_OR_RETURN(reader->file_, BlockFileReader::Open(fs, path, name, FileKind::kTable));
  RETURN_IF_ERROR(reader->ReadColumns());
  RETURN_IF_ERROR(reader->ReadGroups());
  if (table != Table::kExemplars) {
    std::string plain;
    RETURN_IF_ERROR(reader->file_->ReadSection("stream_rows", BlockType::kCounts, &plain));
    if (!DecodeInts(plain, streams, &reader->stream_rows_).ok()) {
      return absl::DataLossError(absl::StrCat(name, ": rows of streams do not parse"));
    }
  }
  return reader;
}

int TableFileReader::FindColumn(const ColumnRef& ref) const {
  auto at = ids_.find(ref);
  return at == ids_.end() ? -1 : static_cast<int>(at->second);
}

absl::Status GroupReader::Check(uint32_t column, const RowGroup::Block& block, const Column& out) const {
  auto damage = [&](const char* why) {
    return absl::DataLossError(absl::StrCat(table_->file_->name(), " block ", block.ref.offset, ": column ",
                                            table_->columns_[column].ref.name, " ", why));
  };
  if (!IsWellFormed(out, group_->rows)) return damage("is not well formed");
  const auto& stored = StoredColumns(table_->table_);
  if (column >= stored.size() || out.type == Type::kNull) return absl::OkStatus();
  if (out.type != stored[column].second) return damage("has another type than its own");
  if (stored[column].first == "stream" && table_->table_ != Table::kExemplars) {
    for (int64_t ordinal : out.ints) {
      if (ordinal < 0 || static_cast<uint64_t>(ordinal) >= table_->streams_) return damage("names an unknown stream");
    }
  }
  return absl::OkStatus();
}

absl::Status GroupReader::ReadPacked(const RowGroup::Block& block, uint32_t block_number, uint32_t column,
                                     Column* out) {
  auto [cached, added] = packed_.try_emplace(block_number);
  if (added) {
    absl::Status status = table_->file_->ReadBlock(block.ref, BlockType::kPackedColumns, &cached->second);
    if (!status.ok()) {
      packed_.erase(cached);
      return status;
    }
  }
  auto damage = [&] {
    return absl::DataLossError(
        absl::StrCat(table_->file_->name(), " block ", block.ref.offset, ": packed columns do not parse"));
  };
  Decoder in(cached->second);
  for (uint32_t packed : block.columns) {
    uint64_t present;
    if (!in.ReadVarintMax(group_->rows, &present)) return damage();
    std::vector<uint32_t> at;
    uint64_t row = 0;
    for (uint64_t i = 0; i < present; ++i) {
      uint64_t step;
      if (!in.ReadVarintMax(group_->rows, &step) || (i > 0 && step == 0) || (row += step) >= group_->rows) {
        return damage();
      }
      at.push_back(static_cast<uint32_t>(row));
    }
    std::string_view bytes;
    if (!in.ReadBytes(&bytes)) return damage();
    if (packed != column) continue;
    Column dense;
    if (!DecodeColumn(bytes, at.size(), &dense).ok() || !IsWellFormed(dense, at.size())) return damage();
    *out = SpreadColumn(dense, at, group_->rows);
    return Check(column, block, *out);
  }
  return damage();
}

absl::Status GroupReader::Read(int column, Column* out, std::vector<uint32_t>* blocks) {
  *out = NullColumn(group_->rows);
  if (column < 0) return absl::OkStatus();
  uint32_t wanted = static_cast<uint32_t>(column);
  auto at = std::lower_bound(group_->places.begin(), group_->places.end(), std::make_pair(wanted, uint32_t{0}));
  if (at == group_->places.end() || at->first != wanted) return absl::OkStatus();
  const RowGroup::Block& block = group_->blocks[at->second];
  if (blocks != nullptr) blocks->push_back(at->second);
  if (block.packed) return ReadPacked(block, at->second, wanted, out);
  const ColumnRef& ref = table_->columns_[wanted].ref;
  Relation relation = ref.level == ColumnLevel::kBuiltin ? RelationOf(table_->table_, ref.name) : Relation::kNone;
  Column base;
  if (relation != Relation::kNone) {
    const char* name = relation == Relation::kToTime ? "time" : "span_id";
    RETURN_IF_ERROR(Read(table_->FindColumn({ColumnLevel::kBuiltin, name}), &base, blocks));
    if (base.type == Type::kNull) {
      return absl::DataLossError(absl::StrCat(table_->file_->name(), " block ", block.ref.offset, ": no ", name));
    }
  }
  std::string plain;
  BlockType type = relation == Relation::kToSpan ? BlockType::kParents : BlockType::kColumn;
  RETURN_IF_ERROR(table_->file_->ReadBlock(block.ref, type, &plain));
  absl::Status status =
      relation == Relation::kToSpan ? DecodeParents(plain, base, out) : DecodeColumn(plain, group_->rows, out);
  if (status.ok() && relation == Relation::kToTime && out->ints.size() == base.ints.size()) AddTime(base, out);
  if (!status.ok()) {
    return absl::DataLossError(
        absl::StrCat(table_->file_->name(), " block ", block.ref.offset, ": ", status.message()));
  }
  return Check(wanted, block, *out);
}

}  // namespace braid
