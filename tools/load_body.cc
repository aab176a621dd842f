// Field numbers are those of prometheus/remote.proto, opentelemetry/proto/{logs,trace,common,resource}.
#include "tools/load_body.h"

#include <snappy.h>

#include <cstring>

namespace braid {
namespace {

void PutVarint(uint64_t value, std::string* out) {
  for (; value > 127; value >>= 7) out->push_back(static_cast<char>((value & 127) | 128));
  out->push_back(static_cast<char>(value));
}
void PutNumber(int field, uint64_t value, std::string* out) {
  PutVarint(static_cast<uint64_t>(field) << 3, out);
  PutVarint(value, out);
}
void PutBlock(int field, std::string_view bytes, std::string* out) {
  PutVarint(static_cast<uint64_t>(field) << 3 | 2, out);
  PutVarint(bytes.size(), out);
  out->append(bytes);
}
void PutFixed64(int field, uint64_t value, std::string* out) {
  PutVarint(static_cast<uint64_t>(field) << 3 | 1, out);
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}
void PutDouble(int field, double value, std::string* out) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  PutFixed64(field, bits, out);
}

std::string Pair(std::string_view name, std::string_view value) {
  std::string pair;
  PutBlock(1, name, &pair);
  PutBlock(2, value, &pair);
  return pair;
}
// KeyValue with a string.
std::string KeyValue(std::string_view key, std::string_view value) {
  std::string any;
  PutBlock(1, value, &any);
  return Pair(key, any);
}
// Ids go over the wire with their highest byte first.
std::string BigEndian(uint64_t value) {
  std::string bytes;
  for (int i = 7; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i)));
  return bytes;
}

constexpr const char* kRoutes[] = {"/cart", "/checkout", "/product", "/search", "/login"};

}  // namespace

LoadBodyMaker::LoadBodyMaker(LoadSignal signal, std::string run, int worker, uint64_t batch, uint64_t seed)
    : signal_(signal),
      run_(std::move(run)),
      worker_(worker),
      batch_(batch),
      random_(seed * 1000 + static_cast<uint64_t>(worker)) {}

LoadBody LoadBodyMaker::Next(Timestamp now) {
  // Remote write counts in milliseconds, and a series has one sample at a time.
  now = std::max(now / kMillisecond * kMillisecond, last_ + kMillisecond);
  last_ = now;
  LoadBody body;
  body.records = batch_;
  switch (signal_) {
    case LoadSignal::kMetrics: body.bytes = MetricsBody(now); break;
    case LoadSignal::kLogs: body.bytes = LogsBody(now); break;
    case LoadSignal::kTraces: body.bytes = TracesBody(now); break;
  }
  count_ += batch_;
  return body;
}

std::string LoadBodyMaker::MetricsBody(Timestamp now) {
  std::string request, series, sample;
  for (uint64_t i = 0; i < batch_; ++i) {
    series.clear();
    PutBlock(1, Pair("__name__", "braid_load_requests_total"), &series);
    PutBlock(1, Pair("instance", "host-" + std::to_string(i % 50) + ":9100"), &series);
    PutBlock(1, Pair("job", "braid-load"), &series);
    PutBlock(1, Pair("number", std::to_string(i)), &series);
    PutBlock(1, Pair("route", kRoutes[i % 5]), &series);
    PutBlock(1, Pair("run", run_), &series);
    PutBlock(1, Pair("worker", std::to_string(worker_)), &series);
    sample.clear();
    PutDouble(1, static_cast<double>((count_ / batch_) * (i % 17) + random_.Below(17)), &sample);
    PutNumber(2, static_cast<uint64_t>(now / kMillisecond), &sample);
    PutBlock(2, sample, &series);
    PutBlock(1, series, &request);
  }
  std::string compressed;
  snappy::Compress(request.data(), request.size(), &compressed);
  return compressed;
}

std::string LoadBodyMaker::Resource() const {
  std::string resource;
  PutBlock(1, KeyValue("service.name", "braid-load"), &resource);
  PutBlock(1, KeyValue("service.instance.id", "worker-" + std::to_string(worker_)), &resource);
  PutBlock(1, KeyValue("load.run", run_), &resource);
  return resource;
}

std::string LoadBodyMaker::LogsBody(Timestamp now) {
  std::string scope;
  for (uint64_t i = 0; i < batch_; ++i) {
    const bool failed = random_.Chance(0.01);
    std::string record, body;
    PutFixed64(1, static_cast<uint64_t>(now) + i, &record);
    PutNumber(2, failed ? 17 : 9, &record);
    PutBlock(1,
             std::string(failed ? "request failed " : "request done ") + kRoutes[random_.Below(5)] + " in " +
                 std::to_string(random_.Below(500)) + " ms, order " + std::to_string(random_.Below(1'000'000)),
             &body);
    PutBlock(5, body, &record);
    PutBlock(6, KeyValue("number", std::to_string(count_ + i)), &record);
    PutBlock(9, BigEndian(random_.Next()) + BigEndian(random_.Next()), &record);
    PutBlock(10, BigEndian(random_.Next() | 1), &record);
    PutBlock(2, record, &scope);
  }
  std::string resource_logs, request;
  PutBlock(1, Resource(), &resource_logs);
  PutBlock(2, scope, &resource_logs);
  PutBlock(1, resource_logs, &request);
  return request;
}

std::string LoadBodyMaker::TracesBody(Timestamp now) {
  constexpr uint64_t kSpansPerTrace = 8;
  std::string scope, trace;
  uint64_t root = 0;
  for (uint64_t i = 0; i < batch_; ++i) {
    const bool is_root = i % kSpansPerTrace == 0;
    const uint64_t id = random_.Next() | 1;
    if (is_root) {
      trace = BigEndian(random_.Next()) + BigEndian(random_.Next() | 1);
      root = id;
    }
    const char* route = kRoutes[random_.Below(5)];
    const auto start = static_cast<uint64_t>(now) + i * 1000;
    std::string span;
    PutBlock(1, trace, &span);
    PutBlock(2, BigEndian(id), &span);
    if (!is_root) PutBlock(4, BigEndian(root), &span);
    PutBlock(5, std::string(is_root ? "GET " : "SELECT ") + route, &span);
    PutNumber(6, is_root ? 2 : 3, &span);
    PutFixed64(7, start, &span);
    PutFixed64(8, start + random_.Below(500) * static_cast<uint64_t>(kMillisecond), &span);
    PutBlock(9, KeyValue("http.route", route), &span);
    PutBlock(9, KeyValue("number", std::to_string(count_ + i)), &span);
    if (random_.Chance(0.01)) {
      std::string status;
      PutBlock(2, "it broke", &status);
      PutNumber(3, 2, &status);
      PutBlock(15, status, &span);
    }
    PutBlock(2, span, &scope);
  }
  std::string resource_spans, request;
  PutBlock(1, Resource(), &resource_spans);
  PutBlock(2, scope, &resource_spans);
  PutBlock(1, resource_spans, &request);
  return request;
}

}  // namespace braid
