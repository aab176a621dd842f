#include "bench/workloads/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace braid::bench {
namespace {

double Wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double Cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double PerSecond(double count, double seconds) { return seconds > 0 ? count / seconds : 0; }

}  // namespace

Stopwatch::Stopwatch() : wall_(Wall()), cpu_(Cpu()) {}
double Stopwatch::WallSeconds() const { return Wall() - wall_; }
double Stopwatch::CpuSeconds() const { return Cpu() - cpu_; }

double Quantile(std::vector<double> values, double fraction) {
  if (values.empty()) return 0;
  const size_t at = std::min(values.size() - 1, static_cast<size_t>(fraction * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(at), values.end());
  return values[at];
}

std::string LineHead() {
  char text[160];
  std::snprintf(text, sizeof text, "%-16s %12s %-8s %14s %12s %10s %10s %9s  %s\n", "workload", "count", "of",
                "per core-s", "wall s", "p50 ms", "p99 ms", "bytes/1", "note");
  return text;
}

std::string Line(const Measurement& m) {
  char text[256];
  std::snprintf(text, sizeof text, "%-16s %12.0f %-8s %14.0f %12.3f %10.3f %10.3f %9.2f  %s\n", m.workload.c_str(),
                m.count, m.unit.c_str(), PerSecond(m.count, m.cpu_seconds), m.wall_seconds,
                Quantile(m.latencies_ms, 0.5), Quantile(m.latencies_ms, 0.99),
                m.count > 0 ? static_cast<double>(m.bytes) / m.count : 0.0, m.note.c_str());
  return text;
}

std::string Json(const Measurement& m) {
  char text[512];
  // Names, units and notes are this program's own and hold nothing that JSON must escape.
  std::snprintf(
      text, sizeof text,
      "{\"workload\":\"%s\",\"unit\":\"%s\",\"count\":%.0f,\"wall_seconds\":%.6f,\"cpu_seconds\":%.6f,"
      "\"per_core_second\":%.1f,\"bytes\":%llu,\"rows\":%llu,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"note\":\"%s\"}\n",
      m.workload.c_str(), m.unit.c_str(), m.count, m.wall_seconds, m.cpu_seconds, PerSecond(m.count, m.cpu_seconds),
      static_cast<unsigned long long>(m.bytes), static_cast<unsigned long long>(m.rows), Quantile(m.latencies_ms, 0.5),
      Quantile(m.latencies_ms, 0.99), m.note.c_str());
  return text;
}

}  // namespace braid::bench
