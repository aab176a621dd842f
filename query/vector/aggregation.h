// Aggregation operators that fold the series of a group into one: sum, avg, min, max, count, group, stddev, stdvar.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "query/vector/annotations.h"
#include "query/vector/histogram_math.h"
#include "query/vector/series_value.h"

namespace braid::promql {

enum class FoldOp : uint8_t { kSum, kAvg, kMin, kMax, kCount, kGroup, kStddev, kStdvar };
// False for operators that are no fold.
bool ParseFoldOp(std::string_view name, FoldOp* op);

// One group on all instants; series are added one by one.
class GroupFold {
 public:
  GroupFold(FoldOp op, size_t steps);
  // `place`: where annotations point.
  void Add(const EvalSeries& series, Annotations* annotations, const Place& place);
  // The series of the group; labels are the caller's.
  EvalSeries Finish(Annotations* annotations, const Place& place);
  uint64_t MemoryBytes() const { return value_.size() * (8 + 8 + 8 + 4); }
  // What sums of histograms take beyond that; grows.
  uint64_t HistogramBytes() const;

 private:
  // What only sums of histograms need, of one instant.
  struct HistogramState {
    std::unique_ptr<HistogramSum> sum;
    double count = 0;
    bool has_histogram = false;
    bool incompatible = false, incremental = false;
    bool reset_seen = false, no_reset_seen = false;
  };

  void AddSums(const EvalSeries& series);
  void AddAverages(const EvalSeries& series);
  void AddVariances(const EvalSeries& series, Annotations* annotations, const Place& place);
  void AddExtremes(const EvalSeries& series, Annotations* annotations, const Place& place);
  void AddHistogram(const EvalSeries& series, size_t step, Annotations* annotations, const Place& place);
  HistogramPtr FinishHistogram(HistogramState* state, Annotations* annotations, const Place& place);

  const FoldOp op_;
  bool drop_name_ = false;
  std::vector<uint32_t> count_;  // floats seen; 0: none
  std::vector<double> value_;
  std::vector<double> error_;               // of the sum; the mean for stddev
  std::vector<uint8_t> incremental_;        // avg: `value_` is a mean, as the sum would overflow
  std::vector<HistogramState> histograms_;  // empty until a histogram comes
};

}  // namespace braid::promql
