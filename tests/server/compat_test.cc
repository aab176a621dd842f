// The routes that senders made for other stores use, over loopback, and Jaeger's agent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <snappy.h>

#include <filesystem>
#include <protozero/pbf_writer.hpp>

#include "server/server.h"
#include "tests/http/raw_client.h"

namespace braid::server {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Timestamp kNow = 1'700'000'000 * kSecond;

class CompatTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "braid_compat_test_" + std::to_string(::getpid());
    std::filesystem::remove_all(path_);
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto db = DB::Open(options, path_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    ServerOptions server_options;
    server_options.http.listen = {"127.0.0.1:0"};
    server_options.jaeger_udp_ports = {0};
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

  std::string Ask(const std::string& method, const std::string& path, const std::string& headers = "",
                  const std::string& body = "") {
    client_->Send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return client_->ReadAnswer();
  }
  std::string Query(const std::string& text) {
    return Ask("POST", "/v1/query?start=2023-11-14&end=2023-11-16",
               "Content-Type: text/plain\r\nAccept: application/x-ndjson\r\n", text);
  }

  std::string path_;
  std::unique_ptr<DB> db_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<RawClient> client_;
};

const std::string kJson = "Content-Type: application/json\r\n";

TEST_F(CompatTest, LokiPush) {
  const std::string body =
      R"({"streams":[{"stream":{"service_name":"shop","level":"error"},"values":[["1700000000000000000","it broke"]]}]})";
  for (const char* path : {"/loki/api/v1/push", "/api/prom/push"}) {
    EXPECT_THAT(Ask("POST", path, kJson, body), StartsWith("HTTP/1.1 204 "));
  }
  EXPECT_EQ(db_->Stats().logs, 2u);
  EXPECT_THAT(Query("logs{level >= error} | limit 5"), HasSubstr("it broke"));

  std::string time, entry, stream, push, packed;
  protozero::pbf_writer(time).add_int64(1, 1'700'000'000);
  protozero::pbf_writer(entry).add_message(1, time);
  protozero::pbf_writer(entry).add_string(2, "from an agent");
  protozero::pbf_writer(stream).add_string(1, "{job=\"x\"}");
  protozero::pbf_writer(stream).add_message(2, entry);
  protozero::pbf_writer(push).add_message(1, stream);
  snappy::Compress(push.data(), push.size(), &packed);
  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", "Content-Type: application/x-protobuf\r\n", packed),
              StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", "", packed), StartsWith("HTTP/1.1 204 "));
  EXPECT_EQ(db_->Stats().logs, 4u);

  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", "", push), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", kJson, "{"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", "Content-Type: text/csv\r\n", "x"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Ask("POST", "/loki/api/v1/push", kJson, R"({"streams":[{"stream":{},"values":[["1","a"],["x","b"]]}]})"),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("1 rejected; streams[0].values[1]: ")));
  EXPECT_THAT(Ask("GET", "/loki/api/v1/push"), AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: POST\r\n")));
  EXPECT_THAT(Ask("GET", "/metrics"), AllOf(HasSubstr("protocol=\"loki\""), HasSubstr("protocol=\"zipkin\""),
                                            HasSubstr("protocol=\"jaeger\""), HasSubstr("protocol=\"elasticsearch\"")));
}

TEST_F(CompatTest, ZipkinSpans) {
  const std::string body =
      R"([{"traceId":"48485a3953bb6124","id":"2","name":"pay","kind":"CLIENT","timestamp":1700000000000000,)"
      R"("duration":9,"localEndpoint":{"serviceName":"shop"}}])";
  EXPECT_THAT(Ask("POST", "/api/v2/spans", kJson, body), AllOf(StartsWith("HTTP/1.1 202 "), EndsWith("\r\n\r\n")));
  EXPECT_EQ(db_->Stats().spans, 1u);
  EXPECT_THAT(Query("spans | limit 5"), AllOf(HasSubstr("\"pay\""), HasSubstr("shop")));
  EXPECT_THAT(Ask("POST", "/api/v2/spans", kJson, "{}"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST", "/api/v2/spans", "Content-Type: application/x-protobuf\r\n", "x"),
              StartsWith("HTTP/1.1 415 "));
}

// One span, "hand-made" of service "s", in the compact protocol: as a message and as a bare batch.
std::string CompactBatch() {
  using namespace std::string_literals;
  return "\x1c\x18\x01s\x00"                                  // 1: process {1: "s"}
         "\x19\x1c"                                           // 2: a list of one struct
         "\x16\x02\x16\x00\x16\x04\x16\x00\x18\x09hand-made"  // 1-5: ids 1, 0, 2, 0 and the name
         "\x25\x02"                                           // 7: flags 1
         "\x16\x80\x80\xf2\x81\x83\x89\x85\x06"               // 8: 1,700,000,000,000,000 microseconds, as zigzag varint
         "\x16\x0a\x00\x00"s;                                 // 9: 5; end of span and batch
}
std::string CompactMessage() {
  using namespace std::string_literals;
  return "\x82\x81\x00\x09"s + "emitBatch\x1c" + CompactBatch() + "\x00"s;
}

TEST_F(CompatTest, JaegerOverHttp) {
  EXPECT_THAT(Ask("POST", "/api/traces?format=jaeger.thrift", "Content-Type: application/x-thrift\r\n", CompactBatch()),
              StartsWith("HTTP/1.1 202 "));
  EXPECT_EQ(db_->Stats().spans, 1u);
  const std::string body = CompactBatch();
  client_->Send(
      "POST /api/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/vnd.apache.thrift.binary\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", body.size());
  client_->Send(size + body + "\r\n0\r\n\r\n");
  EXPECT_THAT(client_->ReadAnswer(), StartsWith("HTTP/1.1 202 "));
  EXPECT_EQ(db_->Stats().spans, 2u);
  EXPECT_THAT(Query("spans | limit 5"), HasSubstr("hand-made"));
  EXPECT_THAT(Ask("POST", "/api/traces", "Content-Type: application/x-thrift\r\n", "nonsense"),
              StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Ask("POST", "/api/traces", kJson, "{}"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(Ask("GET", "/sampling?service=s"),
              AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr(R"("probabilisticSampling":{"samplingRate":1})")));
  EXPECT_THAT(Ask("GET", "/sampling"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(CompatTest, JaegerAgent) {
  const std::string address = server_->udp_addresses().at(0);
  ASSERT_THAT(address, StartsWith("127.0.0.1:"));
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_DGRAM, 0);
  for (const std::string& datagram : {CompactMessage(), std::string("nonsense"), CompactMessage()}) {
    EXPECT_EQ(::sendto(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(datagram.size()));
  }
  ::close(fd);
  // Loopback datagrams are in the socket's buffer once they are sent, and stopping writes what is there.
  client_.reset();
  server_->Stop(kSecond);
  EXPECT_EQ(db_->Stats().spans, 2u);
}

TEST_F(CompatTest, ElasticBulk) {
  const std::string body =
      "{\"create\":{\"_id\":\"1\"}}\n{\"message\":\"one\",\"level\":\"error\"}\n{\"delete\":{\"_id\":\"2\"}}\n"
      "{\"index\":{\"_index\":\"i\"}}\n{\"message\":\"two\"}\n";
  EXPECT_THAT(
      Ask("POST", "/logs/_bulk", "Content-Type: application/x-ndjson\r\n", body),
      AllOf(
          StartsWith("HTTP/1.1 200 "), HasSubstr("X-Elastic-Product: Elasticsearch\r\n"),
          HasSubstr(
              R"({"took":0,"errors":true,"items":[{"create":{"_index":"logs","_id":"1","_version":1,"result":"created","status":201}},)"
              R"({"delete":{"_index":"logs","_id":"2","status":400,"error":{"type":"illegal_argument_exception","reason":)"),
          EndsWith(R"({"index":{"_index":"i","_version":1,"result":"created","status":201}}]})")));
  EXPECT_EQ(db_->Stats().logs, 2u);
  EXPECT_THAT(Ask("POST", "/_bulk", "", "{\"index\":{}}\n{\"a\":1}\n"),
              HasSubstr(R"("errors":false,"items":[{"index":)"));
  EXPECT_THAT(
      Ask("POST", "/_bulk", "", "nonsense\n"),
      AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr(R"({"error":{"type":"invalid_argument","reason":"line 1 )")));
}

TEST_F(CompatTest, ElasticHandshake) {
  EXPECT_THAT(Ask("GET", "/", "User-Agent: Elastic-filebeat/8.9.0\r\n"),
              AllOf(HasSubstr("X-Elastic-Product: Elasticsearch\r\n"), HasSubstr(R"("number":"8.9.0")")));
  EXPECT_THAT(Ask("GET", "/", "Accept: application/vnd.elasticsearch+json;compatible-with=8\r\n"),
              HasSubstr("You Know, for Search"));
  EXPECT_THAT(Ask("GET", "/", "User-Agent: curl/7.88.1\r\n"),
              AllOf(HasSubstr("Braid keeps"), Not(HasSubstr("X-Elastic-Product"))));
  for (const char* path : {"/_license", "/_xpack", "/_cluster/health", "/_nodes", "/_nodes/_all/http",
                           "/_ilm/policy/filebeat", "/_index_template/logs", "/_ingest/pipeline/p"}) {
    EXPECT_THAT(Ask("GET", path), AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("X-Elastic-Product: Elasticsearch\r\n")))
        << path;
  }
  EXPECT_THAT(Ask("PUT", "/_index_template/logs", kJson, "{}"), EndsWith("{\"acknowledged\":true}"));
}

}  // namespace
}  // namespace braid::server
