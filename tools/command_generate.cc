#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "tools/command.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"

namespace braid {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<FILE, CloseFile>;

std::function<absl::Status(std::string_view)> SinkOf(FILE* file, const std::string& path) {
  return [file, path](std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file) == text.size()) return absl::OkStatus();
    return absl::UnavailableError(path + ": " + std::strerror(errno));
  };
}

}  // namespace

int RunGenerate(const GenerateSettings& settings) {
  // Before a file is opened: opening empties what an earlier run left there.
  if (const absl::Status status = CheckOptions(settings.options); !status.ok()) {
    return Fail(std::string(status.message()));
  }
  std::error_code error;
  std::filesystem::create_directories(settings.out, error);
  if (error) return Fail(settings.out + ": " + error.message());
  const char* const names[] = {"metrics.om", "logs.ndjson", "spans.otlp.ndjson", "truth.json"};
  std::string paths[4];
  File files[4];
  for (int i = 0; i < 4; ++i) {
    paths[i] = settings.out + "/" + names[i];
    files[i].reset(std::fopen(paths[i].c_str(), "wb"));
    if (files[i] == nullptr) return Fail(paths[i] + ": " + std::strerror(errno));
  }

  ProgressBar bar("generate", settings.quiet);
  GeneratorTruth truth;
  GeneratorSinks sinks;
  sinks.metrics = SinkOf(files[0].get(), paths[0]);
  sinks.logs = SinkOf(files[1].get(), paths[1]);
  sinks.spans = SinkOf(files[2].get(), paths[2]);
  sinks.progress = [&](double done) {
    bar.Update(static_cast<uint64_t>(done * 1000), 1000,
               ReadableCount(truth.spans) + " spans, " + ReadableCount(truth.logs) + " log lines");
  };
  absl::Status status = Generate(settings.options, sinks, &truth);
  if (status.ok()) status = SinkOf(files[3].get(), paths[3])(ToJson(settings.options, truth));
  for (int i = 0; i < 4 && status.ok(); ++i) {
    if (std::fflush(files[i].get()) != 0) status = absl::UnavailableError(paths[i] + ": " + std::strerror(errno));
  }
  if (!status.ok()) return Fail(std::string(status.message()));
  bar.Finish(ReadableCount(truth.samples) + " samples of " + ReadableCount(truth.series) + " series, " +
             ReadableCount(truth.logs) + " log lines, " + ReadableCount(truth.spans) + " spans in " +
             ReadableCount(truth.traces) + " traces -> " + settings.out);
  return 0;
}

}  // namespace braid
