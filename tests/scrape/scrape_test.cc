// Scraping: the configuration, what a target's answers become, and the loop against a server of canned answers.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "server/scrape/scrape_config.h"
#include "server/scrape/scrape_target.h"
#include "server/scrape/scraper.h"
#include "tests/ingest/batch_text.h"

namespace braid::scrape {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// ---- configuration

std::string ErrorOf(const std::string& yaml) {
  const auto config = ParseScrapeConfig(yaml, "p.yml");
  return config.ok() ? "ok" : std::string(config.status().message());
}

TEST(ScrapeConfig, AFileOfPrometheus) {
  const auto config = ParseScrapeConfig(R"(
global:
  scrape_interval: 15s
  evaluation_interval: 15s
  external_labels: {zone: eu}
alerting:
  alertmanagers:
    - static_configs:
        - targets:
rule_files:
  # - "first_rules.yml"
scrape_configs:
  - job_name: "prometheus"
    static_configs:
      - targets: ["localhost:9090"]
        labels:
          app: "prometheus"
  - job_name: shop
    scrape_interval: 1m30s
    scrape_timeout: 500ms
    metrics_path: /probe
    scheme: http
    params: {module: [http_2xx, b]}
    honor_labels: true
    honor_timestamps: false
    sample_limit: 1000
    body_size_limit: 10MB
    static_configs:
      - targets: ["127.0.0.1:5000", "[::1]:5001"]
)",
                                        "p.yml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->external_labels, (Labels{{"zone", "eu"}}));
  EXPECT_THAT(config->notes, ElementsAre(HasSubstr("alerting")));
  ASSERT_EQ(config->jobs.size(), 2u);
  const ScrapeJob& first = config->jobs[0];
  EXPECT_EQ(first.interval, 15 * kSecond);
  EXPECT_EQ(first.timeout, 10 * kSecond);
  EXPECT_EQ(first.metrics_path, "/metrics");
  EXPECT_FALSE(first.honor_labels);
  EXPECT_TRUE(first.honor_timestamps);
  EXPECT_EQ(first.groups.at(0).labels, (Labels{{"app", "prometheus"}}));
  const ScrapeJob& second = config->jobs[1];
  EXPECT_EQ(second.interval, 90 * kSecond);
  EXPECT_EQ(second.timeout, 500 * kMillisecond);
  EXPECT_EQ(second.params.at(1), (std::pair<std::string, std::string>("module", "b")));
  EXPECT_TRUE(second.honor_labels);
  EXPECT_FALSE(second.honor_timestamps);
  EXPECT_EQ(second.sample_limit, 1000u);
  EXPECT_EQ(second.body_bytes_max, uint64_t{10} << 20);
  EXPECT_THAT(second.groups.at(0).targets, ElementsAre("127.0.0.1:5000", "[::1]:5001"));
}

TEST(ScrapeConfig, ErrorsNameTheLine) {
  const std::string job = "scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['h:1']}]\n";
  EXPECT_EQ(ErrorOf(job), "ok");
  EXPECT_THAT(ErrorOf(job + "  relabel_configs: []\n"), AllOf(StartsWith("p.yml:4: "), HasSubstr("'relabel_configs'")));
  EXPECT_THAT(ErrorOf(job + "  scheme: https\n"), AllOf(StartsWith("p.yml:4: "), HasSubstr("https")));
  EXPECT_THAT(ErrorOf(job + "  scrape_interval: 15\n"), AllOf(StartsWith("p.yml:4: "), HasSubstr("duration")));
  EXPECT_THAT(ErrorOf(job + "  scrape_interval: 5s\n  scrape_timeout: 6s\n"), HasSubstr("longer"));
  EXPECT_THAT(ErrorOf(job + "  honor_labels: perhaps\n"), HasSubstr("neither true nor false"));
  EXPECT_THAT(ErrorOf(job + "- job_name: a\n  static_configs: []\n"), HasSubstr("two jobs"));
  EXPECT_THAT(ErrorOf("scrape_configs:\n- job_name: a\n"), HasSubstr("static_configs"));
  EXPECT_THAT(ErrorOf("scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['http://h:1']}]\n"),
              AllOf(StartsWith("p.yml:3: "), HasSubstr("HOST:PORT")));
  EXPECT_THAT(ErrorOf("scrape_configs: ["), StartsWith("p.yml:"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("not a map"));
  EXPECT_THAT(ErrorOf("global: {}"), HasSubstr("scrape_configs"));
}

TEST(ScrapeConfig, TheShortForm) {
  const auto config = ParseScrapeList({"127.0.0.1:5000", "localhost:80/a/metrics"});
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->jobs.size(), 2u);
  EXPECT_EQ(config->jobs[1].metrics_path, "/a/metrics");
  EXPECT_FALSE(ParseScrapeList({"localhost"}).ok());
  EXPECT_FALSE(ParseScrapeList({"localhost:99999"}).ok());
}

// ---- what answers become

ScrapeJob Job() {
  ScrapeJob job;
  job.name = "j";
  return job;
}

class Target {
 public:
  explicit Target(const ScrapeJob& job) : target_(job, "h:1", {{"app", "x"}}, {{"zone", "eu"}}, nullptr) {}
  std::vector<std::string> Scrape(absl::StatusOr<FetchedMetrics> metrics, Timestamp time, bool stored = true) {
    WriteBatch batch;
    target_.AddScrape(metrics, time, 250 * kMillisecond, &batch);
    target_.Commit(stored ? absl::OkStatus() : absl::UnavailableError("disk full"));
    return BatchText(batch);
  }
  std::vector<std::string> Scrape(const std::string& body, Timestamp time, const std::string& type = "text/html") {
    return Scrape(FetchedMetrics{body, type}, time);
  }
  std::vector<std::string> End(Timestamp time) {
    WriteBatch batch;
    target_.AddEnd(time, &batch);
    return BatchText(batch);
  }
  std::string error() const { return target_.status().error; }

 private:
  ScrapeTarget target_;
};

const char* const kUs = "app=\"x\",instance=\"h:1\",job=\"j\",zone=\"eu\"} ";

std::string Own(const std::string& name, const std::string& value, Timestamp time) {
  return name + "{" + kUs + value + " @" + std::to_string(time);
}

TEST(ScrapeTarget, SamplesAndTheMetricsOfTheScrape) {
  Target target(Job());
  EXPECT_THAT(
      target.Scrape("# TYPE a counter\na 1\nb{c=\"d\"} 2\n", 1000),
      testing::UnorderedElementsAre(
          HasSubstr("a counter"), Own("a", "1", 1000), "b{app=\"x\",c=\"d\"," + std::string(kUs + 8) + "2 @1000",
          Own("up", "1", 1000), Own("scrape_duration_seconds", "0.25", 1000), Own("scrape_samples_scraped", "2", 1000),
          Own("scrape_samples_post_metric_relabeling", "2", 1000), Own("scrape_series_added", "2", 1000)));
  EXPECT_THAT(target.Scrape("a 1\nb{c=\"d\"} 2\n", 2000), Contains(Own("scrape_series_added", "0", 2000)));
}

TEST(ScrapeTarget, WhatVanishesGetsAMarker) {
  Target target(Job());
  target.Scrape("a 1\nb 2\n", 1000);
  EXPECT_THAT(target.Scrape("a 1\n", 2000), AllOf(Contains(Own("b", "stale", 2000)), Contains(Own("a", "1", 2000))));
  EXPECT_THAT(target.Scrape("a 1\n", 3000), Not(Contains(HasSubstr("stale"))));
  // The target is down: everything goes, and the metrics of the scrape say so.
  EXPECT_THAT(target.Scrape(absl::UnavailableError("refused"), 4000),
              testing::UnorderedElementsAre(
                  Own("a", "stale", 4000), Own("up", "0", 4000), Own("scrape_duration_seconds", "0.25", 4000),
                  Own("scrape_samples_scraped", "0", 4000), Own("scrape_samples_post_metric_relabeling", "0", 4000),
                  Own("scrape_series_added", "0", 4000)));
  EXPECT_EQ(target.error(), "refused");
  EXPECT_THAT(target.Scrape("a 1\n", 5000), Contains(Own("scrape_series_added", "1", 5000)));
  EXPECT_EQ(target.error(), "");
  EXPECT_THAT(target.End(6000), AllOf(Contains(Own("a", "stale", 6000)), Contains(Own("up", "stale", 6000)),
                                      Contains(Own("scrape_series_added", "stale", 6000))));
}

TEST(ScrapeTarget, SeriesWithTheirOwnTimesGetNoMarker) {
  Target target(Job());
  EXPECT_THAT(target.Scrape("a 1 5000\n", 1000), Contains(Own("a", "1", 5'000'000'000)));
  EXPECT_THAT(target.Scrape("", 2000), Not(Contains(HasSubstr("stale"))));
  ScrapeJob job = Job();
  job.honor_timestamps = false;
  Target other(job);
  EXPECT_THAT(other.Scrape("a 1 5000\n", 1000), Contains(Own("a", "1", 1000)));
  EXPECT_THAT(other.Scrape("", 2000), Contains(Own("a", "stale", 2000)));
}

TEST(ScrapeTarget, WhoseLabelsCount) {
  const std::string body = "a{job=\"own\",exported_app=\"z\",app=\"y\",zone=\"us\",instance=\"\"} 1\n";
  Target target(Job());
  EXPECT_THAT(target.Scrape(body, 1000),
              Contains("a{app=\"x\",exported_app=\"z\",exported_exported_app=\"y\",exported_job=\"own\","
                       "instance=\"h:1\",job=\"j\",zone=\"us\"} 1 @1000"));
  ScrapeJob job = Job();
  job.honor_labels = true;
  Target honest(job);
  EXPECT_THAT(honest.Scrape(body, 1000),
              Contains("a{app=\"y\",exported_app=\"z\",instance=\"h:1\",job=\"own\",zone=\"us\"} 1 @1000"));
}

TEST(ScrapeTarget, ABadBodyFailsAsAWhole) {
  Target target(Job());
  target.Scrape("a 1\n", 1000);
  EXPECT_THAT(
      target.Scrape("a 2\n<html>\n", 2000),
      AllOf(Contains(Own("up", "0", 2000)), Contains(Own("a", "stale", 2000)), Not(Contains(Own("a", "2", 2000)))));
  EXPECT_THAT(target.error(), HasSubstr("line 2"));
  ScrapeJob job = Job();
  job.sample_limit = 1;
  Target limited(job);
  EXPECT_THAT(limited.Scrape("a 1\nb 2\n", 1000),
              AllOf(Contains(Own("up", "0", 1000)), Contains(Own("scrape_samples_scraped", "2", 1000))));
  EXPECT_THAT(limited.error(), HasSubstr("sample_limit"));
}

TEST(ScrapeTarget, WhatWasNotStoredIsNotMissedLater) {
  Target target(Job());
  target.Scrape(FetchedMetrics{"a 1\n", ""}, 1000, false);
  EXPECT_THAT(target.error(), HasSubstr("disk full"));
  EXPECT_THAT(target.Scrape("b 1\n", 2000), Not(Contains(HasSubstr("stale"))));
}

TEST(ScrapeTarget, OpenMetricsWithExemplars) {
  Target target(Job());
  const auto lines = target.Scrape(
      "# TYPE a counter\na_total 1 # {trace_id=\"0102030405060708090a0b0c0d0e0f10\"} 0.5 1.5\n# EOF\n", 1000);
  EXPECT_THAT(lines, Contains(HasSubstr("0102030405060708090a0b0c0d0e0f10")));
}

// ---- over the network

std::string Gzip(std::string_view text) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Answers each path with canned bytes, one connection after another; an unknown path with silence.
class CannedServer {
 public:
  explicit CannedServer(std::map<std::string, std::string> answers) : answers_(std::move(answers)) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~CannedServer() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
    for (const int silent : silent_) ::close(silent);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string request() {
    std::lock_guard lock(mutex_);
    return request_;
  }

 private:
  void Run() {
    for (int client; (client = ::accept(fd_, nullptr, nullptr)) >= 0;) {
      std::string head;
      char piece[4096];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const ssize_t size = ::recv(client, piece, sizeof piece, 0);
        if (size <= 0) break;
        head.append(piece, static_cast<size_t>(size));
      }
      const std::string path = head.substr(4, head.find(' ', 4) - 4);
      const auto answer = answers_.find(path);
      std::lock_guard lock(mutex_);
      request_ = head;
      if (answer == answers_.end()) {
        silent_.push_back(client);
        continue;
      }
      (void)!::send(client, answer->second.data(), answer->second.size(), MSG_NOSIGNAL);
      ::close(client);
    }
  }

  std::map<std::string, std::string> answers_;
  int fd_ = -1;
  uint16_t port_ = 0;
  std::mutex mutex_;
  std::string request_;
  std::vector<int> silent_;
  std::thread thread_;
};

std::string Http(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Scrapes one path of the server until its first result is there.
std::string FirstError(const CannedServer& server, const std::string& path, ScrapeJob job,
                       std::vector<std::string>* lines = nullptr) {
  job.metrics_path = path;
  job.groups = {{{server.address()}, {}}};
  ScrapeConfig config;
  config.jobs = {job};
  std::mutex mutex;
  std::condition_variable stored;
  std::vector<std::string> first;
  const auto scraper = Scraper::Start(
      config, [] { return 1'234'567'890'123'456'789; }, nullptr,
      [&](const WriteBatch& batch, size_t, bool) {
        std::lock_guard lock(mutex);
        if (first.empty()) first = BatchText(batch);
        stored.notify_all();
        return absl::OkStatus();
      });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(stored.wait_for(lock, std::chrono::seconds(20), [&] { return !first.empty(); }));
  lock.unlock();
  scraper->Stop();
  if (lines != nullptr) *lines = first;
  return scraper->Targets().at(0).error;
}

TEST(Scraper, AsksAsPrometheusDoes) {
  CannedServer server({{"/m?x=a%20b", Http("200 OK", "Content-Type: text/html\r\n", "a 1\n")}});
  ScrapeJob job = Job();
  job.params = {{"x", "a b"}};
  job.timeout = 5 * kSecond;
  std::vector<std::string> lines;
  EXPECT_EQ(FirstError(server, "/m", job, &lines), "");
  EXPECT_THAT(lines, Contains(AllOf(StartsWith("a{"), HasSubstr("@1234567890123000000"))));
  EXPECT_THAT(server.request(),
              AllOf(HasSubstr("Host: " + server.address() + "\r\n"), HasSubstr("Accept-Encoding: gzip\r\n"),
                    HasSubstr("X-Prometheus-Scrape-Timeout-Seconds: 5\r\n"),
                    HasSubstr("Accept: application/openmetrics-text;version=1.0.0;q=0.5,")));
}

TEST(Scraper, AnswersOfManyKinds) {
  const std::string large(200'000, '#');
  CannedServer server({{"/gzip", Http("200 OK", "Content-Encoding: gzip\r\n", Gzip("a 1\n"))},
                       {"/bomb", Http("200 OK", "Content-Encoding: gzip\r\n", Gzip(large))},
                       {"/damaged", Http("200 OK", "Content-Encoding: gzip\r\n", "a 1\n")},
                       {"/away", Http("302 Found", "Location: /gzip\r\n", "")},
                       {"/round", Http("302 Found", "Location: /round\r\n", "")},
                       {"/tls", Http("301 Moved", "Location: https://localhost/\r\n", "")},
                       {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n"},
                       {"/until-close", "HTTP/1.0 200 OK\r\n\r\na 1\n"},
                       {"/missing", Http("404 Not Found", "", "")},
                       {"/large", Http("200 OK", "", large)},
                       {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\n"},
                       {"/noise", "SSH-2.0-OpenSSH\r\n"}});
  ScrapeJob job = Job();
  job.body_bytes_max = 100'000;
  for (const char* path : {"/gzip", "/away", "/chunked", "/until-close"}) {
    std::vector<std::string> lines;
    EXPECT_EQ(FirstError(server, path, job, &lines), "") << path;
    EXPECT_THAT(lines, Contains(StartsWith("a{"))) << path;
  }
  EXPECT_THAT(FirstError(server, "/bomb", job), HasSubstr("100000 bytes"));
  EXPECT_THAT(FirstError(server, "/damaged", job), HasSubstr("gzip"));
  EXPECT_THAT(FirstError(server, "/round", job), HasSubstr("redirects"));
  EXPECT_THAT(FirstError(server, "/tls", job), HasSubstr("https://localhost/"));
  EXPECT_THAT(FirstError(server, "/missing", job), HasSubstr("404"));
  EXPECT_THAT(FirstError(server, "/large", job), HasSubstr("100000 bytes"));
  EXPECT_THAT(FirstError(server, "/cut", job), HasSubstr("reading from"));
  EXPECT_THAT(FirstError(server, "/noise", job), HasSubstr("not HTTP"));
  job.timeout = 100 * kMillisecond;
  EXPECT_THAT(FirstError(server, "/silence", job), HasSubstr("timeout"));
}

}  // namespace
}  // namespace braid::scrape
