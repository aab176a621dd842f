// Where `braid query` asks: a store's directory or a running server.
//
// Threads: one; `cancel` of the settings may be set from anywhere, also from a signal handler.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/command.h"

namespace braid {

class QueryTarget {
 public:
  virtual ~QueryTarget() = default;

  // Asks and prints the answer to standard output as `settings` say. Errors of the query carry a QueryError.
  virtual absl::Status Run(const QuerySettings& settings, const std::string& text) = 0;

  // What there is, for completion; empty where it cannot be found out. `metric` may be empty: all of them.
  virtual std::vector<std::string> Metrics() = 0;
  virtual std::vector<std::string> Labels(const std::string& metric) = 0;
  virtual std::vector<std::string> LabelValues(const std::string& metric, const std::string& label) = 0;
  virtual std::vector<std::string> Columns(const std::string& table) = 0;
  // The most frequent ones.
  virtual std::vector<std::string> ColumnValues(const std::string& table, const std::string& column) = 0;
  // "the store ./telemetry"
  virtual std::string Name() const = 0;
};

absl::StatusOr<std::unique_ptr<QueryTarget>> OpenQueryTarget(const QuerySettings& settings);
// Of OpenQueryTarget; in remote_query.cc and local_query.cc.
std::unique_ptr<QueryTarget> MakeRemoteTarget(const QuerySettings& settings, const Endpoint& endpoint);
absl::StatusOr<std::unique_ptr<QueryTarget>> OpenLocalTarget(const std::string& directory);

}  // namespace braid
