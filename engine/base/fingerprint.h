// What identifies a stream or a label set, and which service and instance it speaks for.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid {

// Fingerprint of a stream or a label set: XXH3 of its canonical encoding (sorted by name). Never 0. Kept on disk.
uint64_t Fingerprint(const Stream& stream);
uint64_t Fingerprint(const Labels& labels);

// The derived columns of a stream (rules: braid/snapshot.h, BuiltinColumns). "" if nothing names them.
std::string ServiceOf(const Stream& stream);
std::string InstanceOf(const Stream& stream);
std::string ServiceOf(const Labels& labels);
std::string InstanceOf(const Labels& labels);

}  // namespace braid
