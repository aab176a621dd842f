#include "server/status_code.h"

#include "engine/base/status_macros.h"

namespace braid::server {
namespace {

struct Row {
  absl::StatusCode code;
  std::string_view name;
  int decode, write, otlp_write, query;
};

constexpr Row kTable[] = {
    {absl::StatusCode::kOk, "ok", 200, 200, 200, 200},
    {absl::StatusCode::kCancelled, "cancelled", 499, 503, 503, 499},
    {absl::StatusCode::kUnknown, "unknown", 500, 500, 500, 500},
    {absl::StatusCode::kInvalidArgument, "invalid_argument", 400, 400, 400, 400},
    {absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504, 504, 504, 504},
    // A write that does not find its files has lost its store: nothing that the sender could mend.
    {absl::StatusCode::kNotFound, "not_found", 404, 503, 503, 404},
    {absl::StatusCode::kAlreadyExists, "already_exists", 409, 409, 409, 409},
    {absl::StatusCode::kPermissionDenied, "permission_denied", 403, 403, 403, 403},
    {absl::StatusCode::kResourceExhausted, "resource_exhausted", 413, 507, 503, 422},
    {absl::StatusCode::kFailedPrecondition, "failed_precondition", 400, 503, 503, 503},
    {absl::StatusCode::kAborted, "aborted", 503, 503, 503, 503},
    {absl::StatusCode::kOutOfRange, "out_of_range", 400, 400, 400, 400},
    {absl::StatusCode::kUnimplemented, "unimplemented", 415, 501, 501, 501},
    {absl::StatusCode::kInternal, "internal", 500, 500, 500, 500},
    {absl::StatusCode::kUnavailable, "unavailable", 503, 503, 503, 503},
    {absl::StatusCode::kDataLoss, "data_loss", 500, 500, 500, 500},
    {absl::StatusCode::kUnauthenticated, "unauthenticated", 401, 401, 401, 401},
};

const Row& RowOf(absl::StatusCode code) {
  for (const Row& row : kTable) {
    if (row.code == code) return row;
  }
  return kTable[2];
}

}  // namespace

int HttpStatusOf(const absl::Status& status, Stage stage) {
  const Row& row = RowOf(status.code());
  switch (stage) {
    case Stage::kDecode: return row.decode;
    case Stage::kWrite: return row.write;
    case Stage::kOtlpWrite: return row.otlp_write;
    case Stage::kQuery: return row.query;
  }
  return 500;
}

std::string_view CodeName(absl::StatusCode code) { return RowOf(code).name; }

std::string MessageOf(const absl::Status& status) { return std::string(Str(status.message())); }

}  // namespace braid::server
