// An HTTP server (1.1, and 2 where gRPC is expected) that knows nothing of what it serves.
//
// One thread at a time does the network's work; handlers run in two "lanes", so that slow ones never keep fast ones or
// new connections waiting. Requests of an HTTP/1.1 connection are answered one after another, in order; those of an
// HTTP/2 connection as they are done.
//
// Threads: Start returns a running server; its methods may be called from any thread. The handler is called from many
// threads at once.
// Errors: Start answers InvalidArgument for bad addresses, bad certificates and for a bind that the rules forbid,
// FailedPrecondition for an address in use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/types.h"
#include "server/http/access.h"
#include "server/http/message.h"

namespace braid::http {

enum class Lane : uint8_t { kFast, kSlow };

enum class Speaks : uint8_t { kHttp1, kHttp2 };

// An address besides the main ones.
struct Listen {
  std::string address;  // as in ServerOptions::listen
  Speaks speaks = Speaks::kHttp1;
  // What it is for: "OTLP/gRPC"; goes into notes and Request::expected.
  std::string expected;
  // If it is in use: false = that is noted and the rest served, true = Start fails.
  bool required = false;
};

// PEM files; both or none.
struct TlsFiles {
  std::string certificate;  // the chain, the server's own first
  std::string key;
};

struct ServerOptions {
  // "127.0.0.1:4318", "[::1]:4318", "localhost:4318" (both loopback addresses); port 0 = any free one.
  std::vector<std::string> listen = {"127.0.0.1:4318", "[::1]:4318"};
  std::vector<Listen> also_listen;
  // Spoken on all addresses if set; TLS 1.2 or newer.
  TlsFiles tls;
  // Other than loopback addresses need a token in `access`, and TLS or this.
  bool insecure_allow_remote = false;
  AccessRules access;

  size_t connections_max = 1024;  // beyond it: 503 with Retry-After, and closed
  size_t header_bytes_max = size_t{32} << 10;
  size_t body_bytes_max = size_t{32} << 20;
  // Bodies being received or handled, over all connections. Beyond it: 503 with Retry-After.
  size_t bodies_bytes_max = size_t{256} << 20;
  Duration header_timeout = 10 * kSecond;   // from the first byte of a request to the end of its head
  Duration idle_timeout = 75 * kSecond;     // between requests; longer than the 60 s that clients keep connections
  Duration read_timeout = 10 * kSecond;     // without any byte of a body
  size_t body_bytes_per_second_min = 1024;  // after the first read_timeout
  // Between the calls of an HTTP/2 connection: gRPC's clients keep theirs, and open another when told that it ends.
  Duration http2_idle_timeout = 300 * kSecond;
  uint32_t http2_streams_max = 100;       // at once, of one connection
  Duration write_timeout = 30 * kSecond;  // without any byte of an answer taken by the client

  int fast_threads = 8;  // many, because durable writes wait for the disk together
  int slow_threads = 4;
  size_t queue_max = 256;  // requests waiting for a thread, per lane; beyond it: 503 with Retry-After
};

using Handler = std::function<Response(const Request&)>;
using LaneOf = std::function<Lane(const Request&)>;

struct ServerStats {
  uint64_t connections_open = 0;
  uint64_t connections_total = 0;
  uint64_t connections_refused = 0;  // beyond connections_max
  uint64_t requests_total = 0;       // handed to the handler
  uint64_t requests_refused = 0;     // answered by the server itself: bad, too large, forbidden, too many
  uint64_t body_bytes = 0;           // held now
};

// An address that is not listened on, and why: "[::1]:4318: left out, this host has no IPv6".
struct ListenNote {
  std::string text;
  bool is_loss = false;  // clients may miss it: another program has the port
};

class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, Handler handler, LaneOf lane_of);
  // Stops as Stop(5 s).
  virtual ~Server() = default;

  // The addresses that are listened on, with their real ports: "127.0.0.1:4318".
  virtual const std::vector<std::string>& addresses() const = 0;
  // The same of also_listen: "127.0.0.1:4317 (OTLP/gRPC)".
  virtual const std::vector<std::string>& also_addresses() const = 0;
  virtual const std::vector<ListenNote>& notes() const = 0;
  virtual ServerStats stats() const = 0;
  // Takes no new connections, finishes requests in flight, closes idle connections; cuts off what is left after
  // `grace`.
  virtual void Stop(Duration grace) = 0;
};

// What Server::Start would refuse, without serving: the TLS files are read and the addresses bound for a moment.
absl::Status CheckListening(const ServerOptions& options);

}  // namespace braid::http
