// A whole request body as one JSON document, within the limits of ingest_limits.h.
//
// Threads: an object belongs to one thread. Ownership: elements live until the next Parse().
#pragma once

#include <simdjson.h>

#include <string_view>

#include "absl/status/statusor.h"

namespace braid::ingest {

class JsonDocument {
 public:
  // InvalidArgument for what is not JSON, ResourceExhausted for what is too large.
  absl::StatusOr<simdjson::dom::element> Parse(std::string_view body);

 private:
  simdjson::dom::parser parser_;
};

}  // namespace braid::ingest
