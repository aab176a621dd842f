// `braid query --server`: the question is sent to a running server.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/command.h"

namespace braid {

// Sends the query and prints the answer on standard output in the wanted format. A query error of the server comes back
// as a status that carries the QueryError.
absl::Status RunRemote(const QuerySettings& settings, const std::string& text);

}  // namespace braid
