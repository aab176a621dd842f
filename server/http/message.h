// A request and its answer as handlers see them.
//
// Threads: values; a request belongs to the thread that handles it. `cancelled` may be read from anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid::http {

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  std::string method;                                      // "GET"
  std::string path;                                        // percent-decoded once: "/v1/traces"
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in the order sent
  std::vector<Header> headers;
  std::string body;  // de-chunked; Content-Encoding is not undone
  std::string peer;  // address of the client
  bool http2 = false;
  std::string expected;  // what the address it came to is for, if it is not one of the main ones
  // Becomes true when the client has gone away.
  std::shared_ptr<const std::atomic<bool>> cancelled;

  // Value of a header, any case; "" if absent.
  std::string_view HeaderValue(std::string_view name) const;
  // First value of a query parameter; null if absent.
  const std::string* QueryValue(std::string_view name) const;
  // Content-Type without its parameters, in lower case.
  std::string MediaType() const;
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<Header> headers;
  std::vector<Header> trailers;  // HTTP/2 only, where they carry the status of gRPC
  std::string body;
  // If set (HTTP/1.1 only), the body is what this hands out piece by piece (`body` is sent before it). False ends it;
  // called in a worker thread, one call at a time, only as fast as the client reads.
  std::function<bool(std::string* piece)> stream;
  // HTTP/1.1 only: headers that are known only when the stream has ended, sent behind it as trailers (not to HTTP/1.0
  // clients), under names that `trailer_names` announces. Called once, in the worker thread of the last piece.
  std::string trailer_names;
  std::function<std::vector<Header>()> trailers_at_end;
};

// True if `a` and `b` are equal but for ASCII case.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
// Percent-decoding, once; '+' becomes a space if `form`. False for a bad escape or an escaped NUL.
bool PercentDecode(std::string_view text, bool form, std::string* decoded);
// "a=1&b=x%20y". False for bad escapes.
bool ParseForm(std::string_view text, std::vector<std::pair<std::string, std::string>>* pairs);
std::string_view ReasonPhrase(int status);

}  // namespace braid::http
