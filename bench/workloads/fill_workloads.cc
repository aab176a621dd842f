// fill-*, flush, open, replay, scan: what is done with a store as a whole.
#include <chrono>
#include <filesystem>

#include "bench/workloads/workload.h"
#include "engine/base/status_macros.h"

namespace braid::bench {
namespace {

Options OptionsOf(const WorkloadSettings& settings) {
  Options options;
  options.durability = settings.durability;
  return options;
}

double MillisecondsSince(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

uint64_t RecordsOf(const WriteBatch& batch) {
  return batch.counts().samples + batch.counts().logs + batch.counts().spans;
}

absl::Status WriteAll(DB* db, const std::vector<const std::vector<WriteBatch>*>& sources, Measurement* m) {
  // One batch of each in turn, so that mixed telemetry is mixed in time too.
  size_t longest = 0;
  for (const auto* batches : sources) longest = std::max(longest, batches->size());
  for (size_t i = 0; i < longest; ++i) {
    for (const auto* batches : sources) {
      if (i >= batches->size()) continue;
      const auto began = std::chrono::steady_clock::now();
      RETURN_IF_ERROR(db->Write((*batches)[i]));
      m->latencies_ms.push_back(MillisecondsSince(began));
      m->count += static_cast<double>(RecordsOf((*batches)[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<const std::vector<WriteBatch>*> WorkloadRun::All() const {
  return {&telemetry_.metrics, &telemetry_.logs, &telemetry_.traces};
}

std::string WorkloadRun::NextFolder() { return settings_.folder + "/" + std::to_string(folders_++); }

absl::StatusOr<DB*> WorkloadRun::Filled() {
  if (filled_ == nullptr) {
    ASSIGN_OR_RETURN(std::unique_ptr<DB> db, DB::Open(OptionsOf(settings_), NextFolder()));
    Measurement ignored;
    RETURN_IF_ERROR(WriteAll(db.get(), All(), &ignored));
    RETURN_IF_ERROR(db->Flush());
    filled_ = std::move(db);
  }
  return filled_.get();
}

// From the first write until all of it lies in parts.
absl::StatusOr<Measurement> WorkloadRun::Fill(const std::string& name) {
  Measurement m;
  std::vector<const std::vector<WriteBatch>*> sources = All();
  m.unit = "records";
  if (name == "fill-metrics") sources = {&telemetry_.metrics}, m.unit = "samples";
  if (name == "fill-logs") sources = {&telemetry_.logs}, m.unit = "lines";
  if (name == "fill-traces") sources = {&telemetry_.traces}, m.unit = "spans";
  const std::string folder = NextFolder();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<DB> db, DB::Open(OptionsOf(settings_), folder));
    const Stopwatch watch;
    RETURN_IF_ERROR(WriteAll(db.get(), sources, &m));
    RETURN_IF_ERROR(db->Flush());
    m.wall_seconds = watch.WallSeconds();
    m.cpu_seconds = watch.CpuSeconds();
    const DBStats stats = db->Stats();
    m.bytes = stats.part_bytes;
    const double stored = static_cast<double>(stats.samples + stats.logs + stats.spans);
    if (stored > m.count || (stored < m.count && sources.front() != &telemetry_.metrics)) {
      return absl::InternalError(name + " wrote " + std::to_string(m.count) + " records, stored are " +
                                 std::to_string(stored));
    }
    m.note = std::to_string(stats.parts) + " parts, latency of a write";
  }
  std::filesystem::remove_all(folder);
  return m;
}

absl::StatusOr<Measurement> WorkloadRun::FlushFilled() {
  Measurement m;
  m.unit = "records";
  Options options = OptionsOf(settings_);
  options.background_work = false;
  options.flush_bytes_max = uint64_t{1} << 40;  // the head is kept until it is flushed here
  const std::string folder = NextFolder();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<DB> db, DB::Open(options, folder));
    RETURN_IF_ERROR(WriteAll(db.get(), All(), &m));
    m.latencies_ms.clear();
    const Stopwatch watch;
    RETURN_IF_ERROR(db->Flush());
    m.wall_seconds = watch.WallSeconds();
    m.cpu_seconds = watch.CpuSeconds();
    m.bytes = db->Stats().part_bytes;
  }
  std::filesystem::remove_all(folder);
  return m;
}

absl::StatusOr<Measurement> WorkloadRun::OpenStore(bool replay) {
  Measurement m;
  m.unit = "records";
  Options options = OptionsOf(settings_);
  options.background_work = false;
  options.flush_bytes_max = uint64_t{1} << 40;  // all of it stays in the WAL unless it is flushed here
  const std::string folder = NextFolder();
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<DB> db, DB::Open(options, folder));
    RETURN_IF_ERROR(WriteAll(db.get(), All(), &m));
    if (!replay) RETURN_IF_ERROR(db->Flush());
    RETURN_IF_ERROR(db->Close());
  }
  m.latencies_ms.clear();
  const double written = m.count;
  for (int i = 0; i < settings_.repeats; ++i) {
    const Stopwatch watch;
    ASSIGN_OR_RETURN(const std::unique_ptr<DB> db, DB::Open(options, folder));
    const double took = watch.WallSeconds();
    m.wall_seconds += took;
    m.cpu_seconds += watch.CpuSeconds();
    m.latencies_ms.push_back(took * 1e3);
    const DBStats stats = db->Stats();
    m.bytes = replay ? stats.wal_bytes : stats.part_bytes;
    if (replay == (stats.replayed_batches == 0)) {
      return absl::InternalError("open replayed " + std::to_string(stats.replayed_batches) + " batches");
    }
    RETURN_IF_ERROR(db->Close());
  }
  m.count = written * settings_.repeats;
  m.bytes *= static_cast<uint64_t>(settings_.repeats);
  std::filesystem::remove_all(folder);
  return m;
}

// Every sample, and four columns of every line and span, decoded.
absl::StatusOr<Measurement> WorkloadRun::ScanAll() {
  ASSIGN_OR_RETURN(DB * db, Filled());
  const std::shared_ptr<const Snapshot> snapshot = db->GetSnapshot();
  Measurement m;
  m.unit = "records";
  const Stopwatch watch;
  SeriesSpec series;
  series.time = snapshot->SampleRange();
  ASSIGN_OR_RETURN(const std::unique_ptr<SeriesScan> samples, snapshot->OpenSeriesScan(series));
  for (SeriesData data;;) {
    ASSIGN_OR_RETURN(const bool more, samples->Next(&data));
    if (!more) break;
    m.count += static_cast<double>(data.times.size());
  }
  m.bytes += samples->stats().bytes_read;
  for (const Table table : {Table::kLogs, Table::kSpans}) {
    ScanSpec spec;
    spec.table = table;
    spec.time = snapshot->Range(table);
    for (const char* name : {"time", "service", "trace_id", table == Table::kLogs ? "message" : "name"}) {
      spec.columns.push_back({ColumnLevel::kBuiltin, name});
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<Scan> scan, snapshot->OpenScan(spec));
    for (RecordBatch batch;;) {
      ASSIGN_OR_RETURN(const bool more, scan->Next(&batch));
      if (!more) break;
      m.count += static_cast<double>(batch.num_rows);
    }
    m.bytes += scan->stats().bytes_read;
  }
  m.wall_seconds = watch.WallSeconds();
  m.cpu_seconds = watch.CpuSeconds();
  m.note = "samples, and four columns of lines and spans";
  return m;
}

}  // namespace braid::bench
