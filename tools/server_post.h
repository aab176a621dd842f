// What a captured program tells, to a server: log records over OTLP/HTTP, metrics by remote write.
//
// Threads: the functions may be called from any thread. They answer Unavailable, which is worth another try, if nobody
// answers or the server asks for one.
#pragma once

#include <functional>
#include <string>

#include "tools/capture/log_outlet.h"
#include "tools/http_connection.h"

namespace braid {

LogOutlet::Post PostLogsTo(const Endpoint& endpoint);

// The body is EncodeRemoteWrite's.
std::function<absl::Status(const std::string& body)> PostMetricsTo(const Endpoint& endpoint);

// What to say of those that did not arrive, each a `record` ("log record"); "" if all did.
std::string DescribeLosses(const DeliveryCounts& counts, const std::string& record);

}  // namespace braid
