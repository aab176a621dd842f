// Telling what a file holds by its first kilobytes.
//
// Threads: pure function.
#pragma once

#include <string_view>

namespace braid::ingest {

enum class FileFormat { kPrometheusText, kOpenMetrics, kOtlpJson, kJsonLines, kPlainText };
std::string_view ToString(FileFormat format);
// "prometheus", "openmetrics", "otlp", "jsonl", "text"; false for other names.
bool ParseFileFormat(std::string_view name, FileFormat* format);

// `head`: the decompressed start of the file, 4 KB or more if it has them; its last line may be cut off.
FileFormat SniffFormat(std::string_view head);

}  // namespace braid::ingest
