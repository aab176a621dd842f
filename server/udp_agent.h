// Jaeger's agent: Thrift batches in UDP datagrams, on loopback addresses only.
//
// A thread of its own takes what has arrived, writes it as one batch and goes on; what arrives meanwhile waits in the
// sockets' buffers. UDP has no answers: datagrams that cannot be read or stored are counted in the metrics, and what
// the kernel drops when the buffers are full is lost unseen.
//
// Threads: Start returns a running agent; Stop may be called once, from any thread. Ownership: the App outlives it.
// Errors: Start answers FailedPrecondition for a port in use.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/app.h"
#include "server/http/http_server.h"

namespace braid::server {

class UdpAgent {
 public:
  // Each port on 127.0.0.1 and, if the host has IPv6, on ::1. Port 0 = any free ones. A `spare` port that is in use is
  // noted and left out.
  static absl::StatusOr<std::unique_ptr<UdpAgent>> Start(const std::vector<uint16_t>& ports,
                                                         const std::vector<uint16_t>& spare, App* app);
  // FailedPrecondition if one of the ports is in use; they are bound for a moment.
  static absl::Status CheckPorts(const std::vector<uint16_t>& ports);
  // Stops.
  virtual ~UdpAgent() = default;

  // "127.0.0.1:6831", with real ports.
  virtual const std::vector<std::string>& addresses() const = 0;
  virtual const std::vector<http::ListenNote>& notes() const = 0;
  // Writes what has arrived until now.
  virtual void Stop() = 0;
};

}  // namespace braid::server
