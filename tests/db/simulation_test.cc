// A store under a random schedule of writes, reads, flushes, merges, retention, failing operations, crashes and
// reopening, compared with a naive model after every step. A run follows from its seed.
//   BRAID_TEST_SEEDS=n   (200)   how many seeds to run;   BRAID_TEST_FIRST_SEED=n   the first of them
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/db/open.h"
#include "tests/support/case_count.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/naive_store.h"

namespace braid {
namespace {

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed), fs_(std::make_unique<FaultFileSystem>()) {
    retention_ = Chance(4) ? 300 * kSecond : 0;
  }

  void Run() {
    Reopen(nullptr);
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      if (db_ == nullptr) {
        Reopen(nullptr);
      } else {
        Step();
      }
      fs_->ClearFaults();
      if (db_ != nullptr) Check(step % 4 == 0);
    }
    Reopen(nullptr);
    if (db_ != nullptr) Check(true);
  }

  // The schedule so far, to be shown with a failure.
  const std::string& steps() const { return steps_; }

 private:
  static constexpr int kSteps = 45;

  enum class State : uint8_t {
    kLive,     // the store shows it
    kUnknown,  // its Write failed and the store is read-only: at the next open it is there whole or not at all
    kGone,
  };
  struct Written {
    NaiveWrite write;
    State state = State::kLive;
    bool durable = false;  // survives what may happen to the files
  };

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  bool Chance(uint64_t one_in) { return Below(one_in) == 0; }
  void Log(const std::string& step) { steps_.append(step).append("; "); }

  void Step() {
    if (Chance(6)) {
      const absl::Status error =
          Chance(2) ? absl::ResourceExhaustedError("no space left") : absl::UnavailableError("input/output error");
      const uint64_t after = Chance(2) ? Below(4) : Below(120);
      const auto fault = Chance(3) ? FaultFileSystem::Fault::kForGood : FaultFileSystem::Fault::kOnce;
      HadFault();
      fs_->FailAt(fs_->operations() + after, error, fault, Chance(2));
      Log("fail at +" + std::to_string(after) + " " + error.ToString() +
          (fault == FaultFileSystem::Fault::kForGood ? " for good" : ""));
    }
    switch (Below(14)) {
      case 0:
      case 1: Maintain("flush", [&] { return db_->Flush(); }); break;
      case 2: Maintain("tick", [&] { return db_->Tick(); }); break;
      case 3: Maintain("compact", [&] { return db_->Compact(); }); break;
      case 4: Chance(2) ? Close() : Crash(); break;
      case 5: KeepSnapshot(); break;
      case 6: CheckReader(); break;
      case 7:
        Log("full disk");
        fs_->SetFreeBytes(Below(2000));
        for (int i = 0; i < 2; ++i) Write();
        fs_->SetFreeBytes(uint64_t{1} << 40);
        break;
      default:
        for (uint64_t i = Below(4) + 1; i > 0; --i) Write();
    }
  }

  // Whether an operation failed in this session; what it left behind may make later ones fail.
  bool HadFault() {
    had_fault_ = had_fault_ || fs_->fault_happened();
    return had_fault_;
  }

  void Write() {
    WriteBatch batch;
    const uint64_t number = written_.size();
    NaiveWriteSpec spec = SpecNow();
    auto added = std::make_unique<Written>();
    added->write = MakeNaiveWrite(number, spec, &random_, &batch);
    const absl::Status status = db_->Write(batch);
    Log("write " + std::to_string(number) + (status.ok() ? "" : " " + status.ToString()));
    if (status.ok()) {
      ASSERT_EQ(db_->Stats().read_only_reason, "");
    } else {
      ASSERT_TRUE(HadFault() || absl::IsResourceExhausted(status) || was_read_only_) << status;
      // Refused without touching the disk, or taken back; once the store is read-only nobody can know.
      const bool read_only = !db_->Stats().read_only_reason.empty();
      added->state = read_only && !was_read_only_ ? State::kUnknown : State::kGone;
      was_read_only_ = read_only;
    }
    written_.push_back(std::move(added));
    // There is never a gap, so what is durable makes durable what is before it.
    if (status.ok() && durability_ == Durability::kDurable) MarkDurable();
  }

  template <typename Work>
  void Maintain(const char* what, const Work& work) {
    const absl::Status status = work();
    was_read_only_ = !db_->Stats().read_only_reason.empty();
    Log(std::string(what) + (status.ok() ? "" : " " + status.ToString()));
    ASSERT_TRUE(status.ok() || HadFault() || was_read_only_) << what << ": " << status;
    if (status.ok() && std::string(what) == "flush") MarkDurable();
    if (std::string(what) == "tick") SettleExpired();
  }

  void MarkDurable() {
    for (const auto& written : written_) written->durable = written->durable || written->state == State::kLive;
  }

  // Which of the live writes the store shows, by their first log record.
  std::set<uint64_t> NumbersShown() {
    std::set<uint64_t> shown;
    const ScanSpec spec = AllScans()[0];
    auto scan = db_->GetSnapshot()->OpenScan(spec);
    EXPECT_TRUE(scan.ok()) << scan.status();
    if (!scan.ok()) return shown;
    for (const auto& [arrival, text] : RowsOf(scan->get(), Table::kLogs)) {
      shown.insert(static_cast<uint64_t>(arrival) / 1000);
    }
    return shown;
  }

  // Retention removes nothing that is younger than this.
  Timestamp KeptFrom() const {
    if (retention_ == 0) return kMinTimestamp;
    Timestamp newest = kMinTimestamp;
    for (const auto& written : written_) {
      if (written->state != State::kGone) newest = std::max(newest, written->write.times.end);
    }
    return newest == kMinTimestamp ? newest : newest - retention_;
  }

  // What retention may have removed is gone if it is not shown.
  void SettleExpired() {
    fs_->ClearFaults();
    const std::set<uint64_t> shown = NumbersShown();
    const Timestamp kept_from = KeptFrom();
    for (const auto& written : written_) {
      if (written->state == State::kLive && written->write.times.end < kept_from &&
          !shown.contains(written->write.number)) {
        written->state = State::kGone;
      }
    }
  }

  void Close() {
    Log("close");
    const absl::Status status = db_->Close();
    ASSERT_TRUE(status.ok() || HadFault() || was_read_only_) << status;
    if (status.ok() && durability_ == Durability::kBuffered && !was_read_only_) MarkDurable();
    fs_->ClearFaults();
    Reopen(nullptr);
  }

  void Crash() {
    fs_->ClearFaults();
    std::unique_ptr<FaultFileSystem> image;
    const uint64_t kind = Below(3);
    Log(kind == 0 ? "kill" : kind == 1 ? "power loss" : "power loss with leftovers");
    image = kind == 0 ? fs_->KillImage() : kind == 1 ? fs_->CrashImage() : fs_->CrashImage(random_());
    if (kind == 0 && durability_ == Durability::kBuffered) MarkDurable();
    Reopen(std::move(image));
  }

  // Leaves the store as it is, or goes on with the image of a crash.
  void Reopen(std::unique_ptr<FaultFileSystem> image) {
    snapshots_.clear();
    db_ = nullptr;
    if (image != nullptr) fs_ = std::move(image);
    Options options;
    options.background_work = false;
    options.retention = retention_;
    options.flush_bytes_max = Chance(2) ? 96 << 10 : 64 << 20;
    options.durability = Chance(6) ? Durability::kMemory : Chance(4) ? Durability::kBuffered : Durability::kDurable;
    durability_ = options.durability;
    was_read_only_ = false;
    had_fault_ = false;
    const uint64_t fail_after = Chance(8) ? Below(40) : UINT64_MAX / 2;
    fs_->FailAt(fs_->operations() + fail_after, absl::UnavailableError("input/output error"));
    auto db = OpenDB(options, "db", fs_.get());
    Log("open " + std::to_string(static_cast<int>(durability_)) + (db.ok() ? "" : " " + db.status().ToString()));
    if (!db.ok()) {
      ASSERT_TRUE(HadFault()) << db.status();
      fs_->ClearFaults();
      return;
    }
    fs_->ClearFaults();
    db_ = *std::move(db);
    ASSERT_TRUE(db_->Stats().quarantined.empty()) << db_->Stats().quarantined[0];
    SettleReopened();
  }

  void SettleReopened() {
    const std::set<uint64_t> shown = NumbersShown();
    const Timestamp kept_from = KeptFrom();
    uint64_t missing_from = UINT64_MAX;
    for (const auto& written : written_) {
      const uint64_t number = written->write.number;
      const bool is_shown = shown.contains(number);
      switch (written->state) {
        case State::kGone: ASSERT_FALSE(is_shown) << "write " << number << " came back"; break;
        case State::kUnknown: written->state = is_shown ? State::kLive : State::kGone; break;
        case State::kLive:
          if (is_shown) {
            ASSERT_LT(number, missing_from) << "there is a gap: an earlier write is not there";
            break;
          }
          written->state = State::kGone;
          // A removal whose manifest arrived although it failed.
          if (written->write.times.end < kept_from) break;
          ASSERT_FALSE(written->durable) << "write " << number << " is lost";
          missing_from = std::min(missing_from, number);
      }
    }
  }

  NaiveWriteSpec SpecNow() {
    NaiveWriteSpec spec;
    spec.around += static_cast<Timestamp>(written_.size()) * 10 * kSecond;
    spec.extremes = false;
    return spec;
  }

  NaiveWrites Live() const {
    NaiveWrites live;
    for (const auto& written : written_) {
      if (written->state == State::kLive) live.push_back(&written->write);
    }
    return live;
  }

  void CheckSnapshot(const NaiveWrites& live, const Snapshot& snapshot, bool everything) {
    if (everything) {
      ExpectSame(live, snapshot, AllScans(), {SeriesSpec()});
      return;
    }
    NaiveWriteSpec of = SpecNow();
    of.spread = 200 * kSecond;
    const auto table = static_cast<Table>(Below(kTableCount));
    ExpectSame(live, snapshot, {RandomScanSpec(table, of, &random_)}, {RandomSeriesSpec(of, &random_)});
  }

  void Check(bool everything) {
    CheckSnapshot(Live(), *db_->GetSnapshot(), everything);
    if (!snapshots_.empty() && Chance(3)) {
      const auto& [live, snapshot] = snapshots_[Below(snapshots_.size())];
      CheckSnapshot(live, *snapshot, true);
    }
  }

  void KeepSnapshot() {
    Log("keep a snapshot");
    snapshots_.emplace_back(Live(), db_->GetSnapshot());
  }

  void CheckReader() {
    Log("reader");
    Options options;
    options.read_only = true;
    auto reader = OpenDB(options, "db", fs_.get());
    if (!reader.ok()) {
      ASSERT_TRUE(HadFault()) << reader.status();
      return;
    }
    fs_->ClearFaults();
    // A reader sees the files: all that is durable, and nothing that is not live or unknown.
    auto scan = (*reader)->GetSnapshot()->OpenScan(AllScans()[0]);
    ASSERT_TRUE(scan.ok()) << scan.status();
    const Timestamp kept_from = KeptFrom();
    std::set<uint64_t> shown;
    for (const auto& [arrival, text] : RowsOf(scan->get(), Table::kLogs)) {
      shown.insert(static_cast<uint64_t>(arrival) / 1000);
    }
    for (const auto& written : written_) {
      const uint64_t number = written->write.number;
      if (written->state == State::kGone) {
        ASSERT_FALSE(shown.contains(number)) << number;
      }
      // It may see a removal whose manifest arrived although the store was told that it failed.
      if (written->state == State::kLive && written->durable && written->write.times.end >= kept_from) {
        ASSERT_TRUE(shown.contains(number)) << number;
      }
    }
  }

  std::mt19937_64 random_;
  std::unique_ptr<FaultFileSystem> fs_;
  std::unique_ptr<DB> db_;
  Duration retention_ = 0;
  Durability durability_ = Durability::kDurable;
  bool was_read_only_ = false;
  bool had_fault_ = false;
  std::vector<std::unique_ptr<Written>> written_;  // by number
  std::vector<std::pair<NaiveWrites, std::shared_ptr<const Snapshot>>> snapshots_;
  std::string steps_;
};

TEST(SimulationTest, TheStoreDoesWhatTheModelDoes) {
  const uint64_t first = FirstSeed(), count = CaseCount("SEEDS", 200);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    Simulation simulation(seed);
    simulation.Run();
    ASSERT_FALSE(HasFailure()) << "BRAID_TEST_FIRST_SEED=" << seed << " BRAID_TEST_SEEDS=1\n" << simulation.steps();
  }
  std::printf("%llu seeds\n", static_cast<unsigned long long>(count));
}

}  // namespace
}  // namespace braid
