// Passing absl::Status upwards. The query library includes nothing of the engine but its contract, so it has its own.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#ifndef RETURN_IF_ERROR
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
#endif
