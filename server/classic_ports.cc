#include "server/classic_ports.h"

namespace braid::server {

const std::string_view kElasticPort = "Elasticsearch: POST /_bulk";

http::Listen GrpcPort() { return {"localhost:4317", http::Speaks::kHttp2, "OTLP/gRPC", false}; }

std::vector<http::Listen> ClassicPorts() {
  const auto http1 = [](const char* address, std::string_view expected) {
    return http::Listen{address, http::Speaks::kHttp1, std::string(expected), false};
  };
  return {http1("localhost:9090", "Prometheus: POST /api/v1/write, GET /api/v1/query"),
          http1("localhost:3100", "Loki: POST /loki/api/v1/push"),
          http1("localhost:9411", "Zipkin: POST /api/v2/spans"),
          http1("localhost:14268", "Jaeger's collector: POST /api/traces"),
          http1("localhost:5778", "Jaeger's sampling: GET /sampling"),
          http1("localhost:9200", kElasticPort)};
}

std::string_view HintForPath(std::string_view path) {
  struct Hint {
    std::string_view beginning, text;
  };
  static constexpr Hint kHints[] = {
      {"/opentelemetry.proto.collector",
       "OTLP/gRPC needs HTTP/2 and goes to port 4317; over HTTP/1.1 send OTLP to POST "
       "/v1/traces, /v1/logs or /v1/metrics"},
      {"/v1/trace", "OTLP traces go to POST /v1/traces"},
      {"/v1/log", "OTLP logs go to POST /v1/logs"},
      {"/v1/metric", "OTLP metrics go to POST /v1/metrics"},
      {"/v1development/profiles", "OTLP profiles are not taken"},
      {"/api/v1/spans", "Zipkin's version 1 is not taken; version 2 goes to POST /api/v2/spans"},
      {"/api/v1/receive", "remote write goes to POST /api/v1/write"},
      {"/api/v1/remote/write", "remote write goes to POST /api/v1/write"},
      {"/api/v1/read", "Prometheus' remote read is not served; queries go to /api/v1/query"},
      {"/loki/", "Loki pushes go to POST /loki/api/v1/push"},
      {"/write", "InfluxDB's line protocol is not taken"},
      {"/api/v2/write", "InfluxDB's line protocol is not taken"},
      {"/services/collector", "Splunk's collector protocol is not taken; JSON lines go to POST /ingest/jsonl"},
      {"/api/v2/logs", "Datadog's intake is not taken; JSON lines go to POST /ingest/jsonl"},
      {"/v0.4/traces", "Datadog's intake is not taken; set the tracer to OTLP and send to POST /v1/traces"},
      {"/v0.5/traces", "Datadog's intake is not taken; set the tracer to OTLP and send to POST /v1/traces"},
      {"/metrics/job", "the Pushgateway's API is not served; Prometheus text goes to POST /api/v1/import/prometheus"},
  };
  for (const Hint& hint : kHints) {
    if (path.starts_with(hint.beginning)) return hint.text;
  }
  return "";
}

}  // namespace braid::server
