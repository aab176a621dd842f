#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "braid/db.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "query/plan/result_writer.h"
#include "tools/command.h"
#include "tools/file_reader.h"
#include "tools/remote_query.h"
#include "tools/table_output.h"
#include "tools/terminal.h"

namespace braid {
namespace {

absl::StatusOr<std::string> ReadText(const std::string& text) {
  if (text != "-") return text;
  ASSIGN_OR_RETURN(std::unique_ptr<FileReader> file, FileReader::Open("-"));
  return file->ReadAll();
}

// Everything that the store holds: what a person means who names a directory and no range.
TimeRange ExtentOf(const Snapshot& snapshot) {
  TimeRange extent = snapshot.SampleRange();
  for (int table = 0; table < kTableCount; ++table) {
    const TimeRange range = snapshot.Range(static_cast<Table>(table));
    if (range.empty()) continue;
    if (extent.empty()) {
      extent = range;
    } else {
      extent.start = std::min(extent.start, range.start);
      extent.end = std::max(extent.end, range.end);
    }
  }
  return extent;
}

absl::Status BadSetting(const std::string& name, const std::string& text, const std::string& example) {
  return absl::InvalidArgumentError(name + ": '" + text + "' is not " + example);
}

absl::Status ReadRange(const QuerySettings& settings, const Snapshot& snapshot, QueryOptions* options) {
  const auto time = [&](const char* name, const std::string& text, std::optional<Timestamp>* into) -> absl::Status {
    if (text.empty()) return absl::OkStatus();
    Timestamp value;
    if (!ParseTimeText(text, options->now, &value)) {
      return BadSetting(name, text, "a time such as 2026-01-31T10:00:00Z, 1767261600 or -1h");
    }
    *into = value;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(time("--start", settings.start, &options->start));
  RETURN_IF_ERROR(time("--end", settings.end, &options->end));
  if (!settings.step.empty()) {
    Duration step;
    if (!ParseDurationText(settings.step, &step) || step <= 0)
      return BadSetting("--step", settings.step, "a duration such as 30s");
    options->step = step;
  }
  const TimeRange extent = ExtentOf(snapshot);
  if (!extent.empty()) {
    // One end alone means "from there on" or "until there", even where that lies outside of the data.
    if (!options->start) options->start = std::min(extent.start, options->end.value_or(extent.end));
    if (!options->end) options->end = std::max(extent.end, *options->start);
  }
  return absl::OkStatus();
}

absl::Status RunLocal(const QuerySettings& settings, const std::string& text) {
  // A text that is no query is told apart before a store is touched.
  ASSIGN_OR_RETURN(const Query query, Query::Parse(text));
  Options open;
  open.read_only = true;
  open.create_if_missing = false;
  ASSIGN_OR_RETURN(std::unique_ptr<DB> db, DB::Open(open, settings.data.empty() ? "braid-data" : settings.data));
  for (const std::string& damaged : db->Stats().quarantined) {
    std::fprintf(stderr, "note (partial): %s; its rows are missing\n", damaged.c_str());
  }
  for (const std::string& damaged : db->Stats().quarantined_before) {
    std::fprintf(stderr, "note (partial): set aside earlier: %s\n", damaged.c_str());
  }
  const std::shared_ptr<const Snapshot> snapshot = db->GetSnapshot();

  QueryOptions options;
  options.now = Now();
  RETURN_IF_ERROR(ReadRange(settings, *snapshot, &options));
  for (const std::string& param : settings.params) {
    const size_t equals = param.find('=');
    if (equals == std::string::npos || equals == 0) return BadSetting("--param", param, "NAME=VALUE");
    options.params[param.substr(0, equals)] = param.substr(equals + 1);
  }
  if (settings.limit) options.limits.rows_max = *settings.limit;

  const auto began = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(std::unique_ptr<ResultReader> result, query.Execute(snapshot, options));
  const auto print = [](std::string_view bytes) { return PrintOut(bytes); };
  if (settings.format == "json") return WriteJson(result.get(), print);
  if (settings.format == "ndjson" || settings.format == "csv") {
    RETURN_IF_ERROR(settings.format == "csv" ? WriteCsv(result.get(), print) : WriteNdjson(result.get(), print));
    // These formats have no place for notes, and a cut or partial answer must not look whole.
    for (const Note& note : result->summary().notes) {
      std::fprintf(stderr, "note (%s): %s\n", note.kind.c_str(), Printable(note.text).c_str());
    }
    return absl::OkStatus();
  }
  TableStyle style{TerminalWidth(STDOUT_FILENO), UseColour(STDOUT_FILENO)};
  ASSIGN_OR_RETURN(const std::string table, FormatTable(result.get(), style));
  RETURN_IF_ERROR(print(table));
  if (IsTerminal(STDERR_FILENO)) {
    const Duration took =
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
    std::fflush(stdout);
    std::fprintf(stderr, "%s\n",
                 Paint("took " + ReadableDuration(took), Colour::kDim, UseColour(STDERR_FILENO)).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

int RunQuery(const QuerySettings& settings) {
  const absl::StatusOr<std::string> text = ReadText(settings.text);
  if (!text.ok()) return Fail(std::string(text.status().message()));
  const absl::Status status = settings.server.empty() ? RunLocal(settings, *text) : RunRemote(settings, *text);
  if (status.ok()) return 0;
  if (const std::optional<QueryError> error = ErrorOf(status)) {
    std::string shown = Format(*error, *text);
    if (shown.empty() || shown.back() != '\n') shown += '\n';
    std::fputs(shown.c_str(), stderr);
    return 1;
  }
  return Fail(std::string(status.message()));
}

}  // namespace braid
