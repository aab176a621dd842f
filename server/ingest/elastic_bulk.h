// Elasticsearch's bulk requests: lines of JSON, an action and then, but for `delete`, its document.
//
//   {"create":{"_index":"logs-nginx","_id":"1"}}
//   {"@timestamp":"2023-01-30T11:58:52.797Z","message":"..."}
//
// `create` and `index` append a log record, read as json_lines.h reads a line; the index becomes the attribute
// `elasticsearch.index` of its stream, the id the attribute `elasticsearch.id`. A second document of one id is a second
// record: this is a log, not a table. `update` and `delete` are refused, each in its own item.
//
// Threads: pure functions. Errors: InvalidArgument for a body that ends without a document or has something else where
// an action should be (the batch is then to be thrown away), ResourceExhausted for one too large.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

struct BulkItem {
  std::string_view action;  // "create", "index", "update", "delete"
  std::string index, id;
  std::string error;  // "" if the record is in the batch
};

struct BulkOptions {
  Timestamp now = 0;
  std::string index;  // of actions that name none
};

// `items`: one for each action, in order.
absl::Status DecodeElasticBulk(std::string_view body, const BulkOptions& options, WriteBatch* batch,
                               IngestReport* report, std::vector<BulkItem>* items);

}  // namespace braid::ingest
