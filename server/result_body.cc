#include "server/result_body.h"

#include "query/plan/result_writer.h"

namespace braid::server {

absl::Status RenderResult(ResultReader* result, ResultFormat format, std::string* body) {
  const TextSink sink = [body](std::string_view text) {
    if (body->size() + text.size() > kBodyBytesMax) {
      return absl::ResourceExhaustedError("the answer has more than " + std::to_string(kBodyBytesMax >> 20) +
                                          " MiB; ask for a shorter range, fewer columns or a lower limit");
    }
    body->append(text);
    return absl::OkStatus();
  };
  switch (format) {
    case ResultFormat::kJson: return WriteJson(result, sink);
    case ResultFormat::kNdjson: return WriteNdjson(result, sink);
    case ResultFormat::kCsv: return WriteCsv(result, sink);
  }
  return absl::InternalError("unknown format");
}

}  // namespace braid::server
