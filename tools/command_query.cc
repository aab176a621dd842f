// `braid query`: one question, or a shell on a terminal.
#include <unistd.h>

#include <cstdio>
#include <string>

#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "tools/command.h"
#include "tools/file_reader.h"
#include "tools/query_shell.h"
#include "tools/query_target.h"
#include "tools/terminal.h"

namespace braid {
namespace {

absl::StatusOr<std::string> ReadText(const std::string& text) {
  if (text != "-") return text;
  ASSIGN_OR_RETURN(std::unique_ptr<FileReader> file, FileReader::Open("-"));
  return file->ReadAll();
}

absl::Status Ask(const QuerySettings& settings, const std::string& text) {
  // A text that is no query is told apart before a store is touched.
  RETURN_IF_ERROR(Query::Parse(text).status());
  ASSIGN_OR_RETURN(const std::unique_ptr<QueryTarget> target, OpenQueryTarget(settings));
  return target->Run(settings, text);
}

}  // namespace

void ShowQueryError(const absl::Status& status, const std::string& text) {
  const std::optional<QueryError> error = ErrorOf(status);
  if (!error) {
    Fail(std::string(status.message()));
    return;
  }
  std::string shown = Format(*error, text);
  if (shown.empty() || shown.back() != '\n') shown += '\n';
  std::fputs(PaintError(shown, UseColour(STDERR_FILENO)).c_str(), stderr);
}

int RunQuery(const QuerySettings& given) {
  QuerySettings settings = given;
  if (!settings.range.empty()) {
    const size_t dots = settings.range.find("..");
    if (dots == std::string::npos || !settings.start.empty() || !settings.end.empty()) {
      return Fail("--range is FROM..TO, such as -1h..now, and stands for --start and --end");
    }
    settings.start = settings.range.substr(0, dots);
    settings.end = settings.range.substr(dots + 2);
  }
  if (settings.text.empty()) {
    if (IsTerminal(STDIN_FILENO) && IsTerminal(STDOUT_FILENO)) return RunQueryShell(settings);
    settings.text = std::string("-");  // of a literal GCC 12 says that it may overlap
  }
  const absl::StatusOr<std::string> text = ReadText(settings.text);
  if (!text.ok()) return Fail(std::string(text.status().message()));
  if (given.text.empty() && text->find_first_not_of(" \t\r\n") == std::string::npos) {
    return Fail("give a query, such as 'logs | limit 10'; on a terminal a shell opens without one");
  }
  const absl::Status status = Ask(settings, *text);
  if (status.ok()) return 0;
  ShowQueryError(status, *text);
  return 1;
}

}  // namespace braid
