// JSON lines: one log record a line, as structlog, pino, zap, Docker, Fluent Bit and their like write them.
//
// Known keys (any level of nesting, dotted) become what they mean; docs/http.md has the table. Keys that say where the
// record comes from (service, pod, host, ...) become the resource of its stream; all others are attributes with their
// types, nested objects under dotted names, arrays as JSON text. A line that is not a JSON object is kept as a record
// with the line as message and the attribute `parse_error`: nothing that was sent is lost.
//
// Threads: a parser belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

struct JsonLinesOptions {
  Timestamp now = 0;    // of records without a time, and the observed time of all
  std::string service;  // of records that name none
  // Keys to take instead of the known ones; empty = the known ones. `stream_fields` are added to the identity keys.
  std::vector<std::string> message_fields;
  std::vector<std::string> time_fields;
  std::vector<std::string> stream_fields;
};

class JsonLinesParser {
 public:
  explicit JsonLinesParser(JsonLinesOptions options);
  ~JsonLinesParser();

  // One line without its line break; blank lines are passed over.
  void ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report);
  void ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report);
  // One JSON object of another format: nothing else is kept. `source` are more keys of the record's stream, `extra`
  // more of its attributes. "" or why the record was not taken; the report counts only what was.
  std::string ParseDocument(std::string_view document, std::span<const AttributeView> source,
                            std::span<const AttributeView> extra, WriteBatch* batch, IngestReport* report);
  // Call after handing the batch away: stream numbers are valid in one batch only.
  void ForgetBatch() { streams_.clear(); }
  uint64_t lines() const { return line_; }

 private:
  struct Json;
  struct Record;

  // Both: "" or why not.
  std::string AddObject(std::string_view line, std::span<const AttributeView> source,
                        std::span<const AttributeView> extra, WriteBatch* batch, IngestReport* report);
  std::string ReadObject(std::string_view line);
  void Collect(const void* object, const std::string& prefix, int depth);
  void Interpret(Record* record);
  WriteBatch::StreamRef StreamOf(Record* record, WriteBatch* batch);
  void KeepRaw(std::string_view line, const std::string& why, WriteBatch* batch, IngestReport* report);
  bool IsStreamField(std::string_view name) const;

  JsonLinesOptions options_;
  uint64_t line_ = 0;
  std::unique_ptr<Json> json_;
  AttributeList fields_;  // all fields of the line, dotted
  absl::flat_hash_map<std::string, WriteBatch::StreamRef> streams_;
};

// Keys that name the source of a record: "service", "k8s.pod.name", "kubernetes.*", ...
bool IsIdentityKey(std::string_view key);

}  // namespace braid::ingest
