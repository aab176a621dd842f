// The columnar file of one table (logs, spans, events, links, exemplars): row groups of columns, each column of a row
// group a block of its own, so that a scan reads only what it wants.
//
//   columns section     := count:varint { level:u8 name:bytes types:varint rows:varint }*     types = bits 1 << Type
//   groups section      := count:varint group*
//   group               := rows:varint min_time:zigzag max_time:zigzag max_end:zigzag
//                          min_trace:fixed64[2] max_trace:fixed64[2] min_stream:varint max_stream:varint
//                          offset:varint blocks:varint { size:varint columns << 1 | packed:varint { column:varint }* }*
//   stream_rows section := bytes of EncodeInts: rows of each stream of the part; absent for exemplars
//   column block        := bytes of EncodeColumn; of some built-in columns a relative form (relative_column.h)
//   packed block        := { present:varint { row step:varint }* column:bytes }*     in the order of its group entry
//
// Blocks of a group stand one after the other from `offset`. `column` numbers are differences within their block.
// A column without a block in a group has only nulls there. In a packed block the
// rows that have a value are listed and the values are a dense column.
// The `stream` column of a table holds stream ordinals (StreamTable); of exemplars, fingerprints.
//
// Threads: a writer belongs to one thread; a reader may be shared, a GroupReader belongs to one thread.
// Errors: InvalidArgument for rows that break the rules, DataLoss.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "engine/memory/hash_map.h"
#include "engine/part/block_file.h"
#include "engine/part/term_index.h"

namespace braid {

struct TableColumn {
  ColumnRef ref;
  uint32_t types = 0;  // bits 1 << Type
  uint64_t rows = 0;   // not null
};

struct RowGroup {
  uint64_t first_row = 0;
  uint32_t rows = 0;
  TimeRange time;         // of `time`
  Timestamp max_end = 0;  // greatest of `end` and `time`; without `end`, time.end
  TraceId min_trace;      // of rows that have one; both zero if none has
  TraceId max_trace;
  uint32_t min_stream = 0;  // ordinals; 0 for exemplars
  uint32_t max_stream = 0;
  struct Block {
    BlockRef ref;
    std::vector<uint32_t> columns;  // ascending; more than one: packed
    bool packed = false;
  };
  std::vector<Block> blocks;
  std::vector<std::pair<uint32_t, uint32_t>> places;  // (column, block), sorted
};

class TableFileWriter {
 public:
  // `terms` gets the terms of every row group and outlives the writer. `streams` bounds the stream ordinals.
  static absl::StatusOr<std::unique_ptr<TableFileWriter>> Create(FileSystem* fs, const std::string& path, Table table,
                                                                 uint64_t file_id, size_t streams,
                                                                 TermIndexWriter* terms);
  // As PartWriter::AddRows, but `stream` holds ordinals.
  absl::Status AddRows(const std::vector<ColumnRef>& refs, RecordBatch rows);
  absl::Status Finish();

  uint64_t rows() const { return rows_; }
  uint32_t groups() const { return static_cast<uint32_t>(groups_.size()); }
  TimeRange range() const { return range_; }  // end = greatest max_end
  const BlockFileWriter& file() const { return *file_; }

 private:
  struct Piece {
    std::vector<uint32_t> ids;  // column numbers, one per column
    std::vector<Column> columns;
    size_t rows = 0;
  };
  TableFileWriter() = default;
  absl::StatusOr<std::vector<uint32_t>> ColumnIds(const std::vector<ColumnRef>& refs, const RecordBatch& rows);
  absl::Status CloseGroup();
  absl::Status WriteGroup(const Piece& piece);
  absl::Status WriteColumns(const Piece& piece, RowGroup* group);
  Piece Concatenate();

  Table table_ = Table::kLogs;
  std::unique_ptr<BlockFileWriter> file_;
  TermIndexWriter* terms_ = nullptr;
  std::vector<TableColumn> columns_;
  std::map<ColumnRef, uint32_t> ids_;
  std::vector<Piece> pieces_;
  size_t pending_rows_ = 0;
  size_t pending_text_ = 0;
  std::vector<RowGroup> groups_;
  std::vector<int64_t> stream_rows_;
  uint64_t rows_ = 0;
  TimeRange range_{kMaxTimestamp, kMinTimestamp};
};

class TableFileReader {
 public:
  ~TableFileReader();
  static absl::StatusOr<std::unique_ptr<TableFileReader>> Open(FileSystem* fs, const std::string& path,
                                                               const std::string& name, Table table, size_t streams);
  Table table() const { return table_; }
  const std::vector<TableColumn>& columns() const { return columns_; }
  const std::vector<RowGroup>& groups() const { return groups_; }
  const std::vector<int64_t>& stream_rows() const { return stream_rows_; }
  uint64_t rows() const { return rows_; }
  // Whether both the least and the greatest trace of the row groups ascend.
  bool in_order_of_traces() const { return in_order_of_traces_; }
  // Number of a stored column (kBuiltin or kAttribute); -1 if no row has it.
  int FindColumn(const ColumnRef& ref) const;
  const BlockFileReader& file() const { return *file_; }
  uint64_t cache_id() const { return cache_id_; }  // of its columns in the ColumnCache

 private:
  friend class GroupReader;
  TableFileReader();
  absl::Status ReadColumns();
  absl::Status ReadGroups();

  const uint64_t cache_id_;
  Table table_ = Table::kLogs;
  size_t streams_ = 0;
  std::unique_ptr<BlockFileReader> file_;
  std::vector<TableColumn> columns_;
  std::map<ColumnRef, uint32_t> ids_;
  std::vector<RowGroup> groups_;
  std::vector<int64_t> stream_rows_;
  uint64_t rows_ = 0;
  bool in_order_of_traces_ = false;
};

// Reads columns of one row group; keeps packed blocks, not columns.
class GroupReader {
 public:
  GroupReader(const TableFileReader* table, const RowGroup* group) : table_(table), group_(group) {}
  // Column number as of FindColumn; -1 gives nulls. A built-in column has its type or is all null. The blocks of the
  // group that it stands in are added to `*blocks` (may be null), those of columns that it is relative to included.
  absl::Status Read(int column, Column* out, std::vector<uint32_t>* blocks = nullptr);

 private:
  absl::Status ReadPacked(const RowGroup::Block& block, uint32_t block_number, uint32_t column, Column* out);
  absl::Status Check(uint32_t column, const RowGroup::Block& block, const Column& out) const;

  const TableFileReader* table_;
  const RowGroup* group_;
  HashMap<uint32_t, std::string> packed_;
};

}  // namespace braid
