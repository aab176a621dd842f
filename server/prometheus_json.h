// Vector results in the JSON of Prometheus' HTTP API.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "braid/query.h"
#include "query/vector/evaluator.h"

namespace braid::server {

// {"a":"b"}
void AppendLabels(const Labels& labels, std::string* out);
// Seconds with milliseconds: 1435781451.781
void AppendPrometheusTime(Timestamp time, std::string* out);

// The members of "data": `"resultType":...,"result":...`. `range`: as a matrix over `times`; else at their one instant.
void AppendVectorResult(const VectorResult& result, const std::vector<Timestamp>& times, bool range, std::string* out);

// {"status":"success","data":DATA[,"warnings":[...]][,"infos":[...]]}
std::string SuccessJson(const std::string& data, const std::vector<Note>& notes);
std::string ErrorJson(std::string_view type, std::string_view message);

}  // namespace braid::server
