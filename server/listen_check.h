// Whether a server could start, for programs that have something to lose by an open that comes to nothing.
//
// Threads: free function. Errors: those of Server::Start that do not depend on the store.
#pragma once

#include "absl/status/status.h"
#include "server/server.h"

namespace braid::server {

// What Server::Start would refuse, without serving: the TLS files are read, addresses and ports bound for a moment.
absl::Status CheckListening(const ServerOptions& options);

}  // namespace braid::server
