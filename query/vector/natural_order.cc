#include "query/vector/natural_order.h"

#include <cstddef>

namespace braid::promql {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The run of digits, or of other bytes, at the front; it is taken off.
std::string_view TakeRun(std::string_view* text) {
  size_t size = 1;
  while (size < text->size() && IsDigit((*text)[size]) == IsDigit((*text)[0])) ++size;
  const std::string_view run = text->substr(0, size);
  text->remove_prefix(size);
  return run;
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  while (digits.size() > 1 && digits[0] == '0') digits.remove_prefix(1);
  return digits;
}

int Sign(int order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

}  // namespace

int CompareNaturally(std::string_view a, std::string_view b) {
  std::string_view rest_a = a, rest_b = b;
  while (!rest_a.empty() && !rest_b.empty()) {
    const std::string_view run_a = TakeRun(&rest_a);
    const std::string_view run_b = TakeRun(&rest_b);
    if (IsDigit(run_a[0]) && IsDigit(run_b[0])) {
      const std::string_view digits_a = WithoutLeadingZeros(run_a), digits_b = WithoutLeadingZeros(run_b);
      if (digits_a.size() != digits_b.size()) return digits_a.size() < digits_b.size() ? -1 : 1;
      if (const int order = digits_a.compare(digits_b); order != 0) return Sign(order);
    } else if (const int order = run_a.compare(run_b); order != 0) {
      return Sign(order);
    }
  }
  if (rest_a.empty() != rest_b.empty()) return rest_a.empty() ? -1 : 1;
  return Sign(a.compare(b));  // the same but for leading zeros
}

}  // namespace braid::promql
