// Who may talk to the server: the checks that keep a page in the user's browser, or another machine, away from it.
//
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/request_head.h"

namespace braid::http {

struct AccessRules {
  // Names that the Host header may have besides localhost and loopback addresses, without port; "*" = any.
  std::vector<std::string> hosts;
  // Origins of pages that may call besides loopback ones: "https://app.example.org".
  std::vector<std::string> origins;
  // Bearer token that every request must carry; empty = none needed. Requests with a valid token may name any host:
  // a page that has rebound its name to this machine does not know the token.
  std::string token;
};

// "localhost", "127.x.y.z", "[::1]", each with or without port.
bool IsLoopbackHost(std::string_view host);
// "http://localhost:3000" and the like.
bool IsLoopbackOrigin(std::string_view origin);
// Takes as long for any two texts of these lengths.
bool EqualsConstantTime(std::string_view a, std::string_view b);

// Host, Origin and token of a request.
std::optional<Refusal> CheckAccess(const RequestHead& head, const AccessRules& rules);

}  // namespace braid::http
