// The subcommands of `braid`: their settings, and the functions that do them. Each returns the exit code:
// 0 = done, 1 = the work failed or found something wrong, 2 = called wrongly.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/db.h"
#include "tools/generator/generator.h"
#include "tools/http_connection.h"
#include "tools/load_run.h"

namespace braid {

// A running server, as options name it.
struct ServerChoice {
  std::string url;         // empty: none is named
  std::string token_file;  // its first line is the server's token
  std::string ca_file;     // PEM file of the authorities to trust with https; empty: the system's
};
// InvalidArgument names the option that is wrong.
absl::StatusOr<Endpoint> ReadEndpoint(const ServerChoice& choice);

struct ServeSettings {
  std::string data = "braid-data";
  std::vector<std::string> listen;  // empty: 127.0.0.1:4318 and [::1]:4318
  std::string durability = "durable";
  std::string retention;       // e.g. "15d"; empty = keep all
  std::string retention_size;  // e.g. "10GB"; empty = no limit
  std::string memory;          // e.g. "512MB"; empty = no limit
  std::string reserve = "64MB";
  uint64_t flush_mb = 64;
  std::string recover = "refuse";
  std::vector<std::string> grpc_listen;  // empty: localhost:4317 if `listen` is empty too
  bool compat = false;                   // the classic ports too
  std::string tls_certificate, tls_key;  // PEM files
  bool insecure_allow_remote = false;    // other addresses than loopback without TLS
  std::string token_file;                // its first line is the bearer token that every request must carry
  std::vector<uint16_t> jaeger_udp;      // ports of Jaeger's agent
  std::vector<std::string> tail;         // patterns of log files to follow
  std::vector<std::string> scrape;       // "host:port" or "host:port/path"
  std::string scrape_config;             // file with Prometheus' scrape_configs
  uint64_t series_max = 1'000'000;       // active series; 0 = no bound
  std::string log_format = "text";       // "text", "logfmt", "json"
  std::string log_level = "info";        // the least that is said
  bool self_telemetry = false;           // store the server's own metrics and log too
};
int RunServe(const ServeSettings& settings);
// Serves an open store until SIGTERM or SIGINT, then finishes what is in flight and closes the store. What `welcome`
// makes of the first address is shown on stderr once the server listens; it may be null.
int Serve(DB* db, const ServeSettings& settings, const std::function<std::string(const std::string& address)>& welcome);

struct PipeSettings {
  std::string service;  // of records that name none
  ServerChoice server;  // none with `data` empty: http://127.0.0.1:4318
  std::string data;     // directory: written without a server
};
// Standard input to standard output, and its lines to a store.
int RunPipe(const PipeSettings& settings);

struct RunSettings {
  std::vector<std::string> command;
  std::string service;
  std::string scrape;  // port of its /metrics; "none": do not look for it; empty: found out
  ServerChoice server;
  std::string data;  // directory to serve while the program runs; both empty: a server that runs, else braid-data
  std::vector<uint16_t> jaeger_udp;  // of a store served here: ports of Jaeger's agent; empty: 6831 and 6832
};
// Runs a program with its telemetry received; returns the program's exit code, 128 + n if signal n ended it, 126 or 127
// if it cannot be run.
int RunProgramCaptured(const RunSettings& settings);

struct ImportSettings {
  std::vector<std::string> files;  // "-" = standard input
  std::string data = "braid-data";
  std::string format;   // empty: found out; else "prometheus", "openmetrics", "otlp", "jsonl", "text"
  std::string service;  // for log lines that name none
  bool quiet = false;
};
int RunImport(const ImportSettings& settings);
// Reads the files into an open store, with progress on stderr; the status names the file that failed.
// `rejected` counts the records that could not be taken.
absl::Status ImportFiles(const ImportSettings& settings, DB* db, uint64_t* rejected);

struct QuerySettings {
  std::string text;  // "-" = standard input; empty: a shell on a terminal, else standard input
  std::string data;  // directory; empty without a `server`: braid-data
  ServerChoice server;
  std::string start, end, step;
  std::string range;   // "FROM..TO", instead of start and end
  std::string format;  // "table", "json", "ndjson", "csv"; empty: lines for series on a terminal, else table
  std::vector<std::string> params;  // name=value
  std::optional<uint64_t> limit;
  std::shared_ptr<const std::atomic<bool>> cancel;  // true ends a local query; may be null
};
int RunQuery(const QuerySettings& settings);
// What is wrong, on stderr; errors of `text` with its line and the place underlined.
void ShowQueryError(const absl::Status& status, const std::string& text);

struct InspectSettings {
  std::string file;
  uint64_t lines_max = 0;
};
int RunInspect(const InspectSettings& settings);

struct VerifySettings {
  std::string dir;
  bool quiet = false;
};
int RunVerify(const VerifySettings& settings);

struct DeleteSettings {
  std::vector<std::string> selectors;
  std::string data;  // directory; empty without a `server`: braid-data
  ServerChoice server;
  std::string start, end;
};
int RunDelete(const DeleteSettings& settings);

struct BackupSettings {
  std::string target;  // directory; empty with `server`
  std::string data;
  ServerChoice server;
};
int RunBackup(const BackupSettings& settings);

struct RestoreSettings {
  std::string backup;
  std::string data = "braid-data";
  bool quiet = false;
};
int RunRestore(const RestoreSettings& settings);

struct TortureSettings {
  std::string dir;
  uint64_t seconds = 60;
  uint64_t seed = 1;
  bool quiet = false;
};
int RunTorture(const TortureSettings& settings);

struct GenerateSettings {
  GeneratorOptions options;
  std::string out = ".";
  bool quiet = false;
};
int RunGenerate(const GenerateSettings& settings);

struct LoadSettings {
  LoadOptions options;  // its endpoint, signals and run id are set by the command
  ServerChoice server{.url = "http://127.0.0.1:4318"};
  std::vector<std::string> signals = {"metrics", "logs", "traces"};
  bool quiet = false;
};
// 1 also if something acknowledged cannot be found, or something was refused.
int RunLoadCommand(const LoadSettings& settings);

struct DemoSettings {
  std::string program = "braid";  // as it was called, for the commands that are suggested
  bool once = false;
  std::string data;  // empty: a temporary directory
  std::vector<std::string> listen;
};
int RunDemo(const DemoSettings& settings);

// "durable" ... and "refuse" ... as Options has them; false for other words.
bool ParseDurability(const std::string& text, Durability* durability);
bool ParseRecovery(const std::string& text, Recovery* recovery);
// "90s", "1h30m", "15d"; false for anything else.
bool ParseDurationText(const std::string& text, Duration* duration);
// "10GB", "512MB", "64KiB", "1000000"; units of 1,000 (KB, MB, GB, TB) or 1,024 (KiB, ...). False for anything else.
bool ParseSizeText(const std::string& text, uint64_t* bytes);
// The first line of a file with a token of 16 characters or more.
absl::StatusOr<std::string> ReadTokenFile(const std::string& path);
// RFC 3339 ("2026-01-31T10:00:00Z"), seconds since the epoch, "now", or relative to now: "-1h".
bool ParseTimeText(const std::string& text, Timestamp now, Timestamp* time);
Timestamp Now();

// Writes to standard output and sees it through, so that a full disk behind a redirection is not taken for success.
absl::Status PrintOut(std::string_view bytes);
// "braid: " and the message on stderr, for people; returns 1.
int Fail(const std::string& message);

}  // namespace braid
