// What is scraped, as Prometheus' /api/v1/targets tells it.
#include <cstdio>
#include <ctime>

#include "server/app.h"
#include "server/ingest/json_text.h"

namespace braid::server {
namespace {

void AppendPair(std::string_view name, std::string_view value, std::string* out) {
  ingest::AppendJsonString(name, out);
  out->push_back(':');
  ingest::AppendJsonString(value, out);
}

void AppendLabels(const Labels& labels, std::string* out) {
  out->push_back('{');
  for (const Label& label : labels) {
    if (out->back() != '{') out->push_back(',');
    AppendPair(label.name, label.value, out);
  }
  out->push_back('}');
}

std::string Rfc3339(Timestamp time) {
  const time_t seconds = static_cast<time_t>(time / kSecond);
  tm parts;
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(time % kSecond / kMillisecond));
  return text;
}

std::string Seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(duration) / 1e9);
  return text;
}

std::string TargetsJson(const std::vector<scrape::TargetStatus>& targets) {
  std::string json = "{\"status\":\"success\",\"data\":{\"activeTargets\":[";
  for (const scrape::TargetStatus& target : targets) {
    if (json.back() == '}') json.push_back(',');
    json += "{\"discoveredLabels\":";
    AppendLabels(target.labels, &json);
    json += ",\"labels\":";
    AppendLabels(target.labels, &json);
    json.push_back(',');
    AppendPair("scrapePool", target.job, &json);
    json.push_back(',');
    AppendPair("scrapeUrl", target.url, &json);
    json.push_back(',');
    AppendPair("globalUrl", target.url, &json);
    json.push_back(',');
    AppendPair("lastError", target.error, &json);
    json.push_back(',');
    AppendPair("lastScrape", target.last == 0 ? "0001-01-01T00:00:00Z" : Rfc3339(target.last), &json);
    json += ",\"lastScrapeDuration\":" + Seconds(target.duration) + ",";
    AppendPair("health", target.last == 0 ? "unknown" : target.error.empty() ? "up" : "down", &json);
    json.push_back(',');
    AppendPair("scrapeInterval", Seconds(target.interval) + "s", &json);
    json.push_back(',');
    AppendPair("scrapeTimeout", Seconds(target.timeout) + "s", &json);
    json.push_back('}');
  }
  return json + "],\"droppedTargets\":[],\"droppedTargetCounts\":{}}}";
}

}  // namespace

void AddTargetRoutes(std::function<std::vector<scrape::TargetStatus>()> targets, Router* router) {
  router->Add("GET", "/api/v1/targets", http::Lane::kFast, "what is scraped, and how the last scrapes went",
              [targets = std::move(targets)](const http::Request& request, const std::string&) {
                const std::string* state = request.QueryValue("state");
                const bool none = state != nullptr && *state == "dropped";
                return JsonResponse(200, TargetsJson(none ? std::vector<scrape::TargetStatus>() : targets()));
              });
}

}  // namespace braid::server
