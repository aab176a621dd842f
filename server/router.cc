#include "server/router.h"

#include <algorithm>

#include "server/classic_ports.h"

namespace braid::server {
namespace {

bool Matches(std::string_view pattern, std::string_view path, std::string* segment) {
  const size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == path;
  const std::string_view before = pattern.substr(0, hole), after = pattern.substr(hole + 2);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) || !path.ends_with(after)) return false;
  const std::string_view middle = path.substr(before.size(), path.size() - before.size() - after.size());
  if (middle.find('/') != std::string_view::npos) return false;
  *segment = middle;
  return true;
}

bool HasMethod(std::string_view methods, std::string_view method) {
  if (method == "HEAD") method = "GET";
  while (!methods.empty()) {
    const size_t space = methods.find(' ');
    if (methods.substr(0, space) == method) return true;
    methods.remove_prefix(space == std::string_view::npos ? methods.size() : space + 1);
  }
  return false;
}

}  // namespace

void Router::Add(std::string methods, std::string pattern, http::Lane lane, std::string hint, RouteHandler handler) {
  routes_.push_back({std::move(methods), std::move(pattern), lane, std::move(hint), std::move(handler)});
}

const Router::Route* Router::Find(std::string_view path, std::string_view method, std::string* segment) const {
  // A slash too many at the end is a slip, not another resource.
  if (path.size() > 1 && path.ends_with('/') && path != "/-/") path.remove_suffix(1);
  const Route* other = nullptr;
  for (const Route& route : routes_) {
    const bool takes = HasMethod(route.methods, method);
    if ((!takes && other != nullptr) || !Matches(route.pattern, path, segment)) continue;
    if (takes) return &route;
    other = &route;
  }
  return other;
}

http::Lane Router::LaneOf(const http::Request& request) const {
  std::string segment;
  const Route* route = Find(request.path, request.method, &segment);
  return route == nullptr ? http::Lane::kFast : route->lane;
}

http::Response Router::Handle(const http::Request& request) const {
  std::string segment;
  const Route* route = Find(request.path, request.method, &segment);
  if (route == nullptr) {
    std::string text = "there is nothing at " + request.path.substr(0, 200) + "\n";
    if (!request.expected.empty()) text += "this port is for " + request.expected + "\n";
    if (const std::string_view hint = HintForPath(request.path); !hint.empty()) text.append(hint).append("\n");
    text +=
        "OTLP goes to POST /v1/traces, /v1/logs and /v1/metrics; queries to POST /v1/query; GET / lists everything\n";
    return TextResponse(404, std::move(text));
  }
  if (HasMethod(route->methods, request.method)) return route->handler(request, segment);
  std::string allow = route->methods;
  for (size_t at = allow.find(' '); at != std::string::npos; at = allow.find(' ', at + 2)) allow.replace(at, 1, ", ");
  http::Response response;
  if (request.method == "OPTIONS") {
    response.status = 204;
    response.content_type.clear();
  } else {
    response = TextResponse(405, request.path.substr(0, 200) + " takes " + allow + ", not " +
                                     request.method.substr(0, 32) + ": " + route->hint + "\n");
    // An exporter whose whole URL is the endpoint of the others.
    if (request.path == "/") response.body += "OTLP goes to POST /v1/traces, /v1/logs and /v1/metrics\n";
  }
  response.headers.push_back({"Allow", std::move(allow)});
  return response;
}

std::string Router::Index() const {
  std::string index;
  for (const Route& route : routes_) {
    std::string line = "  " + route.methods;
    line.resize(std::max<size_t>(line.size() + 1, 12), ' ');
    line += route.pattern;
    line.resize(std::max<size_t>(line.size() + 2, 48), ' ');
    index += line + route.hint + "\n";
  }
  return index;
}

http::Response TextResponse(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.body = std::move(text);
  return response;
}

http::Response JsonResponse(int status, std::string json) {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(json);
  return response;
}

}  // namespace braid::server
