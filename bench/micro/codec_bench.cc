// Speed and size of the codecs on made-up but lifelike data: a scrape every 15 s, columns of 8,192 rows, log lines.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "engine/codec/chunk.h"
#include "engine/codec/column_codec.h"
#include "engine/codec/postings.h"
#include "engine/codec/tokenizer.h"

namespace braid {
namespace {

constexpr size_t kSamples = 1000;
constexpr size_t kRows = 8192;

struct Series {
  std::vector<Timestamp> times;
  std::vector<double> values;
};

enum Kind : int64_t { kCounter, kGauge, kTenths, kConstant, kNoise };

Series MakeSeries(int64_t kind) {
  std::mt19937_64 random(1);
  Series series;
  double value = 100'000;
  for (size_t i = 0; i < kSamples; ++i) {
    const int64_t jitter = static_cast<int64_t>(random() % 3) * kMillisecond;
    series.times.push_back(1'700'000'000'123'000'000 + static_cast<int64_t>(i) * 15 * kSecond + jitter);
    switch (kind) {
      case kCounter: value += static_cast<double>(random() % 50); break;
      case kGauge: value = static_cast<double>(random() % 4096) * 4096; break;
      case kTenths: value = std::round(static_cast<double>(random() % 1000)) / 10; break;
      case kConstant: break;
      default: value = static_cast<double>(random() >> 11) * 0x1p-53; break;
    }
    series.values.push_back(value);
  }
  return series;
}

void Report(benchmark::State& state, size_t items, size_t bytes) {
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * items));
  state.counters["bytes/item"] = static_cast<double>(bytes) / static_cast<double>(items);
}

void AppendGorilla(benchmark::State& state) {
  const Series series = MakeSeries(state.range(0));
  size_t bytes = 0;
  for (auto _ : state) {
    GorillaAppender appender;
    for (size_t i = 0; i < kSamples; ++i) appender.Append(series.times[i], series.values[i]);
    bytes = appender.byte_size();
    benchmark::DoNotOptimize(bytes);
  }
  Report(state, kSamples, bytes);
}

void DecodeGorilla(benchmark::State& state) {
  const Series series = MakeSeries(state.range(0));
  GorillaAppender appender;
  for (size_t i = 0; i < kSamples; ++i) appender.Append(series.times[i], series.values[i]);
  const std::string chunk = appender.Finish();
  Series back;
  for (auto _ : state) {
    back.times.clear();
    back.values.clear();
    benchmark::DoNotOptimize(DecodeChunk(chunk, &back.times, &back.values, nullptr));
  }
  Report(state, kSamples, chunk.size());
}

void Encode(benchmark::State& state) {
  const Series series = MakeSeries(state.range(0));
  size_t bytes = 0;
  for (auto _ : state) bytes = EncodeChunk(series.times, series.values).size();
  Report(state, kSamples, bytes);
}

void Decode(benchmark::State& state) {
  const Series series = MakeSeries(state.range(0));
  const std::string chunk = EncodeChunk(series.times, series.values);
  Series back;
  for (auto _ : state) {
    back.times.clear();
    back.values.clear();
    benchmark::DoNotOptimize(DecodeChunk(chunk, &back.times, &back.values, nullptr));
  }
  Report(state, kSamples, chunk.size());
}

Column MakeColumn(int64_t kind) {
  std::mt19937_64 random(2);
  ColumnBuilder builder;
  TraceId trace;
  for (size_t row = 0; row < kRows; ++row) {
    switch (kind) {
      case 0: builder.AppendInt(Type::kTimestamp, static_cast<int64_t>(row * 1'000'000 + random() % 900'000)); break;
      case 1: builder.AppendString("service-" + std::to_string(random() % 12)); break;
      case 2:
        builder.AppendString("GET /api/v1/orders/" + std::to_string(random() % 100000) + " took " +
                             std::to_string(random() % 500) + " ms");
        break;
      case 3: builder.AppendInt(Type::kSpanId, static_cast<int64_t>(random())); break;
      default:
        if (row % 16 == 0) trace = {random(), random()};
        builder.AppendTraceId(trace);
    }
  }
  return builder.Finish();
}

void EncodeColumnOf(benchmark::State& state) {
  const Column column = MakeColumn(state.range(0));
  size_t bytes = 0;
  for (auto _ : state) bytes = EncodeColumn(column).size();
  Report(state, kRows, bytes);
}

void DecodeColumnOf(benchmark::State& state) {
  const std::string bytes = EncodeColumn(MakeColumn(state.range(0)));
  Column column;
  for (auto _ : state) benchmark::DoNotOptimize(DecodeColumn(bytes, kRows, &column));
  Report(state, kRows, bytes.size());
}

void ParsePostings(benchmark::State& state) {
  std::mt19937 random(3);
  Postings postings;
  for (uint32_t ordinal = 0; ordinal < 1'000'000; ordinal += 1 + random() % static_cast<uint32_t>(state.range(0))) {
    postings.Add(ordinal);
  }
  const std::string bytes = postings.Serialize();
  for (auto _ : state) benchmark::DoNotOptimize(Postings::Parse(bytes, 1'000'000));
  Report(state, postings.Count(), bytes.size());
}

void Tokenize(benchmark::State& state) {
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text += "2023-01-30 11:54:00 INFO order-service handled /api/v1/orders in 25 ms id=4bf92f35\n";
  for (auto _ : state) {
    size_t tokens = 0;
    ForEachToken(text, [&](std::string_view token) { tokens += token.size(); });
    benchmark::DoNotOptimize(tokens);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * text.size()));
}

BENCHMARK(AppendGorilla)->DenseRange(kCounter, kNoise);
BENCHMARK(DecodeGorilla)->DenseRange(kCounter, kNoise);
BENCHMARK(Encode)->DenseRange(kCounter, kNoise);
BENCHMARK(Decode)->DenseRange(kCounter, kNoise);
BENCHMARK(EncodeColumnOf)->DenseRange(0, 4);
BENCHMARK(DecodeColumnOf)->DenseRange(0, 4);
BENCHMARK(ParsePostings)->Arg(3)->Arg(1000);
BENCHMARK(Tokenize);

}  // namespace
}  // namespace braid
