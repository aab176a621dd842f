// A batch of scraped metrics as the body of a remote write 1.0 request.
//
// Threads: pure function. Errors: InvalidArgument for a batch that DB::Write would refuse.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "braid/write_batch.h"

namespace braid {

// Samples, staleness markers, exemplars and metadata; times are cut to milliseconds. A text page has no native
// histograms: they are not written. Compressed.
absl::StatusOr<std::string> EncodeRemoteWrite(const WriteBatch& batch);

}  // namespace braid
