// Prometheus remote write 2.0: `io.prometheus.write.v2.Request`, whose texts are a table of symbols.
//
// Threads: pure functions. Errors: as remote_write.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

// What of the request is in the batch, as the protocol counts it for the sender.
struct RemoteWriteCounts {
  uint64_t samples = 0;
  uint64_t histograms = 0;
  uint64_t exemplars = 0;
};

// `body` is decompressed already. A created timestamp becomes a sample of `..._created`, in seconds, as OpenMetrics has
// it; of a classic histogram's or summary's series, one for all. It is not counted.
absl::Status DecodeRemoteWriteV2(std::string_view body, WriteBatch* batch, IngestReport* report,
                                 RemoteWriteCounts* counts);

}  // namespace braid::ingest
