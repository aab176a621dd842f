#include "server/ingest/json_document.h"

#include <algorithm>
#include <string>

#include "server/ingest/ingest_limits.h"

namespace braid::ingest {

absl::StatusOr<simdjson::dom::element> JsonDocument::Parse(std::string_view body) {
  if (body.size() > kJsonBytesMax) {
    return absl::ResourceExhaustedError("a JSON document may have at most " + std::to_string(kJsonBytesMax >> 20) +
                                        " MiB");
  }
  if (parser_.allocate(std::max<size_t>(body.size(), 64), kJsonDepthMax) != simdjson::SUCCESS) {
    return absl::ResourceExhaustedError("no memory for the JSON document");
  }
  simdjson::dom::element root;
  if (const auto error = parser_.parse(body.data(), body.size()).get(root); error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(std::string("not JSON: ") + simdjson::error_message(error));
  }
  return root;
}

}  // namespace braid::ingest
