#include "server/scrape/scraper.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <thread>

#include "server/http/worker_pool.h"

namespace braid::scrape {

namespace asio = boost::asio;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr int kReaderThreads = 2;
// First scrapes are spread so far, times the number of targets, up to an interval.
constexpr Duration kSpread = 20 * kMillisecond;

class ScraperImpl : public Scraper {
 public:
  ScraperImpl(const ScrapeConfig& config, std::function<Timestamp()> clock, ingest::SeriesGate* gate, ScrapeSink sink)
      : clock_(std::move(clock)), sink_(std::move(sink)) {
    for (const ScrapeJob& job : config.jobs) {
      for (const TargetGroup& group : job.groups) {
        for (const std::string& address : group.targets) {
          targets_.emplace_back(job, address, group.labels, config.external_labels, gate);
        }
      }
    }
    // Every target may wait for a reader at once.
    readers_ = std::make_unique<http::WorkerPool>(kReaderThreads, targets_.size());
    for (ScrapeTarget& target : targets_) {
      timers_.emplace_back(io_);
      asio::co_spawn(io_, Loop(&target, &timers_.back()), [](std::exception_ptr) {});
    }
    thread_ = std::thread([this] { io_.run(); });
  }
  ~ScraperImpl() override { Stop(); }

  std::vector<TargetStatus> Targets() const override {
    std::vector<TargetStatus> all;
    for (const ScrapeTarget& target : targets_) all.push_back(target.status());
    return all;
  }

  void Stop() override {
    if (!thread_.joinable()) return;
    stopping_ = true;
    // What is being fetched is given up; what has come is still stored.
    asio::post(io_, [this] {
      for (asio::steady_timer& timer : timers_) timer.cancel();
    });
    asio::post(io_, [this] { io_.stop(); });
    thread_.join();
    readers_.reset();
    for (ScrapeTarget& target : targets_) {
      WriteBatch batch;
      target.AddEnd(clock_(), &batch);
      if (!batch.empty()) (void)sink_(batch, 0, false);
    }
  }

 private:
  asio::awaitable<void> Loop(ScrapeTarget* target, asio::steady_timer* timer) {
    const auto interval = std::chrono::nanoseconds(target->interval());
    const Duration spread = std::min<Duration>(target->interval(), kSpread * static_cast<Duration>(targets_.size()));
    const uint64_t place = std::hash<std::string>()(target->key());
    Clock::time_point next = Clock::now() + std::chrono::nanoseconds(place % static_cast<uint64_t>(spread));
    while (!stopping_) {
      timer->expires_at(next);
      co_await timer->async_wait(kAwait);
      if (stopping_) co_return;
      const Clock::time_point began = Clock::now();
      // Prometheus' times are milliseconds; more digits would only make the chunks larger.
      const Timestamp time = clock_() / kMillisecond * kMillisecond;
      const auto metrics = co_await FetchMetrics(target->request());
      const Duration duration = std::chrono::nanoseconds(Clock::now() - began).count();
      asio::steady_timer done(io_, Clock::time_point::max());
      const bool taken = readers_->Submit([&] {
        WriteBatch batch;
        target->AddScrape(metrics, time, duration, &batch);
        target->Commit(sink_(batch, metrics.ok() ? metrics->body.size() : 0, metrics.ok()));
        asio::post(io_, [&done] { done.cancel(); });
      });
      if (taken) co_await done.async_wait(kAwait);
      // One that takes longer than its interval misses scrapes; it does not make up for them.
      do {
        next += interval;
      } while (next <= Clock::now());
    }
  }

  const std::function<Timestamp()> clock_;
  const ScrapeSink sink_;
  std::atomic<bool> stopping_{false};
  std::deque<ScrapeTarget> targets_;
  asio::io_context io_{1};
  std::deque<asio::steady_timer> timers_;
  std::unique_ptr<http::WorkerPool> readers_;  // destroyed before the io_context that its tasks post to
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Scraper> Scraper::Start(const ScrapeConfig& config, std::function<Timestamp()> clock,
                                        ingest::SeriesGate* gate, ScrapeSink sink) {
  return std::make_unique<ScraperImpl>(config, std::move(clock), gate, std::move(sink));
}

}  // namespace braid::scrape
