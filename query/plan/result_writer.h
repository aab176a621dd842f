// An answer as JSON, as JSON lines and as CSV, written as it is read.
//
// JSON forms of values: bool, integers exact (64 bit), numbers in shortest form, NaN and the infinities as the texts
// "NaN", "+Inf", "-Inf"; timestamps as RFC 3339 texts with nanoseconds as needed; durations as integer nanoseconds; ids
// as lower-case hex texts; enums as their words; histograms as objects; null as null.
//
// Threads: free functions over a reader that the caller owns. Errors: those of the reader.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/query.h"

namespace braid {

// Receives text as it is made; a status that is not OK ends the writing.
using TextSink = std::function<absl::Status(std::string_view)>;

// {"kind":"...","rows":[[...],...],"columns":[{"name":"...","type":"..."}],"notes":[{"kind":"...","text":"..."}],
//  "stages":[{"text":"...","rows_in":0,"rows_out":0,"bytes":0,"time_ns":0}],"truncated":false} and, for explain,
// "explain":"...". The columns stand after the rows: their types are final only then.
absl::Status WriteJson(ResultReader* reader, const TextSink& sink);
absl::StatusOr<std::string> ToJson(ResultReader* reader);

// One object per row, null columns left out. Notes are not part of it.
absl::Status WriteNdjson(ResultReader* reader, const TextSink& sink);
absl::StatusOr<std::string> ToNdjson(ResultReader* reader);

// RFC 4180 with a header line and "\n" at line ends; null is an empty field, durations are as in JSON.
absl::Status WriteCsv(ResultReader* reader, const TextSink& sink);
absl::StatusOr<std::string> ToCsv(ResultReader* reader);

// Notes as the JSON array of WriteJson, in ASCII and at most 4 KiB (what has no room is counted in a last note): fit
// for an HTTP header beside NDJSON and CSV. Empty without notes.
std::string NotesHeader(const std::vector<Note>& notes);

// One value in its JSON form.
void AppendJsonValue(const Column& column, size_t row, std::string* out);
// A text in quotes with JSON's escapes; bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view text, std::string* out);
// One value as text, as CSV shows it: durations as integer nanoseconds.
std::string PlainValue(const Column& column, size_t row);

// {"code":"E019","message":"...","line":1,"column":41,"length":6,"hint":"..."}
std::string ErrorToJson(const QueryError& error);

}  // namespace braid
