#include "server/scrape/metrics_fetch.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <cstdio>

#include "engine/base/status_macros.h"
#include "server/ingest/content_encoding.h"

namespace braid::scrape {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr int kRedirectsMax = 10;
// In Prometheus' order: targets that choose by it choose the same for us. (Its protobuf form is not asked for.)
constexpr const char* kAccept =
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

using Answer = beast::http::response<beast::http::string_body>;

absl::Status Failure(const FetchRequest& request, const char* doing, const error_code& error) {
  const std::string where = std::string(doing) + " " + request.address;
  if (error == beast::error::timeout) {
    return absl::DeadlineExceededError(where + ": no whole answer within the scrape timeout");
  }
  if (error == beast::http::error::body_limit) {
    return absl::ResourceExhaustedError(where + ": the body has more than " + std::to_string(request.body_bytes_max) +
                                        " bytes");
  }
  if (error.category() == beast::http::make_error_code(beast::http::error::bad_version).category() &&
      error != beast::http::error::end_of_stream) {
    return absl::InvalidArgumentError(where + ": the answer is not HTTP: " + error.message());
  }
  return absl::UnavailableError(where + ": " + error.message());
}

// `deadline` is for the whole of it, redirects included.
asio::awaitable<absl::StatusOr<Answer>> GetOnce(const FetchRequest& request,
                                                std::chrono::steady_clock::time_point deadline) {
  const auto executor = co_await asio::this_coro::executor;
  const size_t colon = request.address.rfind(':');
  std::string host = request.address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  tcp::resolver resolver(executor);
  const auto [resolve_error, endpoints] =
      co_await resolver.async_resolve(host, request.address.substr(colon + 1), kAwait);
  if (resolve_error) co_return Failure(request, "looking up", resolve_error);
  beast::tcp_stream stream(executor);
  stream.expires_at(deadline);
  const auto [connect_error, endpoint] = co_await stream.async_connect(endpoints, kAwait);
  if (connect_error) co_return Failure(request, "connecting to", connect_error);
  beast::http::request<beast::http::empty_body> get(beast::http::verb::get, request.target, 11);
  get.set(beast::http::field::host, request.address);
  get.set(beast::http::field::user_agent, "Braid");
  get.set(beast::http::field::accept, kAccept);
  get.set(beast::http::field::accept_encoding, "gzip");
  get.set(beast::http::field::connection, "close");
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%g", static_cast<double>(request.timeout) / 1e9);
  get.set("X-Prometheus-Scrape-Timeout-Seconds", seconds);
  const auto [write_error, written] = co_await beast::http::async_write(stream, get, kAwait);
  if (write_error) co_return Failure(request, "asking", write_error);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(request.body_bytes_max);
  const auto [read_error, read] = co_await beast::http::async_read(stream, buffer, parser, kAwait);
  if (read_error) co_return Failure(request, "reading from", read_error);
  error_code ignored;
  stream.socket().shutdown(tcp::socket::shutdown_both, ignored);
  co_return parser.release();
}

// Where a Location leads; false if not to an http address.
bool Follow(std::string_view location, FetchRequest* request) {
  constexpr std::string_view kScheme = "http://";
  location = location.substr(0, location.find('#'));
  if (location.starts_with(kScheme)) {
    location.remove_prefix(kScheme.size());
    const size_t path = std::min(location.find_first_of("/?"), location.size());
    request->address = location.substr(0, path);
    if (request->address.empty() || request->address.find('@') != std::string::npos) return false;
    const size_t colon = request->address.rfind(':');
    if (colon == std::string::npos || request->address.find(']', colon) != std::string::npos) request->address += ":80";
    request->target = location.substr(path);
    if (!request->target.starts_with('/')) request->target.insert(0, "/");
    return true;
  }
  if (!location.starts_with('/') || location.starts_with("//")) return false;
  request->target = location;
  return true;
}

}  // namespace

asio::awaitable<absl::StatusOr<FetchedMetrics>> FetchMetrics(const FetchRequest& asked) {
  FetchRequest request = asked;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(request.timeout);
  for (int i = 0; i <= kRedirectsMax; ++i) {
    absl::StatusOr<Answer> answer = co_await GetOnce(request, deadline);
    if (!answer.ok()) co_return answer.status();
    const unsigned status = answer->result_int();
    const auto field = [&](beast::http::field name) {
      const auto value = (*answer)[name];
      return std::string(value.data(), value.size());
    };
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
      const std::string location = field(beast::http::field::location);
      if (Follow(location, &request)) continue;
      co_return absl::FailedPreconditionError("redirected to '" + location.substr(0, 200) + "', which is not followed");
    }
    if (status != 200) {
      co_return absl::FailedPreconditionError("the server answered with HTTP status " + std::to_string(status));
    }
    FetchedMetrics metrics;
    metrics.content_type = field(beast::http::field::content_type);
    const auto coding = ingest::ParseContentEncoding(field(beast::http::field::content_encoding));
    if (!coding.ok()) co_return coding.status();
    if (*coding == ingest::Coding::kIdentity) {
      metrics.body = std::move(answer->body());
      co_return metrics;
    }
    ingest::DecodeLimits limits;
    limits.decoded_bytes_max = request.body_bytes_max;
    const auto body = ingest::DecodeContent(*coding, answer->body(), limits);
    if (!body.ok()) co_return body.status();
    metrics.body = body->view();
    co_return metrics;
  }
  co_return absl::FailedPreconditionError("more than " + std::to_string(kRedirectsMax) + " redirects");
}

}  // namespace braid::scrape
