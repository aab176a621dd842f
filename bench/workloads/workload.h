// The named workloads: each fills, opens or asks a store and says what it cost.
//
// Threads: one workload at a time. Ownership: a WorkloadRun owns its scratch folder and removes it at the end.
// Errors: those of the DB and of queries; a query that finds nothing where the data has something is Internal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/workloads/measure.h"
#include "bench/workloads/telemetry.h"
#include "braid/db.h"

namespace braid::bench {

struct WorkloadSettings {
  std::string folder;  // scratch; must not exist
  Durability durability = Durability::kDurable;
  int repeats = 7;                  // of each query
  int threads = 0;                  // of a query; 0 = all cores
  std::string needle = "deployed";  // a word for `needle`
};

struct Workload {
  std::string name;
  std::string what;
};
// In the order in which they run.
const std::vector<Workload>& Workloads();

class WorkloadRun {
 public:
  WorkloadRun(const WorkloadSettings& settings, const Telemetry& telemetry);
  ~WorkloadRun();
  // REQUIRES: `name` is one of Workloads().
  absl::StatusOr<Measurement> Run(const std::string& name);

 private:
  absl::StatusOr<Measurement> Fill(const std::string& name);
  absl::StatusOr<Measurement> FlushFilled();
  absl::StatusOr<Measurement> OpenStore(bool replay);
  absl::StatusOr<Measurement> ScanAll();
  absl::StatusOr<Measurement> Ask(const std::string& name);
  absl::StatusOr<std::string> QueryText(const std::string& name);
  absl::StatusOr<std::string> SomeTrace();
  // The store that queries ask: all of the telemetry, flushed.
  absl::StatusOr<DB*> Filled();
  std::string NextFolder();
  std::vector<const std::vector<WriteBatch>*> All() const;

  const WorkloadSettings settings_;
  const Telemetry& telemetry_;
  std::unique_ptr<DB> filled_;
  int folders_ = 0;
};

}  // namespace braid::bench
