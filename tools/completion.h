// What may stand at the cursor of a query that is being typed.
//
// Threads: free function; the vocabulary is asked only for what the place needs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/query_target.h"

namespace braid {

struct Completion {
  size_t begin = 0;                // the word at the cursor begins here; it goes to the end of the text
  std::vector<std::string> words;  // those that begin with it, sorted
};

// `text`: everything before the cursor, earlier lines included.
Completion Complete(std::string_view text, QueryTarget* vocabulary);

}  // namespace braid
