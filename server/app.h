// What all routes share.
//
// Threads: any; the DB is thread-safe, the counters are atomic, the rest does not change.
#pragma once

#include <functional>
#include <string>

#include "braid/db.h"
#include "braid/query.h"
#include "server/result_body.h"
#include "server/router.h"
#include "server/self_metrics.h"

namespace braid::server {

struct App {
  DB* db = nullptr;
  std::function<Timestamp()> now;
  QueryLimits limits;
  SelfMetrics metrics;
  AnswerCount answers;
  bool admin = false;        // routes that change the store as a whole are on: every request has a token
  std::string snapshot_dir;  // where copies of the store go; empty = nowhere
};

// Each adds its routes. `app` outlives the router.
void AddOtlpRoutes(App* app, Router* router);
void AddImportRoutes(App* app, Router* router);
void AddCompatRoutes(App* app, Router* router);
void AddElasticRoutes(App* app, Router* router);
void AddQueryRoutes(App* app, Router* router);
void AddPrometheusRoutes(App* app, Router* router);
void AddAdminRoutes(App* app, Router* router);

// Does an agent of Elasticsearch ask? Its first question goes to /, where people get the index page.
bool AsksElastic(const http::Request& request);
http::Response ElasticRoot();

}  // namespace braid::server
