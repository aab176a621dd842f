// Where finished log records go: into a WriteBatch here, into a request to another server elsewhere.
//
// Threads: a sink belongs to one thread. Ownership: views need to live only for the call.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid::ingest {

class LogSink {
 public:
  virtual ~LogSink() = default;
  // May a record of this resource be added? A sink bounds how many resources it tells apart.
  virtual bool TakesResource(std::span<const AttributeView> resource) = 0;
  // `resource` is sorted by name.
  virtual void Add(std::span<const AttributeView> resource, const LogRecord& record) = 0;
};

class BatchLogSink : public LogSink {
 public:
  // The batch that Add writes to; stream numbers are remembered until ForgetBatch.
  void set_batch(WriteBatch* batch) { batch_ = batch; }
  // Call after handing the batch away: stream numbers are valid in one batch only.
  void ForgetBatch() { streams_.clear(); }

  bool TakesResource(std::span<const AttributeView> resource) override;
  void Add(std::span<const AttributeView> resource, const LogRecord& record) override;

 private:
  WriteBatch* batch_ = nullptr;
  absl::flat_hash_map<std::string, WriteBatch::StreamRef> streams_;
  std::string key_;  // reused
};

// The resource as bytes that are equal for equal resources.
std::string ResourceKey(std::span<const AttributeView> resource);

}  // namespace braid::ingest
