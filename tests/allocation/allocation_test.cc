// Memory runs out at the n-th allocation of an operation: it answers with an error, the process lives, and the store is
// intact.
//   BRAID_TEST_ALLOCATIONS=n   (500)
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "braid/query.h"
#include "engine/db/open.h"
#include "tests/allocation/failing_new.h"
#include "tests/db/numbered_writes.h"
#include "tests/support/case_count.h"
#include "tests/support/scratch_dir.h"

namespace braid {
namespace {

namespace stdfs = std::filesystem;

char current_case[200];

// Says which case it was, should the process end.
void SayWhich(int signal_number) {
  const ssize_t written = ::write(2, current_case, std::strlen(current_case));
  ::signal(signal_number, SIG_DFL);
  ::raise(written >= 0 ? signal_number : SIGABRT);
}

Options Quiet() {
  Options options;
  options.background_work = false;
  return options;
}

constexpr const char* kQueries[] = {
    "logs{service = \"shop\"} | stats n = count(), m = max(n) by (pod) | sort n desc",
    "spans | where duration > 1ns | top 3 by duration",
    "sum by (job) (rate(series1[5m]))",
    "let e = logs{message =~ \"order\"}; spans | where trace_id in e | stats n = count() by (name)",
};

// What one case works on: a store with a part of writes 0-5, another of 6-8, and a WAL of 9-11; opened, or not yet.
struct Place {
  std::string path;
  std::unique_ptr<DB> db;
  std::set<uint64_t> acknowledged, unknown;

  absl::Status Write(uint64_t number) {
    WriteBatch batch;
    AddNumbered(number, &batch);
    return db->Write(batch);
  }
};

struct Operation {
  const char* name;
  bool opened;
  // Arms the failure itself, around what is tested.
  std::function<absl::Status(Place*, uint64_t n, bool for_good, uint64_t* calls)> run;
};

template <typename Work>
absl::Status RunArmed(uint64_t n, bool for_good, uint64_t* calls, const Work& work) {
  FailingNew failing(n, for_good);
  absl::Status status;
  try {
    status = work();
  } catch (const std::bad_alloc&) {
    // Only what has no status to answer with may throw: see `reading`.
    status = absl::Status(absl::StatusCode::kInternal, "");
  }
  *calls = failing.calls();
  return status;
}

// What the callers themselves need memory for is made beforehand: in the run that only counts.
std::vector<ScanSpec> MakeSpecs() {
  std::vector<ScanSpec> specs;
  for (int table = 0; table < kTableCount; ++table) {
    ScanSpec& spec = specs.emplace_back();
    spec.table = static_cast<Table>(table);
    spec.columns = {{ColumnLevel::kAny, "service"}, {ColumnLevel::kAny, "n"}, {ColumnLevel::kAny, "name"}};
  }
  return specs;
}
SeriesSpec MakeSeriesSpec() {
  SeriesSpec spec;
  spec.matchers = {{Matcher::Op::kRegex, "name", "series.*"}};
  return spec;
}
QueryOptions MakeQueryOptions() {
  QueryOptions options;
  options.now = TimeOf(12);
  options.start = TimeOf(0);
  options.end = TimeOf(12);
  options.step = 5 * kSecond;
  options.threads = 1;
  return options;
}

absl::Status ReadAll(const Snapshot& snapshot) {
  static const auto& specs = *new std::vector<ScanSpec>(MakeSpecs());
  static const auto& series_spec = *new SeriesSpec(MakeSeriesSpec());
  for (const ScanSpec& spec : specs) {
    auto scan = snapshot.OpenScan(spec);
    if (!scan.ok()) return scan.status();
    RecordBatch batch;
    while (true) {
      auto more = (*scan)->Next(&batch);
      if (!more.ok()) {
        // And goes on to say so.
        return (*scan)->Next(&batch).ok() ? absl::InternalError("a failed scan went on") : more.status();
      }
      if (!*more) break;
    }
  }
  auto scan = snapshot.OpenSeriesScan(series_spec);
  if (!scan.ok()) return scan.status();
  SeriesData data;
  while (true) {
    auto more = (*scan)->Next(&data);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
  }
}

absl::Status RunQuery(const std::shared_ptr<const Snapshot>& snapshot, const char* text) {
  static const auto& options = *new QueryOptions(MakeQueryOptions());
  auto query = Query::Parse(text);
  if (!query.ok()) return query.status();
  auto reader = query->Execute(snapshot, options);
  if (!reader.ok()) return reader.status();
  RecordBatch batch;
  while (true) {
    auto more = (*reader)->Next(&batch);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
  }
}

std::vector<Operation> Operations() {
  std::vector<Operation> all = {
      {"create", false,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         place->acknowledged.clear();
         stdfs::remove_all(place->path);
         return RunArmed(n, for_good, calls,
                         [&] { return OpenDB(Quiet(), place->path, FileSystem::Posix()).status(); });
       }},
      {"open", false,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         return RunArmed(n, for_good, calls,
                         [&] { return OpenDB(Quiet(), place->path, FileSystem::Posix()).status(); });
       }},
      {"write", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         WriteBatch batch;
         AddNumbered(12, &batch);
         AddNumbered(13, &batch);
         place->unknown = {12, 13};
         absl::Status status = RunArmed(n, for_good, calls, [&] { return place->db->Write(batch); });
         if (status.ok()) place->acknowledged.insert({12, 13});
         return status;
       }},
      {"write new series", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         // Into a head and a segment that know nothing yet, from a place where tables grow.
         place->db->Flush().IgnoreError();
         WriteBatch batch;
         AddNumbered(12, &batch);
         for (int i = 0; i < 300; ++i) {
           const std::string name = "more" + std::to_string(i);
           const LabelView labels[] = {{"other", name}};
           batch.AddSeries(labels);
         }
         place->unknown = {12};
         absl::Status status = RunArmed(n, for_good, calls, [&] { return place->db->Write(batch); });
         if (status.ok()) place->acknowledged.insert(12);
         return status;
       }},
      {"flush", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         return RunArmed(n, for_good, calls, [&] { return place->db->Flush(); });
       }},
      {"merge", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         return RunArmed(n, for_good, calls, [&] { return place->db->Compact(); });
       }},
      {"tick", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         return RunArmed(n, for_good, calls, [&] { return place->db->Tick(); });
       }},
      {"read", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         const auto snapshot = place->db->GetSnapshot();
         return RunArmed(n, for_good, calls, [&] { return ReadAll(*snapshot); });
       }},
      // These have no status: std::bad_alloc is their error.
      {"look", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         absl::Status status = RunArmed(n, for_good, calls, [&] {
           try {
             const auto snapshot = place->db->GetSnapshot();
             snapshot->Columns(Table::kLogs, {});
             snapshot->Metadata();
             place->db->Stats();
           } catch (const std::bad_alloc&) {
             return absl::Status(absl::StatusCode::kResourceExhausted, "");
           }
           return absl::OkStatus();
         });
         return status;
       }},
      {"close", true,
       [](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
         absl::Status status = RunArmed(n, for_good, calls, [&] {
           absl::Status closed = place->db->Close();
           place->db = nullptr;
           return closed;
         });
         return status;
       }},
  };
  for (const char* text : kQueries) {
    all.push_back({text, true, [text](Place* place, uint64_t n, bool for_good, uint64_t* calls) {
                     const auto snapshot = place->db->GetSnapshot();
                     return RunArmed(n, for_good, calls, [&] { return RunQuery(snapshot, text); });
                   }});
  }
  return all;
}

class AllocationTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const int signal_number : {SIGABRT, SIGSEGV}) ::signal(signal_number, SayWhich);
    auto db = OpenDB(Quiet(), Original(), FileSystem::Posix());
    ASSERT_TRUE(db.ok()) << db.status();
    for (uint64_t n = 0; n < 12; ++n) {
      ASSERT_TRUE(WriteNumbered(db->get(), n).ok());
      if (n == 5 || n == 8) {
        ASSERT_TRUE((*db)->Flush().ok());
      }
    }
    ASSERT_TRUE((*db)->Close().ok());
  }
  std::string Original() const { return (scratch_.path() / "original").string(); }

  Place MakePlace(const Operation& operation) {
    Place place;
    place.path = (scratch_.path() / "db").string();
    stdfs::remove_all(place.path);
    stdfs::copy(Original(), place.path, stdfs::copy_options::recursive);
    for (uint64_t n = 0; n < 12; ++n) place.acknowledged.insert(n);
    if (!operation.opened) return place;
    auto db = OpenDB(Quiet(), place.path, FileSystem::Posix());
    EXPECT_TRUE(db.ok()) << db.status();
    if (db.ok()) place.db = *std::move(db);
    return place;
  }

  static void CheckNumbers(const Place& place, std::vector<uint64_t>* found) {
    *found = NumbersIn(*place.db->GetSnapshot());
    for (const uint64_t number : place.acknowledged) {
      ASSERT_TRUE(std::binary_search(found->begin(), found->end(), number)) << "write " << number << " is lost";
    }
    for (const uint64_t number : *found) {
      ASSERT_TRUE(place.acknowledged.contains(number) || place.unknown.contains(number)) << number;
    }
  }

  // The store goes on: it shows what it showed, takes writes, flushes, merges, and is the same when opened again.
  static void CheckStore(Place* place) {
    std::vector<uint64_t> found;
    if (place->db != nullptr) {
      CheckNumbers(*place, &found);
      if (HasFatalFailure()) return;
      if (place->db->Stats().read_only_reason.empty()) {
        ASSERT_TRUE(place->Write(20).ok());
        place->acknowledged.insert(20);
        ASSERT_TRUE(place->db->Flush().ok());
        ASSERT_TRUE(place->db->Compact().ok());
        CheckNumbers(*place, &found);
      }
      place->db = nullptr;
    }
    auto db = OpenDB(Quiet(), place->path, FileSystem::Posix());
    ASSERT_TRUE(db.ok()) << db.status();
    place->db = *std::move(db);
    EXPECT_TRUE(place->db->Stats().quarantined.empty());
    CheckNumbers(*place, &found);
    ASSERT_TRUE(place->Write(21).ok());
    place->acknowledged.insert(21);
    ASSERT_TRUE(place->db->Flush().ok());
    CheckNumbers(*place, &found);
  }

  ScratchDir scratch_;
};

TEST_F(AllocationTest, TheNthAllocationFails) {
  const std::vector<Operation> operations = Operations();
  std::vector<uint64_t> counts;
  uint64_t all = 0;
  for (const Operation& operation : operations) {
    Place place = MakePlace(operation);
    uint64_t calls = 0;
    const absl::Status status = operation.run(&place, UINT64_MAX, false, &calls);
    ASSERT_TRUE(status.ok()) << operation.name << ": " << status;
    counts.push_back(calls);
    all += 2 * calls;
  }
  const uint64_t wanted = CaseCount("ALLOCATIONS", 500);
  const uint64_t step = wanted == 0 || wanted >= all ? 1 : all / wanted | 1;
  uint64_t cases = 0, errors = 0, position = 0;
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& operation = operations[i];
    for (uint64_t at = 0; at < 2 * counts[i]; ++at, ++position) {
      if (position % step != 0) continue;
      const bool for_good = at % 2 == 1;
      std::snprintf(current_case, sizeof(current_case), "\n%s: allocation %llu fails%s\n", operation.name,
                    static_cast<unsigned long long>(at / 2), for_good ? " for good" : "");
      SCOPED_TRACE(current_case);
      Place place = MakePlace(operation);
      uint64_t calls = 0;
      const absl::Status status = operation.run(&place, at / 2, for_good, &calls);
      ++cases;
      if (!status.ok()) {
        ++errors;
        EXPECT_TRUE(absl::IsResourceExhausted(status) ||
                    (place.db != nullptr && !place.db->Stats().read_only_reason.empty()))
            << status;
      }
      CheckStore(&place);
      if (HasFailure()) return;
    }
  }
  std::printf("%llu of %llu failing allocations of %zu operations, %llu errors\n",
              static_cast<unsigned long long>(cases), static_cast<unsigned long long>(all), operations.size(),
              static_cast<unsigned long long>(errors));
}

}  // namespace
}  // namespace braid
