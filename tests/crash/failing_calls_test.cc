// A disk that fails: every call once or from then on, short writes, no space, a sync that fails and then succeeds.
//   BRAID_TEST_FAILING_CALLS=n   (500)   0 = each call in each way
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"

namespace braid {
namespace {

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

struct Outcome {
  std::set<uint64_t> sent;
  std::set<uint64_t> acknowledged;
  std::set<uint64_t> unknown;  // the write that made the store read-only: there or not at the next open
};

// Two sessions of writes, flushes, merges and retention-free ticks; what fails is tried no further in that session.
Outcome Work(FaultFileSystem* fs) {
  Outcome outcome;
  uint64_t number = 0;
  for (int session = 0; session < 2; ++session) {
    auto db = OpenDB(Quiet(), "db", fs);
    if (!db.ok()) continue;
    for (int i = 0; i < 7; ++i, ++number) {
      outcome.sent.insert(number);
      const bool was_read_only = !(*db)->Stats().read_only_reason.empty();
      if (WriteNumbered(db->get(), number).ok()) {
        outcome.acknowledged.insert(number);
      } else if (!was_read_only && !(*db)->Stats().read_only_reason.empty()) {
        outcome.unknown.insert(number);
      }
      if (i % 3 == 1) (*db)->Flush().IgnoreError();
    }
    (*db)->Tick().IgnoreError();
    (*db)->Compact().IgnoreError();
    if (session == 0) (*db)->Close().IgnoreError();
  }
  return outcome;
}

void CheckImage(FaultFileSystem* image, const Outcome& outcome, bool exact) {
  auto db = OpenDB(Quiet(), "db", image);
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_TRUE((*db)->Stats().quarantined.empty()) << (*db)->Stats().quarantined[0];
  const std::vector<uint64_t> found = NumbersIn(*(*db)->GetSnapshot());
  for (const uint64_t number : outcome.acknowledged) {
    ASSERT_TRUE(std::binary_search(found.begin(), found.end(), number)) << "write " << number << " is lost";
  }
  for (const uint64_t number : found) {
    const bool allowed = outcome.acknowledged.contains(number) || (!exact && outcome.unknown.contains(number));
    ASSERT_TRUE(allowed) << "write " << number << " was refused, and is there";
  }
  ASSERT_TRUE(WriteNumbered(db->get(), 99).ok());
}

TEST(FailingCallsTest, NothingAcknowledgedIsLostAndNothingRefusedIsThere) {
  uint64_t operations = 0;
  {
    FaultFileSystem clean;
    ASSERT_EQ(Work(&clean).acknowledged.size(), 14u);
    operations = clean.operations();
  }
  struct Way {
    absl::Status status;
    FaultFileSystem::Fault fault;
    bool short_write;
  };
  using Fault = FaultFileSystem::Fault;
  const absl::Status io = absl::UnavailableError("input/output error"),
                     full = absl::ResourceExhaustedError("no space left on device");
  const std::vector<Way> ways = {{io, Fault::kOnce, false},   {io, Fault::kOnce, true},
                                 {io, Fault::kForGood, true}, {full, Fault::kOnce, true},
                                 {full, Fault::kOnce, false}, {full, Fault::kForGood, false}};
  const uint64_t wanted = CaseCount("FAILING_CALLS", 500);
  const uint64_t all = operations * ways.size();
  // Steps that meet each way and, over several versions of the program, each call.
  const uint64_t step = wanted == 0 || wanted >= all ? 1 : all / wanted | 1;
  uint64_t cases = 0;
  for (uint64_t at = 0; at < all; at += step, ++cases) {
    const uint64_t operation = at / ways.size();
    const Way& way = ways[at % ways.size()];
    FaultFileSystem fs;
    fs.FailAt(operation, way.status, way.fault, way.short_write);
    const Outcome outcome = Work(&fs);
    SCOPED_TRACE("operation " + std::to_string(operation) + " fails: " + way.status.ToString() +
                 (way.fault == Fault::kOnce ? ", once" : ", for good") + (way.short_write ? ", short write" : ""));
    CheckImage(fs.CrashImage().get(), outcome, false);
    CheckImage(fs.KillImage().get(), outcome, false);
    if (HasFailure()) return;
  }
  std::printf("%llu of %llu failing calls (%llu calls in %zu ways)\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(all), static_cast<unsigned long long>(operations), ways.size());
}

// As ext4 has it: the pages of the failed sync are dropped, and the next sync succeeds.
TEST(FailingCallsTest, ASyncThatFailsOnceIsNotRetriedIntoTruth) {
  std::vector<uint64_t> syncs;
  {
    FaultFileSystem clean;
    Work(&clean);
    const std::vector<std::string> log = clean.log();
    for (uint64_t i = 0; i < log.size(); ++i) {
      if (log[i].starts_with("sync ")) syncs.push_back(i);
    }
  }
  ASSERT_GT(syncs.size(), 50u);
  for (const uint64_t operation : syncs) {
    FaultFileSystem fs;
    fs.FailAt(operation, absl::UnavailableError("input/output error"));
    const Outcome outcome = Work(&fs);
    SCOPED_TRACE("sync at operation " + std::to_string(operation));
    CheckImage(fs.CrashImage().get(), outcome, true);
    CheckImage(fs.KillImage().get(), outcome, true);
    if (HasFailure()) return;
  }
  std::printf("%zu syncs fail once\n", syncs.size());
}

}  // namespace
}  // namespace braid
