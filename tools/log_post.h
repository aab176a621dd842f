// Log records to a server over OTLP/HTTP.
//
// Threads: the function may be called from any thread.
#pragma once

#include <string>

#include "tools/capture/log_outlet.h"

namespace braid {

// POSTs to `url` + /v1/logs. Unavailable, which is worth another try: nobody answers, or the server asks for one.
LogOutlet::Post PostLogsTo(const std::string& url);

// What to say of records that did not arrive; "" if all did.
std::string DescribeLosses(const DeliveryCounts& counts);

}  // namespace braid
