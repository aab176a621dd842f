#include "server/self_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace braid::server {
namespace {

constexpr std::array<std::string_view, kProtocolCount> kProtocols = {
    "otlp",   "prometheus_text", "remote_write",  "json_lines", "loki",
    "zipkin", "jaeger",          "elasticsearch", "otlp_grpc",  "scrape"};
constexpr std::array<std::string_view, kRejectCount> kRejects = {"malformed", "record",   "too_large",   "unsupported",
                                                                 "storage",   "overload", "series_limit"};
constexpr std::array<std::string_view, kQueryApiCount> kApis = {"braid", "prometheus"};
constexpr std::array<std::string_view, kOutcomeCount> kOutcomes = {"ok", "bad_query", "limit", "error"};

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", value);
  return text;
}

class Writer {
 public:
  void Family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void Sample(std::string_view labels, double value, std::string_view suffix = "") {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(Number(value)).append("\n");
  }
  void Single(std::string_view name, std::string_view type, std::string_view help, double value) {
    Family(name, type, help);
    Sample("", value);
  }
  std::string Take() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

std::string Pair(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + std::string(value) + "\"";
}

// Resident memory, from Linux' own account of the process; 0 where there is none.
double ResidentBytes() {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "r"), std::fclose);
  unsigned long long size = 0, resident = 0;
  if (file == nullptr || std::fscanf(file.get(), "%llu %llu", &size, &resident) != 2) return 0;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double CpuSeconds() {
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::string_view ProtocolName(Protocol protocol) { return kProtocols[static_cast<size_t>(protocol)]; }

void SelfMetrics::CountRequest(Protocol protocol, uint64_t body_bytes) {
  PerProtocol& counters = protocols_[static_cast<size_t>(protocol)];
  ++counters.requests;
  counters.bytes += body_bytes;
}

void SelfMetrics::CountAccepted(Protocol protocol, const WriteBatch::Counts& records) {
  PerProtocol& counters = protocols_[static_cast<size_t>(protocol)];
  counters.samples += records.samples;
  counters.logs += records.logs;
  counters.spans += records.spans;
  counters.exemplars += records.exemplars;
}

void SelfMetrics::CountRejected(Protocol protocol, Reject reason, uint64_t count) {
  protocols_[static_cast<size_t>(protocol)].rejected[static_cast<size_t>(reason)] += count;
}

void SelfMetrics::CountQuery(QueryApi api, Outcome outcome, Duration time) {
  PerApi& counters = apis_[static_cast<size_t>(api)];
  ++counters.outcomes[static_cast<size_t>(outcome)];
  const double seconds = static_cast<double>(time) / 1e9;
  size_t bucket = 0;
  while (bucket < kSeconds.size() && seconds > kSeconds[bucket]) ++bucket;
  ++counters.buckets[bucket];
  counters.nanos += static_cast<uint64_t>(time < 0 ? 0 : time);
}

std::string SelfMetrics::Text(const DBStats& db, const http::ServerStats& http, size_t decode_bytes,
                              uint64_t active_series) const {
  Writer out;
  out.Family("braid_ingest_requests_total", "counter", "Requests that brought telemetry, taken or not.");
  for (int i = 0; i < kProtocolCount; ++i) {
    out.Sample(Pair("protocol", kProtocols[i]), static_cast<double>(protocols_[i].requests));
  }
  out.Family("braid_ingest_bytes_total", "counter", "Bytes of their bodies as sent.");
  for (int i = 0; i < kProtocolCount; ++i) {
    out.Sample(Pair("protocol", kProtocols[i]), static_cast<double>(protocols_[i].bytes));
  }
  out.Family("braid_ingest_records_total", "counter", "Records stored.");
  for (int i = 0; i < kProtocolCount; ++i) {
    const std::string protocol = Pair("protocol", kProtocols[i]) + ",";
    out.Sample(protocol + Pair("signal", "samples"), static_cast<double>(protocols_[i].samples));
    out.Sample(protocol + Pair("signal", "logs"), static_cast<double>(protocols_[i].logs));
    out.Sample(protocol + Pair("signal", "spans"), static_cast<double>(protocols_[i].spans));
    out.Sample(protocol + Pair("signal", "exemplars"), static_cast<double>(protocols_[i].exemplars));
  }
  out.Family("braid_ingest_rejected_total", "counter",
             "Requests not taken, by reason; with reason record: single records of requests that were.");
  for (int i = 0; i < kProtocolCount; ++i) {
    for (int j = 0; j < kRejectCount; ++j) {
      out.Sample(Pair("protocol", kProtocols[i]) + "," + Pair("reason", kRejects[j]),
                 static_cast<double>(protocols_[i].rejected[j]));
    }
  }
  out.Family("braid_queries_total", "counter", "Queries answered, by how they ended.");
  for (int i = 0; i < kQueryApiCount; ++i) {
    for (int j = 0; j < kOutcomeCount; ++j) {
      out.Sample(Pair("api", kApis[i]) + "," + Pair("outcome", kOutcomes[j]),
                 static_cast<double>(apis_[i].outcomes[j]));
    }
  }
  out.Family("braid_query_duration_seconds", "histogram", "Time to answer a query.");
  for (int i = 0; i < kQueryApiCount; ++i) {
    uint64_t cumulative = 0;
    for (size_t j = 0; j <= kSeconds.size(); ++j) {
      cumulative += apis_[i].buckets[j];
      const std::string bound = j < kSeconds.size() ? Number(kSeconds[j]) : "+Inf";
      out.Sample(Pair("api", kApis[i]) + "," + Pair("le", bound), static_cast<double>(cumulative), "_bucket");
    }
    out.Sample(Pair("api", kApis[i]), static_cast<double>(apis_[i].nanos) / 1e9, "_sum");
    out.Sample(Pair("api", kApis[i]), static_cast<double>(cumulative), "_count");
  }

  out.Family("braid_stored_records", "gauge", "Records stored now, in memory and on disk.");
  out.Sample(Pair("signal", "samples"), static_cast<double>(db.samples));
  out.Sample(Pair("signal", "logs"), static_cast<double>(db.logs));
  out.Sample(Pair("signal", "spans"), static_cast<double>(db.spans));
  out.Sample(Pair("signal", "exemplars"), static_cast<double>(db.exemplars));
  out.Single("braid_series", "gauge", "Distinct label sets of samples.", static_cast<double>(db.series));
  out.Single("braid_active_series", "gauge", "Series that came in the last one to two hours, as the limit counts them.",
             static_cast<double>(active_series));
  out.Single("braid_parts", "gauge", "Parts on disk.", static_cast<double>(db.parts));
  out.Single("braid_part_bytes", "gauge", "Bytes of the parts on disk.", static_cast<double>(db.part_bytes));
  out.Single("braid_wal_bytes", "gauge", "Bytes of the write-ahead log on disk.", static_cast<double>(db.wal_bytes));
  out.Single("braid_head_bytes", "gauge", "Memory of records that are not in a part yet.",
             static_cast<double>(db.head_bytes));
  out.Single("braid_batches_written_total", "counter", "Batches written.", static_cast<double>(db.batches_written));
  out.Single("braid_wal_syncs_total", "counter", "Times the write-ahead log was forced to disk.",
             static_cast<double>(db.wal_syncs));
  out.Single("braid_flushes_total", "counter", "Times memory was written to a part.", static_cast<double>(db.flushes));
  out.Single("braid_merges_total", "counter", "Times parts were merged.", static_cast<double>(db.merges));
  out.Single("braid_wal_torn_bytes", "gauge", "Bytes cut from the end of the write-ahead log at the start.",
             static_cast<double>(db.torn_bytes));
  out.Single("braid_quarantined", "gauge", "Damaged parts and log ranges that were set aside and lie in quarantine.",
             static_cast<double>(db.quarantined.size() + db.quarantined_before.size()));
  out.Single("braid_read_only", "gauge", "1 if a failed write has made the store read-only.",
             db.read_only_reason.empty() ? 0 : 1);

  out.Single("braid_http_connections", "gauge", "Open connections.", static_cast<double>(http.connections_open));
  out.Single("braid_http_connections_total", "counter", "Connections accepted.",
             static_cast<double>(http.connections_total));
  out.Single("braid_http_requests_total", "counter", "Requests handled.", static_cast<double>(http.requests_total));
  out.Single("braid_http_refused_total", "counter", "Requests refused before they were handled.",
             static_cast<double>(http.requests_refused));
  out.Single("braid_http_body_bytes", "gauge", "Bytes of request bodies in memory.",
             static_cast<double>(http.body_bytes));
  out.Single("braid_http_connections_refused_total", "counter", "Connections beyond the limit, answered 503.",
             static_cast<double>(http.connections_refused));
  out.Single("braid_decode_bytes", "gauge", "Memory counted for bodies that are being decoded.",
             static_cast<double>(decode_bytes));
  out.Single("process_resident_memory_bytes", "gauge", "Resident memory.", ResidentBytes());
  out.Single("process_cpu_seconds_total", "counter", "User and system CPU time.", CpuSeconds());
  return out.Take();
}

}  // namespace braid::server
