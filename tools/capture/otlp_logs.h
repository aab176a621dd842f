// Log records as the body of an OTLP request (protobuf ExportLogsServiceRequest).
//
// Threads: an object belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "server/ingest/log_sink.h"

namespace braid {

class OtlpLogs : public ingest::LogSink {
 public:
  bool TakesResource(std::span<const AttributeView> resource) override;
  void Add(std::span<const AttributeView> resource, const LogRecord& record) override;

  uint64_t records() const { return records_; }
  size_t bytes() const { return bytes_; }
  // The request with all that was added; the object is empty then.
  std::string Take();

 private:
  struct Group {
    std::string resource;  // encoded Resource
    std::string records;   // encoded fields of ScopeLogs
  };
  std::map<std::string, Group> groups_;
  uint64_t records_ = 0;
  size_t bytes_ = 0;
};

}  // namespace braid
