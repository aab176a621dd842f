#include "query/syntax/function_table.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"

namespace braid {
namespace {

constexpr ExprType S = ExprType::kScalar;
constexpr ExprType V = ExprType::kVector;
constexpr ExprType M = ExprType::kMatrix;
constexpr ExprType T = ExprType::kString;
constexpr bool kExperimental = true;

// Ascending by name.
constexpr VectorFunction kVectorFunctions[] = {
    {"abs", V, 1, {V}},
    {"absent", V, 1, {V}},
    {"absent_over_time", V, 1, {M}},
    {"acos", V, 1, {V}},
    {"acosh", V, 1, {V}},
    {"asin", V, 1, {V}},
    {"asinh", V, 1, {V}},
    {"atan", V, 1, {V}},
    {"atanh", V, 1, {V}},
    {"avg_over_time", V, 1, {M}},
    {"ceil", V, 1, {V}},
    {"changes", V, 1, {M}},
    {"clamp", V, 3, {V, S, S}},
    {"clamp_max", V, 2, {V, S}},
    {"clamp_min", V, 2, {V, S}},
    {"cos", V, 1, {V}},
    {"cosh", V, 1, {V}},
    {"count_over_time", V, 1, {M}},
    {"day_of_month", V, 1, {V}, 1},
    {"day_of_week", V, 1, {V}, 1},
    {"day_of_year", V, 1, {V}, 1},
    {"days_in_month", V, 1, {V}, 1},
    {"deg", V, 1, {V}},
    {"delta", V, 1, {M}},
    {"deriv", V, 1, {M}},
    {"double_exponential_smoothing", V, 3, {M, S, S}, 0, kExperimental},
    {"end", S, 0, {}, 0, kExperimental},
    {"exp", V, 1, {V}},
    {"first_over_time", V, 1, {M}, 0, kExperimental},
    {"floor", V, 1, {V}},
    {"histogram_avg", V, 1, {V}},
    {"histogram_count", V, 1, {V}},
    {"histogram_fraction", V, 3, {S, S, V}},
    {"histogram_quantile", V, 2, {S, V}},
    {"histogram_quantiles", V, 4, {V, T, S, S}, 9, kExperimental},
    {"histogram_stddev", V, 1, {V}},
    {"histogram_stdvar", V, 1, {V}},
    {"histogram_sum", V, 1, {V}},
    {"hour", V, 1, {V}, 1},
    {"idelta", V, 1, {M}},
    {"increase", V, 1, {M}},
    {"info", V, 2, {V, V}, 1, kExperimental},
    {"irate", V, 1, {M}},
    {"label_join", V, 4, {V, T, T, T}, -1},
    {"label_replace", V, 5, {V, T, T, T, T}},
    {"last_over_time", V, 1, {M}},
    {"ln", V, 1, {V}},
    {"log10", V, 1, {V}},
    {"log2", V, 1, {V}},
    {"mad_over_time", V, 1, {M}, 0, kExperimental},
    {"max_of", S, 2, {S, S}, 0, kExperimental},
    {"max_over_time", V, 1, {M}},
    {"min_of", S, 2, {S, S}, 0, kExperimental},
    {"min_over_time", V, 1, {M}},
    {"minute", V, 1, {V}, 1},
    {"month", V, 1, {V}, 1},
    {"pi", S, 0, {}},
    {"predict_linear", V, 2, {M, S}},
    {"present_over_time", V, 1, {M}},
    {"quantile_over_time", V, 2, {S, M}},
    {"rad", V, 1, {V}},
    {"range", S, 0, {}, 0, kExperimental},
    {"rate", V, 1, {M}},
    {"resets", V, 1, {M}},
    {"round", V, 2, {V, S}, 1},
    {"scalar", S, 1, {V}},
    {"sgn", V, 1, {V}},
    {"sin", V, 1, {V}},
    {"sinh", V, 1, {V}},
    {"sort", V, 1, {V}},
    {"sort_by_label", V, 2, {V, T}, -1, kExperimental},
    {"sort_by_label_desc", V, 2, {V, T}, -1, kExperimental},
    {"sort_desc", V, 1, {V}},
    {"sqrt", V, 1, {V}},
    {"start", S, 0, {}, 0, kExperimental},
    {"stddev_over_time", V, 1, {M}},
    {"stdvar_over_time", V, 1, {M}},
    {"step", S, 0, {}, 0, kExperimental},
    {"sum_over_time", V, 1, {M}},
    {"tan", V, 1, {V}},
    {"tanh", V, 1, {V}},
    {"time", S, 0, {}},
    {"timestamp", V, 1, {V}},
    {"ts_of_first_over_time", V, 1, {M}, 0, kExperimental},
    {"ts_of_last_over_time", V, 1, {M}, 0, kExperimental},
    {"ts_of_max_over_time", V, 1, {M}, 0, kExperimental},
    {"ts_of_min_over_time", V, 1, {M}, 0, kExperimental},
    {"vector", V, 1, {S}},
    {"year", V, 1, {V}, 1},
};

constexpr VectorAggregation kVectorAggregations[] = {
    {"avg"},          {"bottomk", true}, {"count"}, {"count_values", true, T}, {"group"},  {"limit_ratio", true},
    {"limitk", true}, {"max"},           {"min"},   {"quantile", true},        {"stddev"}, {"stdvar"},
    {"sum"},          {"topk", true},
};

constexpr RowFunction kRowFunctions[] = {
    {"abs", 1, 1},
    {"any", 1, 1, true},
    {"arg_max", 2, 2, true},
    {"arg_min", 2, 2, true},
    {"avg", 1, 1, true},
    {"bucket", 2, 2},
    {"ceil", 1, 1},
    {"coalesce", 1, 255},
    {"contains", 2, 2},
    {"corr", 2, 2, true},
    {"count", 0, 1, true},
    {"count_if", 1, 1, true},
    {"distinct", 1, 1, true},
    {"end", 0, 0},
    {"exp", 1, 1},
    {"extract", 2, 2},
    {"first", 1, 1, true},
    {"floor", 1, 1},
    {"histogram", 1, 1, true},
    {"hour", 1, 1},
    {"if", 2, 3},
    {"last", 1, 1, true},
    {"len", 1, 1},
    {"ln", 1, 1},
    {"lower", 1, 1},
    {"max", 1, 1, true},
    {"min", 1, 1, true},
    {"pattern", 1, 1},
    {"quantile", 2, 2, true},
    {"rate", 0, 1, true},
    {"replace", 3, 3},
    {"round", 1, 1},
    {"scalar", 1, 1},
    {"sqrt", 1, 1},
    {"start", 0, 0},
    {"stddev", 1, 1, true},
    {"step", 0, 0},
    {"sum", 1, 1, true},
    {"upper", 1, 1},
    {"values", 2, 2, true},
};

template <typename Table>
auto* FindByName(const Table& table, std::string_view name) {
  const auto found = std::lower_bound(std::begin(table), std::end(table), name,
                                      [](const auto& entry, std::string_view n) { return entry.name < n; });
  return found != std::end(table) && found->name == name ? found : nullptr;
}

}  // namespace

std::string_view ToString(ExprType type) {
  switch (type) {
    case ExprType::kScalar: return "scalar";
    case ExprType::kVector: return "instant vector";
    case ExprType::kMatrix: return "range vector";
    case ExprType::kString: return "string";
  }
  return "";
}

const VectorFunction* FindVectorFunction(std::string_view name) { return FindByName(kVectorFunctions, name); }

std::vector<std::string_view> VectorFunctionNames() {
  std::vector<std::string_view> names;
  for (const VectorFunction& f : kVectorFunctions) names.push_back(f.name);
  for (const VectorAggregation& a : kVectorAggregations) names.push_back(a.name);
  return names;
}

const VectorAggregation* FindVectorAggregation(std::string_view name) {
  if (name.size() > 16) return nullptr;
  return FindByName(kVectorAggregations, absl::AsciiStrToLower({name.data(), name.size()}));
}

const RowFunction* FindRowFunction(std::string_view name) { return FindByName(kRowFunctions, name); }

std::vector<std::string_view> RowFunctionNames() {
  std::vector<std::string_view> names;
  for (const RowFunction& f : kRowFunctions) names.push_back(f.name);
  return names;
}

}  // namespace braid
