// Keeps the server's own metrics and log in its own store: what it was doing is asked in the language that everything
// else is asked in. Metrics are read as a scrape of /metrics would be, under the job and service "braid"; log lines are
// records of the service "braid".
//
// Threads: Start returns a running thread; Stop may be called once, from any.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/app.h"
#include "server/log.h"

namespace braid::server {

class SelfTelemetry {
 public:
  // `metrics` answers the text of /metrics. All outlive the object. `instance` is where the server listens.
  static std::unique_ptr<SelfTelemetry> Start(App* app, Log* log, std::function<std::string()> metrics,
                                              const std::string& instance);
  // Stops.
  virtual ~SelfTelemetry() = default;
  // Writes what has been said until now.
  virtual void Stop() = 0;
};

}  // namespace braid::server
