#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <tuple>

#include "engine/base/status_macros.h"
#include "server/classic_ports.h"
#include "server/listen_check.h"
#include "server/server.h"
#include "tools/capture/log_tail.h"
#include "tools/command.h"
#include "tools/file_reader.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Requests in flight get so long at the end.
constexpr Duration kStopGrace = 10 * kSecond;

// The signals that end the server in order; sigwait takes them, every thread blocks them.
void BlockSignals(sigset_t* signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGTERM);
  sigaddset(signals, SIGINT);
  // A closed terminal; under nohup it is ignored and stays so.
  struct sigaction hangup = {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaddset(signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

// Connections are files, and the usual soft limit of 1,024 is there for programs that use select().
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// `status` with the option that was wrong.
absl::Status Named(const char* option, const absl::Status& status) {
  return absl::Status(status.code(), std::string(option) + " " + std::string(status.message()));
}

absl::StatusOr<scrape::ScrapeConfig> ReadScrapeConfig(const ServeSettings& settings) {
  absl::StatusOr<scrape::ScrapeConfig> list = scrape::ParseScrapeList(settings.scrape);
  if (!list.ok()) return Named("--scrape", list.status());
  scrape::ScrapeConfig config = *std::move(list);
  if (settings.scrape_config.empty()) return config;
  absl::StatusOr<std::unique_ptr<FileReader>> opened = FileReader::Open(settings.scrape_config);
  if (!opened.ok()) return Named("--scrape-config", opened.status());
  const std::unique_ptr<FileReader> file = *std::move(opened);
  ASSIGN_OR_RETURN(const std::string text, file->ReadAll());
  ASSIGN_OR_RETURN(scrape::ScrapeConfig more, scrape::ParseScrapeConfig(text, settings.scrape_config));
  for (scrape::ScrapeJob& job : more.jobs) config.jobs.push_back(std::move(job));
  config.external_labels = std::move(more.external_labels);
  config.notes = std::move(more.notes);
  return config;
}

// What of the settings the server needs, read and checked. The store is not touched.
absl::StatusOr<server::ServerOptions> ReadServerOptions(const ServeSettings& settings) {
  server::ServerOptions options;
  options.self_telemetry = settings.self_telemetry;
  if (!settings.listen.empty()) options.http.listen = settings.listen;
  for (const std::string& address : settings.grpc_listen) {
    options.http.also_listen.push_back({address, http::Speaks::kHttp2, "OTLP/gRPC", true});
  }
  // Whoever chooses the addresses chooses them all.
  if (settings.grpc_listen.empty() && (settings.listen.empty() || settings.compat)) {
    options.http.also_listen.push_back(server::GrpcPort());
  }
  options.compat = settings.compat;
  options.active_series_max = settings.series_max;
  options.http.tls = {settings.tls_certificate, settings.tls_key};
  options.http.insecure_allow_remote = settings.insecure_allow_remote;
  if (!settings.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadTokenFile(settings.token_file);
    if (!token.ok()) return Named("--token-file", token.status());
    options.http.access.token = *std::move(token);
  }
  options.jaeger_udp_ports = settings.jaeger_udp;
  if (!settings.memory.empty()) ParseSizeText(settings.memory, &options.memory_bytes_max);
  if (!settings.data.empty()) options.snapshot_dir = settings.data + "/snapshots";
  ASSIGN_OR_RETURN(options.scrape, ReadScrapeConfig(settings));
  for (const std::string& text : settings.tail) {
    if (const auto pattern = TailPattern::Parse(text); !pattern.ok()) return Named("--tail", pattern.status());
  }
  return options;
}

// A port that is taken is the usual reason, and what to do about it is not in the system's words.
int FailToListen(const absl::Status& status) {
  const char* advice = "";
  if (status.code() == absl::StatusCode::kFailedPrecondition) {
    advice =
        " (does another server run there? choose another port with --listen, --grpc-listen or --jaeger-udp, such as "
        "--listen 127.0.0.1:4319)";
  } else if (status.code() == absl::StatusCode::kPermissionDenied) {
    advice = " (--token-file; --tls-cert and --tls-key, or --insecure-allow-remote)";
  }
  return Fail(std::string(status.message()) + advice);
}

}  // namespace

int Serve(DB* db, const ServeSettings& settings,
          const std::function<std::string(const std::string& address)>& welcome) {
  sigset_t signals;
  BlockSignals(&signals);
  RaiseFileLimit();
  server::LogFormat format = server::LogFormat::kText;
  Level least = Level::kInfo;
  if (!server::ParseLogFormat(settings.log_format, &format) || !ParseLevel(settings.log_level, &least)) {
    return Fail("unknown word for --log-format or --log-level");
  }
  server::Log log(format, least);
  absl::StatusOr<server::ServerOptions> options = ReadServerOptions(settings);
  if (!options.ok()) return Fail(std::string(options.status().message()));
  options->log = &log;
  for (const std::string& note : options->scrape.notes) log.Write(Level::kWarn, note);
  absl::StatusOr<std::unique_ptr<server::Server>> server = server::Server::Start(*options, db);
  if (!server.ok()) return FailToListen(server.status());
  for (const http::ListenNote& note : (*server)->notes()) log.Write(Level::kWarn, note.text);
  const std::string scheme = settings.tls_certificate.empty() ? "http" : "https";
  for (const std::string& address : (*server)->addresses()) {
    log.Write(Level::kInfo, "listening on " + scheme + "://" + address);
  }
  for (const std::string& address : (*server)->also_addresses()) log.Write(Level::kInfo, "listening on " + address);
  for (const std::string& address : (*server)->udp_addresses()) {
    log.Write(Level::kInfo, "taking Jaeger's datagrams on " + address);
  }
  std::unique_ptr<LogTail> tail;
  if (!settings.tail.empty()) {
    TailOptions following;
    following.patterns = settings.tail;
    following.clock = Now;
    following.note = [&log](const std::string& note) { log.Write(Level::kInfo, note); };
    absl::StatusOr<std::unique_ptr<LogTail>> started = LogTail::Start(std::move(following), db);
    if (!started.ok()) return Fail(std::string(started.status().message()));
    tail = *std::move(started);
    for (const std::string& pattern : settings.tail) log.Write(Level::kInfo, "following " + pattern);
  }
  if (welcome && !(*server)->addresses().empty()) std::fputs(welcome((*server)->addresses()[0]).c_str(), stderr);
  std::fflush(stderr);

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  log.Write(Level::kInfo, std::string("stopping (") + "SIG" + sigabbrev_np(signal_number) + ")");
  // A second signal ends the process at once; the WAL has everything that was acknowledged.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  tail.reset();
  (*server)->Stop(kStopGrace);
  server->reset();
  if (const absl::Status status = db->Close(); !status.ok()) return Fail(std::string(status.message()));
  return 0;
}

int RunServe(const ServeSettings& settings) {
  Options options;
  if (!ParseDurability(settings.durability, &options.durability) ||
      !ParseRecovery(settings.recover, &options.recovery)) {
    return Fail("unknown word for --durability or --recover");
  }
  // Requests may count in seconds without a unit; here whoever means days would lose nearly everything.
  if (!settings.retention.empty() && settings.retention.find_first_not_of("0123456789.+-eE") == std::string::npos) {
    return Fail("--retention: '" + settings.retention + "' has no unit; write " + settings.retention +
                "d for days, or " + settings.retention + "h for hours");
  }
  if (!settings.retention.empty() &&
      (!ParseDurationText(settings.retention, &options.retention) || options.retention <= 0)) {
    return Fail("--retention: '" + settings.retention + "' is not a duration such as 15d");
  }
  options.flush_bytes_max = settings.flush_mb << 20;
  for (const auto& [name, text, bytes] :
       {std::tuple("--retention-size", &settings.retention_size, &options.disk_bytes_max),
        std::tuple("--memory", &settings.memory, &options.memory_bytes_max),
        std::tuple("--reserve", &settings.reserve, &options.reserve_bytes)}) {
    if (text->empty() || ParseSizeText(*text, bytes)) continue;
    return Fail(std::string(name) + ": '" + *text + "' is not a size such as 512MB or 10GiB");
  }
  constexpr uint64_t kBudgetMin = 64'000'000;
  if (options.memory_bytes_max > 0 && options.memory_bytes_max < kBudgetMin) return Fail("--memory: at least 64MB");
  if (options.disk_bytes_max > 0 && options.disk_bytes_max < kBudgetMin) {
    return Fail("--retention-size: at least 64MB");
  }
  // A wrong call must not leave a new store behind, nor keep an old one busy with its recovery.
  const absl::StatusOr<server::ServerOptions> server = ReadServerOptions(settings);
  if (!server.ok()) return Fail(std::string(server.status().message()));
  if (const absl::Status status = server::CheckListening(*server); !status.ok()) return FailToListen(status);
  const absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, settings.data);
  if (!db.ok()) return Fail(std::string(db.status().message()));
  const DBStats stats = (*db)->Stats();
  std::fprintf(stderr, "braid: %s: %s samples, %s log lines, %s spans in %s parts\n", settings.data.c_str(),
               ReadableCount(stats.samples).c_str(), ReadableCount(stats.logs).c_str(),
               ReadableCount(stats.spans).c_str(), ReadableCount(stats.parts).c_str());
  if (stats.torn_bytes > 0) {
    std::fprintf(stderr, "braid: cut %s of an unfinished write from the end of the WAL\n",
                 ReadableBytes(stats.torn_bytes).c_str());
  }
  for (const std::string& damaged : stats.quarantined) std::fprintf(stderr, "braid: set aside: %s\n", damaged.c_str());
  for (const std::string& damaged : stats.quarantined_before) {
    std::fprintf(stderr, "braid: set aside earlier: %s\n", damaged.c_str());
  }
  return Serve(db->get(), settings, nullptr);
}

}  // namespace braid
