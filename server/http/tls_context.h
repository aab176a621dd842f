// The TLS settings of a server's addresses.
//
// Threads: free function. Errors: InvalidArgument that names the file.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include "absl/status/status.h"
#include "server/http/http_server.h"

namespace braid::http {

// TLS 1.2 or newer with the certificate and key of `files`. With clients that offer several protocols (ALPN) the one
// that the address speaks is agreed on; a client that offers only the other gets that, so that it can be told.
absl::Status SetUpTls(const TlsFiles& files, Speaks speaks, boost::asio::ssl::context* context);

}  // namespace braid::http
