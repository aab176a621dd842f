// Memory that all running queries of this process may hold together, beside the limit that each has for itself.
//
// Threads: all.
#pragma once

#include <cstdint>

namespace braid {

// Queries that would need more end with ResourceExhausted (E081). 0, the default: no limit. For servers, at start.
void SetQueryMemoryMax(uint64_t bytes);
// What queries hold now.
uint64_t QueryMemoryUsed();

}  // namespace braid
