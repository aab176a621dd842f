// Words of other query languages, each with what it is called here.
#pragma once

#include <string_view>

namespace braid {

// The hint for a word where a stage should stand, or "".
std::string_view ForeignStageHint(std::string_view word);
// The hint for a word that begins a query of another language, or "".
std::string_view ForeignStartHint(std::string_view word);

}  // namespace braid
