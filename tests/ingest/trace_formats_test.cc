// Jaeger's Thrift and Zipkin's JSON: bodies are written by hand with the encoders below, straight from the descriptions
// of the formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>

#include "server/ingest/jaeger_thrift.h"
#include "server/ingest/thrift_reader.h"
#include "server/ingest/zipkin_json.h"
#include "tests/ingest/batch_text.h"

namespace braid::ingest {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Timestamp kNow = 1'700'000'000 * kSecond;

// Writes either protocol. Fields must be written in ascending order of their ids.
class ThriftWriter {
 public:
  explicit ThriftWriter(bool compact) : compact_(compact) {}

  void Message(std::string_view name) {
    if (compact_) {
      out_ += "\x82\x81";  // version 1, one-way
      out_ += '\0';
    } else {
      Fixed(0x80010004, 4);
    }
    Text(name);
    if (!compact_) Fixed(0, 4);
  }
  void Begin() { last_.push_back(0); }
  void End() {
    out_ += '\0';
    last_.pop_back();
  }
  void BeginStruct(int id) {
    Head(12, 12, id);
    Begin();
  }
  void List(int id, size_t size) {
    Head(15, 9, id);
    if (!compact_) {
      out_ += '\x0c';
      Fixed(size, 4);
    } else if (size < 15) {
      out_ += static_cast<char>(size << 4 | 12);
    } else {
      out_ += '\xfc';
      Varint(size);
    }
  }
  void String(int id, std::string_view text) {
    Head(11, 8, id);
    Text(text);
  }
  void I32(int id, int32_t value) {
    Head(8, 5, id);
    compact_ ? Varint(Zigzag(value)) : Fixed(static_cast<uint32_t>(value), 4);
  }
  void I64(int id, int64_t value) {
    Head(10, 6, id);
    compact_ ? Varint(Zigzag(value)) : Fixed(static_cast<uint64_t>(value), 8);
  }
  void Double(int id, double value) {
    Head(4, 7, id);
    const uint64_t bits = std::bit_cast<uint64_t>(value);
    for (int i = 0; i < 8; ++i) out_ += static_cast<char>(bits >> (compact_ ? 8 * i : 56 - 8 * i));
  }
  void Bool(int id, bool value) {
    Head(2, value ? 1 : 2, id);
    if (!compact_) out_ += static_cast<char>(value);
  }
  // A map i32 -> string, which no Jaeger struct has.
  void Map(int id) {
    Head(13, 11, id);
    if (compact_) {
      out_ += "\x01\x58";
      Varint(Zigzag(7));
    } else {
      out_ += "\x08\x0b";
      Fixed(1, 4);
      Fixed(7, 4);
    }
    Text("x");
  }
  const std::string& out() const { return out_; }

 private:
  static uint64_t Zigzag(int64_t value) {
    return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  }
  void Fixed(uint64_t value, int size) {
    for (int i = size - 1; i >= 0; --i) out_ += static_cast<char>(value >> 8 * i);
  }
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  void Text(std::string_view text) {
    compact_ ? Varint(text.size()) : Fixed(text.size(), 4);
    out_ += text;
  }
  void Head(int binary, int compact, int id) {
    if (!compact_) {
      out_ += static_cast<char>(binary);
      Fixed(static_cast<uint64_t>(id), 2);
    } else if (id - last_.back() >= 1 && id - last_.back() <= 15) {
      out_ += static_cast<char>((id - last_.back()) << 4 | compact);
    } else {
      out_ += static_cast<char>(compact);
      Varint(Zigzag(id));
    }
    last_.back() = id;
  }

  bool compact_;
  std::string out_;
  std::vector<int> last_;
};

void TextTag(ThriftWriter* w, std::string_view key, std::string_view value) {
  w->Begin();
  w->String(1, key);
  w->I32(2, 0);
  w->String(3, value);
  w->End();
}

// A span with everything, a root with nothing, and one that cannot be kept.
void WriteBatchStruct(ThriftWriter* w) {
  w->BeginStruct(1);  // process
  w->String(1, "shop");
  w->List(2, 2);
  TextTag(w, "hostname", "node-1");
  TextTag(w, "jaeger.version", "Go-2.30.0");
  w->End();
  w->List(2, 3);

  w->Begin();
  w->I64(1, -2);  // all but the last bit
  w->I64(2, 1);
  w->I64(3, INT64_MIN);
  w->I64(4, 5);
  w->String(5, "GET /cart");
  w->List(6, 3);
  {
    w->Begin();  // the parent over again
    w->I32(1, 0);
    w->I64(2, -2);
    w->I64(3, 1);
    w->I64(4, 5);
    w->End();
    w->Begin();
    w->I32(1, 1);
    w->I64(2, 9);
    w->I64(3, 8);
    w->I64(4, 7);
    w->End();
    w->Begin();
    w->I32(1, 0);
    w->I64(2, 3);
    w->I64(3, 0);
    w->I64(4, 4);
    w->End();
  }
  w->I32(7, 3);
  w->I64(8, 1'700'000'000'000'001);
  w->I64(9, 250);
  w->List(10, 17);
  TextTag(w, "span.kind", "server");
  TextTag(w, "otel.status_code", "ERROR");
  TextTag(w, "otel.status_description", "no stock");
  TextTag(w, "otel.scope.name", "shop.cart");
  TextTag(w, "otel.scope.version", "1.2");
  TextTag(w, "otel.library.name", "shop.cart");
  TextTag(w, "telemetry.sdk.language", "python");
  TextTag(w, "service.name", "shop");
  TextTag(w, "w3c.tracestate", "a=b");
  const auto typed = [&](std::string_view key, int type) {
    w->Begin();
    w->String(1, key);
    w->I32(2, type);
  };
  typed("ratio", 1);
  w->Double(4, 0.5);
  w->End();
  typed("error", 2);
  w->Bool(5, true);
  w->End();
  typed("cached", 2);
  w->Bool(5, false);
  w->End();
  typed("rows", 3);
  w->I64(6, -3);
  w->End();
  typed("raw", 4);
  w->String(7, std::string_view("\0\xff", 2));
  w->End();
  typed("nothing", 0);
  w->End();
  typed("otel.dropped_links_count", 3);
  w->I64(6, 4);
  w->End();
  typed("strange", 0);
  w->String(3, "x");
  w->Bool(5, true);
  w->I64(20, 1);  // fields of a later version
  w->Map(40);
  w->End();
  w->List(11, 2);
  w->Begin();
  w->I64(1, 1'700'000'000'000'002);
  w->List(2, 2);
  TextTag(w, "message", "cache-miss");
  TextTag(w, "key", "k1");
  w->End();
  w->Begin();
  w->I64(1, 1'700'000'000'000'003);
  w->List(2, 2);
  TextTag(w, "event", "exception");
  TextTag(w, "message", "out of stock");
  w->End();
  w->End();

  w->Begin();
  w->I64(1, 1);
  w->I64(2, 0);
  w->I64(3, 2);
  w->I64(4, 0);
  w->String(5, "root");
  w->I32(7, 1);
  w->I64(8, 1);
  w->I64(9, 2);
  w->End();

  w->Begin();
  w->String(5, "without ids");
  w->End();
}

std::string JaegerMessage(bool compact) {
  ThriftWriter w(compact);
  w.Message("emitBatch");
  w.Begin();
  w.BeginStruct(1);
  WriteBatchStruct(&w);
  w.End();
  w.End();
  return w.out();
}

std::string JaegerBody(bool compact) {
  ThriftWriter w(compact);
  w.Begin();
  WriteBatchStruct(&w);
  w.End();
  return w.out();
}

TEST(JaegerThrift, BothProtocolsAndBothFrames) {
  for (const std::string& bytes : {JaegerMessage(true), JaegerMessage(false), JaegerBody(true), JaegerBody(false)}) {
    WriteBatch batch;
    IngestReport report;
    ASSERT_TRUE(DecodeJaegerThrift(bytes, &batch, &report).ok());
    EXPECT_EQ(report.accepted, 2u);
    EXPECT_EQ(report.Summary(), "1 rejected; spans[2]: the trace id is missing, zero or not hex");
    const auto lines = BatchText(batch);
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_THAT(
        lines[0],
        AllOf(HasSubstr("host.name=node-1 "), HasSubstr("jaeger.version=Go-2.30.0 "), HasSubstr("service.name=shop "),
              HasSubstr("telemetry.sdk.language=python "), HasSubstr("| shop.cart 1.2}"),
              HasSubstr(" 0000000000000001fffffffffffffffe/8000000000000000 parent=0000000000000005 'GET /cart' "
                        "server 1700000000000001000..1700000000000251000 error:no stock state=a=b flags=1 "
                        "dropped=0,0,4 [ratio=double:0.5 cached=bool:false rows=int:-3 raw=AP8= nothing= "
                        "strange=x jaeger.debug=bool:true] "
                        "event 'cache-miss' @1700000000000002000 dropped=0 [key=k1] "
                        "event 'exception' @1700000000000003000 dropped=0 [message=out of stock] "
                        "link 00000000000000080000000000000009/0000000000000007 state= flags=0 dropped=0 [] "
                        "link 00000000000000000000000000000003/0000000000000004 state= flags=0 dropped=0 "
                        "[opentracing.ref_type=child_of]")));
    EXPECT_THAT(
        lines[1],
        AllOf(Not(HasSubstr("telemetry")), HasSubstr("|  }"),
              HasSubstr(" 00000000000000000000000000000001/0000000000000002 parent=0000000000000000 'root' unset "
                        "1000..3000 unset: state= flags=1 dropped=0,0,0 []")));
  }
}

TEST(JaegerThrift, ParentFromAReferenceAndTagsThatContradict) {
  ThriftWriter w(true);
  w.Begin();
  w.BeginStruct(1);
  w.String(1, "a");
  w.End();
  w.List(2, 1);
  w.Begin();
  w.I64(1, 1);
  w.I64(3, 2);
  w.List(6, 1);
  w.Begin();
  w.I64(2, 1);
  w.I64(4, 77);
  w.End();
  w.List(10, 3);
  TextTag(&w, "service.name", "b");
  TextTag(&w, "otel.status_code", "OK");
  TextTag(&w, "error", "true");
  w.End();
  w.End();
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeJaegerThrift(w.out(), &batch, &report).ok());
  EXPECT_THAT(BatchText(batch),
              ElementsAre(AllOf(StartsWith("span {service.name=a |  }"), HasSubstr("parent=000000000000004d"),
                                HasSubstr(" ok: "), HasSubstr("[service.name=b error=true]"))));
}

TEST(JaegerThrift, RefusesWhatIsNoBatch) {
  ThriftWriter other(false);
  other.Message("emitZipkinBatch");
  other.Begin();
  other.End();
  for (const std::string& bytes :
       {std::string(), std::string("\x82"), std::string("\x00\x00", 2), std::string("{\"spans\":[]}"), other.out()}) {
    WriteBatch batch;
    IngestReport report;
    EXPECT_EQ(DecodeJaegerThrift(bytes, &batch, &report).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(batch.empty());
  }
}

TEST(JaegerThrift, HostileSizesAndNesting) {
  // A list that declares two thousand million spans; a string that declares four thousand million bytes.
  for (const std::string& bytes :
       {std::string("\x0f\x00\x02\x0c\x7f\xff\xff\xff", 8), std::string("\x29\xfc\xff\xff\xff\xff\x07", 7),
        std::string("\x0c\x00\x01\x0b\x00\x01\xff\xff\xff\xff", 10),
        std::string("\x1c\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13)}) {
    WriteBatch batch;
    IngestReport report;
    EXPECT_EQ(DecodeJaegerThrift(bytes, &batch, &report).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(batch.empty());
  }
  WriteBatch batch;
  IngestReport report;
  EXPECT_THAT(DecodeJaegerThrift(std::string(1'000'000, '\x1c'), &batch, &report).ToString(),
              HasSubstr("nested too deep"));
  EXPECT_THAT(DecodeJaegerThrift("\x19" + std::string(1'000'000, '\x19'), &batch, &report).ToString(),
              HasSubstr("nested too deep"));
}

TEST(JaegerThrift, EventsBeyondTheLimitAreCounted) {
  ThriftWriter w(true);
  w.Begin();
  w.List(2, 1);
  w.Begin();
  w.I64(1, 1);
  w.I64(3, 2);
  w.List(11, kSpanEventsMax + 5);
  for (size_t i = 0; i < kSpanEventsMax + 5; ++i) {
    w.Begin();
    w.End();
  }
  w.End();
  w.End();
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeJaegerThrift(w.out(), &batch, &report).ok());
  EXPECT_THAT(BatchText(batch).at(0), HasSubstr("dropped=0,5,0"));
}

TEST(ThriftReader, NumbersAtTheirBounds) {
  for (const bool compact : {false, true}) {
    for (const int64_t value : {int64_t{0}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{1} << 35}) {
      ThriftWriter w(compact);
      w.Begin();
      w.I64(300, value);
      w.I32(301, static_cast<int32_t>(value));
      w.Double(302, -2.25);
      w.End();
      ThriftReader reader(compact ? ThriftProtocol::kCompact : ThriftProtocol::kBinary, w.out());
      ThriftReader::StructPlace place;
      ThriftReader::Field field;
      ASSERT_TRUE(reader.NextField(&place, &field) && field.Is(300, ThriftType::kI64));
      EXPECT_EQ(reader.ReadInt(field.type), value);
      ASSERT_TRUE(reader.NextField(&place, &field) && field.Is(301, ThriftType::kI32));
      EXPECT_EQ(reader.ReadInt(field.type), static_cast<int32_t>(value));
      ASSERT_TRUE(reader.NextField(&place, &field) && field.Is(302, ThriftType::kDouble));
      EXPECT_EQ(reader.ReadDouble(), -2.25);
      EXPECT_FALSE(reader.NextField(&place, &field));
      EXPECT_TRUE(reader.ok());
      EXPECT_EQ(reader.rest(), 0u);
    }
  }
}

constexpr const char* kZipkin = R"([
{"traceId":"463ac35c9f6413ad48485a3953bb6124","id":"a2fb4a1d1a96d312","parentId":"00000000000000ff","name":"get /","kind":"SERVER",
 "timestamp":1700000000000001,"duration":250,"shared":true,"debug":false,
 "localEndpoint":{"serviceName":"front","ipv4":"10.0.0.1","port":8080},
 "remoteEndpoint":{"serviceName":"client","ipv6":"::1","port":0},
 "annotations":[{"timestamp":1700000000000002,"value":"cache \"miss\""}],
 "tags":{"http.path":"/","error":"500","otel.scope.name":"s","otel.library.name":"s","telemetry.sdk.name":"x","n":7}},
{"traceId":"48485a3953bb6124","id":"2","name":null,"kind":null,"timestamp":5,"tags":{"otel.status_code":"OK","error":""}},
{"traceId":"48485a3953bb6124","id":"3","duration":7},
{"traceId":"xyz","id":"4","timestamp":5},
{"traceId":"1","id":"0","timestamp":5},
{"traceId":"1","id":"5","kind":"BOSS","timestamp":5},
{"traceId":"1","id":"6","timestamp":9223372036854775807},
{"traceId":"1","id":"7","timestamp":"soon"},
17])";

TEST(ZipkinJson, SpansOfEveryKind) {
  WriteBatch batch;
  IngestReport report;
  ASSERT_TRUE(DecodeZipkinJson(kZipkin, kNow, &batch, &report).ok());
  EXPECT_EQ(report.accepted, 3u);
  EXPECT_EQ(report.rejected, 6u);
  EXPECT_THAT(
      BatchText(batch),
      ElementsAre("span {service.name=front telemetry.sdk.name=x | s } "
                  "463ac35c9f6413ad48485a3953bb6124/a2fb4a1d1a96d312 parent=00000000000000ff 'get /' server "
                  "1700000000000001000..1700000000000251000 error:500 state= flags=0 dropped=0,0,0 "
                  "[http.path=/ n=int:7 network.local.address=10.0.0.1 network.local.port=int:8080 "
                  "peer.service=client network.peer.address=::1 zipkin.shared=bool:true] "
                  "event 'cache \"miss\"' @1700000000000002000 dropped=0 []",
                  "span {|  } 000000000000000048485a3953bb6124/0000000000000002 parent=0000000000000000 '' internal "
                  "5000..5000 ok: state= flags=0 dropped=0,0,0 [error=]",
                  "span {|  } 000000000000000048485a3953bb6124/0000000000000003 parent=0000000000000000 '' internal "
                  "1700000000000000000..1700000000000007000 unset: state= flags=0 dropped=0,0,0 []"));
  for (const char* body : {"", "{}", "[", "[{\"traceId\":]"}) {
    EXPECT_EQ(DecodeZipkinJson(body, kNow, &batch, &report).code(), absl::StatusCode::kInvalidArgument) << body;
  }
  EXPECT_TRUE(DecodeZipkinJson("[]", kNow, &batch, &report).ok());
}

}  // namespace
}  // namespace braid::ingest
