#include "server/ingest/json_lines.h"

#include "server/ingest/ingest_limits.h"
#include "server/ingest/json_text.h"

namespace braid::ingest {

void JsonLinesParser::ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report) {
  line_ = 0;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    const std::string_view line = body.substr(0, end);
    ParseLine(line, batch, report, body.size() - line.size());
    if (end == std::string_view::npos || !report->Fits(*batch)) return;
    body.remove_prefix(end + 1);
  }
}

void JsonLinesParser::ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report, size_t readable_after) {
  ++line_;
  if (line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  if (line.empty()) return;
  if (line.size() > kLineBytesMax) {
    report->RejectLine(line_, "line of " + std::to_string(line.size()) + " bytes; at most " +
                                  std::to_string(kLineBytesMax) + " are taken");
    return;
  }
  const std::string why = AddObject(line, readable_after, {}, {}, batch, report);
  if (!why.empty()) KeepRaw(line, why, batch, report);
}

std::string JsonLinesParser::ParseDocument(std::string_view document, std::span<const AttributeView> source,
                                           std::span<const AttributeView> extra, WriteBatch* batch,
                                           IngestReport* report) {
  if (document.size() > kLineBytesMax) {
    return "document of " + std::to_string(document.size()) + " bytes; at most " + std::to_string(kLineBytesMax) +
           " are taken";
  }
  return AddObject(document, 0, source, extra, batch, report);
}

std::string JsonLinesParser::AddObject(std::string_view line, size_t readable_after,
                                       std::span<const AttributeView> source, std::span<const AttributeView> extra,
                                       WriteBatch* batch, IngestReport* report) {
  fields_.list().Clear();
  if (std::string why = json_.Read(line, &fields_.list(), readable_after); !why.empty()) return why;
  for (const AttributeView& attribute : extra) fields_.list().Add(attribute.name, attribute.value);
  sink_.set_batch(batch);
  CountRecord(fields_.Emit(source, LogRecord(), &sink_), report);
  return "";
}

void JsonLinesParser::CountRecord(Timestamp time, IngestReport* report) {
  ++report->accepted;
  if (time == fields_.options().now) ++report->untimed;
}

void JsonLinesParser::KeepRaw(std::string_view line, const std::string& why, WriteBatch* batch, IngestReport* report) {
  fields_.list().Clear();
  fields_.list().Add("parse_error", std::string_view(why));
  LogRecord record;
  record.message = fields_.list().arena().CleanText(line);
  sink_.set_batch(batch);
  CountRecord(fields_.Emit({}, record, &sink_), report);
  ++report->kept_raw;
  report->Keep({line_, "", why});
}

}  // namespace braid::ingest
