# Installed tree: headers, libraries, CMake package, program (filled in with the embedding guide).
