// Looking at the files of a store without opening it as a DB.
//
// Threads: free functions without state. Errors: DataLoss names file and offset; nothing is ever changed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace braid {

// A readable dump of one file of a store (WAL segment, manifest, any file of a part): header, blocks or records with
// offsets, sizes and decoded fields, footer. `max_lines` = 0 for no limit.
absl::StatusOr<std::string> InspectFile(const std::string& path, size_t max_lines);

struct VerifyReport {
  uint64_t files = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  std::vector<std::string> problems;  // "file: offset: what is wrong"; empty = the store is sound
  // What Open set aside and still lies in quarantine/, with the reason: rows that the store does not show any more.
  std::vector<std::string> set_aside;
};
// Reads every byte of the store at `path`, checks every checksum, and that indexes agree with the rows they point to.
// The store may be open and written to: what is merged or flushed away meanwhile, and a record that is being written,
// are no problems. `progress` (may be null) is called with bytes done and bytes in all.
absl::StatusOr<VerifyReport> VerifyStore(const std::string& path,
                                         const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace braid
