// The command line of `braid`.
#pragma once

namespace braid {

// Parses the arguments, runs the subcommand, returns the exit code.
int RunProgram(int argc, char** argv);

}  // namespace braid
