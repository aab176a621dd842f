#include "query/syntax/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "query/syntax/characters.h"
#include "query/syntax/literals.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || IsDigit(c) || c == ':'; }

// Longer spellings come before their own beginnings.
constexpr std::array<std::pair<std::string_view, TokenType>, 48> kOperators = {{
    {"!>>", TokenType::kNotDescendant},
    {"!<<", TokenType::kNotAncestor},
    {"&>>", TokenType::kUnionDescendant},
    {"&<<", TokenType::kUnionAncestor},
    {"!>", TokenType::kNotChild},
    {"!<", TokenType::kNotParent},
    {"&>", TokenType::kUnionChild},
    {"&<", TokenType::kUnionParent},
    {"&~", TokenType::kUnionSibling},
    {"&&", TokenType::kAndAnd},
    {"||", TokenType::kOrOr},
    {"|=", TokenType::kPipeEqual},
    {"|~", TokenType::kPipeMatch},
    {"|>", TokenType::kPipeArrow},
    {"==", TokenType::kEqual},
    {"=~", TokenType::kMatch},
    {"!=", TokenType::kNotEqual},
    {"!~", TokenType::kNotMatch},
    {"<=", TokenType::kLessEqual},
    {">=", TokenType::kGreaterEqual},
    {"<<", TokenType::kAncestor},
    {">>", TokenType::kDescendant},
    {"</", TokenType::kTrimUpper},
    {">/", TokenType::kTrimLower},
    {"..", TokenType::kDotDot},
    {":=", TokenType::kDefine},
    {"(", TokenType::kLeftParen},
    {")", TokenType::kRightParen},
    {"{", TokenType::kLeftBrace},
    {"}", TokenType::kRightBrace},
    {"[", TokenType::kLeftBracket},
    {"]", TokenType::kRightBracket},
    {",", TokenType::kComma},
    {";", TokenType::kSemicolon},
    {":", TokenType::kColon},
    {".", TokenType::kDot},
    {"@", TokenType::kAt},
    {"+", TokenType::kPlus},
    {"-", TokenType::kMinus},
    {"*", TokenType::kStar},
    {"/", TokenType::kSlash},
    {"%", TokenType::kPercent},
    {"^", TokenType::kCaret},
    {"=", TokenType::kAssign},
    {"<", TokenType::kLess},
    {">", TokenType::kGreater},
    {"|", TokenType::kPipe},
    {"~", TokenType::kSibling},
}};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  absl::StatusOr<TokenList> Run() {
    // Nothing holds more tokens than bytes, but most texts hold far fewer.
    list_.tokens.reserve(text_.size() / 3 + 2);
    while (SkipBlank()) {
      if (absl::Status status = ReadToken(); !status.ok()) return status;
    }
    Token end;
    end.place = list_.tokens.empty() ? Place{0, 0, 1, 1} : EndOf(list_.tokens.back());
    list_.tokens.push_back(end);
    return std::move(list_);
  }

 private:
  // Moves over white space and comments; false at the end of the text.
  bool SkipBlank() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == '\n') {
        ++at_;
        ++line_;
        column_from_ = at_;
        column_ = 1;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at_;
      } else {
        return true;
      }
    }
    return false;
  }

  Place PlaceAt(size_t offset, size_t length) {
    // Tokens come in ascending order, so the column is counted on from the one before.
    column_ += CountCharacters(text_, column_from_, offset - column_from_);
    column_from_ = offset;
    return {static_cast<uint32_t>(offset), static_cast<uint32_t>(length), line_, column_};
  }

  Place EndOf(const Token& token) {
    const std::string_view body = text_.substr(token.place.offset, token.place.length);
    Place place = token.place;
    const size_t newline = body.rfind('\n');  // inside a raw string
    place.offset += place.length;
    place.length = 0;
    if (newline == std::string_view::npos) {
      place.column += CountCharacters(body, 0, body.size());
    } else {
      place.line += static_cast<uint32_t>(std::count(body.begin(), body.end(), '\n'));
      place.column = 1 + CountCharacters(body, newline + 1, body.size() - newline - 1);
    }
    return place;
  }

  absl::Status Error(size_t offset, size_t length, std::string code, std::string message, std::string hint = "") {
    const Place place = PlaceAt(offset, length);
    const size_t line_end = std::min(text_.find('\n', offset), text_.size());
    const size_t shown = std::min(length, line_end > offset ? line_end - offset : 1);
    return MakeError({std::move(code), std::move(message), place.line, place.column,
                      std::max(1u, CountCharacters(text_, offset, shown)), std::move(hint)});
  }

  void Add(TokenType type, size_t length, uint32_t payload = 0) {
    list_.tokens.push_back({type, payload, PlaceAt(at_, length)});
    at_ += length;
  }

  absl::Status ReadToken() {
    const std::string_view rest = text_.substr(at_);
    const char c = rest[0];
    const char next = rest.size() > 1 ? rest[1] : '\0';
    if (IsDigit(c) || (c == '.' && IsDigit(next))) return ReadNumber(rest);
    // A colon may begin a metric's name, but inside brackets it parts range and step.
    if (IsNameStart(c) || (c == ':' && brackets_ == 0 && IsNameChar(next))) return ReadName(rest);
    if (c == '"' || c == '\'' || c == '`') return ReadString(rest);
    if (c == '$') return ReadParam(rest);
    if (rest.substr(0, 2) == "!=" || rest.substr(0, 2) == "!~" || rest.substr(0, 2) == "!>" ||
        rest.substr(0, 2) == "!<" || c != '!') {
      for (const auto& [spelling, type] : kOperators) {
        if (rest.substr(0, spelling.size()) != spelling) continue;
        if (type == TokenType::kLeftBracket) ++brackets_;
        if (type == TokenType::kRightBracket && brackets_ > 0) --brackets_;
        Add(type, spelling.size());
        return absl::OkStatus();
      }
    } else {
      Add(TokenType::kNot, 1);
      return absl::OkStatus();
    }
    size_t length = 1;
    while (length < rest.size() && IsContinuation(rest[length])) ++length;
    const unsigned char byte = static_cast<unsigned char>(c);
    std::string shown =
        byte >= 0x20 && byte != 0x7f ? std::string(rest.substr(0, length)) : "\\" + std::to_string(byte);
    std::string hint;
    if (c == '&') hint = "write `and`";
    if (byte >= 0x80) hint = "names with such letters are written in quotes";
    return Error(at_, length, "E001", "unexpected character: '" + shown + "'", hint);
  }

  absl::Status ReadNumber(std::string_view rest) {
    const ScannedNumber number = ScanNumber(rest);
    if (!number.error.empty()) return Error(at_, number.length, number.code, number.error, number.hint);
    const TokenType type = number.kind == ScannedNumber::Kind::kNumber     ? TokenType::kNumber
                           : number.kind == ScannedNumber::Kind::kDuration ? TokenType::kDuration
                                                                           : TokenType::kTimestamp;
    list_.numbers.push_back({number.value, number.integer, number.is_integer});
    Add(type, number.length, static_cast<uint32_t>(list_.numbers.size() - 1));
    return absl::OkStatus();
  }

  absl::Status ReadName(std::string_view rest) {
    size_t length = 0;
    while (length < rest.size()) {
      if (IsNameChar(rest[length])) {
        // `let x :=` and `x:=` are not names that end in a colon.
        if (rest[length] == ':' && length + 1 < rest.size() && rest[length + 1] == '=') break;
        ++length;
      } else if (rest[length] == '.' && length + 1 < rest.size() && IsNameStart(rest[length + 1])) {
        length += 2;
      } else {
        break;
      }
    }
    Add(TokenType::kName, length);
    return absl::OkStatus();
  }

  absl::Status ReadString(std::string_view rest) {
    ScannedString string = ScanString(rest);
    if (!string.error.empty()) {
      // Line and column of an escape that is not on the string's first line cannot be told from the token's own; only
      // raw strings span lines, and they have no escapes.
      return Error(at_ + string.error_offset, string.error_length, string.code, string.error);
    }
    list_.strings.push_back(std::move(string.value));
    const size_t start = at_;
    Add(TokenType::kString, string.length, static_cast<uint32_t>(list_.strings.size() - 1));
    for (size_t i = start; i < at_; ++i) {
      if (text_[i] != '\n') continue;
      ++line_;
      column_from_ = i + 1;
      column_ = 1;
    }
    return absl::OkStatus();
  }

  absl::Status ReadParam(std::string_view rest) {
    size_t length = 1;
    while (length < rest.size() && (IsNameStart(rest[length]) || IsDigit(rest[length]))) ++length;
    if (length == 1) return Error(at_, 1, "E007", "a parameter needs a name", "write $name");
    list_.strings.push_back(std::string(rest.substr(1, length - 1)));
    Add(TokenType::kParam, length, static_cast<uint32_t>(list_.strings.size() - 1));
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t column_from_ = 0;  // the byte whose column is `column_`
  uint32_t column_ = 1;
  uint32_t line_ = 1;
  int brackets_ = 0;
  TokenList list_;
};

}  // namespace

uint32_t CountCharacters(std::string_view text, size_t offset, size_t length) {
  const std::string_view part = text.substr(offset, length);
  return static_cast<uint32_t>(part.size() - std::count_if(part.begin(), part.end(), IsContinuation));
}

absl::StatusOr<TokenList> Tokenize(std::string_view text) {
  if (text.size() > kQueryBytesMax) {
    return MakeError({"E080", "the query is longer than 1 MiB", 1, 1, 1, "pass long lists as a $parameter"});
  }
  return Lexer(text).Run();
}

}  // namespace braid
