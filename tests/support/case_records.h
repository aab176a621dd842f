// The record notations of query cases (case_runner.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "braid/write_batch.h"

namespace braid {

// Adds the lines of one load block to `*batch`; an error text, or "".
std::string LoadLogs(const std::vector<std::string>& lines, WriteBatch* batch);
std::string LoadSpans(const std::vector<std::string>& lines, WriteBatch* batch);
std::string LoadExemplars(const std::vector<std::string>& lines, WriteBatch* batch);
std::string LoadSeries(std::string_view step, const std::vector<std::string>& lines, WriteBatch* batch);

// 90s, 1h30m, 250ms, 0s, -5s.
bool ParseDistance(std::string_view text, Duration* distance);

}  // namespace braid
