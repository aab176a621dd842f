// OTLP/gRPC over loopback, with nghttp2's client: what is stored, how calls end, what the limits answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "server/server.h"
#include "tests/http/http2_client.h"

namespace braid::server {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kTraces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr const char* kMetrics = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
constexpr const char* kLogs = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
constexpr uint64_t kTime = 1'700'000'000'000'000'000;

using Headers = std::vector<std::pair<std::string, std::string>>;
const Headers kGrpc = {{"content-type", "application/grpc"}, {"te", "trailers"}};

std::string Frame(std::string_view message, bool compressed = false) {
  std::string frame(1, compressed ? '\1' : '\0');
  for (int shift = 24; shift >= 0; shift -= 8) frame.push_back(static_cast<char>(message.size() >> shift));
  return frame.append(message);
}

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

std::string Wrap(const std::string& record) {
  std::string scope, resource, body;
  protozero::pbf_writer(scope).add_message(2, record);
  protozero::pbf_writer(resource).add_message(2, scope);
  protozero::pbf_writer(body).add_message(1, resource);
  return body;
}
std::string Log(const std::string& text) {
  std::string any, record;
  protozero::pbf_writer(any).add_string(1, text);
  protozero::pbf_writer writer(record);
  writer.add_fixed64(1, kTime);
  writer.add_message(5, any);
  return Wrap(record);
}
std::string Span(bool ids) {
  std::string record;
  protozero::pbf_writer writer(record);
  if (ids) {
    writer.add_bytes(1, std::string(16, '\1'));
    writer.add_bytes(2, std::string(8, '\2'));
  }
  writer.add_string(5, "pay");
  writer.add_fixed64(7, kTime);
  writer.add_fixed64(8, kTime + 1000);
  return Wrap(record);
}
std::string Gauge() {
  std::string point, gauge, metric;
  protozero::pbf_writer point_writer(point);
  point_writer.add_fixed64(3, kTime);
  point_writer.add_double(4, 21.5);
  protozero::pbf_writer(gauge).add_message(1, point);
  protozero::pbf_writer metric_writer(metric);
  metric_writer.add_string(1, "temp");
  metric_writer.add_message(5, gauge);
  return Wrap(metric);
}

class GrpcTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "braid_grpc_test_" + std::to_string(::getpid());
    std::filesystem::remove_all(path_);
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto db = DB::Open(options, path_);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    options_.http.listen = {"127.0.0.1:0"};
    options_.http.also_listen = {{"127.0.0.1:0", http::Speaks::kHttp2, "OTLP/gRPC", true}};
  }
  void Start() {
    auto server = Server::Start(options_, db_.get());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    http_ = server_->addresses().at(0);
    const std::string also = server_->also_addresses().at(0);
    EXPECT_THAT(also, HasSubstr(" (OTLP/gRPC)"));
    grpc_ = also.substr(0, also.find(' '));
  }
  void TearDown() override {
    server_.reset();
    db_.reset();
    std::filesystem::remove_all(path_);
  }

  std::string path_, http_, grpc_;
  ServerOptions options_;
  std::unique_ptr<DB> db_;
  std::unique_ptr<Server> server_;
};

TEST_F(GrpcTest, ThreeSignalsOnOneConnection) {
  Start();
  Http2Client client(grpc_);
  const int32_t logs = client.Post(kLogs, kGrpc, Frame(Log("plain")));
  const int32_t traces = client.Post(kTraces, kGrpc, Frame(Span(true)));
  const int32_t metrics = client.Post(kMetrics, kGrpc, Frame(Gauge()));
  for (const int32_t id : {logs, traces, metrics}) {
    const Http2Client::Answer answer = client.Await(id);
    EXPECT_EQ(answer.Header(":status"), "200");
    EXPECT_EQ(answer.Header("content-type"), "application/grpc");
    EXPECT_EQ(answer.headers.back(), (std::pair<std::string, std::string>("grpc-status", "0")));  // a trailer
    EXPECT_EQ(answer.body, std::string(5, '\0'));  // an empty response: no partial success
  }
  Headers gzip = kGrpc;
  gzip.emplace_back("grpc-encoding", "gzip");
  EXPECT_EQ(client.Call(kLogs, gzip, Frame(Gzip(Log("squeezed")), true)).Header("grpc-status"), "0");
  EXPECT_EQ(client.Call(kLogs, gzip, Frame(Log("not this one"))).Header("grpc-status"), "0");
  const DBStats stats = db_->Stats();
  EXPECT_EQ(stats.logs, 3u);
  EXPECT_EQ(stats.spans, 1u);
  EXPECT_EQ(stats.samples, 1u);
}

TEST_F(GrpcTest, PartialSuccess) {
  Start();
  Http2Client client(grpc_);
  const Http2Client::Answer answer = client.Call(kTraces, kGrpc, Frame(Span(false)));
  EXPECT_EQ(answer.Header("grpc-status"), "0");
  ASSERT_GT(answer.body.size(), 5u);
  protozero::pbf_reader response(answer.body.data() + 5, answer.body.size() - 5);
  ASSERT_TRUE(response.next(1));
  protozero::pbf_reader partial = response.get_message();
  ASSERT_TRUE(partial.next(1));
  EXPECT_EQ(partial.get_int64(), 1);
  ASSERT_TRUE(partial.next(2));
  EXPECT_THAT(partial.get_string(), HasSubstr("resourceSpans[0].scopeSpans[0].spans[0]"));
}

TEST_F(GrpcTest, HowCallsFail) {
  Start();
  Http2Client client(grpc_);
  const auto fails = [&](const char* path, const Headers& headers, std::string body) {
    const Http2Client::Answer answer = client.Call(path, headers, std::move(body));
    return answer.Header(":status") + " " + answer.Header("grpc-status") + " " + answer.Header("grpc-message");
  };
  EXPECT_THAT(fails(kLogs, kGrpc, Frame("\x0a\xff")), StartsWith("200 3 "));
  EXPECT_THAT(fails(kLogs, kGrpc, "abc"), StartsWith("200 13 "));
  EXPECT_THAT(fails(kLogs, kGrpc, Frame(Log("a")) + Frame(Log("b"))), StartsWith("200 13 "));
  EXPECT_THAT(fails(kLogs, kGrpc, Frame("x", true)), AllOf(StartsWith("200 13 "), HasSubstr("grpc-encoding")));
  Headers lzma = kGrpc;
  lzma.emplace_back("grpc-encoding", "lzma");
  EXPECT_THAT(fails(kLogs, lzma, Frame("x", true)), StartsWith("200 12 "));
  EXPECT_EQ(client.Call(kLogs, lzma, Frame("x", true)).Header("grpc-accept-encoding"), "identity,gzip,deflate,zstd");
  EXPECT_THAT(fails("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export", kGrpc, Frame("")),
              AllOf(StartsWith("200 12 "), HasSubstr("MetricsService")));
  EXPECT_THAT(fails(kLogs, {{"content-type", "application/json"}}, "{}"), StartsWith("415  "));
  EXPECT_EQ(db_->Stats().logs, 0u);
  // The connection has outlived all of it.
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("a"))).Header("grpc-status"), "0");
}

TEST_F(GrpcTest, WrongVersionIsToldTheRightPort) {
  Start();
  const std::string http = http_, grpc = grpc_;
  Http2Client client(http);
  const Http2Client::Answer answer = client.Call(kLogs, kGrpc, Frame(Log("a")));
  EXPECT_EQ(answer.Header("grpc-status"), "12");
  EXPECT_THAT(answer.Header("grpc-message"), AllOf(HasSubstr(grpc), HasSubstr("http/protobuf")));
  RawClient raw(grpc);
  raw.Send("POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_THAT(raw.ReadToEnd(), AllOf(StartsWith("HTTP/1.1 421 "), HasSubstr("http://" + http), HasSubstr("grpc")));
  EXPECT_EQ(db_->Stats().logs, 0u);
}

// What is refused with UNAVAILABLE carries a RetryInfo, in google.rpc.Status.
TEST_F(GrpcTest, TooManyBodiesAreToldToComeBack) {
  options_.http.bodies_bytes_max = 1000;
  Start();
  Http2Client client(grpc_);
  const Http2Client::Answer answer = client.Call(kLogs, kGrpc, Frame(Log(std::string(2000, 'a'))));
  EXPECT_EQ(answer.Header("grpc-status"), "14");
  // "Cg4SDA..." is checked by hand: base64 of {1: 14, 2: text, 3: Any of RetryInfo}.
  EXPECT_THAT(answer.Header("grpc-status-details-bin"), StartsWith("CA4S"));
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("small"))).Header("grpc-status"), "0");
}

TEST_F(GrpcTest, Limits) {
  options_.http.body_bytes_max = 10'000;
  options_.http.read_timeout = 300 * kMillisecond;
  options_.http.header_timeout = 300 * kMillisecond;
  options_.http.http2_idle_timeout = 500 * kMillisecond;
  Start();
  Http2Client client(grpc_);
  const Http2Client::Answer large = client.Call(kLogs, kGrpc, Frame(Log(std::string(20'000, 'a'))));
  EXPECT_EQ(large.Header("grpc-status"), "8");
  EXPECT_EQ(large.Header("grpc-status-details-bin"), "");  // trying again would not help
  Headers heavy = kGrpc;
  for (int i = 0; i < 20; ++i) heavy.emplace_back("x-" + std::to_string(i), std::string(3000, 'h'));
  EXPECT_EQ(client.Call(kLogs, heavy, Frame(Log("a"))).Header("grpc-status"), "8");
  // A call whose message does not come on; others of the connection go on meanwhile.
  const int32_t slow = client.Post(kLogs, kGrpc, Frame(Log("never whole")), 3);
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("quick"))).Header("grpc-status"), "0");
  EXPECT_EQ(client.Await(slow).Header("grpc-status"), "4");
  EXPECT_EQ(db_->Stats().logs, 1u);
  EXPECT_TRUE(client.AwaitEnd());  // idle: the server says that it goes
}

TEST_F(GrpcTest, WhoMayComeIn) {
  options_.http.access.token = "a-token-of-some-length";
  Start();
  Http2Client client(grpc_);
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("a"))).Header("grpc-status"), "16");
  Headers known = kGrpc;
  known.emplace_back("authorization", "Bearer a-token-of-some-length");
  EXPECT_EQ(client.Call(kLogs, known, Frame(Log("a"))).Header("grpc-status"), "0");
}

TEST_F(GrpcTest, ForeignHostsAreRefused) {
  Start();
  Http2Client client(grpc_);
  client.set_authority("rebound.example.org:4317");
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("a"))).Header("grpc-status"), "7");
}

TEST_F(GrpcTest, BytesThatAreNoHttp2) {
  Start();
  RawClient raw(grpc_);
  raw.Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string(200, '\xff'));
  raw.ReadToEnd();  // ends
  Http2Client client(grpc_);
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("a"))).Header("grpc-status"), "0");
}

TEST_F(GrpcTest, StopFinishesWhatIsInFlight) {
  Start();
  Http2Client client(grpc_);
  EXPECT_EQ(client.Call(kLogs, kGrpc, Frame(Log("a"))).Header("grpc-status"), "0");
  server_->Stop(5 * kSecond);
  EXPECT_TRUE(client.AwaitEnd());
}

TEST_F(GrpcTest, AStoreThatDoesNotWriteAnyMoreAsksToRetry) {
  Start();
  ASSERT_TRUE(db_->Close().ok());
  Http2Client client(grpc_);
  const Http2Client::Answer answer = client.Call(kLogs, kGrpc, Frame(Log("a")));
  EXPECT_EQ(answer.Header("grpc-status"), "14");
  EXPECT_THAT(answer.Header("grpc-status-details-bin"), StartsWith("CA4S"));
}

}  // namespace
}  // namespace braid::server
