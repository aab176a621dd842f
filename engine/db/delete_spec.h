// Checking a DeleteSpec, and its bytes in the manifest.
//
//   spec    := byte(signal) fixed64(start) fixed64(end) varint(count) matcher* varint(count) predicate*
//   matcher := byte(op) bytes(name) bytes(value)
//   predicate := byte(level) bytes(name) byte(op) varint(count) value*
//   value   := byte(1) byte(bool) | byte(2) zigzag(int) | byte(3) double | byte(4) bytes
//
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "braid/delete_spec.h"

namespace braid {

// All of a spec's texts together. It stands in the manifest until merges have removed its rows.
inline constexpr size_t kDeleteSpecBytesMax = size_t{64} << 10;

// InvalidArgument says what is wrong: an unknown column, a bad regex, another comparison than equality, nothing chosen.
absl::Status CheckDeleteSpec(const DeleteSpec& spec);

void EncodeDeleteSpec(const DeleteSpec& spec, std::string* out);
// False if the bytes are no spec.
bool DecodeDeleteSpec(std::string_view bytes, DeleteSpec* spec);

}  // namespace braid
