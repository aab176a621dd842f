// What the workloads write: telemetry of the generator, or of real files, as batches in memory.
//
// Threads: filled by one, then read only. Errors: those of the files and of the generator.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/write_batch.h"

namespace braid::bench {

struct Telemetry {
  std::vector<WriteBatch> metrics, logs, traces;
  uint64_t text_bytes_metrics = 0, text_bytes_logs = 0, text_bytes_traces = 0;

  bool empty() const { return metrics.empty() && logs.empty() && traces.empty(); }
};

// Half an hour of the generated shop at 10 * `scale` requests a second; the same seed gives the same batches.
absl::StatusOr<Telemetry> GenerateTelemetry(double scale, uint64_t seed);
// Reads the files with the decoders of `braid import`; a file counts as that signal of which it has most records.
absl::StatusOr<Telemetry> ReadTelemetry(const std::vector<std::string>& paths);

}  // namespace braid::bench
