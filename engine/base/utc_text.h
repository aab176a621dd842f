// Instants as people read them.
//
// Threads: pure function.
#pragma once

#include <string>

#include "braid/types.h"

namespace braid {

// RFC 3339 in UTC with as many digits of a second as it needs: none, three, six or nine.
std::string UtcText(Timestamp time);

}  // namespace braid
