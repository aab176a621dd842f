// gRPC's wire form over HTTP/2: messages with their five-byte prefix, and how a call ends: a status in the trailers.
// Source: github.com/grpc/grpc doc/PROTOCOL-HTTP2.md; google/rpc/status.proto and error_details.proto for the details.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace braid::http {

// Numbers of google.rpc.Code that are used here.
enum class GrpcCode : uint8_t {
  kOk = 0,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

// "application/grpc", "application/grpc+proto", ...
bool IsGrpc(const Request& request);

// The one message of a unary call, as it was sent. False if `body` is not exactly one.
bool TakeGrpcMessage(std::string_view body, bool* compressed, std::string_view* message);

// A call that went well; `message` is sent uncompressed.
Response GrpcReply(std::string_view message);
// A call that did not. With `retry_seconds` > 0 the status carries a RetryInfo: senders of telemetry take
// RESOURCE_EXHAUSTED without one as final.
Response GrpcError(GrpcCode code, std::string_view text, int retry_seconds);
// What a refusal of HTTP means in gRPC.
Response GrpcRefusal(int http_status, std::string_view text);

}  // namespace braid::http
