#include "engine/part/label_matcher.h"

#include <re2/re2.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr std::string_view kMetaCharacters = "\\^$.|?*+()[]{}";

bool IsPlain(std::string_view text) { return text.find_first_of(kMetaCharacters) == std::string_view::npos; }

// "a|b|c" without any other meta character.
bool SplitAlternation(std::string_view pattern, std::vector<std::string>* literals) {
  while (true) {
    size_t bar = pattern.find('|');
    std::string_view piece = pattern.substr(0, bar);
    if (!IsPlain(piece)) return false;
    literals->emplace_back(piece);
    if (bar == std::string_view::npos) return true;
    pattern.remove_prefix(bar + 1);
  }
}

}  // namespace

absl::StatusOr<CompiledMatcher> CompiledMatcher::Make(const Matcher& matcher) {
  CompiledMatcher made;
  made.name_ = matcher.name;
  made.negated_ = matcher.op == Matcher::Op::kNotEqual || matcher.op == Matcher::Op::kNotRegex;
  const std::string& pattern = matcher.value;
  if (matcher.op == Matcher::Op::kEqual || matcher.op == Matcher::Op::kNotEqual) {
    made.has_literals_ = true;
    made.literals_ = {pattern};
  } else {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_dot_nl(true);
    auto regex = std::make_shared<re2::RE2>(pattern, options);
    if (!regex->ok()) {
      return absl::InvalidArgumentError(absl::StrCat("bad regex \"", pattern, "\": ", regex->error()));
    }
    if (SplitAlternation(pattern, &made.literals_)) {
      made.has_literals_ = true;
      std::sort(made.literals_.begin(), made.literals_.end());
      made.literals_.erase(std::unique(made.literals_.begin(), made.literals_.end()), made.literals_.end());
    } else {
      made.literals_.clear();
      std::string_view head = pattern;
      if (head.ends_with(".*") || head.ends_with(".+")) {
        made.tail_min_ = head.back() == '+' ? 1 : 0;
        head.remove_suffix(2);
        if (IsPlain(head)) {
          made.any_tail_ = true;
          made.prefix_ = head;
        }
      }
      if (!made.any_tail_) made.regex_ = std::move(regex);
    }
  }
  made.matches_empty_ = made.Matches(std::string_view());
  return made;
}

absl::StatusOr<std::vector<CompiledMatcher>> CompiledMatcher::MakeAll(const std::vector<Matcher>& matchers) {
  std::vector<CompiledMatcher> made;
  for (const Matcher& matcher : matchers) {
    ASSIGN_OR_RETURN(made.emplace_back(), Make(matcher));
  }
  return made;
}

bool CompiledMatcher::MatchesPositive(std::string_view value) const {
  if (has_literals_) {
    if (literals_.size() == 1) return value == literals_[0];
    return std::binary_search(literals_.begin(), literals_.end(), value);
  }
  if (any_tail_) {
    // RE2 works on UTF-8 and its '.' does not match a stray byte, but a fast path that is wider for such values only
    // would make answers depend on it; label values are UTF-8 by contract.
    return value.size() >= prefix_.size() + tail_min_ && value.starts_with(prefix_);
  }
  return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex_);
}

}  // namespace braid
