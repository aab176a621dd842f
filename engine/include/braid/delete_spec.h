// What DB::Delete removes: some of one signal.
//
// Threads: a value.
#pragma once

#include <cstdint>
#include <vector>

#include "braid/snapshot.h"
#include "braid/types.h"

namespace braid {

struct DeleteSpec {
  enum class Signal : uint8_t {
    kMetrics = 0,  // samples and exemplars of series
    kLogs = 1,     // log records
    kSpans = 2,    // spans, with their events and links
  };
  Signal signal = Signal::kMetrics;
  // Both ends included; by `time`, of spans their start. Events and links go with their span.
  TimeRange time;
  // Of kMetrics: the series, as in SeriesSpec. All must hold.
  std::vector<Matcher> matchers;
  // Of kLogs and kSpans: the rows, exactly. All must hold. Only kEqual, kNotEqual (also true of absent values) and kIn,
  // with values that are not null.
  std::vector<Predicate> predicates;
};

}  // namespace braid
