// The states of one aggregate over many groups.
//
// A slot is the state of one group, or of one group in one pane of a window; slots of panes merge to windows.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "query/rows/aggregate.h"

namespace braid {

class Aggregator {
 public:
  virtual ~Aggregator() = default;
  // Makes slots up to `slots` exist, new ones empty.
  virtual void Resize(size_t slots) = 0;
  // Row i goes to slots[i], or nowhere for kNoKey. `x` and `y` are null where the aggregate takes no such argument.
  virtual void Update(const std::vector<uint32_t>& slots, const Column* x, const Column* y) = 0;
  // Adds what slot `from` of `other` has. If that is this one, the rows of both slots count in the order in which
  // Update met them; else those of `other` come after. REQUIRES: `other` was made for the same item. It may lose what
  // it needs for further updates.
  virtual void Merge(uint32_t into, Aggregator* other, uint32_t from) = 0;
  virtual void Clear(uint32_t slot) = 0;
  // Whether Emit would give a value that is not null.
  virtual bool HasValue(uint32_t slot) const = 0;
  virtual void Emit(uint32_t slot, ColumnBuilder* out) = 0;
  virtual uint64_t bytes() const = 0;  // roughly; cheap
  // Whether a slot has ever left exactness.
  virtual bool approximate() const { return false; }
};

// `seconds`: what rates are divided by.
std::unique_ptr<Aggregator> MakeAggregator(const AggregateItem& item, double seconds);

// Those of aggregators_*.cc.
std::unique_ptr<Aggregator> MakeNumberAggregator(const AggregateItem& item, double seconds);
std::unique_ptr<Aggregator> MakePickAggregator(const AggregateItem& item);
std::unique_ptr<Aggregator> MakeCollectingAggregator(const AggregateItem& item);

// Calls on_int(i, type, value) for integers, durations and timestamps and on_double(i, value) for other numbers, texts
// that are numbers included; rows without a slot and values that are no number are passed by.
template <typename OnInt, typename OnDouble>
void ForEachNumber(const std::vector<uint32_t>& slots, const Column& column, const OnInt& on_int,
                   const OnDouble& on_double);

}  // namespace braid

#include "query/rows/aggregators_inl.h"
