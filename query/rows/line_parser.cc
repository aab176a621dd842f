#include "query/rows/line_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "query/syntax/characters.h"
#include "query/syntax/status_macros.h"
#include "re2/re2.h"
#include "simdjson.h"

namespace braid {
namespace {

constexpr int kJsonDepthMax = 64;

// Texts that stay where they are until Clear, so that views of them hold.
class TextPool {
 public:
  void Clear() { used_ = 0; }
  std::string* Next() {
    if (used_ == texts_.size()) texts_.emplace_back();
    std::string* text = &texts_[used_++];
    text->clear();
    return text;
  }

 private:
  std::deque<std::string> texts_;
  size_t used_ = 0;
};

class JsonParser : public LineParser {
 public:
  const std::vector<std::string>& names() const override { return names_; }

  std::string_view Parse(std::string_view line, std::vector<ParsedField>* fields) override {
    fields->clear();
    pool_.Clear();
    simdjson::dom::element root;
    if (parser_.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) return "not JSON";
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) return "not a JSON object";
    if (Flatten(object, "", 1, fields)) return "";
    fields->clear();
    return "JSON nested too deeply";
  }

 private:
  bool Flatten(const simdjson::dom::object& object, std::string_view prefix, int depth,
               std::vector<ParsedField>* fields) {
    if (depth > kJsonDepthMax) return false;
    for (const auto member : object) {
      std::string_view name = member.key;
      if (!prefix.empty()) {
        std::string* joined = pool_.Next();
        joined->append(prefix).append(".").append(name);
        name = *joined;
      }
      switch (member.value.type()) {
        case simdjson::dom::element_type::OBJECT:
          if (!Flatten(member.value.get_object().value_unsafe(), name, depth + 1, fields)) return false;
          break;
        case simdjson::dom::element_type::ARRAY: {
          std::string* text = pool_.Next();
          *text = simdjson::minify(member.value);
          fields->push_back({name, std::string_view(*text)});
          break;
        }
        case simdjson::dom::element_type::STRING:
          fields->push_back({name, std::string_view(member.value.get_string().value_unsafe())});
          break;
        case simdjson::dom::element_type::INT64:
          fields->push_back({name, member.value.get_int64().value_unsafe()});
          break;
        case simdjson::dom::element_type::UINT64:
          fields->push_back({name, static_cast<double>(member.value.get_uint64().value_unsafe())});
          break;
        case simdjson::dom::element_type::DOUBLE:
          fields->push_back({name, member.value.get_double().value_unsafe()});
          break;
        case simdjson::dom::element_type::BOOL:
          fields->push_back({name, member.value.get_bool().value_unsafe()});
          break;
        case simdjson::dom::element_type::NULL_VALUE: break;
      }
    }
    return true;
  }

  simdjson::dom::parser parser_;
  TextPool pool_;
  std::vector<std::string> names_;
};

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

class LogfmtParser : public LineParser {
 public:
  const std::vector<std::string>& names() const override { return names_; }

  std::string_view Parse(std::string_view line, std::vector<ParsedField>* fields) override {
    fields->clear();
    pool_.Clear();
    size_t at = 0;
    while (at < line.size()) {
      if (IsBlank(line[at])) {
        ++at;
        continue;
      }
      const size_t key_begin = at;
      while (at < line.size() && !IsBlank(line[at]) && line[at] != '=' && line[at] != '"') ++at;
      const std::string_view key = line.substr(key_begin, at - key_begin);
      if (at >= line.size() || line[at] != '=') {
        if (at < line.size() && line[at] == '"') ++at;
        continue;  // a word of plain text
      }
      ++at;
      if (at < line.size() && line[at] == '"') {
        std::string_view value;
        if (!Quoted(line, &at, &value)) {
          fields->clear();
          return "a quoted value does not end";
        }
        if (!key.empty()) fields->push_back({key, value});
        continue;
      }
      const size_t value_begin = at;
      while (at < line.size() && !IsBlank(line[at])) ++at;
      if (!key.empty()) fields->push_back({key, TypedText(line.substr(value_begin, at - value_begin))});
    }
    return fields->empty() ? "no key=value pair" : "";
  }

 private:
  static bool IsBlank(char c) { return static_cast<unsigned char>(c) <= ' '; }

  bool Quoted(std::string_view line, size_t* at, std::string_view* value) {
    const size_t begin = ++*at;
    size_t end = begin;
    bool escaped = false;
    while (end < line.size() && line[end] != '"') {
      if (line[end] == '\\') {
        escaped = true;
        ++end;
      }
      ++end;
    }
    if (end >= line.size()) return false;
    *at = end + 1;
    *value = line.substr(begin, end - begin);
    if (escaped) *value = Unescape(*value);
    return true;
  }

  std::string_view Unescape(std::string_view raw) {
    std::string* text = pool_.Next();
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\' || i + 1 == raw.size()) {
        text->push_back(raw[i]);
        continue;
      }
      const char c = raw[++i];
      if (c == 'n') {
        text->push_back('\n');
      } else if (c == 't') {
        text->push_back('\t');
      } else if (c == 'r') {
        text->push_back('\r');
      } else if (c == 'u' && i + 4 < raw.size()) {
        uint32_t code = 0;
        const char* first = raw.data() + i + 1;
        const auto [end, error] = std::from_chars(first, first + 4, code, 16);
        if (error == std::errc() && end == first + 4) {
          AppendUtf8(code, text);
          i += 4;
        } else {
          text->append("\\u");
        }
      } else {
        text->push_back(c);
      }
    }
    return *text;
  }

  TextPool pool_;
  std::vector<std::string> names_;
};

class RegexpParser : public LineParser {
 public:
  RegexpParser(std::unique_ptr<RE2> regex, std::vector<std::string> names, std::vector<int> groups)
      : regex_(std::move(regex)),
        names_(std::move(names)),
        groups_(std::move(groups)),
        matches_(static_cast<size_t>(regex_->NumberOfCapturingGroups()) + 1) {}

  const std::vector<std::string>& names() const override { return names_; }

  std::string_view Parse(std::string_view line, std::vector<ParsedField>* fields) override {
    fields->clear();
    if (!regex_->Match(re2::StringPiece(line.data(), line.size()), 0, line.size(), RE2::UNANCHORED, matches_.data(),
                       static_cast<int>(matches_.size()))) {
      return "no match";
    }
    for (size_t i = 0; i < names_.size(); ++i) {
      const re2::StringPiece& match = matches_[static_cast<size_t>(groups_[i])];
      if (match.data() != nullptr) fields->push_back({names_[i], TypedText({match.data(), match.size()})});
    }
    return "";
  }

 private:
  std::unique_ptr<RE2> regex_;
  std::vector<std::string> names_;
  std::vector<int> groups_;
  std::vector<re2::StringPiece> matches_;
};

// (?<name> is how others write (?P<name>.
std::string WithPythonNames(const std::string& pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      out.push_back(c);
      out.push_back(pattern[++i]);
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out.push_back(c);
    if (!in_class && c == '(' && pattern.compare(i, 3, "(?<") == 0 && i + 3 < pattern.size() && pattern[i + 3] != '=' &&
        pattern[i + 3] != '!') {
      out.append("?P");
      ++i;
    }
  }
  return out;
}

// The time of a match grows with the groups that it has to note.
constexpr int kGroupsMax = 100;

absl::StatusOr<std::unique_ptr<LineParser>> MakeRegexpParser(const std::string& pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_unique<RE2>(WithPythonNames(pattern), options);
  if (!regex->ok()) return absl::InvalidArgumentError("bad regular expression: " + regex->error());
  std::vector<std::string> names;
  std::vector<int> groups;
  for (const auto& [group, name] : regex->CapturingGroupNames()) {
    names.push_back(name);
    groups.push_back(group);
  }
  if (regex->NumberOfCapturingGroups() > kGroupsMax) {
    return absl::InvalidArgumentError("regexp takes at most " + std::to_string(kGroupsMax) + " groups");
  }
  if (names.empty()) {
    return absl::InvalidArgumentError("regexp needs at least one named group, such as (?P<status>\\d+)");
  }
  return std::unique_ptr<LineParser>(
      std::make_unique<RegexpParser>(std::move(regex), std::move(names), std::move(groups)));
}

// literal <name> literal <name> ...
class PatternParser : public LineParser {
 public:
  struct Capture {
    std::string name;     // empty for <_>
    std::string literal;  // that ends it; empty: the rest of the line
  };
  PatternParser(std::string first_literal, std::vector<Capture> captures)
      : first_literal_(std::move(first_literal)), captures_(std::move(captures)) {
    for (const Capture& capture : captures_) {
      if (!capture.name.empty()) names_.push_back(capture.name);
    }
  }

  const std::vector<std::string>& names() const override { return names_; }

  std::string_view Parse(std::string_view line, std::vector<ParsedField>* fields) override {
    fields->clear();
    if (line.substr(0, first_literal_.size()) != first_literal_) return "no match";
    size_t at = first_literal_.size();
    for (const Capture& capture : captures_) {
      const size_t end = capture.literal.empty() ? line.size() : line.find(capture.literal, at);
      if (end == std::string_view::npos) {
        fields->clear();
        return "no match";
      }
      if (!capture.name.empty()) fields->push_back({capture.name, TypedText(line.substr(at, end - at))});
      at = end + capture.literal.size();
    }
    return "";
  }

 private:
  std::string first_literal_;
  std::vector<Capture> captures_;
  std::vector<std::string> names_;
};

absl::StatusOr<std::unique_ptr<LineParser>> MakePatternParser(const std::string& pattern) {
  std::string first_literal;
  std::vector<PatternParser::Capture> captures;
  std::vector<std::string> names;
  const auto is_name = [](std::string_view text) {
    if (text.empty() || IsDigit(text[0])) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
      return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
    });
  };
  for (size_t i = 0; i < pattern.size();) {
    const size_t close = pattern[i] == '<' ? pattern.find('>', i) : std::string::npos;
    const std::string name = close == std::string::npos ? "" : pattern.substr(i + 1, close - i - 1);
    if (!is_name(name)) {  // also a plain '<'
      (captures.empty() ? first_literal : captures.back().literal).push_back(pattern[i++]);
      continue;
    }
    if (!captures.empty() && captures.back().literal.empty()) {
      return absl::InvalidArgumentError("two captures of a pattern need a text between them: before <" + name + ">");
    }
    if (name != "_") {
      if (std::find(names.begin(), names.end(), name) != names.end()) {
        return absl::InvalidArgumentError("<" + name + "> stands twice in the pattern");
      }
      names.push_back(name);
    }
    captures.push_back({name == "_" ? "" : name, ""});
    i = close + 1;
  }
  if (names.empty()) return absl::InvalidArgumentError("pattern needs at least one named capture, such as <status>");
  return std::unique_ptr<LineParser>(std::make_unique<PatternParser>(std::move(first_literal), std::move(captures)));
}

}  // namespace

ValueView TypedText(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  const size_t sign = !text.empty() && text[0] == '-' ? 1 : 0;
  size_t at = sign;
  while (at < text.size() && IsDigit(text[at])) ++at;
  if (at == sign || (text[sign] == '0' && at > sign + 1)) return text;
  if (at == text.size()) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || (sign == 1 && value == 0)) return text;
    return value;
  }
  if (text[at] != '.' || at + 1 >= text.size() || !IsDigit(text[at + 1])) return text;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return text;
  return value;
}

absl::StatusOr<std::unique_ptr<LineParser>> MakeLineParser(ParseStage::Format format, const std::string& pattern) {
  switch (format) {
    case ParseStage::Format::kJson: return std::unique_ptr<LineParser>(std::make_unique<JsonParser>());
    case ParseStage::Format::kLogfmt: return std::unique_ptr<LineParser>(std::make_unique<LogfmtParser>());
    case ParseStage::Format::kRegexp: return MakeRegexpParser(pattern);
    case ParseStage::Format::kPattern: return MakePatternParser(pattern);
  }
  return absl::InternalError("unknown format of a parse stage");
}

}  // namespace braid
