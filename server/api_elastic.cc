// Elasticsearch's bulk API, and as much of what its agents ask before they send as makes them send. Index templates,
// lifecycle policies and pipelines are acknowledged and mean nothing here: there is no mapping to set up.
#include <string>
#include <vector>

#include "server/app.h"
#include "server/ingest/elastic_bulk.h"
#include "server/ingest/json_text.h"
#include "server/ingest_request.h"

namespace braid::server {
namespace {

http::Response ElasticResponse(int status, std::string json) {
  http::Response response = JsonResponse(status, std::move(json));
  // Elastic's clients refuse to talk to a server that does not say this.
  response.headers.push_back({"X-Elastic-Product", "Elasticsearch"});
  return response;
}

std::string ErrorJson(std::string_view type, std::string_view reason) {
  std::string json = "{\"type\":";
  ingest::AppendJsonString(type, &json);
  json += ",\"reason\":";
  ingest::AppendJsonString(reason, &json);
  return json + "}";
}

void AppendItem(const ingest::BulkItem& item, std::string* json) {
  json->append("{\"").append(item.action).append("\":{\"_index\":");
  ingest::AppendJsonString(item.index, json);
  if (!item.id.empty()) {
    json->append(",\"_id\":");
    ingest::AppendJsonString(item.id, json);
  }
  if (item.error.empty()) {
    json->append(",\"_version\":1,\"result\":\"created\",\"status\":201}}");
  } else {
    json->append(",\"status\":400,\"error\":").append(ErrorJson("illegal_argument_exception", item.error)).append("}}");
  }
}

http::Response Bulk(App* app, const http::Request& request, const std::string& index) {
  ingest::BulkOptions options;
  options.now = app->now();
  options.index = index;
  std::vector<ingest::BulkItem> items;
  const IngestOutcome outcome = IngestBody(app, Protocol::kElastic, Stage::kWrite, request, nullptr,
                                           [&](std::string_view body, WriteBatch* batch, ingest::IngestReport* report) {
                                             return ingest::DecodeElasticBulk(body, options, batch, report, &items);
                                           });
  if (!outcome.status.ok()) {
    const int status = HttpStatusOf(outcome.status, outcome.stage);
    return ElasticResponse(status,
                           "{\"error\":" + ErrorJson(CodeName(outcome.status.code()), MessageOf(outcome.status)) +
                               ",\"status\":" + std::to_string(status) + "}");
  }
  const Duration took = std::max<Duration>(0, app->now() - options.now) / kMillisecond;
  std::string json = "{\"took\":" + std::to_string(took) +
                     ",\"errors\":" + (outcome.report.rejected > 0 ? "true" : "false") + ",\"items\":[";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) json += ",";
    AppendItem(items[i], &json);
  }
  return ElasticResponse(200, json + "]}");
}

// Setting something up is acknowledged; asking for it finds it there, so that agents do not try to set it up.
http::Response Setup(const http::Request& request, const std::string&) {
  return ElasticResponse(200, request.method == "GET" || request.method == "HEAD" ? "{}" : "{\"acknowledged\":true}");
}

}  // namespace

bool AsksElastic(const http::Request& request) {
  if (request.HeaderValue("Accept").find("application/vnd.elasticsearch+") != std::string_view::npos) return true;
  if (!request.HeaderValue("X-Elastic-Client-Meta").empty()) return true;
  const std::string_view agent = request.HeaderValue("User-Agent");
  for (std::string_view known :
       {"elastic", "Elastic", "filebeat", "Filebeat", "metricbeat", "Metricbeat", "heartbeat", "Heartbeat",
        "journalbeat", "Journalbeat", "Logstash", "logstash", "Manticore", "Vector/"}) {
    if (agent.starts_with(known)) return true;
  }
  return false;
}

http::Response ElasticRoot() {
  return ElasticResponse(
      200,
      R"({"name":"braid","cluster_name":"braid","cluster_uuid":"braid","version":{"number":"8.9.0",)"
      R"("build_flavor":"default","build_type":"tar","build_hash":"braid","build_date":"2023-07-19T14:43:58.555259655Z",)"
      R"("build_snapshot":false,"lucene_version":"9.7.0","minimum_wire_compatibility_version":"7.17.0",)"
      R"("minimum_index_compatibility_version":"7.0.0"},"tagline":"You Know, for Search"})");
}

void AddElasticRoutes(App* app, Router* router) {
  const auto bulk = [app](const http::Request& request, const std::string& index) { return Bulk(app, request, index); };
  router->Add("POST PUT", "/_bulk", http::Lane::kFast, "Elasticsearch bulk: create and index append log records", bulk);
  router->Add("POST PUT", "/{}/_bulk", http::Lane::kFast, "the same, with a default index", bulk);

  const auto fixed = [&](const char* path, const char* json) {
    router->Add("GET", path, http::Lane::kFast, "for Elasticsearch's agents",
                [json](const http::Request&, const std::string&) { return ElasticResponse(200, json); });
  };
  fixed("/_license",
        R"({"license":{"status":"active","uid":"braid","type":"basic","issue_date":"2023-01-01T00:00:00.000Z",)"
        R"("issue_date_in_millis":1672531200000,"max_nodes":1000,"issued_to":"braid","issuer":"braid",)"
        R"("start_date_in_millis":-1}})");
  fixed("/_xpack",
        R"({"build":{},"license":{"uid":"braid","type":"basic","mode":"basic","status":"active"},)"
        R"("features":{"ilm":{"available":true,"enabled":true},"monitoring":{"available":false,"enabled":false},)"
        R"("security":{"available":true,"enabled":false}},"tagline":"You know, for X"})");
  for (const char* path : {"/_cluster/health", "/_cluster/health/{}"}) {
    fixed(path,
          R"({"cluster_name":"braid","status":"green","timed_out":false,"number_of_nodes":1,"number_of_data_nodes":1,)"
          R"("active_primary_shards":1,"active_shards":1,"relocating_shards":0,"initializing_shards":0,)"
          R"("unassigned_shards":0,"active_shards_percent_as_number":100.0})");
  }
  for (const char* path : {"/_nodes", "/_nodes/{}", "/_nodes/{}/http"}) {
    fixed(path, R"({"_nodes":{"total":1,"successful":1,"failed":0},"cluster_name":"braid","nodes":{}})");
  }
  for (const char* path :
       {"/_ilm/policy/{}", "/_index_template/{}", "/_component_template/{}", "/_template/{}", "/_ingest/pipeline/{}",
        "/_ingest/pipeline", "/_data_stream/{}", "/_alias/{}", "/_logstash/pipeline", "/_logstash/pipeline/{}"}) {
    router->Add("GET PUT POST", path, http::Lane::kFast, "for Elasticsearch's agents: acknowledged, without effect",
                Setup);
  }
}

}  // namespace braid::server
