// One TCP connection, with or without TLS: reading, writing and closing are the same for both.
//
// Threads: the network thread only, but for SendNow. Errors: those of Asio and OpenSSL, as error codes.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

namespace braid::http {

class Connection {
 public:
  using Outcome = std::tuple<boost::system::error_code, size_t>;

  // `tls`: null for plain text; outlives the connection.
  Connection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls);

  // The socket below TLS: for options, addresses, cancelling and waiting.
  boost::asio::ip::tcp::socket& socket() { return socket_; }
  const boost::asio::ip::tcp::socket& socket() const { return socket_; }
  bool secure() const { return tls_.has_value(); }

  // Does nothing without TLS.
  boost::asio::awaitable<boost::system::error_code> Handshake();
  boost::asio::awaitable<Outcome> ReadSome(boost::asio::mutable_buffer space);
  boost::asio::awaitable<Outcome> WriteSome(boost::asio::const_buffer bytes);
  // Sends as much as can be sent at once, and answers how much that is; nothing over TLS. Errors show at the next
  // WriteSome. Any thread, while nobody else writes.
  size_t SendNow(std::string_view bytes);
  void Close();

 private:
  boost::asio::ip::tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
};

}  // namespace braid::http
