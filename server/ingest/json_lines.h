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
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/json_fields.h"
#include "server/ingest/log_fields.h"

namespace braid::ingest {

using JsonLinesOptions = LogFieldsOptions;

class JsonLinesParser {
 public:
  explicit JsonLinesParser(JsonLinesOptions options) : fields_(std::move(options)) {}

  // One line without its line break; blank lines are passed over. `readable_after` as of JsonFieldsReader::Read.
  void ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report, size_t readable_after = 0);
  void ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report);
  // One JSON object of another format: nothing else is kept. `source` are more keys of the record's stream, `extra`
  // more of its attributes. "" or why the record was not taken; the report counts only what was.
  std::string ParseDocument(std::string_view document, std::span<const AttributeView> source,
                            std::span<const AttributeView> extra, WriteBatch* batch, IngestReport* report);
  // Call after handing the batch away: stream numbers are valid in one batch only.
  void ForgetBatch() { sink_.ForgetBatch(); }
  uint64_t lines() const { return line_; }

 private:
  // "" or why not.
  std::string AddObject(std::string_view line, size_t readable_after, std::span<const AttributeView> source,
                        std::span<const AttributeView> extra, WriteBatch* batch, IngestReport* report);
  void CountRecord(Timestamp time, IngestReport* report);
  void KeepRaw(std::string_view line, const std::string& why, WriteBatch* batch, IngestReport* report);

  uint64_t line_ = 0;
  JsonFieldsReader json_;
  LogFields fields_;
  BatchLogSink sink_;
};

}  // namespace braid::ingest
