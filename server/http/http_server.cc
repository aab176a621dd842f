#include "server/http/http_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>

#include "engine/base/status_macros.h"
#include "server/http/session.h"
#include "server/http/tls_context.h"

namespace braid::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// Connections beyond the limit that are being told so.
constexpr uint64_t kRefusedAtOnceMax = 64;

std::string ToText(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" + std::to_string(endpoint.port());
}

absl::StatusOr<std::vector<tcp::endpoint>> ParseAddress(const std::string& text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError("listen address '" + text +
                                      "' is not ADDRESS:PORT, such as 127.0.0.1:4318, [::1]:4318 or localhost:4318");
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  uint16_t port = 0;
  const char* const last = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, last, port);
  if (read.ec != std::errc() || read.ptr != last) return bad();
  std::vector<tcp::endpoint> endpoints;
  if (host == "localhost") {
    endpoints.emplace_back(asio::ip::address_v4::loopback(), port);
    endpoints.emplace_back(asio::ip::address_v6::loopback(), port);
    return endpoints;
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error || address.is_v6() != bracketed) return bad();
  endpoints.emplace_back(address, port);
  return endpoints;
}

class ServerImpl : public Server {
 public:
  ServerImpl(const ServerOptions& options, Handler handler, LaneOf lane_of)
      : shared_(options, std::move(handler), std::move(lane_of)) {}
  ~ServerImpl() override { Stop(5 * kSecond); }

  // `trial`: the addresses are only bound.
  absl::Status Begin(bool trial) {
    const ServerOptions& options = shared_.options;
    trial_ = trial;
    if (options.tls.certificate.empty() != options.tls.key.empty()) {
      return absl::InvalidArgumentError("TLS needs both a certificate and its private key");
    }
    if (!options.tls.certificate.empty()) {
      for (const Speaks speaks : {Speaks::kHttp1, Speaks::kHttp2}) {
        auto& context = shared_.tls[static_cast<size_t>(speaks)].emplace(asio::ssl::context::tls_server);
        RETURN_IF_ERROR(SetUpTls(options.tls, speaks, &context));
      }
    }
    for (const std::string& text : options.listen) RETURN_IF_ERROR(Open({text, Speaks::kHttp1, "", true}));
    if (acceptors_.empty()) return absl::InvalidArgumentError("there is no address to listen on");
    for (const struct Listen& listen : options.also_listen) RETURN_IF_ERROR(Open(listen));
    if (trial) return absl::OkStatus();
    NameTheOther();
    for (Acceptor& acceptor : acceptors_) {
      asio::co_spawn(shared_.io, Accept(&acceptor), [](std::exception_ptr) {});
    }
    shared_.loop.Start();
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return addresses_; }
  const std::vector<std::string>& also_addresses() const override { return also_addresses_; }
  const std::vector<ListenNote>& notes() const override { return notes_; }

  ServerStats stats() const override {
    return {shared_.connections_open, shared_.connections_total, shared_.connections_refused,
            shared_.requests,         shared_.refused,           shared_.body_bytes};
  }

  void Stop(Duration grace) override {
    std::lock_guard lock(stop_mutex_);
    if (!shared_.loop.started()) return;
    shared_.stopping = true;
    asio::post(shared_.io, [this] {
      error_code ignored;
      for (Acceptor& acceptor : acceptors_) acceptor.acceptor.close(ignored);
      CloseSessions(&shared_, false);
    });
    asio::co_spawn(shared_.io, CutOff(grace), [](std::exception_ptr) {});
    // The network's threads end when the last connection has: then there is nothing left to do.
    work_.reset();
    shared_.loop.Join();
  }

 private:
  struct Acceptor {
    tcp::acceptor acceptor;
    Port port;
  };

  absl::Status CheckRemote(const std::string& text) const {
    const ServerOptions& options = shared_.options;
    const std::string why = "listening on " + text + " would let other machines in; that needs ";
    if (options.access.token.empty()) return absl::PermissionDeniedError(why + "a token");
    if (options.tls.certificate.empty() && !options.insecure_allow_remote) {
      return absl::PermissionDeniedError(
          why + "TLS, or leave to do without: everyone on the way could read the token and the data");
    }
    return absl::OkStatus();
  }

  absl::Status Open(const struct Listen& listen) {
    ASSIGN_OR_RETURN(const std::vector<tcp::endpoint> endpoints, ParseAddress(listen.address));
    for (const tcp::endpoint& endpoint : endpoints) {
      if (!endpoint.address().is_loopback()) RETURN_IF_ERROR(CheckRemote(listen.address));
      RETURN_IF_ERROR(OpenOne(endpoint, listen));
    }
    return absl::OkStatus();
  }

  absl::Status OpenOne(const tcp::endpoint& endpoint, const struct Listen& listen) {
    const bool main = listen.expected.empty();
    const std::string purpose = main ? "" : " (" + listen.expected + ")";
    tcp::acceptor acceptor(shared_.io);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error && !trial_) acceptor.listen(1024, error);
    if (error) {
      const bool no_ipv6 = error == boost::system::errc::address_family_not_supported ||
                           error == boost::system::errc::address_not_available;
      if (endpoint.address().is_v6() && endpoint.address().is_loopback() && no_ipv6) {
        notes_.push_back({ToText(endpoint) + purpose + ": left out, this host has no IPv6", false});
        return absl::OkStatus();
      }
      if (!listen.required) {
        notes_.push_back({ToText(endpoint) + purpose + ": NOT served, " + error.message(), true});
        return absl::OkStatus();
      }
      return absl::FailedPreconditionError("cannot listen on " + ToText(endpoint) + ": " + error.message());
    }
    (main ? addresses_ : also_addresses_).push_back(ToText(acceptor.local_endpoint(error)) + purpose);
    acceptors_.push_back({std::move(acceptor), {listen.speaks, listen.expected, ""}});
    return absl::OkStatus();
  }

  // Tells every address where the other version of HTTP is spoken.
  void NameTheOther() {
    std::string http2;
    error_code ignored;
    for (const Acceptor& acceptor : acceptors_) {
      if (acceptor.port.speaks == Speaks::kHttp2) http2 = ToText(acceptor.acceptor.local_endpoint(ignored));
      if (!http2.empty()) break;
    }
    const std::string scheme = shared_.tls[0] ? "https://" : "http://";
    const std::string http1 = scheme + addresses_.front();
    for (Acceptor& acceptor : acceptors_) {
      if (acceptor.port.speaks == Speaks::kHttp2) {
        acceptor.port.wrong_protocol = "this port takes OTLP/gRPC, which is HTTP/2; OTLP over HTTP goes to " + http1 +
                                       " (OTEL_EXPORTER_OTLP_ENDPOINT=" + http1 +
                                       ", or OTEL_EXPORTER_OTLP_PROTOCOL=grpc to send to this port)";
      } else if (http2.empty()) {
        acceptor.port.wrong_protocol =
            "this port speaks HTTP/1.1, and OTLP/gRPC is not served: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and "
            "send to " +
            http1;
      } else {
        acceptor.port.wrong_protocol = "this port speaks HTTP/1.1; OTLP/gRPC goes to " + scheme + http2 +
                                       " (OTEL_EXPORTER_OTLP_ENDPOINT=" + scheme + http2 +
                                       "), or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and send to " + http1;
      }
    }
  }

  asio::awaitable<void> Accept(Acceptor* from) {
    while (!shared_.stopping) {
      const uint64_t open = shared_.connections_open;
      // Those to be refused wait for their answer too, but not without end: the others wait in the kernel.
      if (open >= shared_.options.connections_max + kRefusedAtOnceMax) {
        asio::steady_timer pause(shared_.io, std::chrono::milliseconds(20));
        co_await pause.async_wait(kAwait);
        continue;
      }
      auto [error, socket] = co_await from->acceptor.async_accept(kAwait);
      if (shared_.stopping) co_return;
      if (error) {
        // Out of file descriptors, or the client has gone again: neither is helped by trying at once.
        asio::steady_timer pause(shared_.io, std::chrono::milliseconds(20));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (shared_.connections_open >= shared_.options.connections_max) {
        ++shared_.connections_refused;
        RefuseConnection(std::move(socket), &from->port, &shared_);
        continue;
      }
      StartSession(std::move(socket), &from->port, &shared_);
    }
  }

  asio::awaitable<void> CutOff(Duration grace) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(grace);
    while (!shared_.sessions.empty()) {
      if (std::chrono::steady_clock::now() >= deadline) CloseSessions(&shared_, true);
      asio::steady_timer pause(shared_.io, std::chrono::milliseconds(5));
      co_await pause.async_wait(kAwait);
    }
    shared_.deadlines.cancel();
  }

  SessionShared shared_;
  bool trial_ = false;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{asio::make_work_guard(shared_.io)};
  std::deque<Acceptor> acceptors_;
  std::vector<std::string> addresses_;
  std::vector<std::string> also_addresses_;
  std::vector<ListenNote> notes_;
  std::mutex stop_mutex_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Handler handler, LaneOf lane_of) {
  auto server = std::make_unique<ServerImpl>(options, std::move(handler), std::move(lane_of));
  RETURN_IF_ERROR(server->Begin(false));
  return server;
}

absl::Status CheckListening(const ServerOptions& options) {
  ServerOptions few = options;
  few.fast_threads = few.slow_threads = 1;
  return ServerImpl(few, nullptr, nullptr).Begin(true);
}

}  // namespace braid::http
