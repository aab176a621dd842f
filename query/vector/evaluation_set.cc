// and, or, unless.
#include "query/syntax/status_macros.h"
#include "query/vector/evaluation.h"
#include "query/vector/matching.h"

namespace braid::promql {

absl::Status Evaluation::EachOfSets(const Expr& expr, const BinaryExpr& binary, const Instants& times,
                                    SeriesSink sink) {
  ASSIGN_OR_RETURN(Collected left, Collect(*binary.left, times));
  ASSIGN_OR_RETURN(Collected right, Collect(*binary.right, times));
  MatchKeys keys(binary.matching);
  const std::vector<std::vector<size_t>> left_of = keys.Assign(left.series);
  const std::vector<std::vector<size_t>> right_of = keys.Assign(right.series);
  const size_t steps = times.size();
  // Of presence() below.
  const size_t keys_of_other = binary.op == BinaryOp::kOr ? left_of.size() : right_of.size();
  RETURN_IF_ERROR(left.hold.Add(keys_of_other * (steps + sizeof(std::vector<uint8_t>))));
  const auto key_of = [](const std::vector<std::vector<size_t>>& members, size_t count) {
    std::vector<size_t> key(count);
    for (size_t k = 0; k < members.size(); ++k) {
      for (size_t s : members[k]) key[s] = k;
    }
    return key;
  };
  // 1 where a series of the key has a point. Keys that one side does not have stay empty.
  const auto presence = [steps](const std::vector<std::vector<size_t>>& members,
                                const std::vector<EvalSeries>& series) {
    std::vector<std::vector<uint8_t>> present(members.size());
    for (size_t k = 0; k < members.size(); ++k) {
      if (!members[k].empty()) present[k].resize(steps);
      for (size_t s : members[k]) {
        for (size_t i = 0; i < steps; ++i) present[k][i] |= series[s].present[i];
      }
    }
    return present;
  };

  // Keeps the points at which the other side has one (or none) of the same key.
  const auto filter = [&](EvalSeries* series, const std::vector<std::vector<uint8_t>>& other, size_t key, bool keep) {
    const bool known = key < other.size() && !other[key].empty();
    for (size_t i = 0; i < steps; ++i) {
      if (series->present[i] != 0 && (known && other[key][i] != 0) != keep) series->Clear(i);
    }
    return series->AnyPresent();
  };

  if (binary.op != BinaryOp::kOr) {
    const auto right_present = presence(right_of, right.series);
    const std::vector<size_t> key = key_of(left_of, left.series.size());
    for (size_t s = 0; s < left.series.size(); ++s) {
      RETURN_IF_ERROR(CheckAlive());
      if (!filter(&left.series[s], right_present, key[s], binary.op == BinaryOp::kAnd)) continue;
      RETURN_IF_ERROR(sink(std::move(left.series[s])));
    }
    return absl::OkStatus();
  }

  const auto left_present = presence(left_of, left.series);
  const std::vector<size_t> key = key_of(right_of, right.series.size());
  SeriesMerger merger;
  const auto add = [&](EvalSeries&& series) -> absl::Status {
    if (absl::Status status = merger.Add(std::move(series)); !status.ok()) {
      return ErrorOn(expr, std::string(status.message()));
    }
    return absl::OkStatus();
  };
  for (EvalSeries& series : left.series) RETURN_IF_ERROR(add(std::move(series)));
  for (size_t s = 0; s < right.series.size(); ++s) {
    RETURN_IF_ERROR(CheckAlive());
    if (!filter(&right.series[s], left_present, key[s], false)) continue;
    RETURN_IF_ERROR(add(std::move(right.series[s])));
  }
  for (EvalSeries& series : merger.Take()) RETURN_IF_ERROR(sink(std::move(series)));
  return absl::OkStatus();
}

}  // namespace braid::promql
