// The ports under which senders look for the stores that they know, so that they need no settings at all.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/http_server.h"

namespace braid::server {

// OTLP/gRPC on 4317, both loopback addresses; a port that is in use is noted and left out.
http::Listen GrpcPort();
// 9090, 3100, 9411, 14268, 5778 and 9200, likewise. Every route is served on each; what a port is for stands in its
// `expected`.
std::vector<http::Listen> ClassicPorts();
// Jaeger's agent.
inline constexpr uint16_t kClassicUdpPorts[] = {6831, 6832};

// `expected` of Elasticsearch's port, where / is answered as Elasticsearch does.
extern const std::string_view kElasticPort;

// What a client that asked for `path` most likely wanted; "" if nothing is known.
std::string_view HintForPath(std::string_view path);

}  // namespace braid::server
