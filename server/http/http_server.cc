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
#include <thread>

#include "engine/base/status_macros.h"
#include "server/http/session.h"

namespace braid::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

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

  absl::Status Begin() {
    const ServerOptions& options = shared_.options;
    for (const std::string& text : options.listen) {
      ASSIGN_OR_RETURN(const std::vector<tcp::endpoint> endpoints, ParseAddress(text));
      for (const tcp::endpoint& endpoint : endpoints) {
        if (!endpoint.address().is_loopback() && (!options.allow_remote || options.access.token.empty())) {
          return absl::InvalidArgumentError(
              "listening on " + text + " would let other machines in; that needs a token and to be allowed explicitly");
        }
        RETURN_IF_ERROR(Listen(endpoint));
      }
    }
    if (acceptors_.empty()) return absl::InvalidArgumentError("there is no address to listen on");
    for (tcp::acceptor& acceptor : acceptors_) {
      asio::co_spawn(shared_.io, Accept(&acceptor), [](std::exception_ptr) {});
    }
    thread_ = std::thread([this] { shared_.io.run(); });
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return addresses_; }
  const std::vector<std::string>& notes() const override { return notes_; }

  ServerStats stats() const override {
    return {shared_.connections_open, shared_.connections_total, shared_.requests, shared_.refused, shared_.body_bytes};
  }

  void Stop(Duration grace) override {
    std::lock_guard lock(stop_mutex_);
    if (!thread_.joinable()) return;
    shared_.stopping = true;
    asio::post(shared_.io, [this] {
      error_code ignored;
      for (tcp::acceptor& acceptor : acceptors_) acceptor.close(ignored);
      CloseSessions(&shared_, false);
    });
    asio::co_spawn(shared_.io, CutOff(grace), [](std::exception_ptr) {});
    // The network thread ends when the last connection has: then it has nothing left to do.
    work_.reset();
    thread_.join();
  }

 private:
  absl::Status Listen(const tcp::endpoint& endpoint) {
    tcp::acceptor acceptor(shared_.io);
    error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(1024, error);
    if (error) {
      const bool no_ipv6 = error == boost::system::errc::address_family_not_supported ||
                           error == boost::system::errc::address_not_available;
      if (endpoint.address().is_v6() && endpoint.address().is_loopback() && no_ipv6) {
        notes_.push_back(ToText(endpoint) + ": left out, this host has no IPv6");
        return absl::OkStatus();
      }
      return absl::FailedPreconditionError("cannot listen on " + ToText(endpoint) + ": " + error.message());
    }
    addresses_.push_back(ToText(acceptor.local_endpoint(error)));
    acceptors_.push_back(std::move(acceptor));
    return absl::OkStatus();
  }

  asio::awaitable<void> Accept(tcp::acceptor* acceptor) {
    while (!shared_.stopping) {
      auto [error, socket] = co_await acceptor->async_accept(kAwait);
      if (shared_.stopping) co_return;
      if (error) {
        // Out of file descriptors, or the client has gone again: neither is helped by trying at once.
        asio::steady_timer pause(shared_.io, std::chrono::milliseconds(20));
        co_await pause.async_wait(kAwait);
        continue;
      }
      if (shared_.connections_open >= shared_.options.connections_max) {
        // A few may wait for their refusal; beyond that they are just closed.
        if (shared_.connections_open < shared_.options.connections_max + 64) {
          RefuseConnection(std::move(socket), &shared_);
        }
        continue;
      }
      StartSession(std::move(socket), &shared_);
    }
  }

  asio::awaitable<void> CutOff(Duration grace) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(grace);
    while (!shared_.sessions.empty()) {
      if (std::chrono::steady_clock::now() >= deadline) CloseSessions(&shared_, true);
      asio::steady_timer pause(shared_.io, std::chrono::milliseconds(5));
      co_await pause.async_wait(kAwait);
    }
  }

  SessionShared shared_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{asio::make_work_guard(shared_.io)};
  std::deque<tcp::acceptor> acceptors_;
  std::vector<std::string> addresses_;
  std::vector<std::string> notes_;
  std::mutex stop_mutex_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, Handler handler, LaneOf lane_of) {
  auto server = std::make_unique<ServerImpl>(options, std::move(handler), std::move(lane_of));
  RETURN_IF_ERROR(server->Begin());
  return server;
}

}  // namespace braid::http
