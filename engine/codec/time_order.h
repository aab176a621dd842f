// Order of many times, four at a time where the processor can.
// Threads: pure functions.
#pragma once

#include <span>

#include "braid/types.h"

namespace braid {

// True if each time is after the one before it.
bool IsAscending(std::span<const Timestamp> times);
// True if no time is before the one before it.
bool IsNotDescending(std::span<const Timestamp> times);

}  // namespace braid
