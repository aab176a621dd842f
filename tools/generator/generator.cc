#include "tools/generator/generator.h"

#include <cstdio>
#include <ctime>
#include <map>

#include "engine/base/status_macros.h"
#include "tools/generator/metrics_book.h"
#include "tools/generator/shop.h"

namespace braid {
namespace {

constexpr Duration kScrapeInterval = 15 * kSecond;
const char* const kServices[] = {"frontend", "gateway", "catalog", "cart", "checkout", "payment", "email"};

std::string Rfc3339(Timestamp time) {
  const time_t seconds = static_cast<time_t>(time / kSecond);
  tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09lldZ", parts.tm_year + 1900, parts.tm_mon + 1,
                parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, static_cast<long long>(time % kSecond));
  return text;
}

std::string Instance(const std::string& service, int instance) { return service + "-" + std::to_string(instance); }

// Generated texts hold no character that JSON must escape, or hold it escaped.
std::string Quoted(const std::string& text) { return "\"" + text + "\""; }

std::string LogLine(const GeneratedLog& log, TraceId trace) {
  std::string line = "{\"timestamp\":" + Quoted(Rfc3339(log.time)) +
                     ",\"level\":" + Quoted(std::string(ToString(log.level))) + ",\"service\":" + Quoted(log.service) +
                     ",\"instance\":" + Quoted(Instance(log.service, log.instance)) +
                     ",\"message\":" + Quoted(log.message);
  if (!trace.IsZero()) {
    line += ",\"trace_id\":" + Quoted(ToHex(trace)) + ",\"span_id\":" + Quoted(ToHex(SpanId{log.span_id}));
  }
  for (const auto& [name, value] : log.fields) line += "," + Quoted(name) + ":" + Quoted(value);
  return line + "}\n";
}

std::string AttributeJson(const std::string& name, const std::string& value) {
  return "{\"key\":" + Quoted(name) + ",\"value\":{\"stringValue\":" + Quoted(value) + "}}";
}

std::string SpanJson(const GeneratedSpan& span, TraceId trace) {
  std::string json = "{\"traceId\":" + Quoted(ToHex(trace)) + ",\"spanId\":" + Quoted(ToHex(SpanId{span.span_id}));
  if (span.parent_id != 0) json += ",\"parentSpanId\":" + Quoted(ToHex(SpanId{span.parent_id}));
  json += ",\"name\":" + Quoted(span.name) + ",\"kind\":" + std::to_string(static_cast<int>(span.kind)) +
          ",\"startTimeUnixNano\":" + Quoted(std::to_string(span.start)) +
          ",\"endTimeUnixNano\":" + Quoted(std::to_string(span.end)) + ",\"attributes\":[";
  bool first = true;
  for (const auto& [name, value] : span.attributes) {
    if (!first) json += ',';
    first = false;
    json += AttributeJson(name, value);
  }
  json += "]";
  if (!span.event.empty()) {
    json += ",\"events\":[{\"timeUnixNano\":" + Quoted(std::to_string(span.end)) + ",\"name\":" + Quoted(span.event) +
            ",\"attributes\":[" + AttributeJson("exception.message", span.status_message) + "]}]";
  }
  if (!span.link.first.IsZero()) {
    json += ",\"links\":[{\"traceId\":" + Quoted(ToHex(span.link.first)) +
            ",\"spanId\":" + Quoted(ToHex(SpanId{span.link.second})) + "}]";
  }
  json += ",\"status\":{";
  if (span.failed) json += "\"code\":2,\"message\":" + Quoted(span.status_message);
  return json + "}}";
}

// One export request for the spans of one trace, grouped by service and instance as an agent would send them.
std::string ExportLine(const std::vector<GeneratedSpan>& spans, TraceId trace) {
  std::map<std::pair<std::string, int>, std::string> by_resource;
  for (const GeneratedSpan& span : spans) {
    std::string& list = by_resource[{span.service, span.instance}];
    if (!list.empty()) list += ',';
    list += SpanJson(span, trace);
  }
  std::string line = "{\"resourceSpans\":[";
  bool first = true;
  for (const auto& [resource, list] : by_resource) {
    if (!first) line += ',';
    first = false;
    line += "{\"resource\":{\"attributes\":[" + AttributeJson("service.name", resource.first) + "," +
            AttributeJson("service.instance.id", Instance(resource.first, resource.second)) +
            "]},\"scopeSpans\":[{\"scope\":{\"name\":\"shop\",\"version\":\"1.0\"},\"spans\":[" + list + "]}]}";
  }
  return line + "]}\n";
}

class Generation {
 public:
  Generation(const GeneratorOptions& options, const GeneratorSinks& sinks, GeneratorTruth* truth)
      : options_(options), sinks_(sinks), truth_(*truth), shop_(options.seed, options.instances) {}

  absl::Status Run() {
    const Timestamp end = options_.start + options_.length;
    truth_ = {};
    truth_.deploy = options_.start + options_.length * 4 / 10;
    truth_.incident_start = options_.start + options_.length / 2;
    truth_.incident_end = options_.start + options_.length * 7 / 10;
    bool deploy_logged = false;
    Timestamp now = options_.start;
    Timestamp next_scrape = options_.start;
    while (true) {
      now += static_cast<Duration>(shop_.random().Exponential(1.0 / options_.requests_per_second) *
                                   static_cast<double>(kSecond));
      while (next_scrape <= now && next_scrape <= end) {
        Scrape(next_scrape);
        if (sinks_.progress)
          sinks_.progress(static_cast<double>(next_scrape - options_.start) / static_cast<double>(options_.length));
        next_scrape += kScrapeInterval;
      }
      if (now >= end) break;
      if (options_.incident && !deploy_logged && now >= truth_.deploy) {
        deploy_logged = true;
        RETURN_IF_ERROR(WriteLog({truth_.deploy,
                                  "payment",
                                  0,
                                  Level::kInfo,
                                  "deployed version 2.4.0",
                                  0,
                                  {{"event.name", "deploy"}, {"version", "2.4.0"}}},
                                 TraceId{}));
      }
      RETURN_IF_ERROR(WriteRequest(shop_.MakeRequest(now, Pressure(now), options_.incident && now >= truth_.deploy)));
    }
    RETURN_IF_ERROR(metrics_.Write(sinks_.metrics));
    truth_.samples = metrics_.samples();
    truth_.series = metrics_.series();
    truth_.exemplars = metrics_.exemplars();
    if (sinks_.progress) sinks_.progress(1);
    return absl::OkStatus();
  }

 private:
  // Lock waits come in two bursts inside the incident, with a lighter stretch between them.
  double Pressure(Timestamp now) const {
    if (!options_.incident || now < truth_.incident_start || now >= truth_.incident_end) return 0;
    const double at = static_cast<double>(now - truth_.incident_start) /
                      static_cast<double>(truth_.incident_end - truth_.incident_start);
    return at < 0.4 || at > 0.6 ? 0.75 : 0.25;
  }

  static std::string ServiceLabels(const std::string& service, int instance) {
    return "service=\"" + service + "\",instance=\"" + Instance(service, instance) + "\"";
  }

  void Scrape(Timestamp time) {
    using F = MetricsBook::Family;
    for (const std::string service : kServices) {
      for (int i = 0; i < options_.instances; ++i) {
        const std::string labels = ServiceLabels(service, i);
        metrics_.Set(F::kUp, labels, 1);
        metrics_.Add(F::kCpu, labels, 0);
        metrics_.Set(F::kMemory, labels, 120e6 + static_cast<double>(shop_.random().Below(4096)) * 4096);
        if (service == "payment" || service == "catalog") {
          const double busy = service == "payment" ? 2 + 17 * Pressure(time) * (0.9 + 0.4 * shop_.random().Unit()) : 3;
          metrics_.Set(F::kPoolSize, labels, 20);
          metrics_.Set(F::kPoolInUse, labels, busy > 20 ? 20 : static_cast<double>(static_cast<int>(busy)));
        }
      }
    }
    metrics_.Set(F::kConsumerLag, "topic=\"orders\",service=\"email\"", static_cast<double>(shop_.random().Below(8)));
    metrics_.Scrape(time);
  }

  absl::Status WriteLog(const GeneratedLog& log, TraceId trace) {
    ++truth_.logs;
    if (log.level >= Level::kError) ++truth_.error_logs;
    return sinks_.logs(LogLine(log, trace));
  }

  // The line of the web server in front of the shop; it knows no traces. Every eighth request came through it.
  absl::Status WriteAccess(const GeneratedRequest& request) {
    const GeneratedSpan& frontend = request.spans[0];
    if (request.trace_id.low % 8 != 0) return absl::OkStatus();
    const std::string client = "10.0.0." + std::to_string(request.trace_id.high % 200);
    std::string path = frontend.name;
    if (request.trace_id.low % 128 == 0) path = "GET /healthz";
    return WriteLog({frontend.end,
                     "nginx",
                     0,
                     Level::kInfo,
                     client + " - - [" + Rfc3339(frontend.start) + "] \\\"" + path + " HTTP/1.1\\\" " +
                         (frontend.failed ? "503 " : "200 ") + std::to_string(500 + request.trace_id.high % 9000),
                     0,
                     {}},
                    TraceId{});
  }

  // What the consumer of an order's message logs now and then: a panic, and a line whose trace was never sent.
  absl::Status WriteMishaps(const GeneratedLog& log, TraceId trace) {
    if (trace.low % 64 == 0) {
      RETURN_IF_ERROR(WriteLog({log.time + kMillisecond,
                                log.service,
                                log.instance,
                                Level::kError,
                                "panic: template has no greeting",
                                log.span_id,
                                {}},
                               trace));
    }
    if (trace.low % 64 == 1) {
      RETURN_IF_ERROR(WriteLog({log.time + kMillisecond,
                                log.service,
                                log.instance,
                                Level::kWarn,
                                "mail server answered slowly",
                                log.span_id,
                                {}},
                               TraceId{trace.high, ~trace.low}));
    }
    return absl::OkStatus();
  }

  absl::Status WriteRequest(const GeneratedRequest& request) {
    const std::string trace = ToHex(request.trace_id);
    for (const GeneratedSpan& span : request.spans) {
      if (span.name == "UPDATE accounts" && span.end - span.start > 100 * kMillisecond) ++truth_.slow_statements;
      metrics_.Add(MetricsBook::Family::kCpu, ServiceLabels(span.service, span.instance),
                   0.0005 + static_cast<double>(shop_.random().Below(20)) * 1e-4);
      if (span.kind != SpanKind::kServer) continue;
      std::string route;
      for (const auto& [name, value] : span.attributes) {
        if (name == "http.route") route = value;
      }
      const std::string labels = ServiceLabels(span.service, span.instance) + ",route=\"" + route + "\"";
      metrics_.Add(MetricsBook::Family::kRequests, labels + (span.failed ? ",code=\"503\"" : ",code=\"200\""), 1);
      metrics_.Observe(labels, static_cast<double>(span.end - span.start) / static_cast<double>(kSecond), trace,
                       span.end);
    }
    for (const GeneratedLog& log : request.logs) RETURN_IF_ERROR(WriteLog(log, request.trace_id));
    RETURN_IF_ERROR(WriteAccess(request));
    ++truth_.traces;
    truth_.spans += request.spans.size();
    RETURN_IF_ERROR(sinks_.spans(ExportLine(request.spans, request.trace_id)));
    for (const auto& [trace_id, spans] : request.followers) {
      for (const GeneratedLog& log : request.follower_logs) {
        RETURN_IF_ERROR(WriteLog(log, trace_id));
        RETURN_IF_ERROR(WriteMishaps(log, trace_id));
      }
      ++truth_.traces;
      truth_.spans += spans.size();
      RETURN_IF_ERROR(sinks_.spans(ExportLine(spans, trace_id)));
    }
    return absl::OkStatus();
  }

  const GeneratorOptions& options_;
  const GeneratorSinks& sinks_;
  GeneratorTruth& truth_;
  Shop shop_;
  MetricsBook metrics_;
};

}  // namespace

absl::Status CheckOptions(const GeneratorOptions& options) {
  if (options.length < kScrapeInterval || options.length > 31 * 86400 * kSecond) {
    return absl::InvalidArgumentError("the length must be between 15 s and 31 days");
  }
  if (!(options.requests_per_second > 0 && options.requests_per_second <= 100'000)) {
    return absl::InvalidArgumentError("the rate must be between 0 and 100,000 requests per second");
  }
  if (options.instances < 1 || options.instances > 10'000) {
    return absl::InvalidArgumentError("instances must be between 1 and 10,000");
  }
  return absl::OkStatus();
}

absl::Status Generate(const GeneratorOptions& options, const GeneratorSinks& sinks, GeneratorTruth* truth) {
  RETURN_IF_ERROR(CheckOptions(options));
  return Generation(options, sinks, truth).Run();
}

std::string ToJson(const GeneratorOptions& options, const GeneratorTruth& truth) {
  std::string json = "{\n  \"seed\": " + std::to_string(options.seed) + ",\n";
  if (options.incident) {
    json +=
        "  \"root_cause\": {\"service\": \"payment\", \"span\": \"UPDATE accounts\", \"what\": \"lock waits\",\n"
        "    \"deploy\": " +
        Quoted(Rfc3339(truth.deploy)) + ", \"start\": " + Quoted(Rfc3339(truth.incident_start)) +
        ", \"end\": " + Quoted(Rfc3339(truth.incident_end)) +
        ",\n    \"slow_statements\": " + std::to_string(truth.slow_statements) + "},\n";
  }
  return json + "  \"range\": [" + Quoted(Rfc3339(options.start)) + ", " +
         Quoted(Rfc3339(options.start + options.length)) + "],\n  \"samples\": " + std::to_string(truth.samples) +
         ", \"series\": " + std::to_string(truth.series) + ", \"exemplars\": " + std::to_string(truth.exemplars) +
         ",\n  \"logs\": " + std::to_string(truth.logs) + ", \"error_logs\": " + std::to_string(truth.error_logs) +
         ",\n  \"spans\": " + std::to_string(truth.spans) + ", \"traces\": " + std::to_string(truth.traces) + "\n}\n";
}

}  // namespace braid
