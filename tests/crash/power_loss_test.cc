// The states that a power failure may leave, after "All File Systems Are Not Created Equal" (Pillai et al., OSDI 2014):
// for each moment of a run, what was synced, with any subset of the writes, truncations, renames, creations and
// removals that were not, in any order across files and directories, writes perhaps torn.
//   BRAID_TEST_POWER_LOSS_STATES=n   (2000)
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

struct Life {
  uint64_t sent = 0;
  std::set<uint64_t> acknowledged;
  uint64_t durable = 0;  // of the writes below this, those that were acknowledged survive power loss
  bool refused = false;  // a write failed, so later numbers may be there without it
};

// A random life of a store that follows from the seed; it ends when the power does.
Life LiveUntilPowerFails(FaultFileSystem* fs, uint64_t seed, uint64_t operation) {
  fs->FailAt(operation, absl::UnavailableError("no power"), FaultFileSystem::Fault::kForGood, seed % 2 == 0);
  std::mt19937_64 random(seed);
  Life run;
  for (int session = 0; session < 2 && !fs->fault_happened(); ++session) {
    Options options;
    options.background_work = false;
    options.durability = seed % 3 == 2 ? Durability::kBuffered : Durability::kDurable;
    auto db = OpenDB(options, "db", fs);
    if (!db.ok()) return run;
    if (run.acknowledged.size() == run.sent) run.durable = run.sent;  // recovery makes durable what it found
    for (int step = 0; step < 9 && !fs->fault_happened(); ++step) {
      const uint64_t kind = random() % 8;
      if (kind == 0) {
        if ((*db)->Flush().ok()) run.durable = run.sent;
      } else if (kind == 1) {
        (*db)->Compact().IgnoreError();
      } else if (kind == 2) {
        if ((*db)->Tick().ok()) run.durable = run.sent;
      } else {
        const uint64_t number = run.sent++;
        if (WriteNumbered(db->get(), number).ok()) {
          run.acknowledged.insert(number);
          if (options.durability == Durability::kDurable) run.durable = run.sent;
        } else {
          run.refused = true;
        }
      }
    }
    // Closing a store that a failed sync has made read-only makes nothing durable any more.
    const bool writable = (*db)->Stats().read_only_reason.empty();
    if (random() % 2 == 0 && (*db)->Close().ok() && writable) run.durable = run.sent;
  }
  return run;
}

void CheckImage(FaultFileSystem* image, const Life& run, bool everything) {
  Options options;
  options.background_work = false;
  std::vector<uint64_t> found;
  {
    auto db = OpenDB(options, "db", image);
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_TRUE((*db)->Stats().quarantined.empty()) << (*db)->Stats().quarantined[0];
    found = NumbersIn(*(*db)->GetSnapshot());
    for (const uint64_t number : run.acknowledged) {
      if (number >= run.durable && !everything) break;
      ASSERT_TRUE(std::binary_search(found.begin(), found.end(), number)) << "write " << number << " is lost";
    }
    ASSERT_TRUE(found.empty() || found.back() < run.sent);
    // A prefix: the power fails for good, so nothing was acknowledged after a refusal.
    ASSERT_EQ(found, FirstNumbers(found.size()));
    ASSERT_TRUE(WriteNumbered(db->get(), run.sent).ok());
  }
  // And what recovery has made of it withstands the next failure.
  const auto next = image->CrashImage();
  auto db = OpenDB(options, "db", next.get());
  ASSERT_TRUE(db.ok()) << db.status();
  found.push_back(run.sent);
  ASSERT_EQ(NumbersIn(*(*db)->GetSnapshot()), found);
}

TEST(PowerLossTest, EveryStateOpensWithAPrefixThatHoldsWhatWasPromised) {
  const uint64_t wanted = CaseCount("POWER_LOSS_STATES", 2000);
  uint64_t states = 0, runs = 0, opened_empty = 0;
  for (uint64_t seed = FirstSeed(); states < wanted; ++seed) {
    uint64_t operations = 0;
    {
      FaultFileSystem whole;
      LiveUntilPowerFails(&whole, seed, UINT64_MAX);
      operations = whole.operations();
    }
    // Some twenty moments of each life, others in the next.
    const uint64_t step = std::max<uint64_t>(operations / 20, 1);
    for (uint64_t at = seed % step; at < operations + step && states < wanted; at += step, ++runs) {
      FaultFileSystem fs;
      const Life run = LiveUntilPowerFails(&fs, seed, at);
      for (uint64_t variant = 0; variant < 5; ++variant, ++states) {
        SCOPED_TRACE("BRAID_TEST_FIRST_SEED=" + std::to_string(seed) + ", power fails at operation " +
                     std::to_string(at) + ", state " + std::to_string(variant));
        const auto image = variant == 0   ? fs.CrashImage()
                           : variant == 1 ? fs.KillImage()
                                          : fs.CrashImage(seed * 1000003 + at * 31 + variant);
        if (image->Files().empty()) ++opened_empty;
        CheckImage(image.get(), run, variant == 1);
        if (HasFailure()) return;
      }
    }
  }
  std::printf("%llu states after power loss of %llu runs, %llu without any file\n",
              static_cast<unsigned long long>(states), static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(opened_empty));
}

// A write that did not fit is taken back. Until that is on disk, a power failure may bring its bytes back, and they
// must not stand before a later segment.
TEST(PowerLossTest, WhatAFullDiskMadeTheWalTakeBackStaysAway) {
  Options options;
  options.background_work = false;
  int states = 0;
  for (uint64_t full_at = 0; full_at < 4; ++full_at) {
    for (uint64_t flush_fails_at = 0; flush_fails_at < 16; ++flush_fails_at) {
      SCOPED_TRACE("full at +" + std::to_string(full_at) + ", flush fails at +" + std::to_string(flush_fails_at));
      FaultFileSystem fs;
      auto db = OpenDB(options, "db", &fs);
      ASSERT_TRUE(db.ok()) << db.status();
      ASSERT_TRUE(WriteNumbered(db->get(), 0).ok());
      fs.FailAt(fs.operations() + full_at, absl::ResourceExhaustedError("no space left"), FaultFileSystem::Fault::kOnce,
                /*short_write=*/true);
      const bool refused = !WriteNumbered(db->get(), 1).ok();
      fs.ClearFaults();
      fs.FailAt(fs.operations() + flush_fails_at, absl::UnavailableError("input/output error"));
      const bool flushed = (*db)->Flush().ok();
      fs.ClearFaults();
      if (!refused || flushed || !(*db)->Stats().read_only_reason.empty()) continue;
      ASSERT_TRUE(WriteNumbered(db->get(), 2).ok());
      for (uint64_t variant = 0; variant < 20; ++variant, ++states) {
        const auto image = fs.CrashImage(full_at * 1000 + flush_fails_at * 50 + variant);
        auto again = OpenDB(options, "db", image.get());
        ASSERT_TRUE(again.ok()) << again.status();
        ASSERT_EQ(NumbersIn(*(*again)->GetSnapshot()), (std::vector<uint64_t>{0, 2}));
      }
    }
  }
  ASSERT_GT(states, 100);
}

}  // namespace
}  // namespace braid
