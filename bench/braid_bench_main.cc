// braid_bench: named workloads on the engine and the query library, without sockets.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "bench/workloads/workload.h"
#include "tools/command.h"

namespace braid::bench {
namespace {

struct ProgramSettings {
  std::vector<std::string> workloads;
  std::vector<std::string> files;
  double scale = 1;
  uint64_t seed = 1;
  std::string durability = "durable";
  bool json = false;
  WorkloadSettings run;
};

int RunAll(ProgramSettings settings) {
  ParseDurability(settings.durability, &settings.run.durability);
  if (settings.run.folder.empty()) settings.run.folder = "/tmp/braid-bench-" + std::to_string(getpid());
  const absl::StatusOr<Telemetry> telemetry =
      settings.files.empty() ? GenerateTelemetry(settings.scale, settings.seed) : ReadTelemetry(settings.files);
  if (!telemetry.ok()) return Fail(std::string(telemetry.status().message()));
  if (telemetry->empty()) return Fail("the files hold no telemetry");
  if (!settings.json) std::fputs(LineHead().c_str(), stdout);
  WorkloadRun run(settings.run, *telemetry);
  int code = 0;
  for (const Workload& workload : Workloads()) {
    if (!settings.workloads.empty() &&
        std::find(settings.workloads.begin(), settings.workloads.end(), workload.name) == settings.workloads.end()) {
      continue;
    }
    const absl::StatusOr<Measurement> m = run.Run(workload.name);
    if (m.ok()) {
      std::fputs((settings.json ? Json(*m) : Line(*m)).c_str(), stdout);
    } else if (absl::IsNotFound(m.status())) {
      std::fprintf(stderr, "%s: left out: %s\n", workload.name.c_str(), std::string(m.status().message()).c_str());
    } else {
      code = Fail(workload.name + ": " + std::string(m.status().message()));
    }
    std::fflush(stdout);
  }
  return code;
}

}  // namespace
}  // namespace braid::bench

int main(int argc, char** argv) {
  using braid::bench::Workloads;
  braid::bench::ProgramSettings settings;
  CLI::App app("Named workloads on Braid's engine and query library; one line each.", "braid_bench");
  std::string footer = "Workloads:\n";
  std::vector<std::string> names;
  for (const auto& workload : Workloads()) {
    names.push_back(workload.name);
    footer += "  " + workload.name + std::string(18 - workload.name.size(), ' ') + workload.what + "\n";
  }
  footer += "Rates are per CPU second of the process (user and system, all threads); p50 and p99 are wall time.\n";
  app.footer(footer);
  app.add_option("workloads", settings.workloads, "Which ones [all]")->check(CLI::IsMember(names));
  app.add_option("--scale", settings.scale,
                 "Size of the generated data; 1 = 37,000 samples, 69,000 lines, 106,000 spans")
      ->check(CLI::Range(0.01, 1000.0));
  app.add_option("--seed", settings.seed, "Seed of the generator")->capture_default_str();
  app.add_option("--file", settings.files, "Real telemetry instead, as `braid import` reads it; repeatable");
  app.add_option("--durability", settings.durability, "durable, buffered, memory")
      ->check(CLI::IsMember({"durable", "buffered", "memory"}))
      ->capture_default_str();
  app.add_option("--repeats", settings.run.repeats, "Runs of each query and of open")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--threads", settings.run.threads, "Threads of a query; 0 = all cores")->capture_default_str();
  app.add_option("--needle", settings.run.needle, "The word that `needle` looks for")->capture_default_str();
  app.add_option("--folder", settings.run.folder, "Scratch folder, removed at the end [below /tmp]");
  app.add_flag("--json", settings.json, "One JSON object a line");
  CLI11_PARSE(app, argc, argv);
  return braid::bench::RunAll(settings);
}
