#include "tools/generator/shop.h"

namespace braid {
namespace {

constexpr size_t kNoParent = static_cast<size_t>(-1);

}  // namespace

Timestamp Shop::Work(double median_ms, double spread) {
  return static_cast<Timestamp>(random_.Around(median_ms, spread) * static_cast<double>(kMillisecond));
}

size_t Shop::Open(GeneratedRequest* request, size_t parent, const std::string& service, const std::string& name,
                  SpanKind kind, Timestamp start) {
  GeneratedSpan span;
  span.span_id = random_.Next() | 1;
  if (parent != kNoParent) {
    span.parent_id = request->spans[parent].span_id;
    span.instance = request->spans[parent].instance;
  }
  if (parent == kNoParent || request->spans[parent].service != service) {
    span.instance = static_cast<int>(random_.Below(static_cast<uint64_t>(instances_)));
  }
  span.service = service;
  span.name = name;
  span.kind = kind;
  span.start = span.end = start;
  request->spans.push_back(std::move(span));
  return request->spans.size() - 1;
}

void Shop::Log(GeneratedRequest* request, size_t span, Timestamp time, Level level, std::string message,
               std::vector<std::pair<std::string, std::string>> fields) {
  const GeneratedSpan& of = request->spans[span];
  request->logs.push_back({time, of.service, of.instance, level, std::move(message), of.span_id, std::move(fields)});
}

Timestamp Shop::Browse(GeneratedRequest* request, size_t parent, Timestamp start) {
  const std::string product = std::to_string(random_.Below(5000));
  const size_t catalog = Open(request, parent, "catalog", "GET /product/{id}", SpanKind::kServer, start);
  request->spans[catalog].attributes = {{"http.route", "/product/{id}"}, {"http.request.method", "GET"}};
  Timestamp at = start + Work(1);
  const size_t query = Open(request, catalog, "catalog", "SELECT products", SpanKind::kClient, at);
  request->spans[query].attributes = {{"db.system", "postgresql"}, {"peer.service", "postgres"}};
  at += Work(4);
  request->spans[query].end = at;
  if (random_.Chance(0.01)) {
    Log(request, catalog, at, Level::kWarn, "cache miss for product " + product + ", falling back to database");
  }
  at += Work(1);
  request->spans[catalog].end = at;
  Log(request, catalog, at, Level::kInfo, "served product " + product, {{"product_id", product}});
  return at;
}

Timestamp Shop::Pay(GeneratedRequest* request, size_t parent, Timestamp start, double pressure, bool deployed,
                    bool* failed) {
  const std::string account = std::to_string(1000 + random_.Below(300));
  const size_t payment = Open(request, parent, "payment", "POST /charge", SpanKind::kServer, start);
  request->spans[payment].attributes = {
      {"http.route", "/charge"}, {"http.request.method", "POST"}, {"service.version", deployed ? "2.4.0" : "2.3.9"}};
  Timestamp at = start + Work(3);
  const size_t update = Open(request, payment, "payment", "UPDATE accounts", SpanKind::kClient, at);
  request->spans[update].attributes = {{"db.system", "postgresql"},
                                       {"peer.service", "postgres"},
                                       {"db.statement", "UPDATE accounts SET balance = balance - $1 WHERE id = $2"}};
  const bool waits = random_.Chance(pressure);
  *failed = false;
  if (waits) {
    request->lock_wait = true;
    const Timestamp wait = static_cast<Timestamp>(random_.Around(900, 0.5) * static_cast<double>(kMillisecond));
    at += wait;
    *failed = random_.Chance(0.35);
    Log(request, update, at - wait / 3, Level::kWarn,
        "lock wait on table accounts, row " + account + ", waited " + std::to_string(wait / kMillisecond) + " ms",
        {{"account_id", account}});
  } else {
    at += Work(6);
  }
  request->spans[update].end = at;
  if (*failed) {
    for (const size_t span : {update, payment}) {
      request->spans[span].failed = true;
      request->spans[span].status_message = "canceling statement due to lock timeout";
    }
    request->spans[update].event = "exception";
    Log(request, payment, at, Level::kError,
        "charge of account " + account + " failed: canceling statement due to lock timeout", {{"account_id", account}});
  } else if (random_.Chance(0.002)) {
    request->spans[payment].failed = *failed = true;
    request->spans[payment].status_message = "card declined";
    Log(request, payment, at, Level::kError, "charge of account " + account + " failed: card declined");
  }
  at += Work(2);
  request->spans[payment].end = at;
  if (!*failed) Log(request, payment, at, Level::kInfo, "charged account " + account, {{"account_id", account}});
  return at;
}

void Shop::Publish(GeneratedRequest* request, size_t parent, Timestamp start) {
  const size_t producer = Open(request, parent, "checkout", "orders publish", SpanKind::kProducer, start);
  request->spans[producer].attributes = {{"messaging.system", "kafka"}, {"messaging.destination.name", "orders"}};
  request->spans[producer].end = start + Work(2);

  GeneratedSpan consumer;
  consumer.span_id = random_.Next() | 1;
  consumer.service = "email";
  consumer.instance = static_cast<int>(random_.Below(static_cast<uint64_t>(instances_)));
  consumer.name = "orders process";
  consumer.kind = SpanKind::kConsumer;
  consumer.start = request->spans[producer].end + Work(40, 0.8);
  consumer.end = consumer.start + Work(12);
  consumer.attributes = {{"messaging.system", "kafka"}, {"messaging.destination.name", "orders"}};
  consumer.link = {request->trace_id, request->spans[producer].span_id};
  request->follower_logs.push_back(
      {consumer.end, "email", consumer.instance, Level::kInfo, "sent confirmation", consumer.span_id, {}});
  request->followers.push_back({TraceId{random_.Next(), random_.Next()}, {std::move(consumer)}});
}

Timestamp Shop::Order(GeneratedRequest* request, size_t parent, Timestamp start, double pressure, bool deployed) {
  const size_t checkout = Open(request, parent, "checkout", "POST /order", SpanKind::kServer, start);
  request->spans[checkout].attributes = {{"http.route", "/order"}, {"http.request.method", "POST"}};
  Timestamp at = start + Work(3);

  const size_t cart = Open(request, checkout, "cart", "GET /cart", SpanKind::kServer, at);
  request->spans[cart].attributes = {{"http.route", "/cart"}, {"http.request.method", "GET"}};
  at += Work(4);
  request->spans[cart].end = at;

  bool failed = true;
  for (int attempt = 1; attempt <= 5 && failed; ++attempt) {
    const size_t client = Open(request, checkout, "checkout", "POST payment", SpanKind::kClient, at);
    request->spans[client].attributes = {{"peer.service", "payment"}, {"http.request.method", "POST"}};
    at = Pay(request, client, at + Work(0.5), pressure, deployed, &failed) + Work(0.5);
    request->spans[client].end = at;
    if (failed) {
      request->spans[client].failed = true;
      request->spans[client].status_message = "payment answered 503";
      Log(request, checkout, at, Level::kWarn, "payment attempt " + std::to_string(attempt) + " failed, retrying");
      if (attempt == 2) Log(request, checkout, at, Level::kWarn, "connection reset by payment");
      if (attempt == 3) Log(request, checkout, at, Level::kWarn, "circuit opened to payment");
      if (attempt >= 4) Log(request, checkout, at, Level::kWarn, "too many requests to payment, rate limit reached");
      at += Work(20);
    }
  }
  if (failed) {
    request->spans[checkout].failed = true;
    request->spans[checkout].status_message = "order not paid";
    Log(request, checkout, at, Level::kError, "order could not be paid after 5 attempts");
  } else {
    const size_t persist = Open(request, checkout, "checkout", "persist-order", SpanKind::kInternal, at);
    at += Work(5);
    request->spans[persist].end = at;
    Publish(request, checkout, at);
    at += Work(3);
    Log(request, checkout, at, Level::kInfo, "order placed",
        {{"order_id", std::to_string(random_.Below(1'000'000'000))}});
  }
  request->spans[checkout].end = at + Work(1);
  return request->spans[checkout].end;
}

GeneratedRequest Shop::MakeRequest(Timestamp start, double pressure, bool deployed) {
  GeneratedRequest request;
  request.trace_id = {random_.Next(), random_.Next()};
  const bool order = random_.Chance(0.3);
  const std::string tenant = "tenant-" + std::to_string(random_.Below(40));
  const char* route = order ? "/order" : "/product/{id}";

  const size_t frontend =
      Open(&request, kNoParent, "frontend", order ? "POST /order" : "GET /product/{id}", SpanKind::kServer, start);
  request.spans[frontend].attributes = {
      {"http.route", route}, {"http.request.method", order ? "POST" : "GET"}, {"tenant_id", tenant}};
  if (random_.Chance(0.01))
    request.spans[frontend].attributes.emplace_back("test.name", "smoke-" + std::string(order ? "order" : "browse"));
  Timestamp at = start + Work(2);
  Log(&request, frontend, at, Level::kInfo, order ? "order received" : "page requested", {{"tenant_id", tenant}});

  // A few orders take an old path that goes round the gateway.
  const bool direct = order && random_.Chance(0.02);
  size_t parent = frontend;
  if (!direct) {
    parent = Open(&request, frontend, "gateway", std::string("route ") + route, SpanKind::kServer, at);
    request.spans[parent].attributes = {{"http.route", route}};
    at += Work(1);
  }
  if (direct) {
    bool failed = false;
    at = Pay(&request, parent, at, pressure, deployed, &failed);
    request.spans[frontend].failed = failed;
  } else {
    at = order ? Order(&request, parent, at, pressure, deployed) : Browse(&request, parent, at);
    at += Work(0.7);
    request.spans[parent].end = at;
    const GeneratedSpan& below = request.spans[parent + 1];
    if (below.failed) {
      request.spans[parent].failed = request.spans[frontend].failed = true;
      request.spans[parent].status_message = request.spans[frontend].status_message = below.status_message;
    }
  }
  at += Work(1.5);
  request.spans[frontend].end = at;
  Log(&request, frontend, at, request.spans[frontend].failed ? Level::kError : Level::kInfo,
      std::string(order ? "POST /order " : "GET /product ") + (request.spans[frontend].failed ? "503" : "200") +
          " in " + std::to_string((at - start) / kMillisecond) + " ms",
      {{"tenant_id", tenant}});
  return request;
}

}  // namespace braid
