// What a workload measured, and the clocks for it.
//
// Threads: values; a Stopwatch belongs to one thread, its CPU time is that of the whole process.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace braid::bench {

struct Measurement {
  std::string workload;
  std::string unit;  // what is counted: "samples", "lines", "spans", "records", "queries", "MB"
  double count = 0;  // of them
  double wall_seconds = 0;
  double cpu_seconds = 0;            // user and system, all threads of the process
  uint64_t bytes = 0;                // stored by it, or read by it; 0 = does not apply
  uint64_t rows = 0;                 // of the answer; 0 = does not apply
  std::vector<double> latencies_ms;  // of single writes or queries; empty = does not apply
  std::string note;
};

class Stopwatch {
 public:
  Stopwatch();
  double WallSeconds() const;
  double CpuSeconds() const;

 private:
  double wall_;
  double cpu_;
};

// The value below which `fraction` of the values lie; 0 for none.
double Quantile(std::vector<double> values, double fraction);
// One line for people; one JSON object.
std::string Line(const Measurement& measurement);
std::string Json(const Measurement& measurement);
// What stands above the lines.
std::string LineHead();

}  // namespace braid::bench
