// Passing absl::Status upwards, and the bridge between the two string views (Abseil of Debian 12 has its own type).
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace braid {

inline std::string_view Str(absl::string_view text) { return {text.data(), text.size()}; }
inline absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace braid

#define RETURN_IF_ERROR(expression)                                     \
  do {                                                                  \
    if (absl::Status braid_status = (expression); !braid_status.ok()) { \
      return braid_status;                                              \
    }                                                                   \
  } while (false)

#define BRAID_JOIN_INNER(a, b) a##b
#define BRAID_JOIN(a, b) BRAID_JOIN_INNER(a, b)
// ASSIGN_OR_RETURN(auto x, F()); or ASSIGN_OR_RETURN(x, F());
#define ASSIGN_OR_RETURN(target, expression) ASSIGN_OR_RETURN_NAMED(BRAID_JOIN(braid_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_NAMED(name, target, expression) \
  auto name = (expression);                              \
  if (!name.ok()) {                                      \
    return std::move(name).status();                     \
  }                                                      \
  target = *std::move(name)
