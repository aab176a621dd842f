// What `braid torture` writes, and its journal of what was acknowledged.
//
// Threads: functions without state; a journal belongs to one thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "braid/db.h"

namespace braid {

inline constexpr uint32_t kTortureWriters = 4;
// Of each signal in a batch; all of them tell their batch, so that one that is there in part is seen.
inline constexpr uint32_t kTortureSamples = 5, kTortureLogs = 4, kTortureSpans = 3;
inline constexpr uint32_t kTortureRecords = kTortureSamples + kTortureLogs + kTortureSpans;

struct TortureBatch {
  uint32_t round = 0;   // the processes of one store are numbered
  uint32_t writer = 0;  // and so are the threads of one of them
  uint64_t number = 0;  // and their batches
};
void FillTortureBatch(const TortureBatch& of, WriteBatch* batch);

// What a writer tells about its batches, in the order in which it happens.
struct TortureNote {
  enum Kind : uint32_t { kSent, kAcknowledged, kRefused };
  Kind kind = kSent;
  uint32_t writer = 0;
  uint64_t number = 0;
};

class TortureJournal {
 public:
  // The next process; returns its number.
  uint32_t BeginRound();
  void Take(const TortureNote& note);  // of the process begun last
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t refused() const { return refused_; }

  // What the store shows against what was acknowledged: every such batch is there whole, as it was written, and nothing
  // is there that was not sent, or that was refused. Empty = all is well.
  std::vector<std::string> Compare(const DB& db) const;

 private:
  struct Writer {
    uint64_t sent = 0;           // batches below this were begun
    std::set<uint64_t> refused;  // all other batches below `done` were acknowledged
    uint64_t done = 0;
  };
  std::vector<std::vector<Writer>> rounds_;
  uint64_t acknowledged_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace braid
