// Query errors inside absl::Status: made by the parser and, with places of nodes, by binders and planners.
//
// MakeError and ErrorAt are declared in parser.h, ErrorOf and Format in braid/query.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace braid {

// The entry nearest to `word` by edit distance (case does not count), or "" if none is near enough to be a typing
// mistake: at most a third of the letters, at least one, may differ.
std::string Nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// "did you mean `x`?" for the nearest candidate, or "".
std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace braid
