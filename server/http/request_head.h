// Reading the head of an HTTP/1.1 request (RFC 9112), strictly: whatever two parsers might read differently is refused,
// because that difference is how requests are smuggled past a proxy.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/http/message.h"

namespace braid::http {

// Why a request is refused before a handler sees it.
// (With a constructor, because g++ 12 destroys aggregate temporaries of co_await expressions twice.)
struct Refusal {
  Refusal(int refusal_status, std::string refusal_text) : status(refusal_status), text(std::move(refusal_text)) {}
  int status;
  std::string text;
};

struct RequestHead {
  Request request;
  std::string host;  // Host header, or authority of an absolute target
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expect_continue = false;
  std::optional<uint64_t> content_length;
};

// Looks at the bytes that have come so far, from `*checked` on: end of the head (behind its blank line), npos if it is
// not there yet. Refuses bare CR, bare LF and NUL as soon as they come.
size_t FindHeadEnd(std::string_view bytes, size_t* checked, std::optional<Refusal>* refusal);

// `bytes`: a whole head including its blank line.
std::optional<Refusal> ParseRequestHead(std::string_view bytes, RequestHead* head);

}  // namespace braid::http
