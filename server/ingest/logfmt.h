// Lines of key=value pairs, as Go's slog and logrus, Heroku and many others write them.
//
// Threads: pure functions.
#pragma once

#include <string_view>

#include "server/ingest/attribute_list.h"

namespace braid::ingest {

// Fills `*fields` and returns true if the whole line is pairs, two or more: keys of letters, digits and _.-/@, values
// bare or in double quotes with \" \\ \n \t. Numbers and true/false get their types, but ids stay texts.
bool ReadLogfmt(std::string_view line, AttributeList* fields);

// Adds the pairs of known ids (trace_id=..., request_id=...) that stand somewhere in a line of free text.
void FindIdPairs(std::string_view line, AttributeList* fields);

}  // namespace braid::ingest
