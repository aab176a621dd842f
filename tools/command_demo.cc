#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "tools/command.h"
#include "tools/table_output.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// The walkthrough (docs/query.md, Q1): p99 spikes -> errors logged in that window -> their traces -> slow or failed
// spans.
const char* const kWalkthrough =
    R"(let p99   = histogram_quantile(0.99, sum by (service, le) (rate(http_request_duration_seconds_bucket[2m])));
let spike = p99 > 500ms | windows by (service) gap 1m pad -2m..0s;
let errs  = logs{level >= error} | where (service, time) in spike;
spans{status = error or self_time > 500ms}
  | where trace_id in errs
  | stats n = count(), self = sum(self_time), why = any(status_message), trace = any(trace_id) by (service, name)
  | top 5 by self
)";

std::string Indented(std::string_view text) {
  std::string out = "  ";
  for (char c : text) {
    out += c;
    if (c == '\n') out += "  ";
  }
  while (!out.empty() && (out.back() == ' ' || out.back() == '\n')) out.pop_back();
  return out + "\n";
}

absl::Status Answer(DB* db, const GeneratorOptions& made) {
  ASSIGN_OR_RETURN(const Query query, Query::Parse(kWalkthrough));
  QueryOptions options;
  options.now = made.start + made.length;
  options.start = made.start;
  options.end = options.now;
  options.step = 15 * kSecond;
  const bool colour = UseColour(STDOUT_FILENO);
  std::printf("\n%s\n\n%s\n",
              Paint("p99 spikes: which errors were logged in that window, whose traces, which span was slow or failed?",
                    Colour::kBold, colour)
                  .c_str(),
              Paint(Indented(kWalkthrough), Colour::kCyan, colour).c_str());
  const auto began = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(std::unique_ptr<ResultReader> result, query.Execute(db->GetSnapshot(), options));
  ASSIGN_OR_RETURN(const std::string table, FormatTable(result.get(), {TerminalWidth(STDOUT_FILENO), colour}));
  const Duration took =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
  std::printf("%s\nanswered in %s: the statement UPDATE accounts of payment waits for locks\n", table.c_str(),
              ReadableDuration(took).c_str());
  return absl::OkStatus();
}

// A directory that goes away at the end unless the user named it.
class DemoFolder {
 public:
  explicit DemoFolder(const std::string& wanted) : path_(wanted), keep_(!wanted.empty()) {
    if (keep_) return;
    const char* base = std::getenv("TMPDIR");
    std::string pattern = std::string(base != nullptr && *base != 0 ? base : "/tmp") + "/braid-demo-XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~DemoFolder() {
    std::error_code ignored;
    if (!keep_ && !path_.empty()) std::filesystem::remove_all(path_, ignored);
    std::filesystem::remove_all(files(), ignored);
  }
  const std::string& path() const { return path_; }
  // A named folder is the store itself; a temporary one holds it.
  std::string store() const { return keep_ ? path_ : path_ + "/store"; }
  std::string files() const { return path_ + ".files"; }

 private:
  std::string path_;
  bool keep_;
};

absl::Status Prepare(const DemoFolder& folder, const GeneratorOptions& made, std::unique_ptr<DB>* db) {
  GenerateSettings generate;
  generate.options = made;
  generate.out = folder.files();
  if (RunGenerate(generate) != 0) return absl::UnavailableError("the incident could not be made");
  ImportSettings import;
  for (const char* name : {"/metrics.om", "/logs.ndjson", "/spans.otlp.ndjson"})
    import.files.push_back(folder.files() + name);
  ASSIGN_OR_RETURN(*db, DB::Open(Options{}, folder.store()));
  uint64_t rejected = 0;
  RETURN_IF_ERROR(ImportFiles(import, db->get(), &rejected));
  return (*db)->Flush();
}

}  // namespace

int RunDemo(const DemoSettings& settings) {
  std::error_code error;
  if (!settings.data.empty() && std::filesystem::exists(settings.data, error)) {
    return Fail(settings.data + " exists already; name a directory that does not, or leave --data out");
  }
  const DemoFolder folder(settings.data);
  if (folder.path().empty()) return Fail("no temporary directory can be made; name one with --data");
  GeneratorOptions made;
  // The incident ends now, so that the server's default range shows it.
  made.start = (Now() - made.length) / kSecond * kSecond;
  std::unique_ptr<DB> db;
  absl::Status status = Prepare(folder, made, &db);
  if (status.ok()) status = Answer(db.get(), made);
  if (!status.ok()) return Fail(std::string(status.message()));

  if (settings.once) {
    std::printf("\nnext: `%s demo` serves this incident, `%s --help`, and docs/query.md, which teaches the language\n",
                settings.program.c_str(), settings.program.c_str());
    return 0;
  }
  std::fflush(stdout);
  ServeSettings serve;
  serve.listen = settings.listen;
  const bool keep = !settings.data.empty();
  return Serve(db.get(), serve, [keep, &settings](const std::string& address) {
    const std::string ask = "  " + settings.program + " query --server http://" + address + " ";
    return "\nThe incident is being served; ask in another terminal:\n" + ask +
           "'logs{level >= error} | stats n = count() by (service)'\n" + ask +
           "'sum by (service) (rate(http_requests_total[5m]))' --step 5m\n" + ask +
           "'logs |= \"deployed\" | keep time, service, message'\n"
           "Send your own telemetry: OTLP on this port (SDKs need no configuration), see docs/http.md.\n"
           "Stop with Ctrl-C" +
           (keep ? ".\n" : "; the demo's store is then removed.\n");
  });
}

}  // namespace braid
