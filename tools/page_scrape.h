// The /metrics of a program that `braid run` has started: found among its listening ports, fetched now and then, and
// handed to the server as Prometheus text.
//
// Threads: a thread of its own between Start and the destructor.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace braid {

struct PageScrapeOptions {
  pid_t pid = -1;        // of the program
  std::string port;      // of its page; empty: each port that it listens on is asked once
  std::string server;    // URL
  std::string token;     // of the server; may be empty
  std::string service;   // labels job and service
  std::string instance;  // label instance: the service.instance.id of its logs and spans
};

class PageScrape {
 public:
  static std::unique_ptr<PageScrape> Start(PageScrapeOptions options);
  ~PageScrape();

 private:
  explicit PageScrape(PageScrapeOptions options) : options_(std::move(options)) {}
  void Run();
  void Scrape();

  const PageScrapeOptions options_;
  std::string address_;  // host:port of the page, once it is found
  std::string told_;     // the last error, which is said once
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace braid
