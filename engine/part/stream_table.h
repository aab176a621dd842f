// The streams of a part. Rows name their stream by ordinal; the ordinal order is that of the fingerprints as signed
// integers, which is the order of the `stream` column.
//
//   streams section := count:varint { fingerprint:fixed64 resource:attributes scope:attributes
//                      schema_url:bytes name:bytes version:bytes scope_schema_url:bytes }*
//   attributes      := count:varint { name:bytes value }*
//   value           := 0 | 1 bool:u8 | 2 int:zigzag | 3 double:fixed64 | 4 text:bytes       (first byte: type)
//
// Threads: immutable once read; may be shared. Errors: DataLoss.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/snapshot.h"

namespace braid {

class StreamTable {
 public:
  // A stream as scans want it.
  struct Entry {
    uint64_t fingerprint = 0;
    Stream stream;
    std::string service;
    std::string instance;
  };

  // Sorts and removes repeats.
  static StreamTable Make(std::vector<std::pair<uint64_t, Stream>> streams);
  static absl::StatusOr<StreamTable> Parse(std::string_view bytes);
  std::string Serialize() const;

  const std::vector<Entry>& entries() const { return entries_; }
  size_t size() const { return entries_.size(); }
  // False if there is no such stream.
  bool Find(uint64_t fingerprint, uint32_t* ordinal) const;

  // Whether `name` is answered by the stream: service, instance, scope.name, scope.version.
  static bool IsDerived(std::string_view name);
  // The stream's value at one level (kBuiltin: the derived columns; kResource; kScope); null if it has none.
  ValueView ValueOf(uint32_t ordinal, ColumnLevel level, std::string_view name) const;

 private:
  std::vector<Entry> entries_;
};

// A column of ValueOf for the rows' ordinals. `owner` keeps the table alive.
Column StreamColumn(const std::shared_ptr<const StreamTable>& owner, const std::vector<int64_t>& ordinals,
                    ColumnLevel level, std::string_view name);

}  // namespace braid
