// The functions of both positions: names, arguments, results.
//
// Sources: Prometheus 3 (documentation, "Query functions") for vector position; docs/query.md for row position.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace braid {

// Static type of a vector expression.
enum class ExprType : uint8_t { kScalar, kVector, kMatrix, kString };
// As Prometheus names it in errors: "instant vector", ...
std::string_view ToString(ExprType type);

struct VectorFunction {
  std::string_view name;
  ExprType result = ExprType::kVector;
  uint8_t args_count = 0;
  std::array<ExprType, 5> args = {};
  // 0: exactly args_count. n > 0: the last argument may stand 0 to n times. -1: any number of times, also not at all.
  int8_t variadic = 0;
  bool experimental = false;  // in Prometheus behind a flag; here always there
};
const VectorFunction* FindVectorFunction(std::string_view name);  // null if unknown; case matters
std::vector<std::string_view> VectorFunctionNames();

// Operators over groups: sum, topk, ... `param`: the type of the first argument if there are two.
struct VectorAggregation {
  std::string_view name;
  bool has_param = false;
  ExprType param = ExprType::kScalar;
};
const VectorAggregation* FindVectorAggregation(std::string_view name);  // null if unknown; any case

// Functions and aggregates of row position.
struct RowFunction {
  std::string_view name;
  uint8_t args_min = 0;
  uint8_t args_max = 0;    // 255: any number
  bool aggregate = false;  // stands in `stats` only
};
// Null if unknown; case matters.
const RowFunction* FindRowFunction(std::string_view name);
std::vector<std::string_view> RowFunctionNames();

}  // namespace braid
