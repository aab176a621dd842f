// A compiled Matcher: one condition on the value of one label. Heads and parts share it.
//
// Threads: immutable after Make; may be shared. Errors: InvalidArgument for a bad regex.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/snapshot.h"

namespace re2 {
class RE2;
}

namespace braid {

class CompiledMatcher {
 public:
  // Regexes are RE2, anchored at both ends; '.' matches newlines too, as in Prometheus.
  static absl::StatusOr<CompiledMatcher> Make(const Matcher& matcher);
  static absl::StatusOr<std::vector<CompiledMatcher>> MakeAll(const std::vector<Matcher>& matchers);

  const std::string& name() const { return name_; }
  bool Matches(std::string_view value) const { return MatchesPositive(value) != negated_; }
  bool MatchesEmpty() const { return matches_empty_; }
  // True for the labels: FindLabel gives "" for an absent one.
  bool Matches(const Labels& labels) const { return Matches(FindLabel(labels, name_)); }

  // If not null: the only values that the positive form matches, sorted (=, !=, and regexes like "a|b|c").
  const std::vector<std::string>* literals() const { return has_literals_ ? &literals_ : nullptr; }
  bool negated() const { return negated_; }

 private:
  bool MatchesPositive(std::string_view value) const;

  std::string name_;
  bool negated_ = false;
  bool matches_empty_ = false;
  bool has_literals_ = false;
  std::vector<std::string> literals_;
  bool any_tail_ = false;  // regex "prefix.*" or "prefix.+"
  size_t tail_min_ = 0;
  std::string prefix_;
  std::shared_ptr<const re2::RE2> regex_;
};

}  // namespace braid
