// The server over real sockets: framing, limits, refusals, lanes, streaming, stopping.
#include "server/http/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "tests/http/raw_client.h"

namespace braid::http {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// A gate that handlers wait at until the test opens it.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    wake_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    wake_.notify_all();
    wake_.wait(lock, [this] { return open_; });
  }
  void AwaitWaiter() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool open_ = false;
  int waiting_ = 0;
};

class HttpServerTest : public testing::Test {
 protected:
  ServerOptions Options() {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.fast_threads = 2;
    options.slow_threads = 1;
    return options;
  }

  void Start(const ServerOptions& options) {
    auto server = Server::Start(
        options, [this](const Request& request) { return Handle(request); },
        [](const Request& request) { return request.path.starts_with("/slow") ? Lane::kSlow : Lane::kFast; });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    address_ = server_->addresses().at(0);
  }

  Response Handle(const Request& request) {
    Response response;
    if (request.path == "/slow/gate") {
      gate_.Wait();
      response.body = "opened";
    } else if (request.path == "/slow/cancel") {
      while (!*request.cancelled) std::this_thread::yield();
      cancelled_.Open();
    } else if (request.path == "/stream") {
      response.body = "0;";
      response.stream = [n = 0](std::string* piece) mutable {
        *piece = std::to_string(++n) + ";";
        return n < 3;
      };
    } else if (request.path == "/throw") {
      throw std::runtime_error("boom");
    } else {
      response.body = request.method + " " + request.path + " ";
      for (const auto& [name, value] : request.query) response.body += name + "=" + value + " ";
      response.body += std::to_string(request.body.size()) + ":" + request.body.substr(0, 100);
    }
    return response;
  }

  std::string Once(const std::string& bytes) {
    RawClient client(address_);
    client.Send(bytes);
    return client.ReadAnswer();
  }

  Gate gate_, cancelled_;
  std::string address_;
  std::unique_ptr<Server> server_;
};

constexpr const char* kHost = "Host: localhost\r\n";

TEST_F(HttpServerTest, KeepAliveAndPipelining) {
  Start(Options());
  RawClient client(address_);
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests +=
        "POST /p" + std::to_string(i) + "?a=1&b=x%20y+z HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc";
  }
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 50; ++i) {
    const std::string answer = client.ReadAnswer();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nPOST /p" + std::to_string(i) + " a=1 b=x y z 3:abc"));
  }
  ASSERT_TRUE(client.Send(std::string("GET /last HTTP/1.1\r\nConnection: close\r\n") + kHost + "\r\n"));
  EXPECT_THAT(client.ReadToEnd(), EndsWith("GET /last 0:"));
  EXPECT_EQ(server_->stats().connections_total, 1u);
  EXPECT_EQ(server_->stats().requests_total, 51u);
}

TEST_F(HttpServerTest, ByteByByteAndChunked) {
  Start(Options());
  RawClient client(address_);
  const std::string request = std::string("POST /c HTTP/1.1\r\n") + kHost +
                              "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nTrailer: 1\r\n\r\n";
  for (char c : request + request) ASSERT_TRUE(client.Send(std::string_view(&c, 1)));
  EXPECT_THAT(client.ReadAnswer(), EndsWith("POST /c 6:hello!"));
  EXPECT_THAT(client.ReadAnswer(), EndsWith("POST /c 6:hello!"));
}

TEST_F(HttpServerTest, Http10HeadExpectAndLargeBody) {
  Start(Options());
  RawClient old(address_);
  old.Send("GET /old HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), EndsWith("GET /old 0:"));

  const std::string head = Once(std::string("HEAD /h HTTP/1.1\r\n") + kHost + "Connection: close\r\n\r\n").c_str();
  EXPECT_THAT(head, HasSubstr("Content-Length: 10\r\n"));
  EXPECT_THAT(head, EndsWith("\r\n\r\n"));

  RawClient client(address_);
  client.Send(std::string("POST /e HTTP/1.1\r\n") + kHost + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue\r\n\r\n"));
  client.ReadAnswer();
  client.Send("ok");
  EXPECT_THAT(client.ReadAnswer(), EndsWith("POST /e 2:ok"));

  const std::string body(8 << 20, 'b');
  EXPECT_THAT(Once(std::string("POST /l HTTP/1.1\r\n") + kHost + "Content-Length: " + std::to_string(body.size()) +
                   "\r\n\r\n" + body),
              HasSubstr("POST /l 8388608:bbbb"));
}

TEST_F(HttpServerTest, RefusesWhatCouldBeReadTwoWays) {
  Start(Options());
  const std::string post = std::string("POST / HTTP/1.1\r\n") + kHost;
  const struct {
    std::string request;
    const char* status;
  } cases[] = {
      {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
      {post + "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc", "400"},
      {post + "Content-Length: 3, 3\r\n\r\nabc", "400"},
      {post + "Content-Length: +3\r\n\r\nabc", "400"},
      {post + "Content-Length: 0x3\r\n\r\nabc", "400"},
      {post + "Content-Length: 99999999999999999999\r\n\r\n", "400"},
      {post + "Content-Length: -1\r\n\r\n", "400"},
      {post + "Content-Length : 3\r\n\r\nabc", "400"},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n", "501"},
      {post + "Transfer-Encoding: xchunked\r\n\r\n", "501"},
      {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n", "400"},
      {post + "X: a\r\n b\r\n\r\n", "400"},
      {post + "X: a\rY: b\r\n\r\n", "400"},
      {"GET / HTTP/1.1\nHost: localhost\n\n", "400"},
      {post + std::string("X: a\0b\r\n\r\n", 10), "400"},
      {post + "X: a\x01\r\n\r\n", "400"},
      {post + "no colon\r\n\r\n", "400"},
      {post + ": empty\r\n\r\n", "400"},
      {post + "Host: localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"G\xc3T / HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.2\r\nHost: localhost\r\n\r\n", "505"},
      {"\x16\x03\x01\x02", "400"},
      {post + "Expect: something\r\n\r\n", "417"},
      {post + "X: " + std::string(40'000, 'x') + "\r\n\r\n", "431"},
      {"GET /" + std::string(40'000, 'x'), "431"},
      {post + "Content-Length: 40000000\r\n\r\n", "413"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(Once(c.request), StartsWith(std::string("HTTP/1.1 ") + c.status + " ")) << c.request.substr(0, 200);
  }
  EXPECT_EQ(server_->stats().requests_total, 0u);
  EXPECT_EQ(server_->stats().body_bytes, 0u);
}

TEST_F(HttpServerTest, ChunkedBodyBeyondTheLimit) {
  ServerOptions options = Options();
  options.body_bytes_max = 1000;
  Start(options);
  std::string request = std::string("POST / HTTP/1.1\r\n") + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) request += "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_THAT(Once(request), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, HostsAndOrigins) {
  ServerOptions options = Options();
  options.access.hosts = {"braid.test"};
  options.access.origins = {"https://app.test"};
  Start(options);
  const auto ask = [&](const std::string& host, const std::string& origin) {
    return Once("GET /x HTTP/1.1\r\nHost: " + host + "\r\n" + (origin.empty() ? "" : "Origin: " + origin + "\r\n") +
                "\r\n");
  };
  for (const char* host :
       {"localhost", "LOCALHOST:4318", "127.0.0.1:1", "127.9.8.7", "[::1]", "[::1]:4318", "braid.test:80"}) {
    EXPECT_THAT(ask(host, ""), StartsWith("HTTP/1.1 200 ")) << host;
  }
  for (const char* host : {"evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "127.1", "0.0.0.0", "[::2]",
                           "localhost:80x", "[::1]x", "", "["}) {
    EXPECT_THAT(ask(host, ""), Not(StartsWith("HTTP/1.1 200 "))) << host;
  }
  for (const char* origin : {"http://localhost:3000", "https://127.0.0.1", "http://[::1]:5173", "https://app.test"}) {
    EXPECT_THAT(ask("localhost", origin), HasSubstr(std::string("Access-Control-Allow-Origin: ") + origin)) << origin;
  }
  for (const char* origin : {"http://evil.test", "null", "http://localhost.evil.test", "file://", "http://app.test"}) {
    const std::string answer = ask("localhost", origin);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 403 ")) << origin;
    EXPECT_THAT(answer, Not(HasSubstr("Access-Control"))) << origin;
  }
  const std::string preflight = Once(
      "OPTIONS /v1/traces HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\n"
      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-a\r\n\r\n");
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Headers: content-type,x-a\r\n"));
}

TEST_F(HttpServerTest, Token) {
  ServerOptions options = Options();
  options.access.token = "s3cret";
  Start(options);
  EXPECT_THAT(Once("GET / HTTP/1.1\r\nHost: any.test\r\n\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Once("GET / HTTP/1.1\r\nHost: any.test\r\nAuthorization: Bearer s3creT\r\n\r\n"),
              StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Once("GET / HTTP/1.1\r\nHost: any.test\r\nAuthorization: Bearer \r\n\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(Once("GET / HTTP/1.1\r\nHost: any.test\r\nAuthorization: bearer s3cret\r\n\r\n"),
              StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, AddressesThatAreRefused) {
  const auto start = [](std::vector<std::string> listen, bool remote, std::string token) {
    ServerOptions options;
    options.listen = std::move(listen);
    options.insecure_allow_remote = remote;
    options.access.token = std::move(token);
    return Server::Start(
               options, [](const Request&) { return Response(); }, [](const Request&) { return Lane::kFast; })
        .status()
        .code();
  };
  EXPECT_EQ(start({"0.0.0.0:0"}, false, ""), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(start({"0.0.0.0:0"}, true, ""), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(start({"0.0.0.0:0"}, false, "t"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(start({"[::]:0"}, false, ""), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(start({"example.org:80"}, false, ""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start({"127.0.0.1"}, false, ""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start({}, false, ""), absl::StatusCode::kInvalidArgument);
  Start(Options());
  EXPECT_EQ(start({address_}, false, ""), absl::StatusCode::kFailedPrecondition);
}

TEST_F(HttpServerTest, SlowHandlersDoNotBlockFastOnes) {
  Start(Options());
  RawClient slow(address_);
  slow.Send(std::string("GET /slow/gate HTTP/1.1\r\n") + kHost + "\r\n");
  gate_.AwaitWaiter();
  EXPECT_THAT(Once(std::string("GET /fast HTTP/1.1\r\n") + kHost + "\r\n"), EndsWith("GET /fast 0:"));
  gate_.Open();
  EXPECT_THAT(slow.ReadAnswer(), EndsWith("opened"));
}

TEST_F(HttpServerTest, ClientThatLeavesCancels) {
  Start(Options());
  RawClient client(address_);
  client.Send(std::string("GET /slow/cancel HTTP/1.1\r\n") + kHost + "\r\n");
  client.Close();
  cancelled_.Wait();  // the test ends only if the flag was seen
}

TEST_F(HttpServerTest, StreamsAndErrors) {
  Start(Options());
  RawClient client(address_);
  client.Send(std::string("GET /stream HTTP/1.1\r\n") + kHost + "\r\n");
  const std::string answer = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n2\r\n0;\r\n2\r\n1;\r\n2\r\n2;\r\n2\r\n3;\r\n0\r\n\r\n"));
  RawClient old(address_);
  old.Send("GET /stream HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), EndsWith("\r\n\r\n0;1;2;3;"));
  EXPECT_THAT(Once(std::string("GET /throw HTTP/1.1\r\n") + kHost + "\r\n"), StartsWith("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, SlowClientsAreCutOff) {
  ServerOptions options = Options();
  options.header_timeout = 50 * kMillisecond;
  options.read_timeout = 50 * kMillisecond;
  Start(options);
  RawClient head(address_);
  head.Send("GET / HT");
  EXPECT_THAT(head.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  RawClient body(address_);
  body.Send(std::string("POST / HTTP/1.1\r\n") + kHost + "Content-Length: 10\r\n\r\nabc");
  EXPECT_THAT(body.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  RawClient silent(address_);
  EXPECT_EQ(silent.ReadToEnd(), "");
}

TEST_F(HttpServerTest, TooManyConnections) {
  ServerOptions options = Options();
  options.connections_max = 2;
  Start(options);
  RawClient one(address_), two(address_);
  for (RawClient* client : {&one, &two}) {
    client->Send(std::string("GET / HTTP/1.1\r\n") + kHost + "\r\n");
    EXPECT_THAT(client->ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  }
  EXPECT_THAT(Once(""), StartsWith("HTTP/1.1 503 "));
  one.Send(std::string("GET / HTTP/1.1\r\n") + kHost + "\r\n");
  EXPECT_THAT(one.ReadAnswer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, StopFinishesRequestsInFlight) {
  Start(Options());
  RawClient idle(address_), busy(address_);
  idle.Send(std::string("GET / HTTP/1.1\r\n") + kHost + "\r\n");
  idle.ReadAnswer();
  busy.Send(std::string("GET /slow/gate HTTP/1.1\r\n") + kHost + "\r\n");
  gate_.AwaitWaiter();
  std::thread stopper([this] { server_->Stop(60 * kSecond); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  gate_.Open();
  const std::string answer = busy.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("opened"));
  stopper.join();
  EXPECT_FALSE(RawClient(address_).connected());
}

TEST_F(HttpServerTest, ManyClientsAtOnce) {
  Start(Options());
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      RawClient client(address_);
      for (int i = 0; i < 100; ++i) {
        const std::string body(static_cast<size_t>(i * 37), static_cast<char>('a' + t));
        client.Send(std::string("POST /m HTTP/1.1\r\n") + kHost + "Content-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
        const std::string answer = client.ReadAnswer();
        if (answer.ends_with("POST /m " + std::to_string(body.size()) + ":" + body.substr(0, 100))) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
}

TEST(RequestHeadTest, DamagedHeadsAreReadOrRefused) {
  const std::string seed =
      "POST /a%20b?x=1&y=%41 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\nConnection: close\r\n\r\n";
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = seed;
    for (int i = static_cast<int>(random() % 3); i >= 0; --i) {
      const size_t at = random() % bytes.size();
      if (random() % 3 == 0) {
        bytes.erase(at, random() % 5);
      } else if (random() % 2 == 0) {
        bytes[at] = static_cast<char>(random());
      } else {
        bytes.insert(at, 1, " \t\r\n:%\0,;"[random() % 9]);
      }
    }
    size_t checked = 0;
    std::optional<Refusal> refusal;
    const size_t size = FindHeadEnd(bytes, &checked, &refusal);
    if (refusal || size == std::string::npos) continue;
    RequestHead head;
    if (ParseRequestHead(std::string_view(bytes).substr(0, size), &head)) continue;
    ++accepted;
    ASSERT_FALSE(head.chunked && head.content_length.has_value());
    for (const Header& header : head.request.headers) {
      ASSERT_EQ(header.name.find_first_of(" \t\r\n:"), std::string::npos);
      ASSERT_EQ(header.value.find_first_of("\r\n"), std::string::npos);
    }
  }
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace braid::http
