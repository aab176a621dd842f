// What the names of a record's fields mean. Records come in few shapes (the list of their names), so that meanings are
// looked up once per shape and not once per record.
//
// Threads: one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "braid/write_batch.h"

namespace braid::ingest {

struct LogFieldsOptions;

enum class KeyMeaning : uint8_t {
  kTime,
  kMessage,
  kSeverityNumber,
  kLevel,
  kTraceparent,
  kTrace,
  kSpan,
  kFlags,
  kRequest
};
inline constexpr size_t kKeyMeanings = 9;

struct LogShape {
  std::vector<std::string> names;
  // Places of the names that go by a meaning, the most telling first.
  std::array<std::vector<uint16_t>, kKeyMeanings> candidates;
  std::vector<uint8_t> identity;  // by place: 1 = says where the record comes from

  std::span<const uint16_t> of(KeyMeaning meaning) const { return candidates[static_cast<size_t>(meaning)]; }
};

class LogShapes {
 public:
  // `options` outlive the object; the names in them do not change.
  explicit LogShapes(const LogFieldsOptions* options) : options_(options) {}
  // Valid until the next call. REQUIRES: no name is there twice.
  const LogShape& Find(std::span<const AttributeView> fields);
  bool IsStreamField(std::string_view name) const;

 private:
  LogShape Make(std::span<const AttributeView> fields) const;

  const LogFieldsOptions* options_;
  absl::flat_hash_map<uint64_t, std::unique_ptr<LogShape>> shapes_;  // by hash of the names
  // Found lately, the last one first: several sources' records come by turns.
  std::array<const LogShape*, 4> lately_{};
  LogShape once_;  // of a record with so much text in its names that its shape is not remembered
};

// One name for what ties the records of a request together, so that records of several programs meet.
inline constexpr std::string_view kRequestName = "request_id";

}  // namespace braid::ingest
