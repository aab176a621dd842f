#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "braid/query_memory.h"
#include "engine/base/status_macros.h"
#include "server/app.h"
#include "server/classic_ports.h"
#include "server/listen_check.h"
#include "server/scrape/scraper.h"
#include "server/self_telemetry.h"
#include "server/udp_agent.h"

namespace braid::server {
namespace {

// What all running queries may hold together: four times what one may hold by default.
constexpr uint64_t kQueryMemoryMax = uint64_t{1} << 30;

Timestamp SystemNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Whoever is told to come back is told when.
http::Response WithRetryAfter(http::Response response) {
  if (response.status != 429 && response.status != 503 && response.status != 507) return response;
  for (const http::Header& header : response.headers) {
    if (header.name == "Retry-After") return response;
  }
  response.headers.push_back({"Retry-After", "5"});
  return response;
}

constexpr size_t kMissingMax = 5;  // notes of parts set aside; the rest is counted

// What was set aside stays where it is while the store is open.
std::vector<Note> MissingOf(const DBStats& stats) {
  std::vector<Note> notes;
  for (const std::string& damaged : stats.quarantined) {
    notes.push_back({"partial", "set aside when the store was opened, its data is missing: " + damaged});
  }
  for (const std::string& damaged : stats.quarantined_before) {
    notes.push_back({"partial", "set aside earlier, its data is missing: " + damaged});
  }
  if (notes.size() > kMissingMax) {
    const size_t more = notes.size() - kMissingMax;
    notes.resize(kMissingMax);
    notes.push_back({"partial", std::to_string(more) + " more were set aside; `braid verify` names all of them"});
  }
  return notes;
}

class ServerImpl : public Server {
 public:
  ServerImpl(const ServerOptions& options, DB* db) {
    app_.db = db;
    app_.now = options.clock != nullptr ? options.clock : SystemNow;
    app_.limits = options.query_limits;
    app_.missing = MissingOf(db->Stats());
    app_.admin = !options.http.access.token.empty();
    app_.snapshot_dir = options.snapshot_dir;
    if (const uint64_t memory = options.memory_bytes_max; memory > 0) {
      app_.decode_budget.set_bytes_max(std::min<uint64_t>(ingest::DecodeBudget::kBytesMax, memory / 8));
    }
    app_.log = options.log;
    app_.series_gate = std::make_unique<ingest::SeriesGate>(options.active_series_max);
    AddOtlpRoutes(&app_, &router_);
    AddImportRoutes(&app_, &router_);
    AddRemoteWriteRoutes(&app_, &router_);
    AddCompatRoutes(&app_, &router_);
    AddElasticRoutes(&app_, &router_);
    AddQueryRoutes(&app_, &router_);
    AddPrometheusRoutes(&app_, &router_);
    AddAdminRoutes(&app_, &router_);
    AddTargetRoutes(
        [this] {
          const scrape::Scraper* scraper = published_scraper_;
          return scraper == nullptr ? std::vector<scrape::TargetStatus>() : scraper->Targets();
        },
        &router_);
    AddMorePrometheusRoutes(&app_, &router_);
    AddOwnRoutes();
  }
  ~ServerImpl() override { Stop(5 * kSecond); }

  absl::Status Begin(const ServerOptions& options) {
    std::vector<uint16_t> spare = options.jaeger_udp_spare_ports;
    if (options.compat) spare.insert(spare.end(), std::begin(kClassicUdpPorts), std::end(kClassicUdpPorts));
    if (!options.jaeger_udp_ports.empty() || !spare.empty()) {
      ASSIGN_OR_RETURN(udp_agent_, UdpAgent::Start(options.jaeger_udp_ports, spare, &app_));
    }
    auto http = http::Server::Start(
        options.http,
        [this](const http::Request& request) {
          return request.http2 ? HandleGrpc(&app_, request) : WithRetryAfter(router_.Handle(request));
        },
        [this](const http::Request& request) { return request.http2 ? http::Lane::kFast : router_.LaneOf(request); });
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
    published_.store(http_.get());
    if (!options.scrape.jobs.empty()) {
      scraper_ = scrape::Scraper::Start(options.scrape, app_.now, app_.series_gate.get(),
                                        [this](const WriteBatch& batch, size_t body_bytes, bool scraped) {
                                          if (scraped) app_.metrics.CountRequest(Protocol::kScrape, body_bytes);
                                          const absl::Status status = app_.db->Write(batch);
                                          if (status.ok()) {
                                            app_.metrics.CountAccepted(Protocol::kScrape, batch.counts());
                                          } else {
                                            app_.metrics.CountRejected(Protocol::kScrape, Reject::kStorage, 1);
                                          }
                                          return status;
                                        });
      published_scraper_.store(scraper_.get());
    }
    if (options.self_telemetry && options.log != nullptr) {
      self_telemetry_ = SelfTelemetry::Start(
          &app_, options.log, [this] { return MetricsText(); }, http_->addresses().front());
    }
    return absl::OkStatus();
  }

  const std::vector<std::string>& addresses() const override { return http_->addresses(); }
  const std::vector<std::string>& also_addresses() const override { return http_->also_addresses(); }
  std::vector<http::ListenNote> notes() const override {
    std::vector<http::ListenNote> notes = http_->notes();
    if (udp_agent_ != nullptr) notes.insert(notes.end(), udp_agent_->notes().begin(), udp_agent_->notes().end());
    return notes;
  }
  std::vector<std::string> udp_addresses() const override {
    return udp_agent_ == nullptr ? std::vector<std::string>() : udp_agent_->addresses();
  }

  void Stop(Duration grace) override {
    stopping_ = true;
    if (udp_agent_ != nullptr) udp_agent_->Stop();
    if (scraper_ != nullptr) scraper_->Stop();
    if (http_ != nullptr) http_->Stop(grace);
    app_.answers.AwaitNone();
    if (self_telemetry_ != nullptr) self_telemetry_->Stop();
  }

 private:
  std::string MetricsText() const {
    const http::Server* http = published_;
    return app_.metrics.Text(app_.db->Stats(), http != nullptr ? http->stats() : http::ServerStats(),
                             app_.decode_budget.used(), app_.series_gate->active());
  }

  void AddOwnRoutes() {
    router_.Add("GET", "/metrics", http::Lane::kFast, "what this server counts about itself, as Prometheus text",
                [this](const http::Request&, const std::string&) {
                  http::Response response = TextResponse(200, MetricsText());
                  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                  return response;
                });
    router_.Add("GET", "/-/healthy", http::Lane::kFast, "200 while the process runs",
                [](const http::Request&, const std::string&) { return TextResponse(200, "healthy\n"); });
    router_.Add("GET", "/-/ready", http::Lane::kFast, "200 while it takes and answers requests",
                [this](const http::Request&, const std::string&) {
                  if (stopping_) return TextResponse(503, "stopping\n");
                  const std::string reason = app_.db->Stats().read_only_reason;
                  if (!reason.empty()) return TextResponse(503, "read-only: " + reason + "\n");
                  return TextResponse(200, "ready\n");
                });
    router_.Add("GET", "/", http::Lane::kFast, "this page", [this](const http::Request& request, const std::string&) {
      if (AsksElastic(request) || request.expected == kElasticPort) return ElasticRoot();
      return TextResponse(200,
                          "Braid keeps metrics, logs and traces together and answers questions that cross them.\n\n" +
                              router_.Index() +
                              "\nTry:\n"
                              "  curl 'localhost:4318/v1/query?query=up'\n"
                              "  curl localhost:4318/v1/query -H 'Content-Type: text/plain' -d 'logs | limit 10'\n"
                              "  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 "
                              "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf your-program\n");
    });
  }

  App app_;
  Router router_;
  std::atomic<bool> stopping_{false};
  std::atomic<const http::Server*> published_{nullptr};
  std::atomic<const scrape::Scraper*> published_scraper_{nullptr};
  // Destroyed first: their threads use what stands above.
  std::unique_ptr<SelfTelemetry> self_telemetry_;
  std::unique_ptr<scrape::Scraper> scraper_;
  std::unique_ptr<UdpAgent> udp_agent_;
  std::unique_ptr<http::Server> http_;
};

}  // namespace

absl::Status CheckListening(const ServerOptions& options) {
  RETURN_IF_ERROR(http::CheckListening(options.http));
  return UdpAgent::CheckPorts(options.jaeger_udp_ports);
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options, DB* db) {
  ServerOptions tuned = options;
  if (options.compat) {
    for (http::Listen& port : ClassicPorts()) tuned.http.also_listen.push_back(std::move(port));
  }
  // Queries: twice the cores at once, so that one that waits for the disk leaves no core idle.
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  tuned.http.slow_threads = std::max(tuned.http.slow_threads, 2 * cores);
  uint64_t query_memory = kQueryMemoryMax;
  if (const uint64_t memory = tuned.memory_bytes_max; memory > 0) {
    // A quarter for the heads (an eighth each), an eighth for bodies and one for what they are decoded to, half for all
    // queries together.
    tuned.http.bodies_bytes_max = std::min<size_t>(tuned.http.bodies_bytes_max, memory / 8);
    tuned.http.body_bytes_max = std::min(tuned.http.body_bytes_max, tuned.http.bodies_bytes_max);
    query_memory = memory / 2;
    tuned.query_limits.memory_bytes_max = std::min(tuned.query_limits.memory_bytes_max, query_memory);
  }
  SetQueryMemoryMax(query_memory);
  auto server = std::make_unique<ServerImpl>(tuned, db);
  RETURN_IF_ERROR(server->Begin(tuned));
  return server;
}

}  // namespace braid::server
