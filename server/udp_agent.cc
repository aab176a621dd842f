#include "server/udp_agent.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <thread>

#include "engine/base/status_macros.h"
#include "server/ingest/jaeger_thrift.h"

namespace braid::server {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;
using boost::system::error_code;

// The largest datagram there is; Jaeger's clients keep to 65,000 bytes.
constexpr size_t kDatagramBytesMax = 65'535;
// A burst of a busy program waits in the kernel while a batch is being written.
constexpr int kReceiveBufferBytes = 4 << 20;
// A batch is written when so much has been read, however much more is there: sockets take turns.
constexpr size_t kBatchBytes = size_t{4} << 20;
constexpr int kBatchDatagrams = 4096;

class UdpAgentImpl : public UdpAgent {
 public:
  explicit UdpAgentImpl(App* app) : app_(app), datagram_(kDatagramBytesMax + 1, '\0') {}
  ~UdpAgentImpl() override { Stop(); }

  absl::Status Bind(const std::vector<uint16_t>& ports) {
    for (const uint16_t port : ports) {
      RETURN_IF_ERROR(Open({asio::ip::address_v4::loopback(), port}));
      RETURN_IF_ERROR(Open({asio::ip::address_v6::loopback(), port}));
    }
    return absl::OkStatus();
  }

  absl::Status Begin(const std::vector<uint16_t>& ports, const std::vector<uint16_t>& spare) {
    RETURN_IF_ERROR(Bind(ports));
    for (const uint16_t port : spare) {
      if (std::find(ports.begin(), ports.end(), port) != ports.end()) continue;
      for (const udp::endpoint& endpoint : {udp::endpoint(asio::ip::address_v4::loopback(), port),
                                            udp::endpoint(asio::ip::address_v6::loopback(), port)}) {
        if (const absl::Status status = Open(endpoint); !status.ok()) {
          notes_.push_back({std::string(Str(status.message())) + " (Jaeger's agent): NOT served", true});
        }
      }
    }
    for (udp::socket& socket : sockets_) Await(&socket);
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return addresses_; }
  const std::vector<http::ListenNote>& notes() const override { return notes_; }

  void Stop() override {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      for (udp::socket& socket : sockets_) {
        Drain(&socket);
        error_code ignored;
        socket.close(ignored);
      }
    });
    thread_.join();
  }

 private:
  absl::Status Open(const udp::endpoint& endpoint) {
    const bool v6 = endpoint.address().is_v6();
    udp::socket socket(io_);
    error_code error;
    socket.open(endpoint.protocol(), error);
    if (!error && v6) socket.set_option(asio::ip::v6_only(true), error);
    if (!error) socket.bind(endpoint, error);
    // A host without IPv6 is served on the other address.
    if (v6 && error && error != asio::error::address_in_use) return absl::OkStatus();
    if (!error) socket.non_blocking(true, error);
    if (error) {
      return absl::FailedPreconditionError("UDP " + std::string(v6 ? "[::1]:" : "127.0.0.1:") +
                                           std::to_string(endpoint.port()) + ": " + error.message());
    }
    error_code ignored;  // the kernel gives what it may
    socket.set_option(asio::socket_base::receive_buffer_size(kReceiveBufferBytes), ignored);
    const uint16_t port = socket.local_endpoint(ignored).port();
    addresses_.push_back((v6 ? "[::1]:" : "127.0.0.1:") + std::to_string(port));
    sockets_.push_back(std::move(socket));
    return absl::OkStatus();
  }

  void Await(udp::socket* socket) {
    socket->async_wait(udp::socket::wait_read, [this, socket](error_code error) {
      if (error) return;
      Drain(socket);
      Await(socket);
    });
  }

  // Reads what is there and writes it as one batch.
  void Drain(udp::socket* socket) {
    WriteBatch batch;
    ingest::IngestReport report;
    for (int i = 0; i < kBatchDatagrams && batch.byte_size() < kBatchBytes; ++i) {
      error_code error;
      const size_t size = socket->receive(asio::buffer(datagram_), 0, error);
      if (error) break;
      app_->metrics.CountRequest(Protocol::kJaeger, size);
      const absl::Status status = ingest::DecodeJaegerThrift({datagram_.data(), size}, &batch, &report);
      if (!status.ok()) app_->metrics.CountRejected(Protocol::kJaeger, Reject::kMalformed, 1);
    }
    if (report.rejected > 0) app_->metrics.CountRejected(Protocol::kJaeger, Reject::kRecord, report.rejected);
    if (batch.empty()) return;
    if (!app_->db->Write(batch).ok()) {
      app_->metrics.CountRejected(Protocol::kJaeger, Reject::kStorage, 1);
      return;
    }
    app_->metrics.CountAccepted(Protocol::kJaeger, batch.counts());
  }

  App* app_;
  asio::io_context io_;
  std::deque<udp::socket> sockets_;
  std::vector<std::string> addresses_;
  std::vector<http::ListenNote> notes_;
  std::string datagram_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<UdpAgent>> UdpAgent::Start(const std::vector<uint16_t>& ports,
                                                          const std::vector<uint16_t>& spare, App* app) {
  auto agent = std::make_unique<UdpAgentImpl>(app);
  RETURN_IF_ERROR(agent->Begin(ports, spare));
  return agent;
}

absl::Status UdpAgent::CheckPorts(const std::vector<uint16_t>& ports) { return UdpAgentImpl(nullptr).Bind(ports); }

}  // namespace braid::server
