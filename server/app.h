// What all routes share.
//
// Threads: any; the DB is thread-safe, the counters are atomic, the rest does not change.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "braid/db.h"
#include "braid/query.h"
#include "server/ingest/decode_budget.h"
#include "server/ingest/series_gate.h"
#include "server/log.h"
#include "server/result_body.h"
#include "server/router.h"
#include "server/scrape/scrape_target.h"
#include "server/self_metrics.h"

namespace braid::server {

struct App {
  DB* db = nullptr;
  std::function<Timestamp()> now;
  QueryLimits limits;
  std::vector<Note> missing;  // parts and log ranges that were set aside: every answer says so
  SelfMetrics metrics;
  ingest::DecodeBudget decode_budget;
  std::unique_ptr<ingest::SeriesGate> series_gate;
  Log* log = nullptr;                        // null: nothing is said
  std::atomic<Timestamp> failure_logged{0};  // when a write that failed was last said
  AnswerCount answers;
  bool admin = false;        // routes that change the store as a whole are on: every request has a token
  std::string snapshot_dir;  // where copies of the store go; empty = nowhere
};

// Each adds its routes. `app` outlives the router.
void AddOtlpRoutes(App* app, Router* router);
void AddImportRoutes(App* app, Router* router);
void AddRemoteWriteRoutes(App* app, Router* router);
void AddCompatRoutes(App* app, Router* router);
void AddElasticRoutes(App* app, Router* router);
void AddQueryRoutes(App* app, Router* router);
void AddPrometheusRoutes(App* app, Router* router);
void AddAdminRoutes(App* app, Router* router);
void AddMorePrometheusRoutes(App* app, Router* router);

// A call that came by HTTP/2.
http::Response HandleGrpc(App* app, const http::Request& request);

// `targets` answers what is scraped now.
void AddTargetRoutes(std::function<std::vector<scrape::TargetStatus>()> targets, Router* router);

// Does an agent of Elasticsearch ask? Its first question goes to /, where people get the index page.
bool AsksElastic(const http::Request& request);
http::Response ElasticRoot();

}  // namespace braid::server
