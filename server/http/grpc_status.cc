#include "server/http/grpc_status.h"

#include <protozero/pbf_writer.hpp>

namespace braid::http {
namespace {

constexpr size_t kPrefixBytes = 5;
// Headers are no place for long texts; clients have limits of 8 KiB.
constexpr size_t kMessageBytesMax = 1024;
// What an overloaded server asks for, as in Retry-After.
constexpr int kBusyRetrySeconds = 1;

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0);
    // Binary headers may leave the padding away.
    for (size_t j = 0; j <= count; ++j) text.push_back(kDigits[group >> (18 - 6 * j) & 63]);
  }
  return text;
}

// Percent-encoding of grpc-message: what is not printable ASCII, and the percent sign.
std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text.substr(0, kMessageBytesMax)) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      encoded.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    }
  }
  return encoded;
}

Response GrpcResponse() {
  Response response;
  response.content_type = "application/grpc";
  response.headers = {{"grpc-accept-encoding", "identity,gzip,deflate,zstd"}};
  return response;
}

}  // namespace

bool IsGrpc(const Request& request) {
  const std::string type = request.MediaType();
  return type == "application/grpc" || type.starts_with("application/grpc+");
}

bool TakeGrpcMessage(std::string_view body, bool* compressed, std::string_view* message) {
  if (body.size() < kPrefixBytes || static_cast<unsigned char>(body[0]) > 1) return false;
  uint32_t size = 0;
  for (size_t i = 1; i < kPrefixBytes; ++i) size = size << 8 | static_cast<unsigned char>(body[i]);
  if (size != body.size() - kPrefixBytes) return false;
  *compressed = body[0] == 1;
  *message = body.substr(kPrefixBytes);
  return true;
}

Response GrpcReply(std::string_view message) {
  Response response = GrpcResponse();
  response.body.push_back('\0');
  for (int shift = 24; shift >= 0; shift -= 8) response.body.push_back(static_cast<char>(message.size() >> shift));
  response.body.append(message);
  response.trailers = {{"grpc-status", "0"}};
  return response;
}

Response GrpcError(GrpcCode code, std::string_view text, int retry_seconds) {
  Response response = GrpcResponse();
  response.trailers = {{"grpc-status", std::to_string(static_cast<int>(code))}, {"grpc-message", PercentEncode(text)}};
  if (retry_seconds > 0) {
    std::string delay, info, any, status;
    protozero::pbf_writer(delay).add_int64(1, retry_seconds);
    protozero::pbf_writer(info).add_message(1, delay);
    protozero::pbf_writer any_writer(any);
    any_writer.add_string(1, "type.googleapis.com/google.rpc.RetryInfo");
    any_writer.add_bytes(2, info);
    protozero::pbf_writer status_writer(status);
    status_writer.add_int32(1, static_cast<int>(code));
    status_writer.add_string(2, std::string(text.substr(0, kMessageBytesMax)));
    status_writer.add_message(3, any);
    response.trailers.push_back({"grpc-status-details-bin", Base64(status)});
  }
  return response;
}

Response GrpcRefusal(int http_status, std::string_view text) {
  switch (http_status) {
    case 400: return GrpcError(GrpcCode::kInvalidArgument, text, 0);
    case 401: return GrpcError(GrpcCode::kUnauthenticated, text, 0);
    case 403: return GrpcError(GrpcCode::kPermissionDenied, text, 0);
    case 408: return GrpcError(GrpcCode::kDeadlineExceeded, text, 0);
    case 413:
    case 431: return GrpcError(GrpcCode::kResourceExhausted, text, 0);
    case 429:
    case 503: return GrpcError(GrpcCode::kUnavailable, text, kBusyRetrySeconds);
    case 500: return GrpcError(GrpcCode::kInternal, text, 0);
    default: return GrpcError(GrpcCode::kUnimplemented, text, 0);
  }
}

}  // namespace braid::http
