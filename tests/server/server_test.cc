// The whole server over loopback and a store in memory: every route, what it stores, what it answers.
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <protozero/pbf_writer.hpp>

#include "server/request_time.h"
#include "tests/http/raw_client.h"

namespace braid::server {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Timestamp kNow = 1'700'000'000 * kSecond;

std::string Gzip(std::string_view text) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "braid_server_test_" + std::to_string(::getpid());
    std::filesystem::remove_all(path_);
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto db = DB::Open(options, path_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    ServerOptions server_options;
    server_options.http.listen = {"127.0.0.1:0"};
    server_options.clock = [] { return kNow; };
    auto server = Server::Start(server_options, db_.get());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = std::make_unique<RawClient>(server_->addresses().at(0));
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  std::string Post(const std::string& path, const std::string& type, const std::string& body,
                   const std::string& headers = "") {
    client_->Send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
                  (type.empty() ? "" : "Content-Type: " + type + "\r\n") + headers +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client_->ReadAnswer();
  }
  std::string Get(const std::string& path, const std::string& headers = "") {
    client_->Send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return client_->ReadAnswer();
  }

  std::string path_;
  std::unique_ptr<DB> db_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RawClient> client_;
};

constexpr const char* kJson = "application/json";
constexpr const char* kLog =
    R"({"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":"1699999990000000000","severityNumber":17,"body":{"stringValue":"it broke"}}]}]}]})";
constexpr const char* kSpan =
    R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"a","startTimeUnixNano":"1699999990000000000","endTimeUnixNano":"1699999991000000000"},{"name":"no ids"}]}]}]})";
constexpr const char* kGauge =
    R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"temp","gauge":{"dataPoints":[{"timeUnixNano":"1699999990000000000","asDouble":21.5}]}}]}]}]})";

TEST_F(ServerTest, OtlpJsonUnderEveryPrefix) {
  for (const char* prefix : {"", "/otlp", "/api/v1/otlp"}) {
    const std::string at = prefix;
    EXPECT_THAT(Post(at + "/v1/logs", kJson, kLog), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n{}")));
    EXPECT_THAT(Post(at + "/v1/metrics", kJson, kGauge), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith("\r\n\r\n{}")));
    EXPECT_THAT(Post(at + "/v1/traces", kJson, kSpan),
                AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: application/json\r\n"),
                      HasSubstr("{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":"),
                      HasSubstr("resourceSpans[0].scopeSpans[0].spans[1]")));
  }
  const DBStats stats = db_->Stats();
  EXPECT_EQ(stats.logs, 3u);
  EXPECT_EQ(stats.spans, 3u);
  EXPECT_EQ(stats.series, 1u);
}

TEST_F(ServerTest, OtlpProtobufGzipAndErrors) {
  std::string record, scope, resource, body;
  protozero::pbf_writer(record).add_fixed64(1, 5);
  protozero::pbf_writer(scope).add_message(2, record);
  protozero::pbf_writer(resource).add_message(2, scope);
  protozero::pbf_writer(body).add_message(1, resource);
  EXPECT_THAT(Post("/v1/logs", "application/x-protobuf", Gzip(body), "Content-Encoding: gzip\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("Content-Type: application/x-protobuf\r\n"),
                    HasSubstr("Content-Length: 0\r\n")));
  EXPECT_EQ(db_->Stats().logs, 1u);
  // google.rpc.Status{code: 3, ...}
  EXPECT_THAT(Post("/v1/logs", "application/x-protobuf", "\xff\xff\xff"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("\r\n\r\n\x08\x03\x12")));
  EXPECT_THAT(Post("/v1/logs", kJson, "{"), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("{\"code\":3,\"message\":")));
  EXPECT_THAT(Post("/v1/logs", kJson, kSpan), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("/v1/traces")));
  EXPECT_THAT(Post("/v1/logs", "text/plain", "x"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Post("/v1/logs", "", "x"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Post("/v1/logs", kJson, kLog, "Content-Encoding: br\r\n"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Post("/v1/logs", kJson, kLog, "Content-Encoding: gzip\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Post("/v1/logs", kJson, Gzip(std::string(size_t{30} << 20, ' ')), "Content-Encoding: gzip\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Post("/v1/log", kJson, kLog), AllOf(StartsWith("HTTP/1.1 404 "), HasSubstr("POST /v1/traces")));
  EXPECT_THAT(Get("/v1/traces"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST\r\n")));
  EXPECT_EQ(db_->Stats().logs, 1u);
}

TEST_F(ServerTest, PrometheusTextAndItsQueries) {
  EXPECT_THAT(
      Post("/api/v1/import/prometheus?job=j", "text/plain",
           "# HELP up Is it?\n# TYPE up gauge\nup{a=\"1\"} 1 1699999990000\nup{a=\"2\"} 3 1699999990000\nbad\n"),
      AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"accepted\":2,\"rejected\":1"), HasSubstr("\"line\":5")));
  EXPECT_THAT(Post("/api/v1/import/prometheus", "text/plain", "bad\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Post("/api/v1/import/prometheus?x=1", "text/plain", "up 1\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(
      Get("/api/v1/query?query=sum(up)&time=1700000000"),
      EndsWith(
          R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000,"4"]}]}})"));
  EXPECT_THAT(Get("/api/v1/query?query=1%2B1&time=4"),
              EndsWith(R"({"status":"success","data":{"resultType":"scalar","result":[4,"2"]}})"));
  EXPECT_THAT(Get("/api/v1/query?query=up{a=\"1\"}[1m]&time=1700000000.5"),
              EndsWith(R"("result":[{"metric":{"__name__":"up","a":"1","job":"j"},"values":[[1699999990,"1"]]}]}})"));
  EXPECT_THAT(
      Post("/api/v1/query_range", "application/x-www-form-urlencoded",
           "query=up%7Ba%3D%222%22%7D&start=1699999980&end=1700000010&step=10"),
      EndsWith(
          R"("resultType":"matrix","result":[{"metric":{"__name__":"up","a":"2","job":"j"},"values":[[1699999990,"3"],[1700000000,"3"],[1700000010,"3"]]}]}})"));
  EXPECT_THAT(Get("/api/v1/query?query=up%7B"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("\"errorType\":\"bad_data\"")));
  // A step of 20 days is no reason to refuse two points.
  EXPECT_THAT(Get("/api/v1/query_range?query=up&start=0&end=3456000&step=1728000"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/api/v1/query_range?query=up&start=0&end=100000&step=1"), HasSubstr("11,000 points"));
  EXPECT_THAT(Get("/api/v1/query_range?query=up&start=0&end=1&step=0"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/api/v1/labels"), EndsWith(R"("data":["__name__","a","job"]})"));
  EXPECT_THAT(Get("/api/v1/label/a/values"), EndsWith(R"("data":["1","2"]})"));
  EXPECT_THAT(Get("/api/v1/label/a/values?match[]=up%7Ba!%3D%221%22%7D"), EndsWith(R"("data":["2"]})"));
  EXPECT_THAT(Get("/api/v1/series?match[]=up&limit=1"),
              AllOf(HasSubstr(R"("data":[{"__name__":"up","a":"1","job":"j"}])"), HasSubstr("truncated")));
  EXPECT_THAT(Get("/api/v1/series"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/api/v1/metadata"), EndsWith(R"("data":{"up":[{"type":"gauge","help":"Is it?","unit":""}]}})"));
  EXPECT_THAT(Get("/api/v1/status/buildinfo"), HasSubstr("\"version\":\"3.0.0\""));
}

TEST_F(ServerTest, RemoteWrite) {
  std::string label, sample, series, body, packed;
  {
    protozero::pbf_writer writer(label);
    writer.add_string(1, "__name__");
    writer.add_string(2, "m");
  }
  protozero::pbf_writer(sample).add_double(1, 2);
  {
    protozero::pbf_writer writer(series);
    writer.add_message(1, label);
    writer.add_message(2, sample);
  }
  protozero::pbf_writer(body).add_message(1, series);
  snappy::Compress(body.data(), body.size(), &packed);
  EXPECT_THAT(Post("/api/v1/write", "application/x-protobuf", packed, "Content-Encoding: snappy\r\n"),
              StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(Post("/api/v1/push", "", packed), StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(Post("/api/v1/write", "application/x-protobuf;proto=io.prometheus.write.v3.Request", packed),
              AllOf(StartsWith("HTTP/1.1 415 "), HasSubstr("io.prometheus.write.v2.Request")));
  EXPECT_THAT(Post("/api/v1/write", "application/x-protobuf; proto=\"prometheus.WriteRequest\"", packed),
              AllOf(StartsWith("HTTP/1.1 204 "), Not(HasSubstr("-Written"))));
  EXPECT_THAT(Post("/api/v1/write", "application/x-protobuf", body), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(db_->Stats().series, 1u);
}

// The sender compares what was written with what it sent: on success, on partial failure, on failure.
TEST_F(ServerTest, RemoteWriteV2CountsWhatItWrote) {
  const std::string type = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
  const auto request = [](bool bad_series) {
    std::string body, packed;
    protozero::pbf_writer writer(body);
    for (const char* symbol : {"", "__name__", "m", "trace_id", "0102030405060708090a0b0c0d0e0f10"}) {
      writer.add_string(4, symbol);
    }
    const uint32_t name[] = {1, 2}, trace[] = {3, 4}, unknown[] = {1, 77};
    for (int i = 0; i < (bad_series ? 2 : 1); ++i) {
      protozero::pbf_writer series(writer, 5);
      const uint32_t* refs = i == 0 ? name : unknown;
      series.add_packed_uint32(1, refs, refs + 2);
      for (int j = 0; j < 3; ++j) {
        protozero::pbf_writer sample(series, 2);
        sample.add_double(1, j);
        sample.add_int64(2, 1000 + j);
      }
      protozero::pbf_writer exemplar(series, 4);
      exemplar.add_packed_uint32(1, std::begin(trace), std::end(trace));
      exemplar.add_int64(3, 1000);
    }
    snappy::Compress(body.data(), body.size(), &packed);
    return packed;
  };
  const auto written = [](const std::string& samples, const std::string& exemplars) {
    return AllOf(HasSubstr("X-Prometheus-Remote-Write-Samples-Written: " + samples + "\r\n"),
                 HasSubstr("X-Prometheus-Remote-Write-Histograms-Written: 0\r\n"),
                 HasSubstr("X-Prometheus-Remote-Write-Exemplars-Written: " + exemplars + "\r\n"));
  };
  EXPECT_THAT(Post("/api/v1/write", type, request(false)), AllOf(StartsWith("HTTP/1.1 204 "), written("3", "1")));
  EXPECT_THAT(Post("/api/v1/write", type, request(true)),
              AllOf(StartsWith("HTTP/1.1 400 "), written("3", "1"), HasSubstr("timeseries[1]: there is no symbol 77")));
  EXPECT_THAT(Post("/api/v1/write", type, "no snappy"), AllOf(StartsWith("HTTP/1.1 400 "), written("0", "0")));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_THAT(Post("/api/v1/write", type, request(false)),
              AllOf(StartsWith("HTTP/1.1 503 "), written("0", "0"), HasSubstr("Retry-After: ")));
}

TEST_F(ServerTest, JsonLinesAndTheQueryLanguage) {
  EXPECT_THAT(Post("/ingest/jsonl?service=web", "application/x-ndjson",
                   "{\"message\":\"one\",\"level\":\"error\",\"ts\":1699999990}\nnot json\n"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"accepted\":2,\"rejected\":0,\"kept_raw\":1"),
                    HasSubstr("\"line\":2")));
  EXPECT_THAT(Post("/insert/jsonline?_msg_field=text&_stream_fields=t", "", "{\"text\":\"x\",\"t\":1}"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(db_->Stats().logs, 3u);
  const std::string query = "logs{level = error} | keep time, service, message";
  EXPECT_THAT(Post("/v1/query", kJson, "{\"query\":\"" + query + "\",\"start\":\"now-1h\",\"end\":1700000000}"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("\"web\""), HasSubstr("\"one\""), HasSubstr("\"columns\"")));
  EXPECT_THAT(Post("/v1/query", "text/plain", query, "Accept: text/csv\r\n"),
              EndsWith("time,service,message\n2023-11-14T22:13:10Z,web,one\n"));
  EXPECT_THAT(Post("/v1/query?format=ndjson", "text/plain", query),
              EndsWith("{\"time\":\"2023-11-14T22:13:10Z\",\"service\":\"web\",\"message\":\"one\"}\n"));
  // Notes stand in a header beside formats that have no place for them: here that a limit was reached.
  EXPECT_THAT(Get("/v1/query?format=csv&limit=1&query=logs"),
              AllOf(HasSubstr("\r\nBraid-Notes: [{\"kind\":\"cut\","), HasSubstr("time,")));
  EXPECT_THAT(Get("/v1/query?format=ndjson&query=logs"), Not(HasSubstr("Braid-Notes")));
  const std::string counted =
      R"json({"query":"logs{message = $m} | stats n = count()","params":{"m":"one"},"format":"csv"})json";
  EXPECT_THAT(Post("/v1/query", kJson, counted), EndsWith("n\n1\n"));
}

TEST_F(ServerTest, LargeAnswersAreSentAsTheyAreMade) {
  constexpr int kRows = 60'000;
  std::string lines;
  for (int i = 0; i < kRows; ++i) {
    lines += "{\"message\":\"row " + std::to_string(i) + " of many\",\"ts\":" + std::to_string(1'699'999'000'000 + i) +
             "}\n";
  }
  EXPECT_THAT(Post("/ingest/jsonl", "", lines), HasSubstr("\"accepted\":60000"));
  const std::string request = "/v1/query?format=ndjson&limit=100000&query=logs";
  client_->Send("GET " + request + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string answer = client_->ReadToEnd();
  EXPECT_THAT(answer.substr(0, 400), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer.substr(answer.size() - 5), "0\r\n\r\n");
  std::string body;
  for (size_t at = answer.find("\r\n\r\n") + 4; at < answer.size();) {
    const size_t size = std::strtoull(answer.c_str() + at, nullptr, 16);
    at = answer.find("\r\n", at) + 2;
    body += answer.substr(at, size);
    at += size + 2;
  }
  EXPECT_EQ(std::count(body.begin(), body.end(), '\n'), kRows);
  EXPECT_THAT(body, HasSubstr("\"row 59999 of many\""));
  // Notes of such an answer come behind it, in a trailer.
  client_ = std::make_unique<RawClient>(server_->addresses().at(0));
  client_->Send(
      "GET /v1/query?format=ndjson&limit=50000&query=logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const std::string cut = client_->ReadToEnd();
  EXPECT_THAT(cut.substr(0, 400), HasSubstr("\r\nTrailer: Braid-Notes\r\n"));
  EXPECT_THAT(cut.substr(cut.size() - 400), HasSubstr("\r\n0\r\nBraid-Notes: [{\"kind\":\"cut\","));
  // A client that leaves in the middle holds nothing up: the fixture stops the server behind this.
  RawClient leaves(server_->addresses().at(0));
  leaves.Send("GET " + request + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  leaves.ReadUntil("row 1 of");
}

TEST_F(ServerTest, PrometheusRoutesThatGrafanaAsks) {
  Post("/v1/metrics", kJson, kGauge);
  const std::string success = "{\"status\":\"success\",\"data\":";
  EXPECT_THAT(Get("/api/v1/query_exemplars?query=test&start=1700000000000&end=1700000060000"),
              EndsWith(success + "[]}"));
  EXPECT_THAT(Get("/api/v1/rules"), EndsWith(success + "{\"groups\":[]}}"));
  EXPECT_THAT(Get("/api/v1/alerts"), EndsWith(success + "{\"alerts\":[]}}"));
  EXPECT_THAT(Get("/api/v1/format_query?query=sum(rate(a[5m]))by(b)"),
              EndsWith(success + "\"sum by (b) (rate(a[5m]))\"}"));
  EXPECT_THAT(Get("/api/v1/status/tsdb"), HasSubstr("\"headStats\":{\"numSeries\":1,"));
  EXPECT_THAT(Get("/api/v1/status/runtimeinfo"), HasSubstr("\"startTime\":\"2023-11-14T22:13:20Z\""));
  EXPECT_THAT(Get("/api/v1/query?query=temp&time=1699999995&stats=all"), HasSubstr("\"totalQueryableSamples\":1"));
  // The look-back is the caller's.
  EXPECT_THAT(Get("/api/v1/query?query=temp&time=1699999995&lookback_delta=10s"), HasSubstr("\"21.5\""));
  EXPECT_THAT(Get("/api/v1/query?query=temp&time=1699999995&lookback_delta=2s"), HasSubstr("\"result\":[]"));
}

TEST_F(ServerTest, PrometheusErrorsInItsWords) {
  Post("/v1/metrics", kJson, kGauge);
  EXPECT_THAT(
      Get("/api/v1/query?query=up{"),
      AllOf(StartsWith("HTTP/1.1 400 "),
            EndsWith("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter \\\"query\\\": "
                     "1:4: parse error: unexpected end of input inside braces\"}")));
  EXPECT_THAT(Get("/api/v1/query?query=rate(up)"),
              AllOf(HasSubstr("got instant vector\""), HasSubstr("\"hint\":\"add a range")));
  EXPECT_THAT(Get("/api/v1/query?query=topk(NaN,temp)&time=1699999995"),
              AllOf(StartsWith("HTTP/1.1 422 "),
                    HasSubstr("\"errorType\":\"execution\",\"error\":\"Parameter value is NaN\"")));
  EXPECT_THAT(Get("/api/v1/query_range?query=up&start=1&end=2&step=0"),
              HasSubstr("zero or negative query resolution step widths are not accepted. Try a positive integer"));
}

TEST_F(ServerTest, EveryAnswerNamesWhatWasSetAside) {
  const std::string path = path_ + "_damaged";
  std::filesystem::remove_all(path);
  Options options;
  options.background_work = false;
  {
    auto db = DB::Open(options, path);
    ASSERT_TRUE(db.ok()) << db.status();
    WriteBatch batch;
    batch.AddLog(batch.AddStream(Stream()), LogRecord());
    ASSERT_TRUE((*db)->Write(batch).ok() && (*db)->Flush().ok());
  }
  std::filesystem::remove(path + "/parts/000000000001/logs");
  ServerOptions server_options;
  server_options.http.listen = {"127.0.0.1:0"};
  for (const std::string when : {"set aside when the store was opened", "set aside earlier"}) {
    auto db = DB::Open(options, path);
    ASSERT_TRUE(db.ok()) << db.status();
    auto server = Server::Start(server_options, db->get());
    ASSERT_TRUE(server.ok()) << server.status();
    client_ = std::make_unique<RawClient>((*server)->addresses().at(0));
    EXPECT_THAT(Get("/v1/query?query=logs"),
                AllOf(HasSubstr("\"partial\""), HasSubstr(when), HasSubstr("000000000001")));
    EXPECT_THAT(Get("/v1/query?query=logs&format=ndjson"), AllOf(HasSubstr("Braid-Notes: "), HasSubstr(when)));
    EXPECT_THAT(Get("/api/v1/query?query=up"), AllOf(HasSubstr("\"warnings\":["), HasSubstr(when)));
    client_.reset();
  }
  std::filesystem::remove_all(path);
}

TEST_F(ServerTest, QueryErrors) {
  EXPECT_THAT(
      Post("/v1/query", kJson, "{\"query\":\"logs | nonsense\"}"),
      AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("{\"error\":{\"code\":\"E"), HasSubstr("\"line\":1,\"column\":")));
  EXPECT_THAT(Post("/v1/query", kJson, "{\"query\":\"up\",\"stat\":1}"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("unknown parameter 'stat'")));
  EXPECT_THAT(Post("/v1/query", kJson, "{}"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Post("/v1/query", kJson, "{\"query\":5}"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Post("/v1/query", "application/xml", "up"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Get("/v1/query?query=up&limit=0"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/v1/query?query=up&start=yesterday"), AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("now-1h")));
}

TEST_F(ServerTest, AboutItself) {
  Post("/v1/logs", kJson, kLog);
  Post("/v1/traces", kJson, kSpan);
  Post("/v1/traces", kJson, "{");
  Get("/api/v1/query?query=up");
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, HasSubstr("braid_ingest_records_total{protocol=\"otlp\",signal=\"logs\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("braid_ingest_rejected_total{protocol=\"otlp\",reason=\"record\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("braid_ingest_rejected_total{protocol=\"otlp\",reason=\"malformed\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("braid_query_duration_seconds_count{api=\"prometheus\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("braid_stored_records{signal=\"spans\"} 1\n"));
  // What it says about itself is text that it takes itself.
  const std::string body = metrics.substr(metrics.find("\r\n\r\n") + 4);
  EXPECT_THAT(Post("/api/v1/import/prometheus", "text/plain", body), HasSubstr("\"rejected\":0"));
  EXPECT_THAT(Get("/-/healthy"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/-/ready"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Get("/"), HasSubstr("/v1/query"));
}

TEST(RequestTime, Forms) {
  EXPECT_EQ(*ParseRequestTime("now", kNow), kNow);
  EXPECT_EQ(*ParseRequestTime("now-1h30m", kNow), kNow - 5400 * kSecond);
  EXPECT_EQ(*ParseRequestTime("1700000000.25", kNow), kNow + 250 * kMillisecond);
  EXPECT_EQ(*ParseRequestTime("1700000000000", kNow), kNow);
  EXPECT_EQ(*ParseRequestTime("2023-11-14T22:13:20Z", kNow), kNow);
  EXPECT_EQ(*ParsePrometheusTime("1.5e9"), 1'500'000'000 * kSecond);
  for (const char* bad : {"", "now-", "now-h", "nowish", "x", "1e300", "inf", "nan"}) {
    EXPECT_FALSE(ParseRequestTime(bad, kNow).ok()) << bad;
  }
  EXPECT_EQ(*ParseRequestDuration("1h30m"), 5400 * kSecond);
  EXPECT_EQ(*ParseRequestDuration("0.25"), 250 * kMillisecond);
  for (const char* bad : {"", "0", "-1", "5x", "m", "99999999999h", "0s"})
    EXPECT_FALSE(ParseRequestDuration(bad).ok()) << bad;
}

// Real telemetry, where a folder of it is named: what is stored must be what its stats.json counts.
TEST_F(ServerTest, RealTelemetryIsCounted) {
  const char* folder = std::getenv("BRAID_TEST_TELEMETRY");
  if (folder == nullptr) GTEST_SKIP() << "BRAID_TEST_TELEMETRY names no folder";
  const auto read = [&](const char* name) {
    std::ifstream file(std::string(folder) + "/" + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  for (const auto& [file, path] :
       {std::pair{"spans.otlp.ndjson", "/v1/traces"}, std::pair{"logs.otlp.ndjson", "/v1/logs"}}) {
    const std::string text = read(file);
    for (size_t start = 0; start < text.size();) {
      const size_t end = std::min(text.find('\n', start), text.size());
      EXPECT_THAT(Post(path, kJson, text.substr(start, end - start)), EndsWith("\r\n\r\n{}"));
      start = end + 1;
    }
  }
  EXPECT_THAT(Post("/api/v1/import/prometheus", "text/plain", read("metrics.prom")), HasSubstr("\"rejected\":0"));
  const std::string stats_json = read("stats.json");
  const auto count = [&](const char* section, const char* key) {
    const size_t at =
        stats_json.find(std::string("\"") + key + "\": ", stats_json.find(std::string("\"") + section + "\": {"));
    return std::strtoull(stats_json.c_str() + at + std::strlen(key) + 4, nullptr, 10);
  };
  DBStats stats = db_->Stats();
  EXPECT_EQ(stats.spans, count("spans", "count"));
  EXPECT_EQ(stats.logs, count("logs", "count"));
  EXPECT_EQ(stats.samples, count("metrics", "samples"));
  EXPECT_EQ(stats.series, count("metrics", "series"));
  EXPECT_THAT(Post("/ingest/jsonl", "application/x-ndjson", read("logs.ndjson")),
              HasSubstr("\"accepted\":" + std::to_string(stats.logs) + ",\"rejected\":0,\"kept_raw\":0"));
  EXPECT_EQ(db_->Stats().logs, 2 * stats.logs);
}

}  // namespace
}  // namespace braid::server
