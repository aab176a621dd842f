#include "tools/page_scrape.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <map>
#include <optional>

#include "server/ingest/sniff.h"
#include "server/scrape/metrics_fetch.h"
#include "tools/capture/child_process.h"
#include "tools/command.h"

namespace braid {
namespace {

// Short, so that rates over a minute mean something soon after the start.
constexpr Duration kInterval = 5 * kSecond;
constexpr Duration kTimeout = 4 * kSecond;
constexpr uint64_t kPageBytesMax = uint64_t{64} << 20;
// A program that listens on nothing yet may do so soon, or never.
constexpr std::chrono::milliseconds kLookEvery{500}, kLookRarely{5000};
constexpr int kSoonLooks = 120;
// A port that did not answer with metrics at first may do so once its program has started up.
constexpr int kAsksMax = 5;
constexpr char kPath[] = "/metrics";

bool HasPage(const std::string& address) {
  const scrape::FetchRequest request{address, kPath, kTimeout, kPageBytesMax};
  std::optional<absl::StatusOr<scrape::FetchedMetrics>> answer;
  boost::asio::io_context io;
  boost::asio::co_spawn(
      io, scrape::FetchMetrics(request),
      [&answer](std::exception_ptr, absl::StatusOr<scrape::FetchedMetrics> fetched) { answer = std::move(fetched); });
  io.run();
  if (!answer->ok()) return false;
  const ingest::FileFormat format = ingest::SniffFormat((*answer)->body);
  return format == ingest::FileFormat::kPrometheusText || format == ingest::FileFormat::kOpenMetrics;
}

}  // namespace

std::unique_ptr<PageScrape> PageScrape::Start(PageScrapeOptions options) {
  std::unique_ptr<PageScrape> scrape(new PageScrape(std::move(options)));
  if (scrape->options_.port.empty()) {
    scrape->thread_ = std::thread([looking = scrape.get()] { looking->Look(); });
  } else {
    scrape->Scrape("127.0.0.1:" + scrape->options_.port);
  }
  return scrape;
}

PageScrape::~PageScrape() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (scraper_ != nullptr) scraper_->Stop();
}

void PageScrape::Look() {
  std::map<std::string, int> asked;
  std::unique_lock<std::mutex> lock(mutex_);
  for (int looks = 0; !stopping_; ++looks) {
    lock.unlock();
    for (const std::string& address : ListeningAddresses(options_.pid)) {
      if (asked[address]++ >= kAsksMax || !HasPage(address)) continue;
      std::fprintf(stderr, "braid run: scraping http://%s%s\n", address.c_str(), kPath);
      Scrape(address);
      return;
    }
    lock.lock();
    wake_.wait_for(lock, looks < kSoonLooks ? kLookEvery : kLookRarely, [this] { return stopping_; });
  }
}

void PageScrape::Scrape(const std::string& address) {
  scrape::ScrapeJob job;
  job.name = options_.service;
  job.metrics_path = kPath;
  job.interval = kInterval;
  job.timeout = kTimeout;
  job.body_bytes_max = kPageBytesMax;
  // The instance is that of the program's logs and spans, so that they meet.
  job.groups = {{{address}, {{"instance", options_.instance}, {"service", options_.service}}}};
  scrape::ScrapeConfig config;
  config.jobs.push_back(std::move(job));
  scraper_ = scrape::Scraper::Start(config, Now, nullptr, options_.sink);
}

}  // namespace braid
