// Where a captured program's records go: to a server over OTLP, or straight into a DB. Either way by a Delivery.
//
// Threads: one thread. Ownership: `post` and `db` must stay usable until the outlet is closed; a DB is shared because a
// write may be under way longer than that.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "braid/db.h"
#include "server/ingest/log_sink.h"
#include "tools/capture/delivery.h"

namespace braid {

class LogOutlet {
 public:
  // POSTs a body to /v1/logs of a server.
  using Post = std::function<absl::Status(const std::string& body)>;

  static std::unique_ptr<LogOutlet> ToServer(Post post, DeliveryOptions options);
  static std::unique_ptr<LogOutlet> ToDB(std::shared_ptr<DB> db, DeliveryOptions options);
  virtual ~LogOutlet() = default;

  virtual ingest::LogSink* sink() = 0;
  // Bytes added since the last Commit.
  virtual size_t bytes() const = 0;
  // Sends what was added on its way.
  virtual void Commit() = 0;

  DeliveryCounts counts() const { return delivery_.counts(); }
  DeliveryCounts Close(Duration grace);

 protected:
  explicit LogOutlet(DeliveryOptions options) : delivery_(std::move(options)) {}
  Delivery delivery_;
};

}  // namespace braid
