#include "engine/codec/tokenizer.h"

namespace braid {

std::vector<std::string> RequiredTokens(std::string_view literal) {
  // A run at the literal's start may begin earlier in the message, which moves every cut: nothing is sure of it. A run
  // at the literal's end begins where it seems to, so that its full pieces are sure and only its rest is not.
  size_t begin = 0;
  while (begin < literal.size() && IsTokenByte(literal[begin])) ++begin;
  size_t end = literal.size();
  while (end > begin && IsTokenByte(literal[end - 1])) --end;
  end += (literal.size() - end) / kMaxTokenBytes * kMaxTokenBytes;
  std::vector<std::string> tokens;
  ForEachToken(literal.substr(begin, end - begin), [&](std::string_view token) { tokens.emplace_back(token); });
  return tokens;
}

}  // namespace braid
