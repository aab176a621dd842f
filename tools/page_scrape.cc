#include "tools/page_scrape.h"

#include <chrono>
#include <cstdio>
#include <map>

#include "server/ingest/sniff.h"
#include "tools/capture/child_process.h"
#include "tools/command.h"
#include "tools/http_client.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Short, so that rates over a minute mean something soon after the start.
constexpr std::chrono::seconds kInterval{5};
// A program that listens on nothing yet may do so soon, or never.
constexpr std::chrono::milliseconds kLookEvery{500};
constexpr int kSoonLooks = 120;
constexpr int kTimeoutSeconds = 4;
// A port that did not answer with metrics at first may do so once its program has started up.
constexpr int kAsksMax = 5;
constexpr char kPath[] = "/metrics";
// As Prometheus asks.
constexpr char kAccept[] =
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

bool IsPage(const HttpAnswer& answer) {
  if (answer.status != 200) return false;
  const ingest::FileFormat format = ingest::SniffFormat(answer.body);
  return format == ingest::FileFormat::kPrometheusText || format == ingest::FileFormat::kOpenMetrics;
}

// Queries of URLs are made of these words alone; the rest is escaped.
std::string UrlEscaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    char code[8];
    std::snprintf(code, sizeof code, "%%%02X", static_cast<unsigned char>(c));
    escaped += plain ? std::string(1, c) : code;
  }
  return escaped;
}

}  // namespace

std::unique_ptr<PageScrape> PageScrape::Start(PageScrapeOptions options) {
  std::unique_ptr<PageScrape> scrape(new PageScrape(std::move(options)));
  scrape->thread_ = std::thread([running = scrape.get()] { running->Run(); });
  return scrape;
}

PageScrape::~PageScrape() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void PageScrape::Run() {
  if (!options_.port.empty()) address_ = "127.0.0.1:" + options_.port;
  std::map<std::string, int> asked;
  int looks = 0;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    if (address_.empty()) {
      for (const std::string& address : ListeningAddresses(options_.pid)) {
        if (asked[address]++ >= kAsksMax) continue;
        const auto answer = HttpGet("http://" + address, kPath, kAccept, kTimeoutSeconds);
        if (!answer.ok() || !IsPage(*answer)) continue;
        address_ = address;
        std::fprintf(stderr, "braid run: scraping http://%s%s\n", address.c_str(), kPath);
        break;
      }
    }
    const bool found = !address_.empty();
    if (found) Scrape();
    lock.lock();
    const bool soon = !found && looks++ < kSoonLooks;
    const auto pause = soon ? kLookEvery : std::chrono::milliseconds(kInterval);
    wake_.wait_for(lock, pause, [this] { return stopping_; });
  }
}

void PageScrape::Scrape() {
  const Timestamp began = Now();
  const auto page = HttpGet("http://" + address_, kPath, kAccept, kTimeoutSeconds);
  const bool up = page.ok() && IsPage(*page);
  const double seconds = static_cast<double>(Now() - began) / static_cast<double>(kSecond);
  const std::string query = "?job=" + UrlEscaped(options_.service) + "&service=" + UrlEscaped(options_.service) +
                            "&instance=" + UrlEscaped(options_.instance) +
                            "&timestamp=" + std::to_string(began / kMillisecond);
  const auto send = [&](const std::string& type, const std::string& body) {
    const auto answer = HttpPost(options_.server, "/api/v1/import/prometheus" + query, type, "application/json", body,
                                 kTimeoutSeconds, options_.token);
    std::string error;
    if (!answer.ok()) error = std::string(answer.status().message().data(), answer.status().message().size());
    if (answer.ok() && answer->status / 100 != 2) {
      error = "the server answers " + std::to_string(answer->status) + ": " + ErrorText(*answer);
    }
    if (!error.empty() && error != told_) std::fprintf(stderr, "braid run: metrics: %s\n", error.c_str());
    told_ = error;
  };
  if (up) {
    const bool openmetrics = ingest::SniffFormat(page->body) == ingest::FileFormat::kOpenMetrics ||
                             page->content_type.starts_with("application/openmetrics-text");
    send(openmetrics ? "application/openmetrics-text" : "text/plain", page->body);
  }
  char own[200];
  std::snprintf(own, sizeof own, "up %d\nscrape_duration_seconds %.9g\n", up ? 1 : 0, seconds);
  send("text/plain", own);
}

}  // namespace braid
