#include <cstdio>
#include <filesystem>

#include "braid/inspect.h"
#include "tools/command.h"
#include "tools/progress_bar.h"
#include "tools/terminal.h"

namespace braid {

int RunInspect(const InspectSettings& settings) {
  const absl::StatusOr<std::string> text = InspectFile(settings.file, settings.lines_max);
  if (!text.ok()) return Fail(std::string(text.status().message()));
  const absl::Status printed = PrintOut(*text);
  return printed.ok() ? 0 : Fail(std::string(printed.message()));
}

int RunVerify(const VerifySettings& settings) {
  std::error_code error;
  if (!std::filesystem::exists(settings.dir, error)) return Fail(settings.dir + ": there is no such directory");
  ProgressBar bar("verify", settings.quiet);
  const absl::StatusOr<VerifyReport> report = VerifyStore(settings.dir, [&bar](uint64_t done, uint64_t total) {
    bar.Update(done, total, ReadableBytes(done) + " of " + ReadableBytes(total));
  });
  if (!report.ok()) return Fail(std::string(report.status().message()));
  bar.Finish(ReadableCount(report->files) + " files, " + ReadableCount(report->blocks) + " blocks, " +
             ReadableBytes(report->bytes));
  for (const std::string& one : report->set_aside) std::printf("set aside: %s\n", one.c_str());
  for (const std::string& problem : report->problems) std::printf("%s\n", problem.c_str());
  if (report->problems.empty()) {
    std::printf("%s: sound\n", settings.dir.c_str());
    return 0;
  }
  std::printf("%s: %zu problem%s\n", settings.dir.c_str(), report->problems.size(),
              report->problems.size() == 1 ? "" : "s");
  return 1;
}

}  // namespace braid
