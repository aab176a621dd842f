// What the server's connections share, and how one begins. Internal to server/http.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "server/http/connection.h"
#include "server/http/http_server.h"
#include "server/http/network_loop.h"
#include "server/http/worker_pool.h"

namespace braid::http {

// A connection that is open, of either version. Network thread.
class OpenConnection {
 public:
  virtual ~OpenConnection() = default;
  // Ends it if it waits for a request; with `all`, in any case.
  virtual void Close(bool all) = 0;
  // Ends what should have been done before `now`; answers the next deadline.
  virtual std::chrono::steady_clock::time_point Expire(std::chrono::steady_clock::time_point now) = 0;
};

// What a connection knows of the address that it came to.
struct Port {
  Speaks speaks = Speaks::kHttp1;
  std::string expected;        // of Listen
  std::string wrong_protocol;  // what a client is told that speaks the other version
};

// Counters and pools are used by many threads; the rest by the network thread only.
struct SessionShared {
  SessionShared(const ServerOptions& server_options, Handler server_handler, LaneOf server_lane_of)
      : options(server_options),
        handler(std::move(server_handler)),
        lane_of(std::move(server_lane_of)),
        fast(options.fast_threads, options.queue_max),
        slow(options.slow_threads, options.queue_max) {}

  // Counts `size` bytes of a body as held; `*reserved` of them are already. False, and nothing counted, if that is more
  // than all bodies together may have.
  bool Reserve(uint64_t size, uint64_t* reserved) {
    if (size <= *reserved) return true;
    const uint64_t more = size - *reserved;
    if (body_bytes.fetch_add(more) + more > options.bodies_bytes_max) {
      body_bytes -= more;
      return false;
    }
    *reserved = size;
    return true;
  }

  // Has the connections' deadlines looked at by `deadline`. One timer serves them all, and is seldom set: most of what
  // has a deadline is done long before.
  void NoteDeadline(std::chrono::steady_clock::time_point deadline);

  const ServerOptions options;
  const Handler handler;
  const LaneOf lane_of;
  boost::asio::io_context io{1};
  NetworkLoop loop{&io};
  boost::asio::steady_timer deadlines{io};
  std::chrono::steady_clock::time_point deadlines_at = std::chrono::steady_clock::time_point::max();
  // By Speaks: they differ in what they agree on with clients (ALPN). Empty without TLS.
  std::array<std::optional<boost::asio::ssl::context>, 2> tls;
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> connections_open{0}, connections_total{0}, connections_refused{0};
  std::atomic<uint64_t> requests{0}, refused{0}, body_bytes{0};
  std::unordered_set<OpenConnection*> sessions;
  WorkerPool fast;
  WorkerPool slow;  // destroyed first: tasks use what stands above
};

// Serves the connection until it ends. `port` outlives it. Network thread.
void StartSession(boost::asio::ip::tcp::socket socket, const Port* port, SessionShared* shared);
// Answers 503 and closes.
void RefuseConnection(boost::asio::ip::tcp::socket socket, const Port* port, SessionShared* shared);
// Takes over a connection that began with HTTP/2's preface; `received` are the bytes that have come, with the preface.
boost::asio::awaitable<void> ServeHttp2(std::unique_ptr<Connection> connection, std::string received, std::string peer,
                                        const Port* port, SessionShared* shared);
// Closes connections that wait for a request; with `all`, also cuts off the others. Network thread.
void CloseSessions(SessionShared* shared, bool all);

// What runs a handler and lets none of its exceptions out.
Response RunHandler(const Handler& handler, const Request& request);

}  // namespace braid::http
