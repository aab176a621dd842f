// Captured outputs: lines, pass-through, delivery to a store that comes and goes, processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "server/ingest/otlp_protobuf.h"
#include "tests/ingest/batch_text.h"
#include "tools/capture/captured_stream.h"
#include "tools/capture/child_process.h"
#include "tools/capture/otlp_logs.h"

namespace braid {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

TEST(LineSplitter, BytesInAnyPieces) {
  const std::string text = "a\n\nbc\nlong" + std::string(LineSplitter::kLineBytesMax, 'x') + "y\nend";
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{4096}, text.size()}) {
    LineSplitter splitter;
    std::vector<std::string> lines;
    size_t bytes = 0;
    const auto take = [&](std::string_view line, size_t taken) {
      lines.emplace_back(line);
      bytes += taken;
    };
    for (size_t at = 0; at < text.size(); at += piece) splitter.Feed(std::string_view(text).substr(at, piece), take);
    EXPECT_EQ(splitter.begun_bytes(), 3u);
    splitter.End(take);
    ASSERT_EQ(lines.size(), 6u) << piece;
    EXPECT_THAT(lines[2], "bc");
    EXPECT_EQ(lines[3].size(), LineSplitter::kLineBytesMax);
    EXPECT_EQ(lines[4], "xxxxy");
    EXPECT_EQ(lines[5], "end");
    EXPECT_EQ(bytes, text.size());
  }
}

// What the encoder writes is read by the decoder of the server.
TEST(OtlpLogs, EveryFieldArrives) {
  const AttributeView resource[] = {{"replica", int64_t{3}}, {"service.name", std::string_view("web")}};
  const AttributeView attributes[] = {{"b", true}, {"d", 0.5}, {"i", int64_t{-7}}, {"s", std::string_view("text")}};
  LogRecord record;
  record.time = 1'700'000'000'000'000'001;
  record.observed_time = 1'700'000'000'000'000'002;
  record.severity_number = 17;
  record.severity_text = "ERR";
  record.message = "it broke";
  record.event_name = "event";
  record.trace_id = {0x0102030405060708, 0x090a0b0c0d0e0f10};
  record.span_id = {0xf1f2f3f4f5f6f7f8};
  record.flags = 1;
  record.dropped_attributes = 2;
  record.attributes = attributes;
  OtlpLogs logs;
  logs.Add(resource, record);
  logs.Add(resource, record);
  logs.Add({}, LogRecord());
  EXPECT_EQ(logs.records(), 3u);
  WriteBatch batch;
  ingest::IngestReport report;
  ASSERT_TRUE(ingest::DecodeOtlpProtobuf(ingest::OtlpSignal::kLogs, logs.Take(), 5, &batch, &report).ok());
  const auto lines = BatchText(batch);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], lines[2]);
  EXPECT_EQ(
      lines[2],
      "log {replica=int:3 service.name=web |  } @1700000000000000001 observed=1700000000000000002 17/ERR 'it broke' "
      "event=event trace=0102030405060708090a0b0c0d0e0f10 span=f1f2f3f4f5f6f7f8 flags=1 dropped=2 "
      "[b=bool:true d=double:0.5 i=int:-7 s=text]");
  EXPECT_EQ(logs.records(), 0u);
  EXPECT_EQ(logs.Take(), "");
}

Parcel Counted(uint64_t records, std::vector<uint64_t>* sent, std::atomic<bool>* available, std::mutex* mutex) {
  return {records, 100, [=]() -> absl::Status {
            if (!*available) return absl::UnavailableError("away");
            const std::lock_guard<std::mutex> lock(*mutex);
            sent->push_back(records);
            return records == 7 ? absl::InvalidArgumentError("no sevens") : absl::OkStatus();
          }};
}

TEST(Delivery, KeepsInOrderWhatIsNewestWhileTheStoreIsAway) {
  std::vector<uint64_t> sent;
  std::atomic<bool> available = false;
  std::mutex mutex;
  std::atomic<int> notes = 0;
  DeliveryOptions options;
  options.bytes_max = 500;
  options.retry_max = 100 * kMillisecond;
  options.note = [&](const std::string&) { ++notes; };
  Delivery delivery(options);
  delivery.Put(Counted(1, &sent, &available, &mutex));
  while (notes == 0) std::this_thread::yield();  // away
  for (uint64_t records = 2; records <= 10; ++records) delivery.Put(Counted(records, &sent, &available, &mutex));
  EXPECT_EQ(delivery.counts().waiting + delivery.counts().dropped, 55u);
  available = true;
  const DeliveryCounts counts = delivery.Close(30 * kSecond);
  EXPECT_EQ(counts.waiting, 0u);
  EXPECT_EQ(counts.delivered + counts.dropped + counts.rejected, 55u);
  // At most five fit; the one that may be under way is kept besides the newest.
  EXPECT_GE(counts.dropped, 2u + 3 + 4 + 5);
  EXPECT_EQ(counts.rejected, 7u);
  EXPECT_TRUE(std::is_sorted(sent.begin(), sent.end()));
  EXPECT_THAT(sent, AllOf(Contains(7u), Contains(8u), Contains(9u), Contains(10u)));
}

TEST(Delivery, CloseDoesNotWaitForEver) {
  std::vector<uint64_t> sent;
  std::atomic<bool> available = false;
  std::mutex mutex;
  Delivery delivery(DeliveryOptions{});
  delivery.Put(Counted(3, &sent, &available, &mutex));
  const DeliveryCounts counts = delivery.Close(50 * kMillisecond);
  EXPECT_EQ(counts.waiting, 3u);
  EXPECT_EQ(counts.last_error, "away");
}

TEST(CapturedStream, PassesThroughAndReads) {
  int in[2], out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  std::string body;
  auto outlet = LogOutlet::ToServer(
      [&](const std::string& sent) {
        body += sent;
        return absl::OkStatus();
      },
      DeliveryOptions{});
  ingest::LogLinesOptions lines;
  lines.service = "web";
  CapturedStream stream(in[0], out[1], lines, outlet.get());
  const std::string text = "\x1b[31mone\x1b[0m\n\x01\xff{\"msg\":\"two\"}\nthree";
  ASSERT_EQ(write(in[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  close(in[1]);
  const Timestamp now = 1'700'000'000 * kSecond;
  while (stream.Read(now)) {
  }
  stream.End(now);
  EXPECT_EQ(outlet->Close(30 * kSecond).delivered, 3u);
  char echo[100];
  EXPECT_EQ(std::string(echo, static_cast<size_t>(read(out[0], echo, sizeof echo))), text);
  WriteBatch batch;
  ingest::IngestReport report;
  ASSERT_TRUE(ingest::DecodeOtlpProtobuf(ingest::OtlpSignal::kLogs, body, 5, &batch, &report).ok());
  EXPECT_THAT(BatchText(batch), ElementsAre(HasSubstr("'one'"), HasSubstr("{\"msg\":\"two\"}'"), HasSubstr("'three'")));
  for (const int fd : {in[0], out[0], out[1]}) close(fd);
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[100];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(got));
  close(fd);
  return text;
}

TEST(ChildProcess, OutputsEnvironmentAndErrors) {
  setenv("BRAID_TEST_KEPT", "kept", 1);
  setenv("BRAID_TEST_REPLACED", "old", 1);
  auto child = ChildProcess::Start({"sh", "-c", "echo out $BRAID_TEST_KEPT $BRAID_TEST_REPLACED; echo err >&2; exit 7"},
                                   {{"BRAID_TEST_REPLACED", "new"}}, {});
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(ReadAll(child->stdout_fd), "out kept new\n");
  EXPECT_EQ(ReadAll(child->stderr_fd), "err\n");
  int status = 0;
  waitpid(child->pid, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  child = ChildProcess::Start({"no-such-program-at-all"}, {}, {});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("no-such-program-at-all"));
  EXPECT_EQ(ChildProcess::Start({"/"}, {}, {}).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST(ChildProcess, GetsTheDescriptorsItIsMeantToHave) {
  const std::vector<int> before = OpenDescriptors();
  const int listener = socket(AF_INET, SOCK_STREAM, 0), wanted = dup(STDIN_FILENO);
  const std::vector<int> after = OpenDescriptors();
  EXPECT_EQ(after.size(), before.size() + 2);
  std::vector<int> inherited = before;
  inherited.push_back(wanted);
  std::sort(inherited.begin(), inherited.end());
  auto child = ChildProcess::Start({"sh", "-c", "cd /proc/self/fd; for f in *; do echo \"$f $(readlink $f)\"; done"},
                                   {}, inherited);
  ASSERT_TRUE(child.ok());
  const std::string seen = ReadAll(child->stdout_fd);
  close(child->stderr_fd);
  waitpid(child->pid, nullptr, 0);
  EXPECT_THAT(seen, AllOf(testing::Not(HasSubstr("socket:")), HasSubstr("\n" + std::to_string(wanted) + " ")));
  close(listener);
  close(wanted);
}

TEST(ListeningAddresses, OfThisProcess) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string expected = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  EXPECT_THAT(ListeningAddresses(getpid()), testing::Not(Contains(expected)));
  ASSERT_EQ(listen(listener, 1), 0);
  EXPECT_THAT(ListeningAddresses(getpid()), Contains(expected));
  EXPECT_THAT(ListeningAddresses(getppid()), Contains(expected));  // it is our tree's root
  close(listener);
}

TEST(RandomUuid, IsOneEachTime) {
  const std::string uuid = RandomUuid();
  EXPECT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(uuid, RandomUuid());
}

}  // namespace
}  // namespace braid
