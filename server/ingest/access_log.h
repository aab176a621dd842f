// Access lines of web servers: Apache's and nginx' common and combined format (and what stands behind it), Werkzeug's
// and uvicorn's.
//
//   127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=c HTTP/1.0" 200 2326 "http://ref/" "Agent/1.0"
//   127.0.0.1 - - [22/Nov/2026 23:37:30] "GET / HTTP/1.1" 200 -
//   INFO:     127.0.0.1:52134 - "GET / HTTP/1.1" 200 OK
//
// Threads: pure functions. Ownership: views into the line.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid::ingest {

struct AccessLine {
  std::string_view client;
  std::string_view user;  // "" where the line has -
  std::string_view method;
  std::string_view path;      // without the query
  std::string_view query;     // behind the first ?
  std::string_view protocol;  // "1.1"
  int64_t status = 0;
  int64_t body_bytes = -1;  // -1: the line does not say
  std::string_view referer;
  std::string_view user_agent;

  // Of the status: 5xx error, 4xx warn, else info.
  Level level() const;
  // OpenTelemetry's names: http.request.method, url.path, http.response.status_code, ...
  void AppendAttributes(std::vector<AttributeView>* attributes) const;
};

bool ParseAccessLine(std::string_view line, AccessLine* access);

// "17/May/2015:10:05:03 +0000" or "22/Nov/2026 23:37:30" at the start of `text`; no zone means UTC.
bool ParseAccessTime(std::string_view text, Timestamp* time);

}  // namespace braid::ingest
