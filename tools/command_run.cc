#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <optional>

#include "engine/base/status_macros.h"
#include "server/classic_ports.h"
#include "server/server.h"
#include "tools/capture/captured_stream.h"
#include "tools/capture/child_process.h"
#include "tools/command.h"
#include "tools/http_client.h"
#include "tools/page_scrape.h"
#include "tools/remote_write_body.h"
#include "tools/server_post.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kTickMillis = 100;
constexpr Duration kCommitEvery = 200 * kMillisecond;
constexpr Duration kCloseGrace = 10 * kSecond;
// Processes that the program leaves behind may hold its outputs open; they are not waited for longer than this.
constexpr Duration kOutputGrace = kSecond;
constexpr char kDefaultServer[] = "http://127.0.0.1:4318";
constexpr char kDefaultData[] = "braid-data";

// Passed on to the program.
constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

// All threads have these blocked; they are read from the descriptor.
int OpenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kForwarded) sigaddset(&signals, number);
  sigaddset(&signals, SIGCHLD);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool Answers(const Endpoint& endpoint) {
  const auto answer = HttpPost(endpoint, "/v1/query", "text/plain", "application/json", "1", 2);
  if (answer.ok() && answer->status == 401) {
    std::fprintf(stderr, "braid run: note: %s answers 401: %s\n", endpoint.url.c_str(), ErrorText(*answer).c_str());
  }
  return answer.ok() && answer->status == 200;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Where the program's telemetry goes: a server that runs already, or a store opened and served for as long.
struct Destination {
  std::shared_ptr<DB> db;
  std::unique_ptr<server::Server> server;
  Endpoint endpoint;
  std::unique_ptr<LogOutlet> outlet;
  std::unique_ptr<Delivery> metrics;  // to a server that runs already
  std::mutex metrics_mutex;           // of Put

  absl::Status Open(const RunSettings& settings) {
    ServerChoice choice = settings.server;
    if (choice.url.empty() && settings.data.empty()) choice.url = kDefaultServer;
    ASSIGN_OR_RETURN(endpoint, ReadEndpoint(choice));
    DeliveryOptions delivery;
    delivery.note = [](const std::string& note) { std::fprintf(stderr, "braid run: %s\n", note.c_str()); };
    if (!settings.server.url.empty() || (settings.data.empty() && Answers(endpoint))) {
      if (!settings.jaeger_udp.empty()) {
        std::fprintf(stderr, "braid run: note: %s takes Jaeger's datagrams if it was started with --jaeger-udp\n",
                     endpoint.url.c_str());
      }
      outlet = LogOutlet::ToServer(PostLogsTo(endpoint), delivery);
      metrics = std::make_unique<Delivery>(std::move(delivery));
      return absl::OkStatus();
    }
    const std::string data = settings.data.empty() ? kDefaultData : settings.data;
    ASSIGN_OR_RETURN(std::unique_ptr<DB> opened, DB::Open(Options(), data));
    db = std::move(opened);
    RETURN_IF_ERROR(Serve(settings.jaeger_udp));
    outlet = LogOutlet::ToDB(db, std::move(delivery));
    std::fprintf(stderr, "braid run: storing in %s, listening on %s\n", data.c_str(), endpoint.url.c_str());
    return absl::OkStatus();
  }

  // On the usual ports. If another program has HTTP's, a free one does as well, because the program is told of it;
  // those of gRPC and Jaeger are left out, each for itself.
  absl::Status Serve(const std::vector<uint16_t>& jaeger_udp) {
    server::ServerOptions options;
    options.http.also_listen = {server::GrpcPort()};
    options.jaeger_udp_spare_ports = jaeger_udp;
    if (jaeger_udp.empty()) {
      options.jaeger_udp_spare_ports.assign(std::begin(server::kClassicUdpPorts), std::end(server::kClassicUdpPorts));
    }
    auto started = server::Server::Start(options, db.get());
    if (!started.ok() && started.status().code() == absl::StatusCode::kFailedPrecondition) {
      std::fprintf(stderr, "braid run: note: %s; using a free port\n", std::string(started.status().message()).c_str());
      options.http.listen = {"127.0.0.1:0"};
      started = server::Server::Start(options, db.get());
    }
    RETURN_IF_ERROR(started.status());
    server = *std::move(started);
    for (const http::ListenNote& note : server->notes()) {
      if (note.is_loss) std::fprintf(stderr, "braid run: note: %s\n", note.text.c_str());
    }
    endpoint = {.url = "http://" + server->addresses()[0]};
    return absl::OkStatus();
  }

  // Takes what is scraped. Calls come from the scraper's threads.
  scrape::ScrapeSink MetricsSink() {
    if (db != nullptr) return [kept = db](const WriteBatch& batch, size_t, bool) { return kept->Write(batch); };
    return [this, post = PostMetricsTo(endpoint)](const WriteBatch& batch, size_t, bool) -> absl::Status {
      ASSIGN_OR_RETURN(std::string encoded, EncodeRemoteWrite(batch));
      const auto body = std::make_shared<const std::string>(std::move(encoded));
      const std::lock_guard<std::mutex> lock(metrics_mutex);
      metrics->Put({batch.counts().samples, body->size(), [post, body] { return post(*body); }});
      return absl::OkStatus();
    };
  }

  // Reports what was lost.
  void Close() {
    const DeliveryCounts counts = outlet->Close(kCloseGrace);
    outlet.reset();
    if (const std::string losses = DescribeLosses(counts, "log record"); !losses.empty()) Fail(losses);
    if (metrics != nullptr) {
      // A server that took the log records takes these at once.
      const DeliveryCounts samples = metrics->Close(counts.waiting > 0 ? 0 : kCloseGrace);
      if (const std::string losses = DescribeLosses(samples, "sample"); !losses.empty()) Fail(losses);
    }
    if (server != nullptr) server->Stop(kCloseGrace);
    server.reset();
    if (db == nullptr || counts.waiting > 0) return;
    if (const absl::Status closed = db->Close(); !closed.ok()) Fail(std::string(closed.message()));
  }
};

// What tells an OpenTelemetry SDK where to send, unless the user has told it already.
std::vector<std::pair<std::string, std::string>> ChildEnvironment(const Endpoint& endpoint, const std::string& service,
                                                                  const std::string& instance) {
  std::vector<std::pair<std::string, std::string>> environment;
  const auto add = [&](const char* name, const std::string& value) {
    if (std::getenv(name) == nullptr) environment.emplace_back(name, value);
  };
  add("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.url);
  add("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
  if (!endpoint.token.empty()) add("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20" + endpoint.token);
  if (!endpoint.ca_file.empty()) add("OTEL_EXPORTER_OTLP_CERTIFICATE", endpoint.ca_file);
  std::string resource = Variable("OTEL_RESOURCE_ATTRIBUTES");
  if (resource.find("service.name=") == std::string::npos) add("OTEL_SERVICE_NAME", service);
  if (resource.find("service.instance.id=") == std::string::npos) {
    resource += (resource.empty() ? "" : ",") + ("service.instance.id=" + instance);
    environment.emplace_back("OTEL_RESOURCE_ATTRIBUTES", resource);
  }
  // Python keeps back what it prints to a pipe; its lines should come when they are written.
  add("PYTHONUNBUFFERED", "1");
  return environment;
}

class CapturedProgram {
 public:
  CapturedProgram(const ChildProcess& child, int signals, const ingest::LogLinesOptions& lines, LogOutlet* outlet)
      : child_(child), signals_(signals), outlet_(outlet) {
    ingest::LogLinesOptions out = lines, err = lines;
    out.attributes.push_back({"log.iostream", "stdout"});
    err.attributes.push_back({"log.iostream", "stderr"});
    streams_[0].emplace(child.stdout_fd, STDOUT_FILENO, std::move(out), outlet);
    streams_[1].emplace(child.stderr_fd, STDERR_FILENO, std::move(err), outlet);
  }

  // Until the program has ended and its outputs with it; its exit code as a shell tells it.
  int Await() {
    Timestamp last_output = Now(), committed = last_output;
    while (true) {
      pollfd waits[3] = {{signals_, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
      for (size_t i = 0; i < streams_.size(); ++i) {
        if (streams_[i].has_value()) waits[i + 1].fd = streams_[i]->input();
      }
      const bool ended = code_.has_value();
      if (ended && waits[1].fd < 0 && waits[2].fd < 0) break;
      poll(waits, 3, kTickMillis);
      const Timestamp now = Now();
      TakeSignals();
      for (size_t i = 0; i < streams_.size(); ++i) {
        if (!streams_[i].has_value()) continue;
        if ((waits[i + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
          last_output = now;
          if (!streams_[i]->Read(now)) End(i);
        } else {
          streams_[i]->Tick(now);
        }
      }
      if (ended && now - last_output > kOutputGrace) break;
      if (now - committed >= kCommitEvery || now < committed) {
        outlet_->Commit();
        committed = now;
      }
    }
    for (size_t i = 0; i < streams_.size(); ++i) End(i);
    return *code_;
  }

 private:
  void End(size_t i) {
    if (!streams_[i].has_value()) return;
    streams_[i]->End(Now());
    close(streams_[i]->input());
    streams_[i].reset();
  }

  void TakeSignals() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) == sizeof info) {
      const int number = static_cast<int>(info.ssi_signo);
      // A terminal has sent its signals to the program too.
      if (number != SIGCHLD && info.ssi_code <= 0 && !code_.has_value()) kill(child_.pid, number);
    }
    int status = 0;
    if (code_.has_value() || waitpid(child_.pid, &status, WNOHANG) != child_.pid) return;
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

  const ChildProcess child_;
  const int signals_;
  LogOutlet* const outlet_;
  std::array<std::optional<CapturedStream>, 2> streams_;
  std::optional<int> code_;
};

}  // namespace

int RunProgramCaptured(const RunSettings& settings) {
  const std::vector<int> inherited = OpenDescriptors();
  const int signals = OpenSignals();
  Destination destination;
  if (const absl::Status opened = destination.Open(settings); !opened.ok()) return Fail(std::string(opened.message()));
  const std::string& program = settings.command[0];
  const std::string service = settings.service.empty() ? program.substr(program.rfind('/') + 1) : settings.service;
  const std::string instance = RandomUuid();

  const auto child =
      ChildProcess::Start(settings.command, ChildEnvironment(destination.endpoint, service, instance), inherited);
  if (!child.ok()) {
    Fail(std::string(child.status().message()));
    destination.Close();
    return child.status().code() == absl::StatusCode::kNotFound ? 127 : 126;
  }
  ingest::LogLinesOptions lines;
  lines.service = service;
  lines.source = {{"service.instance.id", instance}};
  lines.zone_offset = LocalZoneOffset(Now());
  // A request that was sent again may have arrived twice. Both outputs count together: they are of one instance.
  if (destination.db == nullptr) lines.last_number = std::make_shared<uint64_t>();
  std::unique_ptr<PageScrape> scrape;
  if (settings.scrape != "none") {
    scrape = PageScrape::Start({child->pid, settings.scrape, service, instance, destination.MetricsSink()});
  }
  const int code = CapturedProgram(*child, signals, lines, destination.outlet.get()).Await();
  scrape.reset();
  destination.Close();
  std::fflush(stdout);
  // A send that hangs has a thread of its own, which nothing may be taken from.
  _exit(code);
}

}  // namespace braid
