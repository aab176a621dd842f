#include "query/rows/cells.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iterator>

#include "query/rows/expression.h"
#include "query/syntax/errors.h"
#include "query/syntax/parser.h"

namespace braid {
namespace {

// Where a value stands among values of other types in the total order.
int RankOf(const CellView& cell) {
  switch (cell.type) {
    case Type::kBool: return 0;
    case Type::kInt:
    case Type::kDuration: return 1;
    case Type::kDouble: return std::isnan(cell.number) ? 8 : 1;
    case Type::kString:
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: return 2;
    case Type::kTimestamp: return 3;
    case Type::kTraceId: return 4;
    case Type::kSpanId: return 5;
    case Type::kHistogram: return 6;
    case Type::kNull:
    case Type::kMixed: break;
  }
  return 9;
}

double SecondsOf(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

Order OrderOf(int64_t a, int64_t b) { return a < b ? Order::kLess : a > b ? Order::kGreater : Order::kEqual; }

Order OrderOf(std::string_view a, std::string_view b) {
  const int order = a.compare(b);
  return order < 0 ? Order::kLess : order > 0 ? Order::kGreater : Order::kEqual;
}

Order Swap(Order order) {
  if (order == Order::kLess) return Order::kGreater;
  if (order == Order::kGreater) return Order::kLess;
  return order;
}

bool IsNumeric(Type type) { return type == Type::kInt || type == Type::kDouble || type == Type::kDuration; }

// REQUIRES: both are kInt, kDouble or kDuration.
Order CompareNumeric(const CellView& a, const CellView& b) {
  if (a.type == b.type && a.type != Type::kDouble) return OrderOf(a.integer, b.integer);
  if (a.type == Type::kDuration || b.type == Type::kDuration) {
    const double x = a.type == Type::kDuration ? SecondsOf(a.integer)
                     : a.type == Type::kInt    ? static_cast<double>(a.integer)
                                               : a.number;
    const double y = b.type == Type::kDuration ? SecondsOf(b.integer)
                     : b.type == Type::kInt    ? static_cast<double>(b.integer)
                                               : b.number;
    return CompareNumbers(x, y);
  }
  if (a.type == Type::kInt) return CompareNumbers(a.integer, b.number);
  if (b.type == Type::kInt) return Swap(CompareNumbers(b.integer, a.number));
  return CompareNumbers(a.number, b.number);
}

Order CompareHistograms(const Histogram& a, const Histogram& b) {
  if (a == b) return Order::kEqual;
  if (a.count != b.count) return CompareNumbers(a.count, b.count);
  if (a.sum != b.sum) return CompareNumbers(a.sum, b.sum);
  return OrderOf(static_cast<int64_t>(a.positive.size()), static_cast<int64_t>(b.positive.size()));
}

std::string_view PlainText(const CellView& cell) {
  return cell.type == Type::kString ? cell.text : EnumWord(cell.type, cell.integer);
}

int CompareViews(const CellView& a, const CellView& b) {
  const int rank_a = RankOf(a);
  const int rank_b = RankOf(b);
  if (rank_a != rank_b) return rank_a < rank_b ? -1 : 1;
  Order order = Order::kEqual;
  switch (rank_a) {
    case 1: order = CompareNumeric(a, b); break;
    case 2:
      order = a.type == b.type && a.type != Type::kString ? OrderOf(a.integer, b.integer)
                                                          : OrderOf(PlainText(a), PlainText(b));
      break;
    case 4: {
      const auto ids = a.trace_id <=> b.trace_id;
      return ids < 0 ? -1 : ids > 0 ? 1 : 0;
    }
    case 5: {
      const auto x = static_cast<uint64_t>(a.integer);
      const auto y = static_cast<uint64_t>(b.integer);
      return x < y ? -1 : x > y ? 1 : 0;
    }
    case 6: order = CompareHistograms(*a.histogram, *b.histogram); break;
    case 8:
    case 9: return 0;
    default: order = OrderOf(a.integer, b.integer);
  }
  return order == Order::kUnordered ? 0 : static_cast<int>(order);
}

uint64_t Mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

uint64_t HashNumber(double value) {
  if (value == 0) value = 0;  // -0 equals 0
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return Mix(bits ^ 0x9e3779b97f4a7c15ULL);
}

}  // namespace

CellView CellAt(const Column& column, size_t row) {
  CellView cell;
  if (column.IsNull(row)) return cell;
  cell.type = column.type;
  switch (column.type) {
    case Type::kNull: break;
    case Type::kDouble: cell.number = column.doubles[row]; break;
    case Type::kString: cell.text = column.StringAt(row); break;
    case Type::kTraceId: cell.trace_id = column.trace_ids[row]; break;
    case Type::kHistogram:
      cell.histogram = column.histograms[row].get();
      if (cell.histogram == nullptr) cell.type = Type::kNull;
      break;
    case Type::kMixed: {
      const Value& value = column.mixed[row];
      if (const auto* flag = std::get_if<bool>(&value)) {
        cell.type = Type::kBool;
        cell.integer = *flag ? 1 : 0;
      } else if (const auto* integer = std::get_if<int64_t>(&value)) {
        cell.type = Type::kInt;
        cell.integer = *integer;
      } else if (const auto* number = std::get_if<double>(&value)) {
        cell.type = Type::kDouble;
        cell.number = *number;
      } else if (const auto* text = std::get_if<std::string>(&value)) {
        cell.type = Type::kString;
        cell.text = *text;
      } else {
        cell.type = Type::kNull;
      }
      break;
    }
    default: cell.integer = column.ints[row];
  }
  return cell;
}

bool IsEnum(Type type) { return type == Type::kLevel || type == Type::kSpanKind || type == Type::kStatus; }

std::string_view EnumWord(Type type, int64_t value) {
  if (type == Type::kLevel) return ToString(static_cast<Level>(value));
  if (type == Type::kSpanKind) return ToString(static_cast<SpanKind>(value));
  if (type == Type::kStatus) return ToString(static_cast<StatusCode>(value));
  return "";
}

namespace {

constexpr std::string_view kLevelWords[] = {"trace", "debug", "info",  "warn",     "warning",
                                            "error", "err",   "fatal", "critical", "unset"};

bool IsLevelWord(std::string_view word) {
  for (const std::string_view known : kLevelWords) {
    const bool same = std::equal(word.begin(), word.end(), known.begin(), known.end(),
                                 [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
    if (same) return true;
  }
  return false;
}

}  // namespace

std::optional<int64_t> ParseEnumWord(Type type, std::string_view word) {
  if (type == Type::kLevel) {
    Level level;
    if (IsLevelWord(word) && ParseLevel(word, &level)) return static_cast<int64_t>(level);
  } else if (type == Type::kSpanKind) {
    SpanKind kind;
    if (ParseSpanKind(word, &kind)) return static_cast<int64_t>(kind);
  } else if (type == Type::kStatus) {
    StatusCode status;
    if (ParseStatusCode(word, &status)) return static_cast<int64_t>(status);
  }
  return std::nullopt;
}

std::string EnumWords(Type type) {
  const int last = type == Type::kLevel ? 6 : type == Type::kSpanKind ? 5 : 2;
  std::string words;
  for (int value = 0; value <= last; ++value) {
    if (value > 0) words += ", ";
    words += EnumWord(type, value);
  }
  return words;
}

std::string EnumHint(Type type, std::string_view word) {
  std::vector<std::string_view> words;
  if (type == Type::kLevel) {
    words.assign(std::begin(kLevelWords), std::end(kLevelWords));
  } else {
    for (int value = 0; value <= (type == Type::kSpanKind ? 5 : 2); ++value) words.push_back(EnumWord(type, value));
  }
  const std::string nearest = DidYouMean(word, words);
  return (nearest.empty() ? "" : nearest + " ") + "one of " + EnumWords(type);
}

std::optional<double> ParseNumber(std::string_view text) {
  if (text.empty() || text.size() > 64) return std::nullopt;
  if (text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return std::nullopt;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error != std::errc() && error != std::errc::result_out_of_range) return std::nullopt;
  return value;
}

std::optional<double> NumberOf(const CellView& cell) {
  switch (cell.type) {
    case Type::kInt: return static_cast<double>(cell.integer);
    case Type::kDouble: return cell.number;
    case Type::kDuration:
    case Type::kTimestamp: return SecondsOf(cell.integer);
    case Type::kString: return ParseNumber(cell.text);
    default: return std::nullopt;
  }
}

Order CompareNumbers(double a, double b) {
  if (a < b) return Order::kLess;
  if (a > b) return Order::kGreater;
  return a == b ? Order::kEqual : Order::kUnordered;
}

Order CompareNumbers(int64_t a, double b) {
  if (std::isnan(b)) return Order::kUnordered;
  if (b >= 9223372036854775808.0) return Order::kLess;
  if (b < -9223372036854775808.0) return Order::kGreater;
  const double whole = std::floor(b);
  const auto integer = static_cast<int64_t>(whole);
  if (a != integer) return a < integer ? Order::kLess : Order::kGreater;
  return b > whole ? Order::kLess : Order::kEqual;
}

Order CompareByRule(const CellView& a, const CellView& b) {
  if (a.null() || b.null()) {
    const auto absent = [](const CellView& cell) {
      return cell.null() || (cell.type == Type::kString && cell.text.empty());
    };
    return absent(a) && absent(b) ? Order::kEqual : Order::kUnordered;
  }
  if (IsNumeric(a.type) && IsNumeric(b.type)) return CompareNumeric(a, b);
  if (a.type == b.type) {
    if (a.type == Type::kString) return OrderOf(a.text, b.text);
    const int order = CompareViews(a, b);
    return order < 0 ? Order::kLess : order > 0 ? Order::kGreater : Order::kEqual;
  }
  if (b.type == Type::kString && a.type != Type::kString) return Swap(CompareByRule(b, a));
  if (a.type == Type::kString) {
    switch (b.type) {
      case Type::kInt:
      case Type::kDouble:
      case Type::kDuration: {
        int64_t integer = 0;
        const auto [end, error] = std::from_chars(a.text.data(), a.text.data() + a.text.size(), integer);
        CellView parsed;
        if (error == std::errc() && end == a.text.data() + a.text.size()) {
          parsed.type = Type::kInt;
          parsed.integer = integer;
          return CompareNumeric(parsed, b);
        }
        const auto number = ParseNumber(a.text);
        if (!number) return Order::kUnordered;
        parsed.type = Type::kDouble;
        parsed.number = *number;
        return CompareNumeric(parsed, b);
      }
      case Type::kBool:
        if (a.text == "true") return OrderOf(1, b.integer);
        if (a.text == "false") return OrderOf(0, b.integer);
        return Order::kUnordered;
      case Type::kLevel:
      case Type::kSpanKind:
      case Type::kStatus: {
        const auto value = ParseEnumWord(b.type, a.text);
        return value ? OrderOf(*value, b.integer) : Order::kUnordered;
      }
      case Type::kTraceId: {
        TraceId id;
        if (!ParseTraceId(a.text, &id)) return Order::kUnordered;
        return id < b.trace_id ? Order::kLess : id > b.trace_id ? Order::kGreater : Order::kEqual;
      }
      case Type::kSpanId: {
        SpanId id;
        if (!ParseSpanId(a.text, &id)) return Order::kUnordered;
        const SpanId other{static_cast<uint64_t>(b.integer)};
        return id < other ? Order::kLess : id > other ? Order::kGreater : Order::kEqual;
      }
      default: return Order::kUnordered;
    }
  }
  // A time against a plain number is seconds since the epoch, as PromQL's time().
  if (a.type == Type::kTimestamp && (b.type == Type::kInt || b.type == Type::kDouble)) {
    return CompareNumbers(SecondsOf(a.integer), *NumberOf(b));
  }
  if (b.type == Type::kTimestamp && (a.type == Type::kInt || a.type == Type::kDouble)) {
    return CompareNumbers(*NumberOf(a), SecondsOf(b.integer));
  }
  return Order::kUnordered;
}

std::string_view TextOf(const CellView& cell, std::string* storage) {
  switch (cell.type) {
    case Type::kNull: return "";
    case Type::kString: return cell.text;
    case Type::kBool: return cell.integer != 0 ? "true" : "false";
    case Type::kInt: *storage = std::to_string(cell.integer); return *storage;
    case Type::kDouble: *storage = ToText(ValueView(cell.number)); return *storage;
    case Type::kTimestamp: *storage = FormatTimestamp(cell.integer); return *storage;
    case Type::kDuration: *storage = FormatDuration(cell.integer); return *storage;
    case Type::kTraceId: *storage = ToHex(cell.trace_id); return *storage;
    case Type::kSpanId: *storage = ToHex(SpanId{static_cast<uint64_t>(cell.integer)}); return *storage;
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: return EnumWord(cell.type, cell.integer);
    case Type::kHistogram:
      *storage = "{count:" + ToText(ValueView(cell.histogram->count)) +
                 ", sum:" + ToText(ValueView(cell.histogram->sum)) + "}";
      return *storage;
    case Type::kMixed: break;
  }
  return "";
}

std::string FormatTimestamp(Timestamp time) {
  int64_t seconds = time / kSecond;
  int64_t nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  int64_t days = seconds / 86400;
  int64_t in_day = seconds % 86400;
  if (in_day < 0) {
    in_day += 86400;
    --days;
  }
  // Civil date from days (proleptic Gregorian), counted in 400-year eras from 0000-03-01.
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
  const int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  char buffer[96];
  int length =
      std::snprintf(buffer, sizeof buffer, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld", static_cast<long long>(year),
                    static_cast<long long>(month), static_cast<long long>(day), static_cast<long long>(in_day / 3600),
                    static_cast<long long>(in_day / 60 % 60), static_cast<long long>(in_day % 60));
  std::string text(buffer, static_cast<size_t>(length));
  if (nanoseconds != 0) {
    length = std::snprintf(buffer, sizeof buffer, ".%09lld", static_cast<long long>(nanoseconds));
    std::string_view fraction(buffer, static_cast<size_t>(length));
    while (fraction.back() == '0') fraction.remove_suffix(1);
    text += fraction;
  }
  return text + "Z";
}

std::string FormatDuration(Duration duration) {
  if (duration == 0) return "0s";
  std::string text;
  uint64_t rest = static_cast<uint64_t>(duration);
  if (duration < 0) {
    text = "-";
    rest = ~rest + 1;
  }
  const auto fraction = [](uint64_t value, uint64_t unit, int digits) {
    std::string out = std::to_string(value / unit);
    if (value % unit != 0) {
      std::string decimals = std::to_string(value % unit);
      decimals.insert(0, static_cast<size_t>(digits) - decimals.size(), '0');
      while (decimals.back() == '0') decimals.pop_back();
      out += "." + decimals;
    }
    return out;
  };
  if (rest < 1'000) return text + std::to_string(rest) + "ns";
  if (rest < 1'000'000) return text + fraction(rest, 1'000, 3) + "us";
  if (rest < 1'000'000'000) return text + fraction(rest, 1'000'000, 6) + "ms";
  constexpr uint64_t kUnit = 1'000'000'000;
  const uint64_t hours = rest / (3600 * kUnit);
  const uint64_t minutes = rest / (60 * kUnit) % 60;
  const uint64_t seconds = rest % (60 * kUnit);
  if (hours > 0) text += std::to_string(hours) + "h";
  if (minutes > 0) text += std::to_string(minutes) + "m";
  if (seconds > 0) text += fraction(seconds, kUnit, 9) + "s";
  return text;
}

int CompareCells(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  if (a.type == b.type && a.type != Type::kMixed && a.type != Type::kDouble && a.type != Type::kString &&
      !a.ints.empty() && !b.ints.empty() && a.type != Type::kSpanId) {
    const bool null_a = a.IsNull(row_a);
    const bool null_b = b.IsNull(row_b);
    if (null_a || null_b) return null_a == null_b ? 0 : null_a ? 1 : -1;
    return a.ints[row_a] < b.ints[row_b] ? -1 : a.ints[row_a] > b.ints[row_b] ? 1 : 0;
  }
  return CompareViews(CellAt(a, row_a), CellAt(b, row_b));
}

int CompareCells(const CellView& a, const CellView& b) { return CompareViews(a, b); }

bool EqualCells(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  if (a.type == Type::kString && b.type == Type::kString && a.dictionary == b.dictionary) {
    const bool null_a = a.IsNull(row_a);
    const bool null_b = b.IsNull(row_b);
    if (null_a || null_b) return null_a == null_b;
    if (a.codes[row_a] == b.codes[row_b]) return true;
  }
  return CompareCells(a, row_a, b, row_b) == 0;
}

uint64_t HashCell(const Column& column, size_t row) {
  const CellView cell = CellAt(column, row);
  switch (cell.type) {
    case Type::kNull: return 0x5bd1e995;
    case Type::kBool: return cell.integer != 0 ? 0x27d4eb2f165667c5ULL : 0x165667b19e3779f9ULL;
    case Type::kInt: {
      // Ints and doubles that are equal hash alike. The cast may round up to 2^63, which does not fit back.
      const auto number = static_cast<double>(cell.integer);
      if (number < 9223372036854775808.0 && static_cast<int64_t>(number) == cell.integer) return HashNumber(number);
      return Mix(static_cast<uint64_t>(cell.integer));
    }
    case Type::kDuration: return HashNumber(SecondsOf(cell.integer));
    case Type::kDouble: return std::isnan(cell.number) ? 0x7ff8dead : HashNumber(cell.number);
    case Type::kString: return std::hash<std::string_view>{}(cell.text);
    case Type::kLevel:
    case Type::kSpanKind:
    case Type::kStatus: return std::hash<std::string_view>{}(EnumWord(cell.type, cell.integer));
    case Type::kTraceId: return Mix(cell.trace_id.low ^ Mix(cell.trace_id.high));
    case Type::kHistogram: return HashNumber(cell.histogram->count) ^ Mix(HashNumber(cell.histogram->sum));
    default: return Mix(static_cast<uint64_t>(cell.integer) + static_cast<uint64_t>(cell.type));
  }
}

}  // namespace braid
