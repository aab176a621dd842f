// Running out of memory is a limit like others: where the engine is entered, std::bad_alloc becomes a Status.
//
// Threads: pure functions. What `work` has done by then is the caller's to undo.
#pragma once

#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace braid {

// Needs no memory if there is none.
inline absl::Status OutOfMemory(const char* doing) noexcept {
  try {
    return absl::ResourceExhaustedError(absl::StrCat("out of memory while ", doing));
  } catch (const std::bad_alloc&) {
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

// What `work` answers (a Status or StatusOr), or ResourceExhausted.
template <typename Work>
auto GuardMemory(const char* doing, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return OutOfMemory(doing);
  }
}

}  // namespace braid
