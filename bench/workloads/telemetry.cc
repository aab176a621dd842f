#include "bench/workloads/telemetry.h"

#include <cstring>

#include "engine/base/status_macros.h"
#include "server/ingest/file_ingest.h"
#include "tools/command.h"
#include "tools/file_reader.h"
#include "tools/generator/generator.h"

namespace braid::bench {
namespace {

// Batches as an agent sends them; one of import's size would time the encoding of a file, not of requests.
constexpr size_t kBatchBytes = 256 << 10;

absl::StatusOr<std::vector<WriteBatch>> Decode(const ingest::FileIngest::Reader& reader, uint64_t* bytes) {
  ingest::FileIngestOptions options;
  options.now = Now();
  options.batch_bytes = kBatchBytes;
  std::vector<WriteBatch> batches;
  const auto keep = [&](const WriteBatch& batch) {
    batches.push_back(batch);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const ingest::FileIngestResult result, ingest::FileIngest::Run(options, reader, keep, nullptr));
  *bytes += result.bytes;
  return batches;
}

absl::StatusOr<std::vector<WriteBatch>> DecodeText(const std::string& text, uint64_t* bytes) {
  size_t at = 0;
  const auto reader = [&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
    const size_t count = std::min(size, text.size() - at);
    std::memcpy(buffer, text.data() + at, count);
    at += count;
    return count;
  };
  return Decode(reader, bytes);
}

void Append(std::vector<WriteBatch> from, std::vector<WriteBatch>* to) {
  for (WriteBatch& batch : from) to->push_back(std::move(batch));
}

}  // namespace

absl::StatusOr<Telemetry> GenerateTelemetry(double scale, uint64_t seed) {
  GeneratorOptions options;
  options.seed = seed;
  options.requests_per_second *= scale;
  std::string metrics, logs, spans;
  const auto into = [](std::string* text) {
    return [text](std::string_view piece) {
      text->append(piece);
      return absl::OkStatus();
    };
  };
  GeneratorTruth truth;
  RETURN_IF_ERROR(Generate(options, {into(&metrics), into(&logs), into(&spans), nullptr}, &truth));
  Telemetry telemetry;
  ASSIGN_OR_RETURN(telemetry.metrics, DecodeText(metrics, &telemetry.text_bytes_metrics));
  ASSIGN_OR_RETURN(telemetry.logs, DecodeText(logs, &telemetry.text_bytes_logs));
  ASSIGN_OR_RETURN(telemetry.traces, DecodeText(spans, &telemetry.text_bytes_traces));
  return telemetry;
}

absl::StatusOr<Telemetry> ReadTelemetry(const std::vector<std::string>& paths) {
  Telemetry telemetry;
  for (const std::string& path : paths) {
    ASSIGN_OR_RETURN(const std::unique_ptr<FileReader> file, FileReader::Open(path));
    uint64_t bytes = 0;
    ASSIGN_OR_RETURN(std::vector<WriteBatch> batches,
                     Decode([&](char* buffer, size_t size) { return file->Read(buffer, size); }, &bytes));
    WriteBatch::Counts counts;
    for (const WriteBatch& batch : batches) {
      counts.samples += batch.counts().samples;
      counts.logs += batch.counts().logs;
      counts.spans += batch.counts().spans;
    }
    if (counts.samples >= counts.logs && counts.samples >= counts.spans) {
      telemetry.text_bytes_metrics += bytes;
      Append(std::move(batches), &telemetry.metrics);
    } else if (counts.logs >= counts.spans) {
      telemetry.text_bytes_logs += bytes;
      Append(std::move(batches), &telemetry.logs);
    } else {
      telemetry.text_bytes_traces += bytes;
      Append(std::move(batches), &telemetry.traces);
    }
  }
  return telemetry;
}

}  // namespace braid::bench
