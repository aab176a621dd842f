// The /metrics of a program that `braid run` has started: found among its listening ports and scraped as any other
// target, with `up` and staleness markers.
//
// Threads: threads of its own between Start and the destructor, which writes the staleness markers of the end.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "server/scrape/scraper.h"

namespace braid {

struct PageScrapeOptions {
  pid_t pid = -1;        // of the program
  std::string port;      // of its page; empty: each port that it listens on is asked
  std::string service;   // labels job and service
  std::string instance;  // label instance: the service.instance.id of its logs and spans
  scrape::ScrapeSink sink;
};

class PageScrape {
 public:
  static std::unique_ptr<PageScrape> Start(PageScrapeOptions options);
  ~PageScrape();

 private:
  explicit PageScrape(PageScrapeOptions options) : options_(std::move(options)) {}
  // Until it is found or the end comes.
  void Look();
  void Scrape(const std::string& address);

  const PageScrapeOptions options_;
  std::unique_ptr<scrape::Scraper> scraper_;  // once the page is found; of the thread until it is joined
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace braid
