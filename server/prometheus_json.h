// Vector results in the JSON of Prometheus' HTTP API.
//
// Threads: pure functions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "braid/query.h"
#include "query/vector/evaluator.h"

namespace braid::server {

// {"a":"b"}
void AppendLabels(const Labels& labels, std::string* out);
// Seconds with milliseconds: 1435781451.781
void AppendPrometheusTime(Timestamp time, std::string* out);

// The members of "data": `"resultType":...,"result":...`, a piece at a time, so that a large result is never text as a
// whole. A writer belongs to one thread at a time.
class VectorResultWriter {
 public:
  // `range`: as a matrix over `times`; else at their one instant.
  VectorResultWriter(VectorResult result, const std::vector<Timestamp>& times, bool range);
  ~VectorResultWriter();
  // Appends the next series, at least `size` bytes of them if so many are left. False if nothing was.
  bool Next(size_t size, std::string* out);
  bool done() const { return done_; }

 private:
  class TimeTexts;
  void Begin(std::string* out);
  void AppendSeries(const VectorSeries& series, std::string* out);
  void AppendSeries(const SeriesData& series, std::string* out);

  const VectorResult result_;
  const bool range_;
  const std::unique_ptr<const TimeTexts> times_;
  bool begun_ = false, done_ = false;
  bool first_ = true;  // no series has been written
  size_t at_ = 0;
};

// {"status":"success","data":DATA[,"warnings":[...]][,"infos":[...]]}, and what of it stands behind DATA.
std::string SuccessJson(const std::string& data, const std::vector<Note>& notes);
std::string EndOfSuccessJson(const std::vector<Note>& notes);
std::string ErrorJson(std::string_view type, std::string_view message);

}  // namespace braid::server
