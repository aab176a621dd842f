#include "tools/http_connection.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <charconv>

namespace braid {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;

namespace {
// A server that says nothing for so long is given up.
constexpr int kTimeoutSeconds = 60;
}  // namespace

struct HttpConnection::State {
  std::string host, port, base;
  boost::asio::io_context io;
  std::unique_ptr<tcp::socket> socket;
  beast::flat_buffer buffer;

  absl::Status Failure(const std::string& what) {
    socket = nullptr;
    return absl::UnavailableError("no answer from " + host + " port " + port + ": " + what);
  }
  absl::Status Connect() {
    boost::system::error_code error;
    tcp::resolver resolver(io);
    const auto addresses = resolver.resolve(host, port, error);
    if (error) return Failure(error.message());
    socket = std::make_unique<tcp::socket>(io);
    boost::asio::connect(*socket, addresses, error);
    if (error) return Failure(error.message());
    const timeval timeout{kTimeoutSeconds, 0};
    setsockopt(socket->native_handle(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    socket->set_option(tcp::no_delay(true), error);
    buffer.clear();
    return absl::OkStatus();
  }
};

HttpConnection::HttpConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpConnection::~HttpConnection() = default;

absl::StatusOr<std::unique_ptr<HttpConnection>> HttpConnection::Make(const std::string& url) {
  const std::string full_url = url.find("://") == std::string::npos ? "http://" + url : url;
  const auto parsed = boost::urls::parse_uri(full_url);
  if (!parsed || parsed->scheme() != "http" || parsed->host().empty()) {
    return absl::InvalidArgumentError("'" + url + "' is not a URL such as http://127.0.0.1:4318");
  }
  auto state = std::make_unique<State>();
  state->host = parsed->host_address();
  state->port = parsed->has_port() && !parsed->port().empty() ? std::string(parsed->port()) : "4318";
  state->base = std::string(parsed->encoded_path());
  while (!state->base.empty() && state->base.back() == '/') state->base.pop_back();
  return std::unique_ptr<HttpConnection>(new HttpConnection(std::move(state)));
}

absl::StatusOr<HttpConnection::Answer> HttpConnection::Post(const std::string& path, const Headers& headers,
                                                            const std::string& body) {
  if (state_->socket == nullptr) {
    if (absl::Status status = state_->Connect(); !status.ok()) return status;
  }
  http::request<http::string_body> request{http::verb::post, state_->base + path, 11};
  const bool is_v6 = state_->host.find(':') != std::string::npos;
  request.set(http::field::host, (is_v6 ? "[" + state_->host + "]" : state_->host) + ":" + state_->port);
  request.set(http::field::user_agent, "braid");
  for (const auto& [name, value] : headers) request.set(name, value);
  request.body() = body;
  request.prepare_payload();
  boost::system::error_code error;
  http::write(*state_->socket, request, error);
  if (error) return state_->Failure(error.message());
  http::response_parser<http::string_body> parser;
  parser.body_limit(uint64_t{1} << 30);
  http::read(*state_->socket, state_->buffer, parser, error);
  if (error) return state_->Failure(error.message());
  Answer answer;
  answer.status = parser.get().result_int();
  const auto retry_after = parser.get()[http::field::retry_after];
  std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), answer.retry_after_seconds);
  answer.body = std::move(parser.get().body());
  if (!parser.get().keep_alive()) state_->socket = nullptr;
  return answer;
}

}  // namespace braid
