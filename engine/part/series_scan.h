// A scan over the series of a part.
// Threads: a scan belongs to one thread. Errors: as TableScan: damaged blocks leave out their series or samples.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "engine/part/label_index.h"
#include "engine/part/sample_file.h"

namespace braid {

struct SeriesContext {
  std::shared_ptr<const SampleFileReader> file;  // null if the part has no series
  std::function<absl::StatusOr<const LabelIndex*>()> labels;
  std::shared_ptr<const void> owner;
};

absl::StatusOr<std::unique_ptr<SeriesScan>> MakeSeriesScan(SeriesContext context, const SeriesSpec& spec);

}  // namespace braid
