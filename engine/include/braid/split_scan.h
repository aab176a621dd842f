// Scans in pieces: what lets several threads share one scan, and what a scan would read before it reads anything.
//
// Threads: PlanSplit belongs to one thread; OpenPiece may be called from many, each piece's Scan belongs to one.
// Ownership: a piece keeps alive what it reads; it may outlive the SplitScan and the Scan it was planned from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "braid/snapshot.h"

namespace braid {

// A scan with its pruning done: pieces that give, one after the other, what the scan would have given.
class SplitScan {
 public:
  virtual ~SplitScan() = default;
  virtual size_t pieces() const = 0;
  // REQUIRES: piece < pieces(). Its stats() count what it reads, but no sources and no indexes: those are planned().
  virtual absl::StatusOr<std::unique_ptr<Scan>> OpenPiece(size_t piece) const = 0;
  // Sources and blocks as pruning left them, indexes asked, bytes read for that; blocks_read and rows_read count what
  // all pieces will look at.
  virtual const ScanStats& planned() const = 0;
  // Stored bytes of all blocks that the columns asked for stand in; conditions on other columns are not counted.
  virtual uint64_t bytes_planned() const = 0;
};

// A Scan that knows how to split itself. Those of a Snapshot do.
class SplittableScan : public Scan {
 public:
  // REQUIRES: Next has not been called, and will not be.
  virtual absl::StatusOr<std::unique_ptr<SplitScan>> PlanSplit() = 0;
};

}  // namespace braid
