#include "query/syntax/errors.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "absl/strings/cord.h"
#include "query/syntax/characters.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

constexpr char kPayloadUrl[] = "braid/query-error";
// A longer line is shown as a window of this many characters around the place.
constexpr size_t kShownCharacters = 160;

void AppendField(std::string_view field, std::string* out) {
  out->append(std::to_string(field.size())).push_back(':');
  out->append(field);
}

bool TakeField(std::string_view* in, std::string* field) {
  size_t size = 0;
  const auto [end, error] = std::from_chars(in->data(), in->data() + in->size(), size);
  if (error != std::errc() || end == in->data() + in->size() || *end != ':') return false;
  in->remove_prefix(end - in->data() + 1);
  if (size > in->size()) return false;
  field->assign(in->substr(0, size));
  in->remove_prefix(size);
  return true;
}

bool TakeNumber(std::string_view* in, uint32_t* number) {
  std::string field;
  if (!TakeField(in, &field)) return false;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), *number);
  return error == std::errc() && end == field.data() + field.size();
}

// The byte at which character `index` (from 0) of `line` starts; the size of the line if it has fewer.
size_t ByteOfCharacter(std::string_view line, size_t index) {
  size_t at = 0;
  while (at < line.size() && index > 0) {
    ++at;
    while (at < line.size() && IsContinuation(line[at])) ++at;
    --index;
  }
  return at;
}

std::string_view LineOf(std::string_view text, uint32_t line) {
  size_t start = 0;
  for (uint32_t i = 1; i < line; ++i) {
    const size_t newline = text.find('\n', start);
    if (newline == std::string_view::npos) return {};
    start = newline + 1;
  }
  std::string_view rest = text.substr(start, text.find('\n', start) - start);
  if (!rest.empty() && rest.back() == '\r') rest.remove_suffix(1);
  return rest;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1), before(b.size() + 1), before_that(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) before[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = Lower(a[i - 1]) == Lower(b[j - 1]);
      row[j] = std::min({before[j] + 1, row[j - 1] + 1, before[j - 1] + (same ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && Lower(a[i - 1]) == Lower(b[j - 2]) && Lower(a[i - 2]) == Lower(b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_that[j - 2] + 1);
    }
    std::swap(before_that, before);
    std::swap(before, row);
  }
  return before[b.size()];
}

}  // namespace

std::optional<QueryError> ErrorOf(const absl::Status& status) {
  const std::optional<absl::Cord> payload = [&]() -> std::optional<absl::Cord> {
    auto found = status.GetPayload(kPayloadUrl);
    if (!found.has_value()) return std::nullopt;
    return *found;
  }();
  if (!payload.has_value()) return std::nullopt;
  const std::string bytes(*payload);
  std::string_view in = bytes;
  QueryError error;
  if (!TakeField(&in, &error.code) || !TakeField(&in, &error.message) || !TakeNumber(&in, &error.line) ||
      !TakeNumber(&in, &error.column) || !TakeNumber(&in, &error.length) || !TakeField(&in, &error.hint)) {
    return std::nullopt;
  }
  return error;
}

absl::Status MakeError(QueryError error) {
  std::string text = "error[" + error.code + "] " + std::to_string(error.line) + ":" + std::to_string(error.column) +
                     ": " + error.message;
  if (!error.hint.empty()) text += " (hint: " + error.hint + ")";
  const bool limit = error.code.rfind("E08", 0) == 0;
  absl::Status status(limit ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInvalidArgument, text);
  std::string payload;
  AppendField(error.code, &payload);
  AppendField(error.message, &payload);
  AppendField(std::to_string(error.line), &payload);
  AppendField(std::to_string(error.column), &payload);
  AppendField(std::to_string(error.length), &payload);
  AppendField(error.hint, &payload);
  status.SetPayload(kPayloadUrl, absl::Cord(payload));
  return status;
}

absl::Status ErrorAt(const Place& place, std::string code, std::string message, std::string hint) {
  return MakeError(
      {std::move(code), std::move(message), place.line, place.column, std::max(1u, place.length), std::move(hint)});
}

std::string Format(const QueryError& error, std::string_view text) {
  std::string out = "error[" + error.code + "] " + std::to_string(error.line) + ":" + std::to_string(error.column) +
                    ": " + error.message;
  std::string_view line = LineOf(text, error.line);
  size_t column = error.column > 0 ? error.column - 1 : 0;
  std::string shown;
  if (column > kShownCharacters * 3 / 4) {
    // The place would be far to the right, or out of sight: begin a little before it.
    const size_t skip = column - kShownCharacters / 2;
    line.remove_prefix(ByteOfCharacter(line, skip));
    column -= skip;
    shown = "...";
    column += 3;
  }
  const size_t cut = ByteOfCharacter(line, kShownCharacters);
  shown.append(line.substr(0, cut));
  if (cut < line.size()) shown.append("...");

  std::string carets;
  size_t at = 0;
  for (size_t i = 0; i < column; ++i) {
    // A tab stays a tab, so that the caret stands below its character whatever the terminal's tab width is.
    carets.push_back(at < shown.size() && shown[at] == '\t' ? '\t' : ' ');
    at += ByteOfCharacter(std::string_view(shown).substr(std::min(at, shown.size())), 1);
  }
  size_t left = 0;
  for (size_t i = at; i < shown.size(); ++i) left += IsContinuation(shown[i]) ? 0 : 1;
  carets.append(std::max<size_t>(1, std::min<size_t>(std::max(1u, error.length), left)), '^');

  out += "\n  " + shown + "\n  " + carets;
  if (!error.hint.empty()) out += "\n  hint: " + error.hint;
  return out;
}

std::string Nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  // Nobody types a name this long by mistake, and the comparison takes time by the product of the lengths.
  if (word.empty() || word.size() > 64) return "";
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return std::string(best);
}

std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : "did you mean `" + nearest + "`?";
}

}  // namespace braid
