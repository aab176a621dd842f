// Reading a file of telemetry piece by piece with bounded memory: bytes in, WriteBatches of about 4 MB out.
//
// Threads: an object belongs to one thread. Errors: what the reader or the consumer of batches returns ends Run; bad
// lines do not, they are reported. FailedPrecondition for a file that was to be recognised and is no text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/content_encoding.h"
#include "server/ingest/ingest_report.h"
#include "server/ingest/sniff.h"

namespace braid::ingest {

struct FileIngestOptions {
  bool detect = true;  // by the first bytes; else `format`
  FileFormat format = FileFormat::kPlainText;
  bool decompress = true;  // gzip and zstd are recognised by their first bytes
  Timestamp now = 0;       // REQUIRED: time of records that show none
  std::string service;     // of log records that name none
  Labels labels;           // put on samples that do not have them
  size_t batch_bytes = kFileBatchBytes;
};

struct FileIngestResult {
  FileFormat format = FileFormat::kPlainText;
  Coding coding = Coding::kIdentity;
  uint64_t bytes = 0;  // decompressed
  uint64_t lines = 0;
  WriteBatch::Counts counts;  // of all batches
  IngestReport report;        // errors carry line numbers
};

class FileIngest {
 public:
  // Fills `*buffer` with up to buffer->size() bytes and returns how many; 0 at the end.
  using Reader = std::function<absl::StatusOr<size_t>(char* buffer, size_t size)>;
  // Gets each batch; may keep nothing of it.
  using BatchSink = std::function<absl::Status(const WriteBatch& batch)>;
  // Every bad line, while the report keeps the first few; may be null.
  using ErrorSink = std::function<void(const IngestError&)>;

  static absl::StatusOr<FileIngestResult> Run(const FileIngestOptions& options, const Reader& reader,
                                              const BatchSink& sink, const ErrorSink& errors);
};

}  // namespace braid::ingest
