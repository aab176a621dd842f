#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "server/server.h"
#include "tools/command.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Requests in flight get so long at the end.
constexpr Duration kStopGrace = 10 * kSecond;

// Waits for SIGTERM or SIGINT, which every thread has blocked since BlockSignals.
void BlockSignals(sigset_t* signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGTERM);
  sigaddset(signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace

int Serve(DB* db, const std::vector<std::string>& listen, bool allow_remote, const std::string& welcome) {
  sigset_t signals;
  BlockSignals(&signals);
  server::ServerOptions options;
  if (!listen.empty()) options.http.listen = listen;
  options.http.allow_remote = allow_remote;
  absl::StatusOr<std::unique_ptr<server::Server>> server = server::Server::Start(options, db);
  if (!server.ok()) return Fail(std::string(server.status().message()));
  for (const std::string& note : (*server)->notes()) std::fprintf(stderr, "braid: %s\n", note.c_str());
  for (const std::string& address : (*server)->addresses()) std::fprintf(stderr, "braid: listening on http://%s\n", address.c_str());
  if (!welcome.empty()) std::fputs(welcome.c_str(), stderr);
  std::fflush(stderr);

  int signal_number = 0;
  sigwait(&signals, &signal_number);
  std::fprintf(stderr, "braid: stopping (%s)\n", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
  // A second signal ends the process at once; the WAL has everything that was acknowledged.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (*server)->Stop(kStopGrace);
  server->reset();
  if (const absl::Status status = db->Close(); !status.ok()) return Fail(std::string(status.message()));
  return 0;
}

int RunServe(const ServeSettings& settings) {
  Options options;
  if (!ParseDurability(settings.durability, &options.durability) || !ParseRecovery(settings.recover, &options.recovery)) {
    return Fail("unknown word for --durability or --recover");
  }
  if (!settings.retention.empty() && (!ParseDurationText(settings.retention, &options.retention) || options.retention <= 0)) {
    return Fail("--retention: '" + settings.retention + "' is not a duration such as 15d");
  }
  options.flush_bytes_max = settings.flush_mb << 20;
  const absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, settings.data);
  if (!db.ok()) return Fail(std::string(db.status().message()));
  const DBStats stats = (*db)->Stats();
  std::fprintf(stderr, "braid: %s: %s samples, %s log lines, %s spans in %s parts\n", settings.data.c_str(),
               ReadableCount(stats.samples).c_str(), ReadableCount(stats.logs).c_str(), ReadableCount(stats.spans).c_str(),
               ReadableCount(stats.parts).c_str());
  if (stats.torn_bytes > 0) {
    std::fprintf(stderr, "braid: cut %s of an unfinished write from the end of the WAL\n", ReadableBytes(stats.torn_bytes).c_str());
  }
  for (const std::string& damaged : stats.quarantined) std::fprintf(stderr, "braid: set aside: %s\n", damaged.c_str());
  return Serve(db->get(), settings.listen, settings.allow_remote, "");
}

}  // namespace braid
