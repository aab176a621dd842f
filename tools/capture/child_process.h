// A program started with its outputs on pipes, and the sockets that it and its children listen on.
//
// Threads: one thread. Errors: Start answers NotFound or PermissionDenied for a program that cannot be run, and names
// it.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace braid {

struct ChildProcess {
  pid_t pid = -1;
  int stdout_fd = -1;  // read ends; whoever has the child closes them
  int stderr_fd = -1;

  // Runs `command` (looked for in PATH) with this process' standard input and `inherited` descriptors, no signal
  // blocked, and this process' environment, in which `environment` takes the place of what has the same name.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& command,
                                            const std::vector<std::pair<std::string, std::string>>& environment,
                                            const std::vector<int>& inherited);
};

// What this process has open, ascending: asked before it opens anything, what it was given by whoever started it.
std::vector<int> OpenDescriptors();

// Where the processes of the tree below (and with) `pid` can be reached: "127.0.0.1:5000" or, for what listens on ::1
// alone, "[::1]:5000". Ascending by port. Reads /proc; processes that are not ours to look into are passed over.
std::vector<std::string> ListeningAddresses(pid_t pid);

}  // namespace braid
