// Lines of container runtimes' log files: Docker's json-file driver and the CRI format of Kubernetes' nodes.
//
//   {"log":"hello\n","stream":"stdout","time":"2023-11-14T22:13:20.5Z"}
//   2023-11-14T22:13:20.500000000Z stdout F hello
//
// Threads: pure functions. Source of the formats: Docker's jsonfilelog driver; Kubernetes' CRI logging design.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"

namespace braid::ingest {

enum class ContainerFormat { kNone, kDocker, kCri };

struct ContainerLine {
  bool is_stderr = false;
  Timestamp time = 0;
  bool partial = false;  // the program's line goes on in the next one of its stream
  std::string text;      // without its line break
};

// The format that `line` is of.
ContainerFormat SniffContainerFormat(std::string_view line);
// False: the line is not of the format.
bool ParseContainerLine(ContainerFormat format, std::string_view line, ContainerLine* parsed);

// What the path of such a file tells: .../containers/<id>/<id>-json.log; /var/log/pods/<namespace>_<pod>_<uid>/
// <container>/0.log; /var/log/containers/<pod>_<namespace>_<container>-<id>.log. Resource attributes by OpenTelemetry's
// names; none if it tells nothing.
std::vector<Attribute> ContainerOfPath(std::string_view path);

}  // namespace braid::ingest
