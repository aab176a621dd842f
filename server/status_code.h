// What a Status means in HTTP: the one table.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace braid::server {

// Where a status arose: the same code means different things to the client.
enum class Stage {
  kDecode,     // reading the request: ResourceExhausted = it is too large
  kWrite,      // storing it: ResourceExhausted = the disk is full
  kOtlpWrite,  // the same for OTLP senders, which try again after 503 and give up after 507
  kQuery,      // answering: ResourceExhausted = the query asks for too much
};

int HttpStatusOf(const absl::Status& status, Stage stage);
// "invalid_argument", "resource_exhausted", ...
std::string_view CodeName(absl::StatusCode code);
std::string MessageOf(const absl::Status& status);

}  // namespace braid::server
