#include "tools/query_shell.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "braid/query.h"
#include "tools/line_editor.h"
#include "tools/query_target.h"
#include "tools/terminal.h"

namespace braid {
namespace {

const char kHelp[] =
    "A query runs when it is complete; a line that ends with an open bracket, a `|` or a \\ goes on below.\n"
    "Tab completes stages, functions, metrics, labels, columns and values; Ctrl-R searches the history.\n"
    "\n"
    "  \\range FROM..TO   time range of the next queries, e.g. \\range -1h..now; without one: the default\n"
    "  \\step 30s         step of series; without one: the default\n"
    "  \\format FORMAT    table, json, ndjson, csv; without one: lines for series, else a table\n"
    "  \\limit N          rows of an answer\n"
    "  \\help  \\quit      or Ctrl-D\n"
    "\n"
    "  logs{level >= error} | tail 20                       sum by (service) (rate(http_requests_total[5m]))\n"
    "  spans{duration > 1s} | top 5 by duration             The language: docs/query.md\n";

std::shared_ptr<std::atomic<bool>> cancel;

// Ctrl-C: ends the query that runs, or the line that is typed.
void OnInterrupt(int) {
  if (cancel != nullptr) cancel->store(true);
}

std::string HistoryFile() {
  namespace fs = std::filesystem;
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  fs::path folder;
  if (state != nullptr && *state == '/') {
    folder = fs::path(state) / "braid";
  } else if (home != nullptr && *home == '/') {
    folder = fs::path(home) / ".local/state/braid";
  } else {
    return "";
  }
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? "" : (folder / "query_history").string();
}

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

class Shell {
 public:
  Shell(QuerySettings settings, std::unique_ptr<QueryTarget> target)
      : settings_(std::move(settings)),
        target_(std::move(target)),
        editor_(HistoryFile(), [this](const std::string& line) { return CompleteLine(line); }) {
    settings_.cancel = cancel;
  }

  void Run() {
    std::printf("%s. \\help explains; Ctrl-D ends.\n", Printable(target_->Name()).c_str());
    std::fflush(stdout);
    while (true) {
      std::string text;
      if (!ReadStatement(&text)) return;
      text = Trimmed(text);
      if (text.empty()) continue;
      editor_.Remember(OneLine(text));
      if (text[0] == '\\' || text == "quit" || text == "exit" || text == "help") {
        if (!Command(text[0] == '\\' ? text.substr(1) : text)) return;
        continue;
      }
      cancel->store(false);
      const absl::Status status = target_->Run(settings_, text);
      std::fflush(stdout);
      if (!status.ok()) ShowQueryError(status, text);
    }
  }

 private:
  // False at the end of the input. An interrupted statement is empty.
  bool ReadStatement(std::string* text) {
    earlier_.clear();
    while (true) {
      std::string line;
      const LineEditor::Outcome outcome = editor_.Read(earlier_.empty() ? "braid> " : "  ...> ", &line);
      if (outcome == LineEditor::Outcome::kInterrupted) {
        std::fputs("^C\n", stdout);
        text->clear();
        return true;
      }
      if (outcome == LineEditor::Outcome::kEnd) {
        std::fputs("\n", stdout);
        return false;
      }
      const bool continued = !line.empty() && line.back() == '\\';
      if (continued) line.pop_back();
      const bool ended = line.empty() && !earlier_.empty() && !LineEditor::MoreIsWaiting();
      earlier_ += line + "\n";
      if (Trimmed(earlier_).empty()) earlier_.clear();
      const bool command = !earlier_.empty() && earlier_[0] == '\\';
      if (!ended && !command && (continued || LineEditor::MoreIsWaiting() || IsUnfinished(earlier_))) continue;
      *text = earlier_;
      return true;
    }
  }

  Completion CompleteLine(const std::string& line) {
    if (earlier_.empty() && !line.empty() && line[0] == '\\') {
      Completion completion;
      for (const char* word : {"\\format", "\\help", "\\limit", "\\quit", "\\range", "\\step"}) {
        if (std::string(word).rfind(line, 0) == 0) completion.words.push_back(word);
      }
      return completion;
    }
    Completion completion = Complete(earlier_ + line, target_.get());
    // Only what stands on this line can be changed.
    if (completion.begin < earlier_.size()) return {};
    completion.begin -= earlier_.size();
    return completion;
  }

  // False if the shell is to end.
  bool Command(const std::string& text) {
    const size_t space = text.find(' ');
    const std::string name = text.substr(0, space);
    const std::string value = space == std::string::npos ? "" : Trimmed(text.substr(space));
    if (name == "quit" || name == "exit" || name == "q") return false;
    if (name == "help" || name == "h" || name == "?") {
      std::fputs(kHelp, stdout);
    } else if (name == "range") {
      const size_t dots = value.find("..");
      if (!value.empty() && dots == std::string::npos) {
        Fail("write \\range FROM..TO, e.g. \\range -1h..now");
      } else {
        settings_.start = value.substr(0, dots);
        settings_.end = value.empty() ? "" : value.substr(dots + 2);
      }
    } else if (name == "step") {
      settings_.step = value;
    } else if (name == "format") {
      const bool known = value.empty() || value == "table" || value == "json" || value == "ndjson" || value == "csv";
      if (known) {
        settings_.format = value;
      } else {
        Fail("the formats are table, json, ndjson and csv");
      }
    } else if (name == "limit") {
      char* end = nullptr;
      const uint64_t limit = std::strtoull(value.c_str(), &end, 10);
      if (value.empty()) {
        settings_.limit.reset();
      } else if (*end != '\0' || limit == 0) {
        Fail("write \\limit N");
      } else {
        settings_.limit = limit;
      }
    } else {
      Fail("\\" + name + " is no command; \\help lists them");
    }
    return true;
  }

  QuerySettings settings_;
  std::unique_ptr<QueryTarget> target_;
  std::string earlier_;  // the lines of this statement above the one that is typed
  LineEditor editor_;
};

}  // namespace

bool IsUnfinished(const std::string& text) {
  const std::string shown = Trimmed(text);
  if (shown.empty()) return false;
  if (shown.back() == '|') return true;
  const auto query = Query::Parse(shown);
  if (query.ok()) return false;
  const std::optional<QueryError> error = ErrorOf(query.status());
  if (!error) return false;
  // Something is open (E015, an unterminated string), or the text ends where more is expected.
  return error->code == "E015" || error->code == "E002" || error->code == "E009" ||
         error->message.rfind("unexpected end of input", 0) == 0;
}

std::string OneLine(const std::string& text) {
  std::string out;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote != '`' && i + 1 < text.size()) out += text[i++];
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'' || c == '`') {
      quote = c;
    } else if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
    }
    if (i < text.size()) out += text[i] == '\n' && quote == 0 ? ' ' : text[i];
  }
  return Trimmed(out);
}

int RunQueryShell(const QuerySettings& settings) {
  absl::StatusOr<std::unique_ptr<QueryTarget>> target = OpenQueryTarget(settings);
  if (!target.ok()) return Fail(std::string(target.status().message()));
  cancel = std::make_shared<std::atomic<bool>>(false);
  struct sigaction action {};
  action.sa_handler = OnInterrupt;  // without SA_RESTART, so that reading a line ends too
  sigaction(SIGINT, &action, nullptr);
  Shell(settings, *std::move(target)).Run();
  return 0;
}

}  // namespace braid
