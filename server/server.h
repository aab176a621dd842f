// The server: OTLP (HTTP and gRPC), Prometheus and JSON lines in, queries out, over one DB.
//
// Threads: Start returns a running server; its methods may be called from any thread.
// Ownership: the DB outlives the server; whoever opened it closes it, after Stop.
// Errors: Start answers InvalidArgument for options that are not allowed, FailedPrecondition for an address in use.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "braid/db.h"
#include "braid/query.h"
#include "braid/types.h"
#include "server/http/http_server.h"
#include "server/log.h"
#include "server/scrape/scrape_config.h"

namespace braid::server {

struct ServerOptions {
  // Addresses, who may come, limits and threads: the names, reasons and defaults are there.
  http::ServerOptions http;
  QueryLimits query_limits;
  // What the DB (its own option), bodies and queries may take together; lowers their limits. 0 = no limit.
  uint64_t memory_bytes_max = 0;
  // Jaeger's agent: UDP ports to take Thrift batches on, on loopback addresses; none if empty. 6831 and 6832 are the
  // usual ones; each takes both protocols.
  std::vector<uint16_t> jaeger_udp_ports;
  std::vector<uint16_t> jaeger_udp_spare_ports;  // likewise, but one that is in use is noted and left out
  // Where POST /api/v1/admin/tsdb/snapshot puts copies of the store; on the store's file system they cost little.
  // Empty: nowhere.
  std::string snapshot_dir;
  // Also listens on the classic ports (classic_ports.h), but for 4317; those in use are noted and left out.
  bool compat = false;
  scrape::ScrapeConfig scrape;
  // Series that came in the last one to two hours; new ones beyond it are refused, known ones go on. 0 = no bound. The
  // default is what some 2 GB of memory hold.
  uint64_t active_series_max = 1'000'000;
  Log* log = nullptr;           // outlives the server; null: nothing is said
  bool self_telemetry = false;  // its own metrics and log go into the DB too; needs `log`
  // Where `now` comes from; the system's clock if null.
  std::function<Timestamp()> clock;
};

class Server {
 public:
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options, DB* db);
  virtual ~Server() = default;

  // What is listened on, with real ports: the main addresses, http.also_listen and the classic ports with what they
  // are for, and what was left out and why.
  virtual const std::vector<std::string>& addresses() const = 0;
  virtual const std::vector<std::string>& also_addresses() const = 0;
  virtual std::vector<http::ListenNote> notes() const = 0;
  // Of Jaeger's agent, likewise.
  virtual std::vector<std::string> udp_addresses() const = 0;
  // From now on /-/ready answers 503, so that a proxy looks elsewhere; then requests in flight are finished.
  virtual void Stop(Duration grace) = 0;
};

}  // namespace braid::server
