// Postings, index build, WAL append and decode of stored series: the parts of the engine above the codecs.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "braid/db.h"
#include "engine/codec/postings.h"
#include "engine/codec/tokenizer.h"
#include "engine/io/file_system.h"
#include "engine/part/term_index.h"
#include "engine/part/term_keys.h"

namespace braid {
namespace {

class ScratchFolder {
 public:
  ScratchFolder() : path_("/tmp/bench-micro-" + std::to_string(getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Postings EveryNth(uint32_t n, uint32_t seed) {
  std::mt19937 random(seed);
  Postings postings;
  for (uint32_t ordinal = 0; ordinal < 2'000'000; ordinal += 1 + random() % (2 * n)) postings.Add(ordinal);
  return postings;
}

void PostingsAnd(benchmark::State& state) {
  const Postings many = EveryNth(1, 1);
  const Postings few = EveryNth(static_cast<uint32_t>(state.range(0)), 2);
  for (auto _ : state) {
    Postings both = many;
    both.And(few);
    benchmark::DoNotOptimize(both.Count());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * few.Count()));
}

// Words of 100,000 lines into an index over row groups of 8,192.
void BuildTermIndex(benchmark::State& state) {
  const ScratchFolder folder;
  std::vector<std::string> lines;
  std::mt19937 random(4);
  for (int i = 0; i < 100'000; ++i) {
    lines.push_back("GET /api/v1/orders/" + std::to_string(random() % 1'000'000) + " took " +
                    std::to_string(random() % 500) + " ms order=" + std::to_string(random()));
  }
  FileSystem* const fs = FileSystem::Posix();
  size_t bytes = 0;
  for (auto _ : state) {
    TermIndexWriter writer(fs, folder.path() + "/spill");
    for (size_t i = 0; i < lines.size(); ++i) {
      ForEachToken(lines[i], [&](std::string_view token) {
        benchmark::DoNotOptimize(writer.Add(WordKey(token), static_cast<uint32_t>(i / 8192)));
      });
    }
    auto file = BlockFileWriter::Create(fs, folder.path() + "/terms", FileKind::kTermIndex, 1);
    if (!file.ok() || !writer.Write(file->get(), static_cast<uint32_t>(lines.size() / 8192 + 1)).ok()) {
      state.SkipWithError("the index could not be written");
      return;
    }
    bytes = (*file)->size();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * lines.size()));
  state.counters["bytes/line"] = static_cast<double>(bytes) / static_cast<double>(lines.size());
}

WriteBatch Samples(int series, int64_t step) {
  WriteBatch batch;
  for (int i = 0; i < series; ++i) {
    const std::string instance = "host-" + std::to_string(i);
    const LabelView labels[] = {{"__name__", "requests_total"}, {"job", "bench"}, {"instance", instance}};
    batch.AddSample(batch.AddSeries(labels), 1'700'000'000 * kSecond + step * 15 * kSecond,
                    static_cast<double>(step * (i % 7 + 1)));
  }
  return batch;
}

// A request of 500 samples through resolve, WAL, head; `durable`: with fdatasync.
void WalAppend(benchmark::State& state) {
  const ScratchFolder folder;
  Options options;
  options.durability = state.range(0) != 0 ? Durability::kDurable : Durability::kBuffered;
  options.background_work = false;
  const auto db = DB::Open(options, folder.path() + "/store");
  int64_t step = 0;
  for (auto _ : state) {
    state.PauseTiming();
    const WriteBatch batch = Samples(500, ++step);
    state.ResumeTiming();
    if (!db.ok() || !(*db)->Write(batch).ok()) {
      state.SkipWithError("write failed");
      return;
    }
  }
  state.SetItemsProcessed(state.iterations() * 500);
}

// All samples of 200 series of 2,000 samples, from a part.
void ScanSeries(benchmark::State& state) {
  const ScratchFolder folder;
  Options options;
  options.durability = Durability::kMemory;
  options.background_work = false;
  const auto db = DB::Open(options, folder.path() + "/store");
  bool ok = db.ok();
  for (int64_t step = 0; ok && step < 2000; ++step) ok = (*db)->Write(Samples(200, step)).ok();
  if (!ok || !(*db)->Flush().ok()) {
    state.SkipWithError("the store could not be filled");
    return;
  }
  const auto snapshot = (*db)->GetSnapshot();
  SeriesSpec spec;
  spec.time = snapshot->SampleRange();
  uint64_t samples = 0;
  for (auto _ : state) {
    const auto scan = snapshot->OpenSeriesScan(spec);
    SeriesData data;
    while (scan.ok() && (*scan)->Next(&data).value_or(false)) samples += data.times.size();
  }
  state.SetItemsProcessed(static_cast<int64_t>(samples));
}

BENCHMARK(PostingsAnd)->Arg(10)->Arg(1000);
BENCHMARK(BuildTermIndex)->Unit(benchmark::kMillisecond);
BENCHMARK(WalAppend)->Arg(0)->Arg(1);
BENCHMARK(ScanSeries)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace braid
