// braid_query_worker FOLDER: Braid as a library, timed as the SQL engines are that bench/compare runs.
//
// Reads one JSON request a line, a body of POST /v1/query, and answers one line: {"ms", "cpu_ms", "rows"} or an error.
// The time is that of the whole call: from the text until every row of the answer is in this process.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>

#include "braid/db.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "query/plan/result_writer.h"
#include "server/query_request.h"

namespace braid::bench {
namespace {

double CpuMs() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto ms = [](const timeval& time) { return time.tv_sec * 1e3 + time.tv_usec / 1e3; };
  return ms(used.ru_utime) + ms(used.ru_stime);
}

absl::StatusOr<std::string> Answer(DB* db, const std::string& line) {
  http::Request request;
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = line;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  ASSIGN_OR_RETURN(const server::QueryRequest parsed,
                   server::ParseQueryRequest(request, std::chrono::nanoseconds(now).count(), QueryLimits()));
  const double cpu = CpuMs();
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const Query query, Query::Parse(parsed.text));
  uint64_t rows = 0;
  {
    ASSIGN_OR_RETURN(const std::unique_ptr<ResultReader> result, query.Execute(db->GetSnapshot(), parsed.options));
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, result->Next(&batch));
      if (!more) break;
      rows += batch.num_rows;
    }
  }
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return "{\"ms\":" + std::to_string(ms) + ",\"cpu_ms\":" + std::to_string(CpuMs() - cpu) +
         ",\"rows\":" + std::to_string(rows) + "}";
}

int Serve(const std::string& folder) {
  Options options;
  options.read_only = true;
  absl::StatusOr<std::unique_ptr<DB>> db = DB::Open(options, folder);
  if (!db.ok()) {
    std::cerr << folder << ": " << db.status().message() << "\n";
    return 1;
  }
  std::cout << "{\"ready\":true}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const absl::StatusOr<std::string> answer = Answer(db->get(), line);
    if (answer.ok()) {
      std::cout << *answer << std::endl;
      continue;
    }
    std::string text = "{\"error\":";
    AppendJsonString(std::string(answer.status().message()), &text);
    std::cout << text << "}" << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace braid::bench

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: braid_query_worker FOLDER\n";
    return 2;
  }
  return braid::bench::Serve(argv[1]);
}
