#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "tools/capture/captured_stream.h"
#include "tools/command.h"
#include "tools/server_post.h"

namespace braid {
namespace {

constexpr int kTickMillis = 100;
constexpr Duration kCommitEvery = 200 * kMillisecond;
// At the end what waits gets so long to be delivered.
constexpr Duration kCloseGrace = 10 * kSecond;

volatile sig_atomic_t terminated = 0;

// Ctrl-C reaches the program before the pipe too: its last lines are still read. A second one ends the pipe at once.
void CatchSignals() {
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action {};
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  action.sa_handler = [](int) {};
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = [](int) { terminated = 1; };
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

int RunPipe(const PipeSettings& settings) {
  CatchSignals();
  ServerChoice server = settings.server;
  if (server.url.empty() && settings.data.empty()) server.url = "http://127.0.0.1:4318";
  const absl::StatusOr<Endpoint> endpoint = ReadEndpoint(server);
  if (!endpoint.ok()) return Fail(std::string(endpoint.status().message()));
  DeliveryOptions delivery;
  delivery.note = [](const std::string& note) { std::fprintf(stderr, "braid pipe: %s\n", note.c_str()); };
  std::shared_ptr<DB> db;
  std::unique_ptr<LogOutlet> outlet;
  ingest::LogLinesOptions lines;
  if (!settings.data.empty()) {
    auto opened = DB::Open(Options(), settings.data);
    if (!opened.ok()) return Fail(std::string(opened.status().message()));
    db = *std::move(opened);
    outlet = LogOutlet::ToDB(db, std::move(delivery));
  } else {
    outlet = LogOutlet::ToServer(PostLogsTo(*endpoint), std::move(delivery));
    lines.last_number = std::make_shared<uint64_t>();  // a request that was sent again may have arrived twice
  }
  lines.service = settings.service;
  lines.source = {{"service.instance.id", RandomUuid()}};
  lines.zone_offset = LocalZoneOffset(Now());
  CapturedStream stream(STDIN_FILENO, STDOUT_FILENO, std::move(lines), outlet.get());
  Timestamp committed = Now();
  while (terminated == 0) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = poll(&input, 1, kTickMillis);
    if (ready < 0 && errno != EINTR) break;
    if (ready > 0 && !stream.Read(Now())) break;
    const Timestamp now = Now();
    stream.Tick(now);
    if (now - committed >= kCommitEvery || now < committed) {
      outlet->Commit();
      committed = now;
    }
  }
  stream.End(Now());
  const DeliveryCounts counts = outlet->Close(kCloseGrace);
  outlet.reset();
  const std::string losses = DescribeLosses(counts, "log record");
  int code = losses.empty() ? 0 : Fail(losses);
  if (db != nullptr && counts.waiting == 0) {
    if (const absl::Status closed = db->Close(); !closed.ok()) code = Fail(std::string(closed.message()));
  }
  std::fflush(stdout);
  // A send that hangs has a thread of its own, which nothing may be taken from.
  if (counts.waiting > 0) _exit(code);
  return code;
}

}  // namespace braid
