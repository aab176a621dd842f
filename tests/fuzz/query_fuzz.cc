#include "tests/fuzz/query_fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "braid/db.h"
#include "braid/query.h"
#include "query/syntax/parser.h"
#include "tests/support/case_runner.h"

namespace braid::fuzz {
namespace {

[[noreturn]] void Die(const std::string& what, std::string_view text) {
  std::fprintf(stderr, "%s for:\n%.*s\n", what.c_str(), static_cast<int>(text.size()), text.data());
  std::abort();
}

void CheckError(const absl::Status& status, std::string_view text) {
  const std::optional<QueryError> error = ErrorOf(status);
  if (!error) Die("an error without a place: " + std::string(status.message()), text);
  if (error->code.empty() || error->message.empty()) Die("an error without code or message", text);
  const auto lines = static_cast<uint32_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  if (error->line < 1 || error->line > lines || error->column < 1 || error->length < 1) {
    Die("an error at " + std::to_string(error->line) + ":" + std::to_string(error->column), text);
  }
  Format(*error, text);
}

constexpr const char kRecords[] = R"(load 15s
  up{service="api",instance="a"} 1 1 0 _ stale 1x20
  requests_total{service="api",code="200"} 0+10x10 0+5x10
  latency_bucket{service="api",le="0.1"} 0+1x20
  latency_bucket{service="api",le="+Inf"} 0+3x20
  native{service="api"} {{schema:1 sum:4 count:3 buckets:[1 2]}}x20

load_logs
  10s api error "timeout id=1" trace=a1 span=b1 code=500 user="x"
  20s web info "{\"a\":1,\"b\":\"c\"}" code=200
  80s api warn "GET /x took=12ms" ratio=0.5

load_spans
  10s +2s api server error "GET" trace=a1 span=b1 message="boom" http.route="/x"
    event 11s "retry" attempt=1
    link a2 c1
  11s +500ms db client ok "SELECT" trace=a1 span=b2 parent=b1
  65s +1s api server ok "GET" trace=a2 span=c1
)";

const DB& Store() {
  static const std::unique_ptr<DB> db = [] {
    Options options;
    options.durability = Durability::kMemory;
    options.background_work = false;
    auto opened = DB::Open(options, "");
    WriteBatch batch;
    const std::string problem = ParseLoads(kRecords, &batch);
    if (!opened.ok() || !problem.empty() || !(*opened)->Write(batch).ok()) Die("no store: " + problem, "");
    return *std::move(opened);
  }();
  return *db;
}

}  // namespace

void CheckParser(std::string_view text) {
  const auto query = ParseQuery(text);
  if (query.ok()) {
    const std::string printed = Print(**query);
    const auto again = ParseQuery(printed);
    if (!again.ok()) Die("printed as `" + printed + "`, which is refused: " + ErrorOf(again.status())->message, text);
    if (Print(**again) != printed) Die("printed as `" + printed + "`, then as `" + Print(**again) + "`", text);
  } else {
    CheckError(query.status(), text);
  }
  const auto vector = ParseVectorExpression(text);
  if (vector.ok()) {
    const std::string printed = Print(**vector);
    const auto again = ParseVectorExpression(printed);
    // What a pipeline quotes (a metric named like a table) PromQL reads as well.
    if (!again.ok() || Print(**again) != printed) Die("PromQL printed as `" + printed + "`", text);
  } else {
    CheckError(vector.status(), text);
  }
}

void CheckExecutor(std::string_view text) {
  const auto query = Query::Parse(text);
  if (!query.ok()) return;
  QueryOptions options;
  options.start = 0;
  options.end = options.now = 300 * kSecond;
  options.step = 15 * kSecond;
  options.threads = 1;
  options.limits.memory_bytes_max = uint64_t{16} << 20;
  options.limits.time_max = 2 * kSecond;
  options.limits.rows_max = 1000;
  auto reader = query->Execute(Store().GetSnapshot(), options);
  if (!reader.ok()) return;
  RecordBatch batch;
  while (true) {
    const auto more = (*reader)->Next(&batch);
    if (!more.ok()) {
      if (more.status().code() == absl::StatusCode::kInternal) Die(std::string(more.status().message()), text);
      return;
    }
    if (!*more) break;
    if (batch.num_rows > 0 && batch.columns.size() != (*reader)->columns().size())
      Die("a batch with other columns than it says", text);
  }
  (*reader)->summary();
}

std::vector<std::string> Seeds(const std::string& file_text) {
  std::vector<std::string> seeds;
  size_t begin = 0;
  while (begin < file_text.size()) {
    const size_t end = std::min(file_text.find("\n\n", begin), file_text.size());
    std::string seed = file_text.substr(begin, end - begin);
    while (!seed.empty() && seed.back() == '\n') seed.pop_back();
    if (!seed.empty()) seeds.push_back(std::move(seed));
    begin = end + 2;
  }
  return seeds;
}

}  // namespace braid::fuzz
