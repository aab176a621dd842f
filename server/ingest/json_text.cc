#include "server/ingest/json_text.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdint>

namespace braid::ingest {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Length of the well-formed UTF-8 sequence at the start of `text`, or 0. (Unicode 15, table 3-7.)
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto continues = [&](size_t i, uint8_t low = 0x80, uint8_t high = 0xbf) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const uint8_t low = first == 0xe0 ? 0xa0 : 0x80, high = first == 0xed ? 0x9f : 0xbf;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const uint8_t low = first == 0xf0 ? 0x90 : 0x80, high = first == 0xf4 ? 0x8f : 0xbf;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(std::string_view text, std::string* out) {
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const uint8_t c = static_cast<uint8_t>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.substr(plain, i - plain));
    plain = i + 1;
    out->push_back('\\');
    switch (c) {
      case '"': out->push_back('"'); break;
      case '\\': out->push_back('\\'); break;
      case '\n': out->push_back('n'); break;
      case '\r': out->push_back('r'); break;
      case '\t': out->push_back('t'); break;
      default:
        out->append("u00");
        out->push_back(kHexDigits[c >> 4]);
        out->push_back(kHexDigits[c & 15]);
    }
  }
  out->append(text.substr(plain));
}

}  // namespace

bool IsUtf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string RepairUtf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size() + 8);
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    if (length == 0) {
      repaired.append(kReplacement);
      text.remove_prefix(1);
    } else {
      repaired.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return repaired;
}

void AppendJsonString(std::string_view text, std::string* out) {
  out->push_back('"');
  if (IsUtf8(text)) {
    AppendEscaped(text, out);
  } else {
    AppendEscaped(RepairUtf8(text), out);
  }
  out->push_back('"');
}

void AppendJsonNumber(double value, std::string* out) {
  if (std::isnan(value)) {
    out->append("\"NaN\"");
  } else if (std::isinf(value)) {
    out->append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value);
    out->append(text, end.ptr);
  }
}

void AppendJsonValue(const ValueView& value, std::string* out) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    out->append(*flag ? "true" : "false");
  } else if (const int64_t* number = std::get_if<int64_t>(&value)) {
    out->append(std::to_string(*number));
  } else if (const double* real = std::get_if<double>(&value)) {
    AppendJsonNumber(*real, out);
  } else if (const std::string_view* text = std::get_if<std::string_view>(&value)) {
    AppendJsonString(*text, out);
  } else {
    out->append("null");
  }
}

void AppendBase64(std::string_view bytes, std::string* out) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    uint32_t group = static_cast<uint8_t>(bytes[i]) << 16;
    if (left > 1) group |= static_cast<uint8_t>(bytes[i + 1]) << 8;
    if (left > 2) group |= static_cast<uint8_t>(bytes[i + 2]);
    out->push_back(kDigits[group >> 18]);
    out->push_back(kDigits[(group >> 12) & 63]);
    out->push_back(left > 1 ? kDigits[(group >> 6) & 63] : '=');
    out->push_back(left > 2 ? kDigits[group & 63] : '=');
  }
}

}  // namespace braid::ingest
