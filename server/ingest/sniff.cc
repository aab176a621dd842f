#include "server/ingest/sniff.h"

#include "server/ingest/json_text.h"
#include "server/ingest/prometheus_text.h"

namespace braid::ingest {
namespace {

bool HasOtlpKey(std::string_view line) {
  for (std::string_view key : {"\"resourceSpans\"", "\"resourceLogs\"", "\"resourceMetrics\"", "\"resource_spans\"",
                               "\"resource_logs\"", "\"resource_metrics\""}) {
    // The key stands at the start of the document, not somewhere inside a log message.
    const size_t at = line.find(key);
    if (at != std::string_view::npos && line.substr(0, at).find_first_not_of("{ \t\r\n") == std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string_view ToString(FileFormat format) {
  switch (format) {
    case FileFormat::kPrometheusText: return "prometheus";
    case FileFormat::kOpenMetrics: return "openmetrics";
    case FileFormat::kOtlpJson: return "otlp";
    case FileFormat::kJsonLines: return "jsonl";
    case FileFormat::kPlainText: return "text";
  }
  return "text";
}

bool ParseFileFormat(std::string_view name, FileFormat* format) {
  for (FileFormat known : {FileFormat::kPrometheusText, FileFormat::kOpenMetrics, FileFormat::kOtlpJson,
                           FileFormat::kJsonLines, FileFormat::kPlainText}) {
    if (name != ToString(known)) continue;
    *format = known;
    return true;
  }
  return false;
}

FileFormat SniffFormat(std::string_view head) {
  if (head.starts_with(kByteOrderMark)) head.remove_prefix(kByteOrderMark.size());
  size_t json = 0, samples = 0, comments = 0, others = 0;
  bool openmetrics = false;
  std::string_view rest = head;
  for (int line_number = 0; !rest.empty() && line_number < 64; ++line_number) {
    const size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    const bool whole = end != std::string_view::npos || line_number == 0;
    rest.remove_prefix(whole && end != std::string_view::npos ? end + 1 : rest.size());
    if (!whole) break;
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    line.remove_prefix(first);
    if (line.front() == '{') {
      // Before anything else: an OTLP document may be spread over many lines.
      if (json + samples + comments + others == 0 && HasOtlpKey(head.substr(head.find('{')))) {
        return FileFormat::kOtlpJson;
      }
      // {"a": ...} is JSON; {__name__="a"} and {"a",...} are Prometheus.
      const size_t inside = line.find_first_not_of(" \t", 1);
      const bool quoted = inside != std::string_view::npos && line[inside] == '"';
      const size_t closing = quoted ? line.find('"', inside + 1) : std::string_view::npos;
      const size_t after = closing == std::string_view::npos ? closing : line.find_first_not_of(" \t", closing + 1);
      const bool is_json = (inside != std::string_view::npos && line[inside] == '}') ||
                           (after != std::string_view::npos && line[after] == ':');
      if (is_json) {
        ++json;
        continue;
      }
    }
    if (line.front() == '#') {
      if (line.starts_with("# UNIT ") || line.starts_with("# EOF")) openmetrics = true;
      const bool metadata = line.starts_with("# HELP ") || line.starts_with("# TYPE ") || line.starts_with("# UNIT ") ||
                            line.starts_with("# EOF");
      metadata ? ++samples : ++comments;
      continue;
    }
    WriteBatch batch;
    IngestReport report;
    PrometheusTextParser parser(PrometheusTextOptions{});
    parser.ParseLine(line, &batch, &report);
    if (report.accepted == 1) {
      ++samples;
      if (batch.counts().exemplars > 0) openmetrics = true;
    } else {
      ++others;
    }
  }
  // In mixed streams (JSON between plain lines) each line is read by its own form, as in text.
  if (json > 0 && others == 0) return FileFormat::kJsonLines;
  if (samples > 0 && samples > others + json)
    return openmetrics ? FileFormat::kOpenMetrics : FileFormat::kPrometheusText;
  return FileFormat::kPlainText;
}

}  // namespace braid::ingest
