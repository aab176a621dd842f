// One text into named values: json, logfmt, regexp, pattern.
//
// Threads: a parser belongs to one thread (it reuses its buffers). Texts are foreign: anything may come.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/types.h"
#include "query/syntax/ast.h"

namespace braid {

// Valid until the next call of Parse, and as long as the line.
struct ParsedField {
  std::string_view name;
  ValueView value;
};

class LineParser {
 public:
  virtual ~LineParser() = default;
  // Fills `*fields` in the order of the line (a name may repeat: the last one counts) and answers an empty text, or
  // says what is wrong with the line; `*fields` is then empty.
  virtual std::string_view Parse(std::string_view line, std::vector<ParsedField>* fields) = 0;
  // All names that Parse can give; empty where only the lines know (json, logfmt).
  virtual const std::vector<std::string>& names() const = 0;
};

// InvalidArgument: a bad regular expression or pattern, no captures, a name twice.
absl::StatusOr<std::unique_ptr<LineParser>> MakeLineParser(ParseStage::Format format, const std::string& pattern);

// A text as the number or boolean that it is, if a program would print it just so; else the text.
ValueView TypedText(std::string_view text);

}  // namespace braid
