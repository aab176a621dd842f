// Paths and methods to handlers; what is not there is answered with what would have been.
//
// Threads: filled by one thread, then read by many.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/http_server.h"

namespace braid::server {

// `segment` is what stood for {} in the pattern, or "".
using RouteHandler = std::function<http::Response(const http::Request& request, const std::string& segment)>;

class Router {
 public:
  // `methods`: "GET", "GET POST"; HEAD goes where GET goes. `pattern`: "/api/v1/label/{}/values": {} is one segment.
  // A pattern may be added again for other methods. `hint` says in a few words what the route is for; it goes into the
  // index page and into 405 answers.
  void Add(std::string methods, std::string pattern, http::Lane lane, std::string hint, RouteHandler handler);

  http::Response Handle(const http::Request& request) const;
  http::Lane LaneOf(const http::Request& request) const;
  // "METHOD  path  hint" lines.
  std::string Index() const;

 private:
  struct Route {
    std::string methods;
    std::string pattern;
    http::Lane lane;
    std::string hint;
    RouteHandler handler;
  };
  // A route of the path that takes the method, or else one that tells what would have been taken.
  const Route* Find(std::string_view path, std::string_view method, std::string* segment) const;

  std::vector<Route> routes_;
};

http::Response TextResponse(int status, std::string text);
http::Response JsonResponse(int status, std::string json);

}  // namespace braid::server
