#include "server/http/connection.h"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace braid::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace

Connection::Connection(tcp::socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
  if (tls != nullptr) tls_.emplace(socket_, *tls);
}

asio::awaitable<error_code> Connection::Handshake() {
  if (!tls_) co_return error_code();
  const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kAwait);
  co_return error;
}

asio::awaitable<Connection::Outcome> Connection::ReadSome(asio::mutable_buffer space) {
  if (tls_) co_return co_await tls_->async_read_some(space, kAwait);
  co_return co_await socket_.async_read_some(space, kAwait);
}

asio::awaitable<Connection::Outcome> Connection::WriteSome(asio::const_buffer bytes) {
  if (tls_) co_return co_await tls_->async_write_some(bytes, kAwait);
  co_return co_await socket_.async_write_some(bytes, kAwait);
}

size_t Connection::SendNow(std::string_view bytes) {
  if (tls_) return 0;
  const ssize_t sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent > 0 ? static_cast<size_t>(sent) : 0;
}

void Connection::Close() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace braid::http
