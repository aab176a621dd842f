// Writing JSON text: strings with their escapes, numbers in shortest exact form, base64. What is UTF-8.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid::ingest {

// The byte order mark that some programs begin a text with; in files that were put together it stands anywhere.
inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Appends `text` in quotes. Bytes that are not UTF-8 become U+FFFD, so that the output is always valid JSON.
void AppendJsonString(std::string_view text, std::string* out);
// Shortest form that reads back as the same double; NaN and infinities as the strings OTLP/JSON uses.
void AppendJsonNumber(double value, std::string* out);
void AppendJsonValue(const ValueView& value, std::string* out);
void AppendBase64(std::string_view bytes, std::string* out);

// True if `text` is well-formed UTF-8.
bool IsUtf8(std::string_view text);
// `text` with every byte that is not part of well-formed UTF-8 replaced by U+FFFD.
std::string RepairUtf8(std::string_view text);

}  // namespace braid::ingest
