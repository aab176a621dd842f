#include "braid/types.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/base/fingerprint.h"

namespace braid {
namespace {

TEST(IdTest, ReadsWhatProducersWrite) {
  TraceId id;
  EXPECT_TRUE(ParseTraceId("4bf92f3577b34da6a3ce929d0e0e4736", &id));
  EXPECT_EQ(id, (TraceId{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736}));
  EXPECT_EQ(ToHex(id), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_TRUE(ParseTraceId("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", &id));
  EXPECT_EQ(id.low, 0xa3ce929d0e0e4736);
  EXPECT_TRUE(ParseTraceId("ff", &id));
  EXPECT_EQ(id, (TraceId{0, 255}));
  EXPECT_TRUE(ParseTraceId("1a3ce929d0e0e4736", &id));
  EXPECT_EQ(id, (TraceId{1, 0xa3ce929d0e0e4736}));
  const TraceId before = id;
  for (const char* bad : {"", "-", "xyz", "12 ", "4bf92f3577b34da6a3ce929d0e0e47361"}) {
    EXPECT_FALSE(ParseTraceId(bad, &id)) << bad;
    EXPECT_EQ(id, before);
  }
  SpanId span;
  EXPECT_TRUE(ParseSpanId("00f067aa0ba902b7", &span));
  EXPECT_EQ(ToHex(span), "00f067aa0ba902b7");
  EXPECT_FALSE(ParseSpanId("00f067aa0ba902b71", &span));
  EXPECT_LT((TraceId{0, UINT64_MAX}), (TraceId{1, 0}));
}

TEST(EnumTest, WordsAndNumbers) {
  Level level;
  for (const auto& [text, expected] :
       std::initializer_list<std::pair<const char*, Level>>{{"WARNING", Level::kWarn},
                                                            {"err", Level::kError},
                                                            {"Critical", Level::kFatal},
                                                            {"notice", Level::kInfo},
                                                            {"SEVERITY_NUMBER_DEBUG2", Level::kDebug},
                                                            {"trace", Level::kTrace},
                                                            {"unset", Level::kUnset}}) {
    ASSERT_TRUE(ParseLevel(text, &level)) << text;
    EXPECT_EQ(level, expected) << text;
  }
  EXPECT_FALSE(ParseLevel("warned", &level));
  for (int severity = -1; severity <= 26; ++severity) {
    const Level expected = severity < 1 || severity > 24 ? Level::kUnset : static_cast<Level>(1 + (severity - 1) / 4);
    EXPECT_EQ(LevelOfSeverity(severity), expected);
  }
  EXPECT_EQ(SeverityOfLevel(Level::kError), 17);
  EXPECT_EQ(SeverityOfLevel(Level::kUnset), 0);
  for (int i = 0; i <= 6; ++i) {
    ASSERT_TRUE(ParseLevel(ToString(static_cast<Level>(i)), &level));
    EXPECT_EQ(static_cast<int>(level), i);
  }
  SpanKind kind;
  EXPECT_TRUE(ParseSpanKind("SPAN_KIND_CONSUMER", &kind));
  EXPECT_EQ(ToString(kind), "consumer");
  StatusCode code;
  EXPECT_TRUE(ParseStatusCode("Ok", &code));
  EXPECT_EQ(code, StatusCode::kOk);
}

TEST(LabelsTest, PrometheusText) {
  EXPECT_EQ(ToString(Labels{{"__name__", "up"}}), "up");
  EXPECT_EQ(ToString(Labels{{"__name__", "up"}, {"a", "x\"\\\n"}, {"job", "j"}}), "up{a=\"x\\\"\\\\\\n\", job=\"j\"}");
  EXPECT_EQ(ToString(Labels{}), "{}");
  EXPECT_EQ(ToString(Labels{{"__name__", "a.b"}, {"c.d", "e"}}), "{\"a.b\", \"c.d\"=\"e\"}");
  EXPECT_EQ(FindLabel({{"a", "1"}}, "b"), "");
}

TEST(ValueTest, TextInShortestForm) {
  EXPECT_EQ(ToText(0.1), "0.1");
  EXPECT_EQ(ToText(100000.0), "100000");
  EXPECT_EQ(ToText(1e21), "1e+21");
  EXPECT_EQ(ToText(1e-7), "1e-07");
  EXPECT_EQ(ToText(-HUGE_VAL), "-Inf");
  EXPECT_EQ(ToText(std::nan("")), "NaN");
  EXPECT_EQ(ToText(int64_t{-5}), "-5");
  EXPECT_EQ(ToText(true), "true");
  EXPECT_EQ(ToText(std::monostate{}), "");
  EXPECT_EQ(Own(View(Value("x"))), Value("x"));
  EXPECT_TRUE(IsStaleNan(StaleNan()));
  EXPECT_FALSE(IsStaleNan(std::nan("")));
}

TEST(FingerprintTest, OrderDoesNotMatterContentDoes) {
  Stream a;
  a.resource = {{"service.name", "shop"}, {"host", int64_t{7}}};
  Stream b = a;
  std::swap(b.resource[0], b.resource[1]);
  EXPECT_EQ(Fingerprint(a), Fingerprint(b));
  b.resource[0].value = "7";  // another type is another stream
  EXPECT_NE(Fingerprint(a), Fingerprint(b));
  b = a;
  b.scope_name = "x";
  EXPECT_NE(Fingerprint(a), Fingerprint(b));
  b = a;
  std::swap(b.resource, b.scope_attributes);
  EXPECT_NE(Fingerprint(a), Fingerprint(b));
  EXPECT_NE(Fingerprint(Labels{{"a", "bc"}}), Fingerprint(Labels{{"ab", "c"}}));
  EXPECT_EQ(Fingerprint(Labels{{"a", "1"}, {"b", "2"}}), Fingerprint(Labels{{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(Fingerprint(Stream{}), 0u);
}

TEST(FingerprintTest, ServiceAndInstanceByPrecedence) {
  Stream stream;
  stream.resource = {{"job", "j"}, {"service.name", ""}, {"app", "a"}, {"host", int64_t{7}}};
  EXPECT_EQ(ServiceOf(stream), "a");  // an empty service.name names nothing
  EXPECT_EQ(InstanceOf(stream), "7");
  EXPECT_EQ(ServiceOf(Labels{{"job", "j"}, {"service", "s"}}), "s");
  EXPECT_EQ(InstanceOf(Labels{{"pod", "p"}, {"instance", "i:1"}}), "i:1");
  EXPECT_EQ(ServiceOf(Labels{}), "");
}

}  // namespace
}  // namespace braid
