// A kept-alive connection to a server of telemetry, over TLS if its URL says https, one request at a time.
//
// Threads: an object belongs to one thread. Errors: InvalidArgument for a URL that is none or a file of authorities
// that cannot be used; Unavailable if the server cannot be reached or the exchange broke off: whether it took the
// request is not known then; PermissionDenied if its certificate is not accepted, before anything is sent. The next
// request connects anew.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace braid {

// A server, and what it takes to reach it.
struct Endpoint {
  std::string url;      // "http://host:port" or "https://host:port"; without a port 4318 is meant
  std::string token;    // bearer token; may be empty
  std::string ca_file;  // PEM file of the authorities to trust with https; empty: the system's
};

struct HttpAnswer {
  int status = 0;
  int retry_after_seconds = 0;  // 0 = the server said nothing of it
  std::string content_type;
  std::string notes;  // Braid-Notes, a header or a trailer
  std::string body;
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

class HttpConnection {
 public:
  // Connects with the first request.
  static absl::StatusOr<std::unique_ptr<HttpConnection>> Make(const Endpoint& endpoint);
  ~HttpConnection();
  // `path` is put behind that of the URL. A server that says nothing for `timeout_seconds` is given up.
  absl::StatusOr<HttpAnswer> Post(const std::string& path, const HttpHeaders& headers, const std::string& body,
                                  int timeout_seconds);
  absl::StatusOr<HttpAnswer> Get(const std::string& path, const HttpHeaders& headers, int timeout_seconds);

 private:
  struct State;
  explicit HttpConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace braid
