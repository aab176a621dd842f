// Log records to a server over OTLP/HTTP.
//
// Threads: the function may be called from any thread.
#pragma once

#include <string>

#include "tools/capture/log_outlet.h"

namespace braid {

// POSTs to `url` + /v1/logs. Unavailable, which is worth another try: nobody answers, or the server asks for one.
// `token` is the server's bearer token, if there is one.
LogOutlet::Post PostLogsTo(const std::string& url, const std::string& token);

// What to say of records that did not arrive; "" if all did.
std::string DescribeLosses(const DeliveryCounts& counts);

}  // namespace braid
