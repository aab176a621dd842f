// What the server's connections share, and how one begins. Internal to server/http; the only header with Asio in it.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <unordered_set>

#include "server/http/http_server.h"
#include "server/http/worker_pool.h"

namespace braid::http {

class Session;

// Counters and pools are used by many threads; `sessions` by the network thread only.
struct SessionShared {
  SessionShared(const ServerOptions& server_options, Handler server_handler, LaneOf server_lane_of)
      : options(server_options),
        handler(std::move(server_handler)),
        lane_of(std::move(server_lane_of)),
        fast(options.fast_threads, options.queue_max),
        slow(options.slow_threads, options.queue_max) {}

  const ServerOptions options;
  const Handler handler;
  const LaneOf lane_of;
  boost::asio::io_context io{1};
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> connections_open{0}, connections_total{0}, requests{0}, refused{0}, body_bytes{0};
  std::unordered_set<Session*> sessions;
  WorkerPool fast;
  WorkerPool slow;  // destroyed first: tasks use what stands above
};

// Serves the connection until it ends. Network thread.
void StartSession(boost::asio::ip::tcp::socket socket, SessionShared* shared);
// Answers 503 and closes.
void RefuseConnection(boost::asio::ip::tcp::socket socket, SessionShared* shared);
// Closes connections that wait for a request; with `all`, also cuts off the others. Network thread.
void CloseSessions(SessionShared* shared, bool all);

}  // namespace braid::http
