#include "tools/http_client.h"

#include <simdjson.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>

#include "tools/terminal.h"

namespace braid {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;

namespace {

absl::StatusOr<HttpAnswer> Exchange(const std::string& url, const std::string& path, int timeout_seconds,
                                    http::request<http::string_body> request) {
  // The parsed view points into the text.
  const std::string full_url = url.find("://") == std::string::npos ? "http://" + url : url;
  const auto parsed = boost::urls::parse_uri(full_url);
  if (parsed && parsed->scheme() == "https") {
    return absl::InvalidArgumentError("'" + url +
                                      "': this client speaks no TLS; ask with curl, or through a tunnel "
                                      "that ends TLS on this machine");
  }
  if (!parsed || parsed->scheme() != "http" || parsed->host().empty()) {
    return absl::InvalidArgumentError("'" + url + "' is not a URL such as http://127.0.0.1:4318");
  }
  const std::string host = parsed->host_address();
  const std::string port = parsed->has_port() && !parsed->port().empty() ? std::string(parsed->port()) : "4318";
  std::string base(parsed->encoded_path());
  while (!base.empty() && base.back() == '/') base.pop_back();
  const auto failure = [&](const std::string& what) {
    return absl::UnavailableError("no answer from " + host + " port " + port + ": " + what +
                                  " (is `braid serve` running there?)");
  };

  boost::asio::io_context io;
  boost::system::error_code error;
  tcp::resolver resolver(io);
  const auto addresses = resolver.resolve(host, port, error);
  if (error) return failure(error.message());
  tcp::socket socket(io);
  boost::asio::connect(socket, addresses, error);
  if (error) return failure(error.message());
  // A blocking read ends by the socket's own timeout.
  const timeval timeout{timeout_seconds, 0};
  setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);

  request.target(base + path);
  const std::string shown = host.find(':') == std::string::npos ? host : "[" + host + "]";
  request.set(http::field::host, shown + ":" + port);
  request.set(http::field::user_agent, "braid");
  request.set(http::field::connection, "close");
  request.prepare_payload();
  http::write(socket, request, error);
  if (error) return failure(error.message());

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(uint64_t{1} << 32);
  http::read(socket, buffer, parser, error);
  if (error) return failure(error.message());
  HttpAnswer answer;
  answer.status = parser.get().result_int();
  answer.content_type = std::string(parser.get()[http::field::content_type]);
  answer.notes = std::string(parser.get()["Braid-Notes"]);
  answer.body = std::move(parser.get().body());
  return answer;
}

}  // namespace

std::string ErrorText(const HttpAnswer& answer) {
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

absl::StatusOr<HttpAnswer> HttpPost(const std::string& url, const std::string& path, const std::string& content_type,
                                    const std::string& accept, const std::string& body, int timeout_seconds,
                                    const std::string& token) {
  http::request<http::string_body> request{http::verb::post, "/", 11};
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.set(http::field::content_type, content_type);
  request.set(http::field::accept, accept);
  request.body() = body;
  return Exchange(url, path, timeout_seconds, std::move(request));
}

absl::StatusOr<HttpAnswer> HttpGet(const std::string& url, const std::string& path, const std::string& accept,
                                   int timeout_seconds, const std::string& token) {
  http::request<http::string_body> request{http::verb::get, "/", 11};
  if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
  request.set(http::field::accept, accept);
  return Exchange(url, path, timeout_seconds, std::move(request));
}

}  // namespace braid
