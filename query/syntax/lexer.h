// From text to tokens, all at once.
//
// Names hold dots (`http.route`), so that a dotted name is one token; a quoted part after it is a kDot and a kString.
// Keywords are names: what they mean is decided by where they stand. Operators are listed in TokenType.
// Numbers, durations and string escapes are read as Prometheus and Go read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "query/syntax/ast.h"

namespace braid {

// A query text is written by people or built by programs; a longer one is a mistake, and every table of the parser is
// bounded by it.
inline constexpr size_t kQueryBytesMax = size_t{1} << 20;

enum class TokenType : uint8_t {
  kEnd,
  kName,
  kNumber,
  kDuration,
  kTimestamp,
  kString,
  kParam,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kComma,
  kSemicolon,
  kColon,
  kDot,
  kDotDot,
  kAt,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kCaret,
  kAssign,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kMatch,
  kNotMatch,
  kPipe,
  kPipeEqual,
  kPipeMatch,
  kOrOr,
  kAndAnd,
  kNot,
  kDescendant,
  kAncestor,
  kSibling,  // >> << ~
  kNotChild,
  kNotDescendant,
  kNotParent,
  kNotAncestor,  // !> !>> !< !<<   (!~: kNotMatch)
  kUnionChild,
  kUnionDescendant,
  kUnionParent,
  kUnionAncestor,
  kUnionSibling,  // &> &>> &< &<< &~
  kTrimLower,
  kTrimUpper,  // >/ </ of Prometheus
  kDefine,
  kPipeArrow,  // := |> of other languages
};

struct Token {
  TokenType type = TokenType::kEnd;
  uint32_t payload = 0;  // index into TokenList::numbers or strings
  Place place;
};

struct NumberPayload {
  double value = 0;
  int64_t integer = 0;  // the exact value of an integer; nanoseconds of a duration or timestamp
  bool is_integer = false;
};

// Ends with a kEnd token right behind the last real one.
struct TokenList {
  std::vector<Token> tokens;
  std::vector<NumberPayload> numbers;
  std::vector<std::string> strings;  // decoded
};

absl::StatusOr<TokenList> Tokenize(std::string_view text);

// The characters of text[offset, offset + length).
uint32_t CountCharacters(std::string_view text, size_t offset, size_t length);

}  // namespace braid
