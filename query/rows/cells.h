// One value of a column without its column: what comparisons, keys and functions of single rows work on.
//
// Threads: values. A CellView borrows text and histograms from the column that it was made of.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "braid/record_batch.h"
#include "braid/types.h"

namespace braid {

struct CellView {
  Type type = Type::kNull;  // never kMixed
  int64_t integer = 0;      // kBool, kInt, kTimestamp, kDuration, kSpanId and the enums
  double number = 0;        // kDouble
  std::string_view text;    // kString
  TraceId trace_id;         // kTraceId
  const Histogram* histogram = nullptr;

  bool null() const { return type == Type::kNull; }
};

CellView CellAt(const Column& column, size_t row);

bool IsEnum(Type type);
// The word of an enum's value ("error"), and back.
std::string_view EnumWord(Type type, int64_t value);
// Levels by the words of the language alone (trace debug info warn warning error err fatal critical, unset), in any
// case: what else programs write for a level is read when it is stored, and would hide mistakes here.
std::optional<int64_t> ParseEnumWord(Type type, std::string_view word);
// "trace, debug, ..." for hints.
std::string EnumWords(Type type);
// The nearest word, if `word` looks like a mistyped one, and all there are.
std::string EnumHint(Type type, std::string_view word);

// The value as a number: ints, doubles, durations and timestamps as seconds, texts that are numbers as a whole.
std::optional<double> NumberOf(const CellView& cell);
// A text that is one number as a whole: decimal, exponent, "NaN", "Inf". Surrounding blanks are not allowed.
std::optional<double> ParseNumber(std::string_view text);

// Exact comparison of an integer with a double; NaN is unordered.
enum class Order : int8_t { kLess = -1, kEqual = 0, kGreater = 1, kUnordered = 2 };
Order CompareNumbers(int64_t a, double b);
Order CompareNumbers(double a, double b);

// How `=`, `<` and the others of the language see two values: null equals null and the empty text, durations are
// seconds against numbers, ids are compared by value, a text against a number numerically if it is one. Values that
// cannot be compared are kUnordered.
Order CompareByRule(const CellView& a, const CellView& b);

// The total order of expression.h's CompareCells, for values without their columns.
int CompareCells(const CellView& a, const CellView& b);

// The text that =~ and the text functions see: numbers in shortest form, null as "". `*storage` holds it if needed.
std::string_view TextOf(const CellView& cell, std::string* storage);

// Timestamps as RFC 3339 in UTC, with as many fraction digits as the value needs; durations as "1m30.5s".
std::string FormatTimestamp(Timestamp time);
std::string FormatDuration(Duration duration);

}  // namespace braid
