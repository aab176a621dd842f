// One HTTP request to a Braid server.
//
// Threads: free functions without state. Errors: as http_connection.h.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/http_connection.h"

namespace braid {

// What the server says is wrong: the message of its error in JSON, or else the body on one line, and cut. If it wants
// a token, or another one, the option that names it is added.
std::string ErrorText(const HttpAnswer& answer);

// POSTs `body` to the endpoint's URL + `path`.
absl::StatusOr<HttpAnswer> HttpPost(const Endpoint& endpoint, const std::string& path, const std::string& content_type,
                                    const std::string& accept, const std::string& body, int timeout_seconds);
// The same for a GET.
absl::StatusOr<HttpAnswer> HttpGet(const Endpoint& endpoint, const std::string& path, const std::string& accept,
                                   int timeout_seconds);

}  // namespace braid
