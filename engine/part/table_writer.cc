#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/column_codec.h"
#include "engine/part/columns.h"
#include "engine/part/relative_column.h"
#include "engine/part/source.h"
#include "engine/part/table_file.h"
#include "engine/part/term_keys.h"

namespace braid {
namespace {

// Text bytes of rows [begin, end), counted until `limit` is passed; `*end` is then moved to the row after.
size_t CountText(const std::vector<Column>& columns, size_t begin, size_t limit, size_t* end) {
  size_t bytes = 0;
  std::vector<const Column*> texts;
  for (const Column& column : columns) {
    if (column.type == Type::kString || column.type == Type::kMixed) texts.push_back(&column);
  }
  for (size_t row = begin; row < *end; ++row) {
    for (const Column* column : texts) {
      if (column->IsNull(row)) continue;
      if (column->type == Type::kString) {
        bytes += column->StringAt(row).size();
      } else if (const std::string* text = std::get_if<std::string>(&column->mixed[row])) {
        bytes += text->size();
      }
    }
    if (bytes >= limit) *end = row + 1;
  }
  return bytes;
}

void PutTrace(std::string* out, TraceId id) {
  PutFixed64(out, id.high);
  PutFixed64(out, id.low);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TableFileWriter>> TableFileWriter::Create(FileSystem* fs, const std::string& path,
                                                                         Table table, uint64_t file_id, size_t streams,
                                                                         TermIndexWriter* terms) {
  std::unique_ptr<TableFileWriter> writer(new TableFileWriter);
  ASSIGN_OR_RETURN(writer->file_, BlockFileWriter::Create(fs, path, FileKind::kTable, file_id));
  writer->table_ = table;
  writer->terms_ = terms;
  if (table != Table::kExemplars) writer->stream_rows_.resize(streams);
  for (const auto& [name, type] : StoredColumns(table)) {
    ColumnRef ref{ColumnLevel::kBuiltin, name};
    writer->ids_.emplace(ref, static_cast<uint32_t>(writer->columns_.size()));
    writer->columns_.push_back({ref, 0, 0});
  }
  return writer;
}

absl::StatusOr<std::vector<uint32_t>> TableFileWriter::ColumnIds(const std::vector<ColumnRef>& refs,
                                                                 const RecordBatch& rows) {
  if (refs.size() != rows.columns.size()) return absl::InvalidArgumentError("rows and their column names disagree");
  const auto& stored = StoredColumns(table_);
  std::vector<uint32_t> ids;
  for (size_t i = 0; i < refs.size(); ++i) {
    if (!IsWellFormed(rows.columns[i], rows.num_rows)) {
      return absl::InvalidArgumentError(absl::StrCat("column ", refs[i].name, " is not well formed"));
    }
    auto at = ids_.find(refs[i]);
    if (at == ids_.end()) {
      if (refs[i].level != ColumnLevel::kAttribute) {
        return absl::InvalidArgumentError(absl::StrCat("column ", refs[i].name, " is not stored"));
      }
      if (columns_.size() >= kMaxColumns) return absl::InvalidArgumentError("too many attribute names");
      at = ids_.emplace(refs[i], static_cast<uint32_t>(columns_.size())).first;
      columns_.push_back({refs[i], 0, 0});
    }
    Type type = rows.columns[i].type;
    if (at->second < stored.size() && type != Type::kNull && type != stored[at->second].second) {
      return absl::InvalidArgumentError(absl::StrCat("column ", refs[i].name, " has another type than its own"));
    }
    ids.push_back(at->second);
  }
  std::vector<uint32_t> sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return absl::InvalidArgumentError("a column is given twice");
  }
  return ids;
}

absl::Status TableFileWriter::AddRows(const std::vector<ColumnRef>& refs, RecordBatch rows) {
  ASSIGN_OR_RETURN(std::vector<uint32_t> ids, ColumnIds(refs, rows));
  size_t group_rows = kRowsPerGroup;
  for (size_t begin = 0; begin < rows.num_rows;) {
    size_t end = std::min(rows.num_rows, begin + group_rows - pending_rows_);
    pending_text_ +=
        CountText(rows.columns, begin, kRowGroupTextBytes - std::min(kRowGroupTextBytes, pending_text_), &end);
    Piece piece;
    piece.rows = end - begin;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (rows.columns[i].type == Type::kNull) continue;
      piece.ids.push_back(ids[i]);
      const bool whole = begin == 0 && end == rows.num_rows;
      piece.columns.push_back(whole ? std::move(rows.columns[i]) : SliceColumn(rows.columns[i], begin, end));
    }
    pending_rows_ += piece.rows;
    pieces_.push_back(std::move(piece));
    begin = end;
    if (pending_rows_ >= group_rows || pending_text_ >= kRowGroupTextBytes) RETURN_IF_ERROR(CloseGroup());
  }
  return absl::OkStatus();
}

TableFileWriter::Piece TableFileWriter::Concatenate() {
  if (pieces_.size() == 1) return std::move(pieces_[0]);
  std::map<uint32_t, ColumnBuilder> builders;
  size_t rows = 0;
  for (const Piece& piece : pieces_) {
    for (size_t i = 0; i < piece.ids.size(); ++i) {
      ColumnBuilder& builder = builders[piece.ids[i]];
      while (builder.size() < rows) builder.AppendNull();
      for (size_t row = 0; row < piece.rows; ++row) builder.AppendFrom(piece.columns[i], row);
    }
    rows += piece.rows;
  }
  Piece whole;
  whole.rows = rows;
  for (auto& [id, builder] : builders) {
    while (builder.size() < rows) builder.AppendNull();
    whole.ids.push_back(id);
    whole.columns.push_back(builder.Finish());
  }
  return whole;
}

absl::Status TableFileWriter::CloseGroup() {
  if (pending_rows_ == 0) return absl::OkStatus();
  if (groups_.size() >= kMaxRowGroups) return absl::InvalidArgumentError("too many rows for one part");
  Piece piece = Concatenate();
  pieces_.clear();
  pending_rows_ = 0;
  pending_text_ = 0;
  return WriteGroup(piece);
}

absl::Status TableFileWriter::WriteGroup(const Piece& piece) {
  RowGroup group;
  group.first_row = rows_;
  group.rows = static_cast<uint32_t>(piece.rows);
  Column nothing = NullColumn(piece.rows);
  auto builtin = [&](const char* name) -> const Column& {
    auto id = ids_.find({ColumnLevel::kBuiltin, name});
    auto at = id == ids_.end() ? piece.ids.end() : std::find(piece.ids.begin(), piece.ids.end(), id->second);
    return at == piece.ids.end() ? nothing : piece.columns[static_cast<size_t>(at - piece.ids.begin())];
  };
  const Column &time = builtin("time"), &end = builtin("end"), &trace = builtin("trace_id"),
               &stream = builtin("stream");
  if (CountNonNull(time) != piece.rows) return absl::InvalidArgumentError("a row without a time");
  group.time = {kMaxTimestamp, kMinTimestamp};
  group.max_end = kMinTimestamp;
  for (size_t row = 0; row < piece.rows; ++row) {
    group.time.start = std::min(group.time.start, time.ints[row]);
    group.time.end = std::max(group.time.end, time.ints[row]);
    if (!end.IsNull(row)) group.max_end = std::max(group.max_end, end.ints[row]);
    if (!trace.IsNull(row)) {
      if (group.max_trace.IsZero() || trace.trace_ids[row] < group.min_trace) group.min_trace = trace.trace_ids[row];
      group.max_trace = std::max(group.max_trace, trace.trace_ids[row]);
    }
  }
  group.max_end = std::max(group.max_end, group.time.end);
  if (table_ != Table::kExemplars) {
    if (CountNonNull(stream) != piece.rows) return absl::InvalidArgumentError("a row without a stream");
    auto [least, greatest] = std::minmax_element(stream.ints.begin(), stream.ints.end());
    if (*least < 0 || static_cast<size_t>(*greatest) >= stream_rows_.size()) {
      return absl::InvalidArgumentError("a row of an unknown stream");
    }
    group.min_stream = static_cast<uint32_t>(*least);
    group.max_stream = static_cast<uint32_t>(*greatest);
    for (int64_t ordinal : stream.ints) ++stream_rows_[static_cast<size_t>(ordinal)];
  }
  RETURN_IF_ERROR(WriteColumns(piece, &group));
  rows_ += group.rows;
  range_.start = std::min(range_.start, group.time.start);
  range_.end = std::max(range_.end, group.max_end);
  groups_.push_back(std::move(group));
  return absl::OkStatus();
}

absl::Status TableFileWriter::WriteColumns(const Piece& piece, RowGroup* group) {
  std::string packed;
  std::vector<uint32_t> packed_ids;
  auto flush_packed = [&]() -> absl::Status {
    if (packed_ids.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(BlockRef ref, file_->AddBlock(BlockType::kPackedColumns, Compression::kZstd, packed));
    group->blocks.push_back({ref, std::move(packed_ids), true});
    packed.clear();
    packed_ids.clear();
    return absl::OkStatus();
  };
  std::vector<std::pair<uint32_t, const Column*>> in_order;
  for (size_t i = 0; i < piece.ids.size(); ++i) in_order.emplace_back(piece.ids[i], &piece.columns[i]);
  std::sort(in_order.begin(), in_order.end());
  std::vector<std::pair<uint32_t, const Column*>> sparse;
  auto find = [&](const char* name) -> const Column* {
    uint32_t id = ids_.at({ColumnLevel::kBuiltin, name});
    auto at = std::find(piece.ids.begin(), piece.ids.end(), id);
    return at == piece.ids.end() ? nullptr : &piece.columns[static_cast<size_t>(at - piece.ids.begin())];
  };
  for (const auto& [id, column] : in_order) {
    size_t present = CountNonNull(*column);
    if (present == 0) continue;
    columns_[id].rows += present;
    columns_[id].types |= uint32_t{1} << static_cast<int>(column->type);
    RETURN_IF_ERROR(AddColumnTerms(table_, columns_[id].ref, *column, static_cast<uint32_t>(groups_.size()), terms_));
    if (present * kSparseDivisor <= piece.rows) {
      sparse.emplace_back(id, column);
      continue;
    }
    BlockType type = BlockType::kColumn;
    std::string bytes;
    Relation relation =
        columns_[id].ref.level == ColumnLevel::kBuiltin ? RelationOf(table_, columns_[id].ref.name) : Relation::kNone;
    if (relation == Relation::kToTime) {
      bytes = EncodeColumn(SubtractTime(*column, *find("time")));
    } else if (relation == Relation::kToSpan && find("span_id") != nullptr) {
      type = BlockType::kParents;
      bytes = EncodeParents(*column, *find("span_id"));
    } else if (relation == Relation::kToSpan) {
      return absl::InvalidArgumentError("spans without ids");
    } else {
      bytes = EncodeColumn(*column);
    }
    ASSIGN_OR_RETURN(BlockRef ref, file_->AddBlock(type, Compression::kNone, bytes));
    group->blocks.push_back({ref, {id}, false});
  }
  for (const auto& [id, column] : sparse) {
    std::vector<uint32_t> at;
    for (uint32_t row = 0; row < piece.rows; ++row) {
      if (!column->IsNull(row)) at.push_back(row);
    }
    PutVarint(&packed, at.size());
    uint32_t last = 0;
    for (uint32_t row : at) {
      PutVarint(&packed, row - last);
      last = row;
    }
    Column dense = column->Select(at);
    PutBytes(&packed, EncodeColumn(SliceColumn(dense, 0, dense.size)));
    packed_ids.push_back(id);
    if (packed.size() >= kPackedBlockBytes) RETURN_IF_ERROR(flush_packed());
  }
  return flush_packed();
}

absl::Status TableFileWriter::Finish() {
  RETURN_IF_ERROR(CloseGroup());
  std::string columns;
  PutVarint(&columns, columns_.size());
  for (const TableColumn& column : columns_) {
    PutByte(&columns, static_cast<uint8_t>(column.ref.level));
    PutBytes(&columns, column.ref.name);
    PutVarint(&columns, column.types);
    PutVarint(&columns, column.rows);
  }
  std::string groups;
  PutVarint(&groups, groups_.size());
  for (const RowGroup& group : groups_) {
    PutVarint(&groups, group.rows);
    PutZigzag(&groups, group.time.start);
    PutZigzag(&groups, group.time.end);
    PutZigzag(&groups, group.max_end);
    PutTrace(&groups, group.min_trace);
    PutTrace(&groups, group.max_trace);
    PutVarint(&groups, group.min_stream);
    PutVarint(&groups, group.max_stream);
    PutVarint(&groups, group.blocks.empty() ? 0 : group.blocks[0].ref.offset);
    PutVarint(&groups, group.blocks.size());
    for (const RowGroup::Block& block : group.blocks) {
      PutVarint(&groups, block.ref.size);
      // The low bit tells a packed block of a single column from a plain one.
      PutVarint(&groups, block.columns.size() << 1 | (block.packed ? 1 : 0));
      uint32_t last = 0;
      for (uint32_t column : block.columns) {
        PutVarint(&groups, column - last);
        last = column;
      }
    }
  }
  ASSIGN_OR_RETURN(BlockRef columns_ref, file_->AddBlock(BlockType::kDirectory, Compression::kZstd, columns));
  ASSIGN_OR_RETURN(BlockRef groups_ref, file_->AddBlock(BlockType::kDirectory, Compression::kZstd, groups));
  file_->AddSection("columns", columns_ref);
  file_->AddSection("groups", groups_ref);
  if (table_ != Table::kExemplars) {
    ASSIGN_OR_RETURN(BlockRef rows_ref,
                     file_->AddBlock(BlockType::kCounts, Compression::kNone, EncodeInts(stream_rows_)));
    file_->AddSection("stream_rows", rows_ref);
  }
  return file_->Finish();
}

}  // namespace braid
