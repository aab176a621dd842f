// One HTTP request to a Braid server.
//
// Threads: free function without state. Errors: Unavailable if nobody answers (the message names host and port),
// InvalidArgument for a URL that is none.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace braid {

struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string body;
  std::string notes;  // Braid-Notes, a header or a trailer
};

// What the server says is wrong: the message of its error in JSON, or else the body on one line, and cut.
std::string ErrorText(const HttpAnswer& answer);

// POSTs `body` to `url` ("http://host:port") + `path`. Waits at most `timeout_seconds` for the answer to begin. `token`
// is the bearer token, if there is one.
absl::StatusOr<HttpAnswer> HttpPost(const std::string& url, const std::string& path, const std::string& content_type,
                                    const std::string& accept, const std::string& body, int timeout_seconds,
                                    const std::string& token = "");
// The same for a GET.
absl::StatusOr<HttpAnswer> HttpGet(const std::string& url, const std::string& path, const std::string& accept,
                                   int timeout_seconds, const std::string& token = "");

}  // namespace braid
