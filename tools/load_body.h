// Request bodies for load: remote write and OTLP, as agents send them.
//
// Every record carries the id of the run, so that a query can count what arrived. Records of one run differ in time or
// in number, never in identity alone: none of them folds into another.
// Threads: a maker belongs to one thread; makers of different worker numbers make different records.
#pragma once

#include <cstdint>
#include <string>

#include "braid/types.h"
#include "tools/generator/random.h"

namespace braid {

enum class LoadSignal : uint8_t { kMetrics, kLogs, kTraces };

struct LoadBody {
  std::string bytes;
  uint64_t records = 0;
};

class LoadBodyMaker {
 public:
  // `batch`: records per body.
  LoadBodyMaker(LoadSignal signal, std::string run, int worker, uint64_t batch, uint64_t seed);
  // `now` is the time of its records; bodies of a maker must be asked for in ascending time.
  LoadBody Next(Timestamp now);

 private:
  std::string MetricsBody(Timestamp now);
  std::string LogsBody(Timestamp now);
  std::string TracesBody(Timestamp now);
  std::string Resource() const;

  const LoadSignal signal_;
  const std::string run_;
  const int worker_;
  const uint64_t batch_;
  Random random_;
  Timestamp last_ = 0;
  uint64_t count_ = 0;
};

}  // namespace braid
