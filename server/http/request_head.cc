#include "server/http/request_head.h"

#include <charconv>

namespace braid::http {
namespace {

bool IsTokenChar(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  for (char c : text) {
    if (!IsTokenChar(c)) return false;
  }
  return !text.empty();
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

Refusal Bad(std::string text) { return {400, std::move(text)}; }

std::optional<Refusal> ParseRequestLine(std::string_view line, RequestHead* head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || last == first || line.find(' ', first + 1) != last) {
    return Bad("the request line is not 'METHOD target HTTP/1.1'");
  }
  const std::string_view method = line.substr(0, first), version = line.substr(last + 1);
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (!IsToken(method)) return Bad("bad method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return Refusal{505, "only HTTP/1.1 and HTTP/1.0 are served"};
  head->http_1_0 = version == "HTTP/1.0";
  head->request.method = method;
  if (target.starts_with("http://") || target.starts_with("https://")) {  // absolute form, as sent to proxies
    const size_t authority = target.find("//") + 2;
    const size_t path = target.find_first_of("/?", authority);
    head->host = target.substr(authority, path == std::string_view::npos ? path : path - authority);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (target == "*" && method == "OPTIONS") {
    head->request.path = "*";
    return std::nullopt;
  }
  if (target.empty() || (target.front() != '/' && target.front() != '?'))
    return Bad("the target does not start with /");
  if (const size_t fragment = target.find('#'); fragment != std::string_view::npos)
    return Bad("the target has a fragment");
  const size_t question = target.find('?');
  if (!PercentDecode(target.substr(0, question), false, &head->request.path)) return Bad("bad % escape in the path");
  if (head->request.path.empty()) head->request.path = "/";
  if (question != std::string_view::npos && !ParseForm(target.substr(question + 1), &head->request.query)) {
    return Bad("bad % escape in the query parameters");
  }
  return std::nullopt;
}

std::optional<Refusal> ParseHeaderLine(std::string_view line, Header* header) {
  if (line.front() == ' ' || line.front() == '\t') return Bad("folded header lines are not accepted");
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return Bad("header line without a colon");
  if (!IsToken(line.substr(0, colon))) return Bad("bad header name");
  const std::string_view value = Trim(line.substr(colon + 1));
  for (char c : value) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return Bad("control character in a header");
  }
  header->name = line.substr(0, colon);
  header->value = value;
  return std::nullopt;
}

}  // namespace

size_t FindHeadEnd(std::string_view bytes, size_t* checked, std::optional<Refusal>* refusal) {
  for (size_t i = *checked; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (c == '\0') {
      *refusal = Bad("NUL in the head of the request");
      return std::string_view::npos;
    }
    if (c == '\n' && (i == 0 || bytes[i - 1] != '\r')) {
      *refusal = Bad("line feed without carriage return in the head of the request");
      return std::string_view::npos;
    }
    if (i > 0 && bytes[i - 1] == '\r' && c != '\n') {
      *refusal = Bad("carriage return without line feed in the head of the request");
      return std::string_view::npos;
    }
    if (c == '\n' && i >= 3 && bytes[i - 3] == '\r' && bytes[i - 2] == '\n') {
      *checked = i + 1;
      return i + 1;
    }
  }
  *checked = bytes.size();
  return std::string_view::npos;
}

std::optional<Refusal> ParseRequestHead(std::string_view bytes, RequestHead* head) {
  size_t end = bytes.find("\r\n");
  if (auto refusal = ParseRequestLine(bytes.substr(0, end), head)) return refusal;
  bytes.remove_prefix(end + 2);
  bool has_host = false, has_transfer_encoding = false, close = false, keep = false;
  while ((end = bytes.find("\r\n")) != 0) {
    if (end == std::string_view::npos) return Bad("the head does not end");
    Header header;
    if (auto refusal = ParseHeaderLine(bytes.substr(0, end), &header)) return refusal;
    bytes.remove_prefix(end + 2);
    if (EqualsIgnoreCase(header.name, "Host")) {
      if (has_host) return Bad("more than one Host header");
      has_host = true;
      if (header.value.empty()) return Bad("empty Host header");
      if (head->host.empty()) head->host = header.value;
    } else if (EqualsIgnoreCase(header.name, "Content-Length")) {
      if (head->content_length) return Bad("more than one Content-Length header");
      uint64_t length = 0;
      const char* const last = header.value.data() + header.value.size();
      const auto read = std::from_chars(header.value.data(), last, length);
      if (read.ec != std::errc() || read.ptr != last || header.value.size() > 18) return Bad("bad Content-Length");
      head->content_length = length;
    } else if (EqualsIgnoreCase(header.name, "Transfer-Encoding")) {
      if (has_transfer_encoding) return Bad("more than one Transfer-Encoding header");
      has_transfer_encoding = true;
      if (!EqualsIgnoreCase(header.value, "chunked")) return Refusal{501, "Transfer-Encoding can only be chunked"};
      head->chunked = true;
    } else if (EqualsIgnoreCase(header.name, "Connection")) {
      std::string_view options = header.value;
      while (!options.empty()) {
        const size_t comma = options.find(',');
        const std::string_view option = Trim(options.substr(0, comma));
        close = close || EqualsIgnoreCase(option, "close");
        keep = keep || EqualsIgnoreCase(option, "keep-alive");
        options.remove_prefix(comma == std::string_view::npos ? options.size() : comma + 1);
      }
    } else if (EqualsIgnoreCase(header.name, "Expect")) {
      if (!EqualsIgnoreCase(header.value, "100-continue")) return Refusal{417, "Expect can only be 100-continue"};
      head->expect_continue = true;
    }
    head->request.headers.push_back(std::move(header));
  }
  if (head->chunked && head->content_length) return Bad("both Content-Length and Transfer-Encoding");
  if (head->chunked && head->http_1_0) return Bad("Transfer-Encoding in HTTP/1.0");
  if (!has_host && !head->http_1_0) return Bad("no Host header");
  head->keep_alive = !close && (!head->http_1_0 || keep);
  return std::nullopt;
}

}  // namespace braid::http
