// Scrapes targets, each at its interval, and hands over what they say as batches.
//
// One thread does all network work, two read and hand over the answers. The targets' first scrapes are spread over a
// part of their interval, always the same for a target, so that hundreds of them are not asked at once.
//
// Threads: Start returns a running scraper; its methods may be called from any thread. `sink` is called from several.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/scrape/scrape_config.h"
#include "server/scrape/scrape_target.h"

namespace braid::scrape {

// Stores one scrape of a body of so many bytes (0: the target could not be scraped, or ends).
using ScrapeSink = std::function<absl::Status(const WriteBatch& batch, size_t body_bytes, bool scraped)>;

class Scraper {
 public:
  // `gate` may be null; it outlives the scraper.
  static std::unique_ptr<Scraper> Start(const ScrapeConfig& config, std::function<Timestamp()> clock,
                                        ingest::SeriesGate* gate, ScrapeSink sink);
  // Stops.
  virtual ~Scraper() = default;

  virtual std::vector<TargetStatus> Targets() const = 0;
  // Scrapes nothing more; writes staleness markers for everything, so that a query does not see the last values on.
  virtual void Stop() = 0;
};

}  // namespace braid::scrape
