#include "engine/codec/column_codec.h"

#include <gtest/gtest.h>

#include <bit>
#include <random>

namespace braid {
namespace {

constexpr int kTypes = 14;

Value MixedValue(std::mt19937_64& random) {
  switch (random() % 5) {
    case 0: return std::monostate{};
    case 1: return random() % 2 == 0;
    case 2: return static_cast<int64_t>(random());
    case 3: return static_cast<double>(random() % 1000) / 8;
    default: return "text " + std::to_string(random() % 9);
  }
}

std::string TextOf(std::mt19937_64& random, int style) {
  if (style == 0) return "constant";
  if (style == 1) return "one of " + std::to_string(random() % 20);
  if (style == 2) return "request " + std::to_string(random()) + " took " + std::to_string(random() % 1000) + " ms";
  return random() % 3 == 0 ? "" : std::string(random() % 50, static_cast<char>(random()));
}

// Values as ValueAt shows them, kept apart from the column as its model.
Column MakeColumn(std::mt19937_64& random, Type type, size_t rows) {
  ColumnBuilder builder(type);
  const int style = static_cast<int>(random() % 4);
  const uint64_t null_share = random() % 3 == 0 ? 2 : (random() % 2 == 0 ? 0 : 50);
  TraceId trace;
  for (size_t row = 0; row < rows; ++row) {
    if (type == Type::kNull || (null_share != 0 && random() % null_share == 0)) {
      builder.AppendNull();
      continue;
    }
    switch (type) {
      case Type::kBool: builder.AppendInt(type, static_cast<int64_t>(random() % 2)); break;
      case Type::kLevel: builder.AppendInt(type, static_cast<int64_t>(random() % 7)); break;
      case Type::kSpanKind: builder.AppendInt(type, static_cast<int64_t>(random() % 6)); break;
      case Type::kStatus: builder.AppendInt(type, static_cast<int64_t>(random() % 3)); break;
      case Type::kDouble: builder.AppendDouble(style == 0 ? 2.5 : static_cast<double>(random() % 10000) / 100); break;
      case Type::kString: builder.AppendString(TextOf(random, style)); break;
      case Type::kTraceId:
        if (style != 1 || random() % 10 == 0) trace = {style == 2 ? 0 : trace.high + (random() >> 8), random()};
        builder.AppendTraceId(trace);
        break;
      case Type::kMixed:
        builder.AppendValue(View(row == 0 ? Value("first") : row == 1 ? Value(true) : MixedValue(random)));
        break;
      case Type::kHistogram: {
        Histogram histogram;
        histogram.count = static_cast<double>(random() % 100);
        histogram.positive = {{static_cast<int32_t>(random() % 9), 3}};
        builder.AppendHistogram(std::make_shared<Histogram>(histogram));
        break;
      }
      default: builder.AppendInt(type, static_cast<int64_t>(style == 0 ? random() : row * 1000 + random() % 10)); break;
    }
  }
  return builder.Finish();
}

void ExpectSame(const Column& a, const Column& b) {
  ASSERT_EQ(a.type, b.type);
  ASSERT_EQ(a.size, b.size);
  for (size_t row = 0; row < a.size; ++row) {
    ASSERT_EQ(a.IsNull(row), b.IsNull(row)) << row;
    if (a.type == Type::kHistogram && !a.IsNull(row)) {
      ASSERT_EQ(*a.histograms[row], *b.histograms[row]);
    } else {
      ASSERT_EQ(a.ValueAt(row), b.ValueAt(row)) << row;
    }
  }
}

TEST(ColumnCodecTest, RoundTripsEveryType) {
  std::mt19937_64 random(16);
  for (int round = 0; round < 700; ++round) {
    const Type type = static_cast<Type>(round % kTypes);
    const Column column = MakeColumn(random, type, round % 50 == 0 ? 0 : random() % 300);
    Column back;
    const std::string bytes = EncodeColumn(column);
    const absl::Status status = DecodeColumn(bytes, column.size, &back);
    ASSERT_TRUE(status.ok()) << status << " type " << ToString(type);
    ExpectSame(column, back);
    const size_t vectors = back.ints.size() + back.doubles.size() + back.codes.size() + back.trace_ids.size() +
                           back.mixed.size() + back.histograms.size();
    EXPECT_EQ(vectors, back.type == Type::kNull ? 0 : back.size);
    EXPECT_TRUE(back.valid.empty() || back.valid.size() == back.size);
    if (testing::Test::HasFatalFailure()) FAIL() << "round " << round;
  }
}

TEST(ColumnCodecTest, OddDictionaries) {
  Column column;
  column.type = Type::kString;
  column.size = 4;
  column.codes = {3, 1, 3, 0};
  column.valid = {1, 1, 1, 0};
  column.dictionary = StringDictionary::Make({"unused", "same", "unused", "same"});
  Column back;
  ASSERT_TRUE(DecodeColumn(EncodeColumn(column), 4, &back).ok());
  ExpectSame(column, back);
  EXPECT_EQ(back.dictionary->values.size(), 1u);
  column.valid = {0, 0, 0, 0};
  ASSERT_TRUE(DecodeColumn(EncodeColumn(column), 4, &back).ok());
  ExpectSame(column, back);
}

TEST(ColumnCodecTest, DoublesKeepTheirBits) {
  Column column;
  column.type = Type::kDouble;
  column.doubles = {0.0, -0.0, StaleNan(), 1.25, 1e300, -5e-324};
  column.size = column.doubles.size();
  Column back;
  ASSERT_TRUE(DecodeColumn(EncodeColumn(column), column.size, &back).ok());
  for (size_t i = 0; i < column.size; ++i) {
    EXPECT_EQ(std::bit_cast<uint64_t>(back.doubles[i]), std::bit_cast<uint64_t>(column.doubles[i]));
  }
}

TEST(ColumnCodecTest, CostsWhatItShould) {
  std::mt19937_64 random(17);
  ColumnBuilder constant, service, spans, traces;
  TraceId trace;
  for (int row = 0; row < 8192; ++row) {
    constant.AppendString("production");
    service.AppendString("service-" + std::to_string(random() % 8));
    spans.AppendInt(Type::kSpanId, static_cast<int64_t>(random()));
    if (row % 16 == 0) trace = {random(), random()};
    traces.AppendTraceId(trace);
  }
  EXPECT_LT(EncodeColumn(constant.Finish()).size(), 24u);
  EXPECT_LT(EncodeColumn(service.Finish()).size(), 8192u * 3 / 8 + 300);
  EXPECT_LE(EncodeColumn(spans.Finish()).size(), 8192u * 8 + 2);
  EXPECT_LT(EncodeColumn(traces.Finish()).size(), 512u * 16 + 8192 / 3);
}

TEST(ColumnCodecTest, GoldenBytes) {
  const auto hex = [](const Column& column) {
    std::string text;
    for (unsigned char c : EncodeColumn(column)) {
      text += "0123456789abcdef"[c >> 4];
      text += "0123456789abcdef"[c & 15];
    }
    return text;
  };
  ColumnBuilder ints;
  for (int64_t value : {5, 6, 8, 7}) ints.AppendInt(Type::kInt, value);
  EXPECT_EQ(hex(ints.Finish()), "0202020ab4");
  ColumnBuilder texts;  // dictionary of one text of length 2, codes all 0; plain text "ab"
  for (int i = 0; i < 3; ++i) texts.AppendString("ab");
  EXPECT_EQ(hex(texts.Finish()),
            "04"
            "00"
            "01"
            "0004"
            "000202"
            "6162"
            "0000");
  ColumnBuilder nulls;  // 1 of 2 rows valid, bitmap 01, then constant 7
  nulls.AppendInt(Type::kInt, 7);
  nulls.AppendNull();
  EXPECT_EQ(hex(nulls.Finish()),
            "82"
            "0100"
            "01"
            "000e");
  EXPECT_EQ(hex(Column()), "00");
}

TEST(ColumnCodecTest, DamagedBytesAreRefusedOrMakeValues) {
  std::mt19937_64 random(18);
  size_t refused = 0;
  for (int round = 0; round < 2 * kTypes; ++round) {
    const Column column = MakeColumn(random, static_cast<Type>(round % kTypes), 150);
    const std::string good = EncodeColumn(column);
    for (size_t i = 0; i < good.size(); i += i < 64 ? 1 : 1 + good.size() / 150) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (random() % 4 == 0 ? 0xff : 1 << random() % 8));
      for (const std::string& bytes : {bad, good.substr(0, i), good + "x"}) {
        Column back;
        const absl::Status status = DecodeColumn(bytes, column.size, &back);
        refused += status.ok() ? 0 : 1;
        ASSERT_TRUE(status.ok() || absl::IsDataLoss(status));
        for (size_t row = 0; row < back.size; ++row) back.ValueAt(row);
      }
    }
  }
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace braid
