// Foreign texts as queries: what must hold for every one of them. Each function aborts where it does not.
//
// Two drivers: libFuzzer (clang, -DBRAID_FUZZ=ON) and query_fuzz_test.cc, which replays and mutates the seeds with any
// compiler.
// Threads: one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace braid::fuzz {

// The parser ends with a tree or with an error that has a code and a place inside the text; a tree printed and parsed
// again prints the same.
void CheckParser(std::string_view text);

// A query on a small store ends in bounded time and memory with rows or an error.
void CheckExecutor(std::string_view text);

// The queries of tests/fuzz/query_seeds.txt: an empty line parts two of them.
std::vector<std::string> Seeds(const std::string& file_text);

}  // namespace braid::fuzz
