#include "tools/http_connection.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <charconv>
#include <chrono>
#include <optional>

#include "absl/strings/numbers.h"
#include "engine/base/status_macros.h"

namespace braid {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// A machine that is not there does not refuse: the system would try for two minutes.
constexpr int kConnectSecondsMax = 10;
constexpr uint64_t kAnswerBytesMax = uint64_t{4} << 30;

using Request = http::request<http::string_body>;
using Parser = http::response_parser<http::string_body>;
using TlsStream = asio::ssl::stream<beast::tcp_stream>;

}  // namespace

struct HttpConnection::State {
  std::string host, port, base, token;
  asio::io_context io;
  std::optional<asio::ssl::context> tls;  // if the URL is https
  // The connection that is kept: one of them, or none.
  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<TlsStream> secure;
  beast::flat_buffer buffer;

  void Drop() {
    plain = nullptr;
    secure = nullptr;
    buffer.clear();
  }
  absl::Status Failure(const error_code& error) {
    std::string what = error.message();
    if (error == beast::error::timeout) {
      what = "it says nothing";
    } else if (error == http::error::end_of_stream || error == asio::error::eof ||
               error == asio::ssl::error::stream_truncated) {
      what = "the connection was closed";
    }
    if (!tls && (error == http::error::bad_version || error == http::error::end_of_stream)) {
      what += " (if it speaks TLS, its URL begins with https://)";
    }
    if (error == asio::error::connection_refused) what += " (is `braid serve` running there?)";
    return absl::UnavailableError("no answer from " + host + " port " + port + ": " + what);
  }
  absl::Status HandshakeFailure(const error_code& error) {
    const long verdict = SSL_get_verify_result(secure->native_handle());
    if (verdict != X509_V_OK) {
      return absl::PermissionDeniedError("the certificate of " + host + " port " + port +
                                         " is not accepted: " + X509_verify_cert_error_string(verdict) +
                                         "; --ca-file names a PEM file with the authority to trust");
    }
    if (error.category() == asio::error::get_ssl_category() || error == asio::ssl::error::stream_truncated) {
      return absl::UnavailableError("no TLS with " + host + " port " + port + ": " + error.message() +
                                    " (if it speaks plain HTTP, its URL begins with http://)");
    }
    return Failure(error);
  }

  asio::awaitable<absl::Status> Connect(int timeout_seconds) {
    const auto limit = std::chrono::seconds(std::min(timeout_seconds, kConnectSecondsMax));
    tcp::resolver resolver(io);
    const auto [resolve_error, addresses] = co_await resolver.async_resolve(host, port, kAwait);
    if (resolve_error) co_return Failure(resolve_error);
    auto stream = std::make_unique<beast::tcp_stream>(io);
    stream->expires_after(limit);
    const auto [connect_error, address] = co_await stream->async_connect(addresses, kAwait);
    if (connect_error) co_return Failure(connect_error);
    error_code ignored;
    stream->socket().set_option(tcp::no_delay(true), ignored);
    if (!tls) {
      plain = std::move(stream);
      co_return absl::OkStatus();
    }
    secure = std::make_unique<TlsStream>(std::move(*stream), *tls);
    SSL* const ssl = secure->native_handle();
    error_code not_an_address;
    asio::ip::make_address(host, not_an_address);
    // The certificate must be of the host that was meant, by its name or its address.
    const bool named = not_an_address
                           ? SSL_set_tlsext_host_name(ssl, host.c_str()) == 1 && SSL_set1_host(ssl, host.c_str()) == 1
                           : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
    if (!named) co_return absl::InvalidArgumentError("'" + host + "' cannot be checked against a certificate");
    secure->next_layer().expires_after(limit);
    const auto [error] = co_await secure->async_handshake(asio::ssl::stream_base::client, kAwait);
    co_return error ? HandshakeFailure(error) : absl::OkStatus();
  }

  template <typename Stream>
  asio::awaitable<error_code> Exchange(Stream* stream, beast::tcp_stream* lowest, const Request& request,
                                       int timeout_seconds, Parser* parser) {
    const auto limit = std::chrono::seconds(timeout_seconds);
    lowest->expires_after(limit);
    const auto [write_error, written] = co_await http::async_write(*stream, request, kAwait);
    // One that refuses a body early has answered before it closed.
    if (write_error && write_error != asio::error::broken_pipe && write_error != asio::error::connection_reset) {
      co_return write_error;
    }
    while (!parser->is_done()) {
      lowest->expires_after(limit);
      const auto [read_error, read] = co_await http::async_read_some(*stream, buffer, *parser, kAwait);
      if (read_error) co_return write_error ? write_error : read_error;
    }
    co_return error_code();
  }

  asio::awaitable<absl::StatusOr<HttpAnswer>> Ask(const Request& request, int timeout_seconds) {
    if (plain == nullptr && secure == nullptr) {
      const absl::Status connected = co_await Connect(timeout_seconds);
      if (!connected.ok()) co_return connected;
    }
    Parser parser;
    parser.body_limit(kAnswerBytesMax);
    const error_code error =
        tls ? co_await Exchange(secure.get(), &secure->next_layer(), request, timeout_seconds, &parser)
            : co_await Exchange(plain.get(), plain.get(), request, timeout_seconds, &parser);
    if (error) co_return Failure(error);
    HttpAnswer answer;
    answer.status = parser.get().result_int();
    const auto retry_after = parser.get()[http::field::retry_after];
    std::from_chars(retry_after.data(), retry_after.data() + retry_after.size(), answer.retry_after_seconds);
    answer.content_type = std::string(parser.get()[http::field::content_type]);
    answer.notes = std::string(parser.get()["Braid-Notes"]);
    answer.body = std::move(parser.get().body());
    if (!parser.get().keep_alive()) Drop();
    co_return answer;
  }

  absl::StatusOr<HttpAnswer> Run(http::verb verb, const std::string& path, const HttpHeaders& headers,
                                 const std::string& body, int timeout_seconds) {
    Request request{verb, base + path, 11};
    request.set(http::field::host, (host.find(':') != std::string::npos ? "[" + host + "]" : host) + ":" + port);
    request.set(http::field::user_agent, "braid");
    if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
    for (const auto& [name, value] : headers) request.set(name, value);
    request.body() = body;
    request.prepare_payload();
    std::optional<absl::StatusOr<HttpAnswer>> answer;
    io.restart();
    asio::co_spawn(io, Ask(request, timeout_seconds),
                   [&answer](std::exception_ptr, absl::StatusOr<HttpAnswer> result) { answer = std::move(result); });
    io.run();
    if (!answer->ok()) Drop();
    return *std::move(answer);
  }
};

HttpConnection::HttpConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpConnection::~HttpConnection() = default;

absl::StatusOr<std::unique_ptr<HttpConnection>> HttpConnection::Make(const Endpoint& endpoint) {
  const std::string& url = endpoint.url;
  // The parsed view points into the text.
  const std::string full_url = url.find("://") == std::string::npos ? "http://" + url : url;
  const auto parsed = boost::urls::parse_uri(full_url);
  if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->host().empty()) {
    return absl::InvalidArgumentError("'" + url + "' is not a URL such as http://127.0.0.1:4318");
  }
  uint32_t port = 0;
  if (parsed->has_port() && !parsed->port().empty() &&
      (!absl::SimpleAtoi(std::string(parsed->port()), &port) || port == 0 || port > 65535)) {
    return absl::InvalidArgumentError("'" + url + "' has no port between 1 and 65535");
  }
  auto state = std::make_unique<State>();
  state->host = parsed->host_address();
  state->port = parsed->has_port() && !parsed->port().empty() ? std::string(parsed->port()) : "4318";
  state->base = std::string(parsed->encoded_path());
  while (!state->base.empty() && state->base.back() == '/') state->base.pop_back();
  state->token = endpoint.token;
  if (parsed->scheme() == "https") {
    namespace ssl = asio::ssl;
    ssl::context& context = state->tls.emplace(ssl::context::tls_client);
    error_code error;
    context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                            ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                        error);
    context.set_verify_mode(ssl::verify_peer, error);
    if (endpoint.ca_file.empty()) {
      context.set_default_verify_paths(error);
    } else {
      context.load_verify_file(endpoint.ca_file, error);
    }
    if (error) {
      return absl::InvalidArgumentError((endpoint.ca_file.empty() ? "the system's certificates" : endpoint.ca_file) +
                                        " cannot be used: " + error.message());
    }
  } else if (!endpoint.ca_file.empty()) {
    return absl::InvalidArgumentError("--ca-file is for https, and the server is " + url);
  }
  return std::unique_ptr<HttpConnection>(new HttpConnection(std::move(state)));
}

absl::StatusOr<HttpAnswer> HttpConnection::Post(const std::string& path, const HttpHeaders& headers,
                                                const std::string& body, int timeout_seconds) {
  return state_->Run(http::verb::post, path, headers, body, timeout_seconds);
}

absl::StatusOr<HttpAnswer> HttpConnection::Get(const std::string& path, const HttpHeaders& headers,
                                               int timeout_seconds) {
  return state_->Run(http::verb::get, path, headers, "", timeout_seconds);
}

}  // namespace braid
