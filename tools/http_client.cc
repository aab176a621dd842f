#include "tools/http_client.h"

#include <simdjson.h>

#include "engine/base/status_macros.h"
#include "tools/terminal.h"

namespace braid {

namespace {

std::string TextOfBody(const HttpAnswer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element document, error;
  std::string_view text;
  if (parser.parse(answer.body).get(document) == simdjson::SUCCESS) {
    // {"error":{"message":...}}, {"error":...} of Prometheus, {"message":...} of OTLP.
    if (document["error"].get(error) != simdjson::SUCCESS) error = document;
    if (error.get_string().get(text) == simdjson::SUCCESS ||
        error["message"].get_string().get(text) == simdjson::SUCCESS) {
      return Printable(text);
    }
  }
  std::string body = answer.body.substr(0, 200);
  while (!body.empty() && (body.back() == '\n' || body.back() == '\r')) body.pop_back();
  return Printable(body);
}

}  // namespace

std::string ErrorText(const HttpAnswer& answer) {
  const bool token = answer.status == 401;
  return TextOfBody(answer) + (token ? " (--token-file names the file with the server's token)" : "");
}

absl::StatusOr<HttpAnswer> HttpPost(const Endpoint& endpoint, const std::string& path, const std::string& content_type,
                                    const std::string& accept, const std::string& body, int timeout_seconds) {
  ASSIGN_OR_RETURN(const auto connection, HttpConnection::Make(endpoint));
  return connection->Post(path, {{"Connection", "close"}, {"Content-Type", content_type}, {"Accept", accept}}, body,
                          timeout_seconds);
}

absl::StatusOr<HttpAnswer> HttpGet(const Endpoint& endpoint, const std::string& path, const std::string& accept,
                                   int timeout_seconds) {
  ASSIGN_OR_RETURN(const auto connection, HttpConnection::Make(endpoint));
  return connection->Get(path, {{"Connection", "close"}, {"Accept", accept}}, timeout_seconds);
}

}  // namespace braid
