// A kept-alive connection to a server of telemetry, one request at a time.
//
// Threads: an object belongs to one thread. Errors: InvalidArgument for a URL that is none; Unavailable if the server
// cannot be reached or the exchange broke off: whether it took the request is not known then. The next Post connects
// anew.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace braid {

class HttpConnection {
 public:
  struct Answer {
    int status = 0;
    int retry_after_seconds = 0;  // 0 = the server said nothing of it
    std::string body;
  };
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // `url` is "http://host:port". Connects with the first Post.
  static absl::StatusOr<std::unique_ptr<HttpConnection>> Make(const std::string& url);
  ~HttpConnection();
  absl::StatusOr<Answer> Post(const std::string& path, const Headers& headers, const std::string& body);

 private:
  struct State;
  explicit HttpConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace braid
