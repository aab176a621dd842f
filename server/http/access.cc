#include "server/http/access.h"

#include <algorithm>

namespace braid::http {
namespace {

std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, std::min(host.find(']'), host.size() - 1) + 1);
  return host.substr(0, host.find(':'));
}

bool IsDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool IsLoopbackHost(std::string_view host) {
  const std::string_view name = WithoutPort(host);
  const std::string_view port = host.substr(name.size());
  if (!port.empty() && (port.front() != ':' || !IsDigits(port.substr(1)))) return false;
  if (EqualsIgnoreCase(name, "localhost") || name == "[::1]") return true;
  if (!name.starts_with("127.")) return false;
  int dots = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '.') {
      ++dots;
      if (i + 1 == name.size() || name[i + 1] == '.') return false;
    } else if (name[i] < '0' || name[i] > '9') {
      return false;
    }
  }
  return dots == 3;
}

bool IsLoopbackOrigin(std::string_view origin) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) return IsLoopbackHost(origin.substr(scheme.size()));
  }
  return false;
}

bool EqualsConstantTime(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  }
  return difference == 0;
}

std::optional<Refusal> CheckAccess(const RequestHead& head, const AccessRules& rules) {
  if (!rules.token.empty()) {
    constexpr std::string_view kBearer = "Bearer ";
    const std::string_view authorization = head.request.HeaderValue("Authorization");
    const bool bearer =
        authorization.size() >= kBearer.size() && EqualsIgnoreCase(authorization.substr(0, kBearer.size()), kBearer);
    // A browser asks for permission without the token; the answer to that gives nothing away.
    const bool preflight = head.request.method == "OPTIONS";
    if (!preflight && (!bearer || !EqualsConstantTime(authorization.substr(kBearer.size()), rules.token))) {
      return Refusal{401, "this server needs the header 'Authorization: Bearer <token>'"};
    }
  } else if (!head.host.empty() && !IsLoopbackHost(head.host)) {
    const std::string_view name = WithoutPort(head.host);
    const bool allowed = std::any_of(rules.hosts.begin(), rules.hosts.end(), [&](const std::string& host) {
      return host == "*" || EqualsIgnoreCase(host, name);
    });
    if (!allowed) {
      return Refusal{403, "the Host '" + head.host.substr(0, 100) +
                              "' is not one of this server's names (a protection against DNS rebinding)"};
    }
  }
  const std::string_view origin = head.request.HeaderValue("Origin");
  if (!origin.empty() && !IsLoopbackOrigin(origin)) {
    const bool allowed = std::any_of(rules.origins.begin(), rules.origins.end(),
                                     [&](const std::string& known) { return known == origin; });
    if (!allowed) {
      return Refusal{403, "pages from '" + std::string(origin.substr(0, 100)) + "' may not talk to this server"};
    }
  }
  return std::nullopt;
}

}  // namespace braid::http
