#include <cstdio>

#include "braid/db.h"
#include "engine/base/status_macros.h"
#include "server/ingest/file_ingest.h"
#include "tools/command.h"
#include "tools/file_reader.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Of each file so many bad lines are shown one by one; the rest is counted.
constexpr uint64_t kBadLinesShown = 5;

std::string Describe(const WriteBatch::Counts& counts) {
  std::string text;
  const auto add = [&text](uint64_t count, const char* one, const char* many) {
    if (count == 0) return;
    text += (text.empty() ? "" : ", ") + ReadableCount(count) + " " + (count == 1 ? one : many);
  };
  add(counts.samples, "sample", "samples");
  add(counts.exemplars, "exemplar", "exemplars");
  add(counts.logs, "log line", "log lines");
  add(counts.spans, "span", "spans");
  return text.empty() ? "nothing" : text;
}

void Add(const WriteBatch::Counts& more, WriteBatch::Counts* counts) {
  counts->samples += more.samples;
  counts->exemplars += more.exemplars;
  counts->logs += more.logs;
  counts->spans += more.spans;
  counts->metadata += more.metadata;
}

absl::Status ImportFile(const ImportSettings& settings, const std::string& path, DB* db, uint64_t* rejected) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileReader> file, FileReader::Open(path));
  ingest::FileIngestOptions options;
  options.now = Now();
  options.service = settings.service;
  if (!settings.format.empty()) {
    options.detect = false;
    if (!ingest::ParseFileFormat(settings.format, &options.format)) {
      return absl::InvalidArgumentError("unknown format '" + settings.format + "'");
    }
  }
  ProgressBar bar(path == "-" ? "standard input" : path.substr(path.rfind('/') + 1), settings.quiet);
  WriteBatch::Counts written;
  uint64_t bad = 0;
  const absl::StatusOr<ingest::FileIngestResult> result = ingest::FileIngest::Run(
      options, [&file](char* buffer, size_t size) { return file->Read(buffer, size); },
      [&](const WriteBatch& batch) {
        RETURN_IF_ERROR(db->Write(batch));
        Add(batch.counts(), &written);
        bar.Update(file->position(), file->size(), Describe(written));
        return absl::OkStatus();
      },
      [&](const ingest::IngestError& error) {
        if (++bad > kBadLinesShown) return;
        const std::string place = error.line > 0 ? "line " + std::to_string(error.line) : error.place;
        std::fprintf(stderr, "%s: %s: %s\n", path.c_str(), place.c_str(), Printable(error.message).c_str());
      });
  if (result.status().code() == absl::StatusCode::kFailedPrecondition && written.logs == 0) {
    return absl::FailedPreconditionError(path + ": " + std::string(result.status().message()) +
                                         " (--format text reads it as lines of text all the same)");
  }
  if (!result.ok()) {
    return absl::Status(result.status().code(), path + ": " + std::string(result.status().message()) +
                                                    (written.samples + written.logs + written.spans > 0
                                                         ? " (stored before that: " + Describe(written) + ")"
                                                         : ""));
  }
  if (bad > kBadLinesShown) {
    std::fprintf(stderr, "%s: %s more bad lines\n", path.c_str(), ReadableCount(bad - kBadLinesShown).c_str());
  }
  std::string text =
      Describe(written) + " (" + std::string(ToString(result->format)) + ", " + ReadableBytes(result->bytes) + ")";
  if (result->report.kept_raw > 0) text += "; " + ReadableCount(result->report.kept_raw) + " lines kept as plain text";
  if (result->report.rejected > 0) text += "; " + ReadableCount(result->report.rejected) + " rejected";
  if (result->report.untimed > 0) {
    text += "; " + ReadableCount(result->report.untimed) + " show no time and got that of now";
  }
  bar.Finish(text);
  *rejected += result->report.rejected;
  return absl::OkStatus();
}

}  // namespace

absl::Status ImportFiles(const ImportSettings& settings, DB* db, uint64_t* rejected) {
  for (const std::string& path : settings.files) RETURN_IF_ERROR(ImportFile(settings, path, db, rejected));
  return absl::OkStatus();
}

int RunImport(const ImportSettings& settings) {
  // A missing file is told before a store is made for nothing.
  for (const std::string& path : settings.files) {
    const auto file = FileReader::Open(path);
    if (!file.ok()) return Fail(std::string(file.status().message()));
  }
  // One fdatasync at the end of the import replaces one per batch: an interrupted import is run again anyway.
  Options options;
  options.durability = Durability::kBuffered;
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, settings.data);
  if (!db.ok()) return Fail(std::string(db.status().message()));
  uint64_t rejected = 0;
  absl::Status status = ImportFiles(settings, db->get(), &rejected);
  const absl::Status flushed = (*db)->Flush();
  const absl::Status closed = (*db)->Close();
  for (const absl::Status& end : {flushed, closed}) {
    if (status.ok()) status = end;
  }
  if (!status.ok()) return Fail(std::string(status.message()));
  if (rejected > 0) return Fail(ReadableCount(rejected) + " records could not be read; everything else is stored");
  return 0;
}

}  // namespace braid
