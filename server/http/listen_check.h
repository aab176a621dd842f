// Whether a server could start, for programs that have something to lose by an open that comes to nothing.
//
// Threads: free function. Errors: those of Server::Start.
#pragma once

#include "absl/status/status.h"
#include "server/http/http_server.h"

namespace braid::http {

// What Server::Start would refuse, without serving: the TLS files are read and the addresses bound for a moment.
absl::Status CheckListening(const ServerOptions& options);

}  // namespace braid::http
