// One request through the generated shop: spans, log lines and the numbers that the metrics count.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "braid/types.h"
#include "tools/generator/random.h"

namespace braid {

struct GeneratedSpan {
  uint64_t span_id = 0;
  uint64_t parent_id = 0;
  std::string service;
  int instance = 0;
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  Timestamp start = 0;
  Timestamp end = 0;
  bool failed = false;
  std::string status_message;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::string event;                    // one event at the end; empty: none
  std::pair<TraceId, uint64_t> link{};  // zero trace: none
};

struct GeneratedLog {
  Timestamp time = 0;
  std::string service;
  int instance = 0;
  Level level = Level::kInfo;
  std::string message;
  uint64_t span_id = 0;
  std::vector<std::pair<std::string, std::string>> fields;
};

struct GeneratedRequest {
  TraceId trace_id;
  std::vector<GeneratedSpan> spans;  // parents before children
  std::vector<GeneratedLog> logs;
  bool lock_wait = false;
  std::vector<std::pair<TraceId, std::vector<GeneratedSpan>>> followers;  // consumer traces that link to this one
  std::vector<GeneratedLog> follower_logs;                                // of followers[0]
};

class Shop {
 public:
  Shop(uint64_t seed, int instances) : random_(seed), instances_(instances) {}

  // `pressure`: 0 = calm, up to 1 = every payment waits for a lock.
  GeneratedRequest MakeRequest(Timestamp start, double pressure, bool deployed);
  Random& random() { return random_; }

 private:
  struct Call;  // a span being made
  size_t Open(GeneratedRequest* request, size_t parent, const std::string& service, const std::string& name,
              SpanKind kind, Timestamp start);
  void Log(GeneratedRequest* request, size_t span, Timestamp time, Level level, std::string message,
           std::vector<std::pair<std::string, std::string>> fields = {});
  Timestamp Work(double median_ms, double spread = 0.35);
  // Each makes a server span (and what is below it) that starts at `start`, and returns its end.
  Timestamp Browse(GeneratedRequest* request, size_t parent, Timestamp start);
  Timestamp Order(GeneratedRequest* request, size_t parent, Timestamp start, double pressure, bool deployed);
  Timestamp Pay(GeneratedRequest* request, size_t parent, Timestamp start, double pressure, bool deployed,
                bool* failed);
  void Publish(GeneratedRequest* request, size_t parent, Timestamp start);

  Random random_;
  int instances_;
};

}  // namespace braid
