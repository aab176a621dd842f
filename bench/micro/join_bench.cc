// Joins of lines and spans in memory: by ids, by a set of ids, by time.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <random>

#include "braid/db.h"
#include "braid/query.h"

namespace braid {
namespace {

constexpr int kTraces = 5'000;
constexpr int kSpansPerTrace = 8;

// A store in which each span has one line, a hundredth of them an error.
class JoinStore {
 public:
  JoinStore() : path_("/tmp/bench-join-" + std::to_string(getpid())) {
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto db = DB::Open(options, path_);
    if (!db.ok()) return;
    db_ = *std::move(db);
    std::mt19937_64 random(5);
    WriteBatch batch;
    Stream stream;
    for (int service = 0; service < 4; ++service) {
      stream.resource = {{"service.name", "service-" + std::to_string(service)}};
      const WriteBatch::StreamRef ref = batch.AddStream(stream);
      for (int trace = service; trace < kTraces; trace += 4) AddTrace(ref, trace, &random, &batch);
    }
    ok_ = db_->Write(batch).ok() && db_->Flush().ok();
  }
  ~JoinStore() {
    db_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  bool ok() const { return ok_; }
  const DB& db() const { return *db_; }

 private:
  static void AddTrace(WriteBatch::StreamRef stream, int number, std::mt19937_64* random, WriteBatch* batch) {
    const TraceId trace{(*random)(), (*random)()};
    for (int i = 0; i < kSpansPerTrace; ++i) {
      Span span;
      span.trace_id = trace;
      span.span_id = SpanId{(*random)() | 1};
      span.name = "work";
      span.kind = i == 0 ? SpanKind::kServer : SpanKind::kInternal;
      span.start = kStart + static_cast<int64_t>(number) * 10 * kMillisecond + i * kMillisecond;
      span.end = span.start + kMillisecond;
      batch->AddSpan(stream, span);
      LogRecord log;
      log.time = span.start + kMillisecond / 2;
      log.severity_number = (number * kSpansPerTrace + i) % 100 == 0 ? 17 : 9;
      log.message = "did the work";
      log.trace_id = trace;
      log.span_id = span.span_id;
      batch->AddLog(stream, log);
    }
  }
  static constexpr Timestamp kStart = 1'700'000'000 * kSecond;

  std::string path_;
  std::unique_ptr<DB> db_;
  bool ok_ = false;
};

void Join(benchmark::State& state, const char* text, int64_t expected) {
  static const JoinStore store;
  const auto query = Query::Parse(text);
  if (!store.ok() || !query.ok()) {
    state.SkipWithError("no store, or no query");
    return;
  }
  const auto snapshot = store.db().GetSnapshot();
  QueryOptions options;
  options.start = snapshot->Range(Table::kSpans).start - kSecond;
  options.end = options.now = snapshot->Range(Table::kSpans).end + kSecond;
  int64_t count = 0;
  for (auto _ : state) {
    const auto result = query->Execute(snapshot, options);
    RecordBatch batch;
    while (result.ok() && (*result)->Next(&batch).value_or(false)) {
      if (batch.num_rows > 0) count = batch.columns[0].ints[0];
    }
  }
  if (count != expected) state.SkipWithError("wrong answer");
  state.SetItemsProcessed(state.iterations() * kTraces * kSpansPerTrace);
}

BENCHMARK_CAPTURE(Join, ByIds, "logs | join spans as s on (trace_id, span_id) | stats n = count()",
                  kTraces* kSpansPerTrace)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Join, BySet, "let e = logs{level = error}; spans | where span_id in e | stats n = count()",
                  kTraces* kSpansPerTrace / 100)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Join, AsOf, "logs | join spans{kind = server} as x on (service) asof 60s | stats n = count()",
                  kTraces* kSpansPerTrace)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace braid
