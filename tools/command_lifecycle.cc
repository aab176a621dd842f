// `braid delete`, `braid backup`, `braid restore`.
#include <simdjson.h>

#include <algorithm>
#include <cstdio>

#include "braid/backup.h"
#include "braid/delete_count.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "server/delete_request.h"
#include "tools/command.h"
#include "tools/http_client.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// A delete reads every part, a backup may copy a large store.
constexpr int kTimeoutSeconds = 3600;

std::string DirOf(const std::string& data) { return data.empty() ? "braid-data" : data; }

absl::Status ReadEnd(const char* name, const std::string& text, Timestamp* end) {
  if (text.empty() || ParseTimeText(text, Now(), end)) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(name) + ": '" + text +
                                    "' is not a time such as 2026-01-31T10:00:00Z, 1767261600 or -1h");
}

std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      escaped += c;
    } else {
      char code[4];
      std::snprintf(code, sizeof(code), "%%%02X", static_cast<unsigned char>(c));
      escaped += code;
    }
  }
  return escaped;
}

absl::StatusOr<std::string> Ask(const ServerChoice& server, const std::string& path, const std::string& form) {
  ASSIGN_OR_RETURN(const Endpoint endpoint, ReadEndpoint(server));
  ASSIGN_OR_RETURN(const HttpAnswer answer, HttpPost(endpoint, path, "application/x-www-form-urlencoded",
                                                     "application/json", form, kTimeoutSeconds));
  if (answer.status >= 300) {
    return absl::UnknownError("the server answered " + std::to_string(answer.status) + ": " + ErrorText(answer));
  }
  return answer.body;
}

void Tell(const std::string& selector, uint64_t count, DeleteSpec::Signal signal) {
  const char* const record = signal == DeleteSpec::Signal::kMetrics ? "sample"
                             : signal == DeleteSpec::Signal::kLogs  ? "log record"
                                                                    : "span";
  std::fprintf(stderr, "braid: %s: %s deleted\n", Printable(selector).c_str(), ReadableCount(count, record).c_str());
}

absl::Status Delete(const DeleteSettings& settings) {
  TimeRange time;
  RETURN_IF_ERROR(ReadEnd("--start", settings.start, &time.start));
  RETURN_IF_ERROR(ReadEnd("--end", settings.end, &time.end));
  if (time.empty()) return absl::InvalidArgumentError("--end is before --start");
  std::vector<DeleteSpec> specs;
  for (const std::string& selector : settings.selectors) {
    const absl::StatusOr<DeleteSpec> spec = server::ParseDeleteSelector(selector);
    if (!spec.ok()) {
      const std::optional<QueryError> error = ErrorOf(spec.status());
      return error ? absl::InvalidArgumentError("\n" + Format(*error, selector)) : spec.status();
    }
    specs.push_back(*spec);
    specs.back().time = time;
  }
  if (settings.server.url.empty()) {
    Options options;
    options.create_if_missing = false;
    options.background_work = false;
    ASSIGN_OR_RETURN(const std::unique_ptr<DB> db, DB::Open(options, DirOf(settings.data)));
    std::vector<uint64_t> counts;
    for (const DeleteSpec& spec : specs) {
      ASSIGN_OR_RETURN(counts.emplace_back(), CountChosen(*db->GetSnapshot(), spec));
    }
    RETURN_IF_ERROR(db->Delete(specs));
    RETURN_IF_ERROR(db->Tick());  // the bytes too
    for (size_t i = 0; i < specs.size(); ++i) Tell(settings.selectors[i], counts[i], specs[i].signal);
    return db->Close();
  }
  std::string form;
  for (const std::string& selector : settings.selectors) form += "select=" + Escaped(selector) + "&";
  // Relative times mean this machine's clock.
  if (!settings.start.empty()) form += "start=" + std::to_string(time.start) + "&";
  if (!settings.end.empty()) form += "end=" + std::to_string(time.end) + "&";
  form.pop_back();
  ASSIGN_OR_RETURN(const std::string answer, Ask(settings.server, "/v1/delete", form));
  // {"deleted":[12,0]}, in the order of the selectors.
  simdjson::dom::parser parser;
  simdjson::dom::array counts;
  if (parser.parse(answer)["deleted"].get_array().get(counts) != simdjson::SUCCESS) return absl::OkStatus();
  for (size_t i = 0; i < std::min(specs.size(), counts.size()); ++i) {
    uint64_t count = 0;
    if (counts.at(i).get(count) == simdjson::SUCCESS) Tell(settings.selectors[i], count, specs[i].signal);
  }
  return absl::OkStatus();
}

}  // namespace

int RunDelete(const DeleteSettings& settings) {
  const absl::Status status = Delete(settings);
  return status.ok() ? 0 : Fail(std::string(status.message()));
}

int RunBackup(const BackupSettings& settings) {
  if (settings.server.url.empty()) {
    if (settings.target.empty()) return Fail("backup needs a directory to copy to");
    const absl::Status status = BackupStore(DirOf(settings.data), settings.target);
    if (!status.ok()) return Fail(std::string(status.message()));
    std::fprintf(stderr, "braid: %s is a copy of %s\n", settings.target.c_str(), DirOf(settings.data).c_str());
    return 0;
  }
  if (!settings.target.empty()) return Fail("a server makes the copy in its own snapshots directory; name no other");
  const absl::StatusOr<std::string> answer = Ask(settings.server, "/api/v1/admin/tsdb/snapshot", "");
  if (!answer.ok()) return Fail(std::string(answer.status().message()));
  // {"status":"success","data":{"name":"..."}}
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  std::string_view name;
  if (parser.parse(*answer).get(document) != simdjson::SUCCESS ||
      document["data"]["name"].get_string().get(name) != simdjson::SUCCESS) {
    return Fail("the server's answer cannot be read: " + Printable(answer->substr(0, 200)));
  }
  const absl::Status printed = PrintOut(std::string(name) + "\n");
  return printed.ok() ? 0 : Fail(std::string(printed.message()));
}

int RunRestore(const RestoreSettings& settings) {
  absl::Status status;
  {
    ProgressBar bar("verify", settings.quiet);
    status = RestoreStore(settings.backup, settings.data, [&bar](uint64_t done, uint64_t total) {
      bar.Update(done, total, ReadableBytes(done) + " of " + ReadableBytes(total));
    });
  }
  if (!status.ok()) return Fail(std::string(status.message()));
  if (!settings.quiet) {
    std::fprintf(stderr, "braid: %s is restored from %s\n", settings.data.c_str(), settings.backup.c_str());
  }
  return 0;
}

}  // namespace braid
