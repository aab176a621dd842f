#include "tools/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <clocale>
#include <cstdio>

#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kHistoryLines = 2000;
constexpr size_t kShownWords = 100;

// The longest text that all words begin with.
std::string CommonStart(const std::vector<std::string>& words) {
  std::string start = words.front();
  for (const std::string& word : words) {
    const auto [at, other] = std::mismatch(start.begin(), start.end(), word.begin(), word.end());
    start.erase(at, start.end());
  }
  return start;
}

// Words in columns that fit the terminal.
std::string InColumns(const std::vector<std::string>& words, size_t width) {
  size_t widest = 0;
  const size_t shown = std::min(words.size(), kShownWords);
  for (size_t i = 0; i < shown; ++i) widest = std::max(widest, DisplayWidth(words[i]));
  const size_t columns = std::max<size_t>(1, (width == 0 ? 80 : width) / (widest + 2));
  const size_t rows = (shown + columns - 1) / columns;
  std::string out;
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = row; i < shown; i += rows) {
      out += words[i] + std::string(widest + 2 - DisplayWidth(words[i]), ' ');
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  }
  if (shown < words.size()) out += "... " + std::to_string(words.size() - shown) + " more\n";
  return out;
}

}  // namespace

class LineEditor::Impl {
 public:
  Impl(std::string history_file, Completer completer)
      : history_file_(std::move(history_file)), completer_(std::move(completer)) {
    std::setlocale(LC_CTYPE, "");
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) history(history_, &event, H_LOAD, history_file_.c_str());
    editor_ = el_init("braid", stdin, stdout, stderr);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &Impl::Prompt);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_ADDFN, "braid-complete", "complete the word at the cursor", &Impl::OnTab);
    el_set(editor_, EL_BIND, "^I", "braid-complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(editor_, EL_BIND, "\\e[1~", "ed-move-to-beg", nullptr);
    el_set(editor_, EL_BIND, "\\e[4~", "ed-move-to-end", nullptr);
    el_set(editor_, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
    el_source(editor_, nullptr);  // the user's ~/.editrc
  }

  ~Impl() {
    el_end(editor_);
    history_end(history_);
  }

  Outcome Read(const std::string& prompt, std::string* line) {
    prompt_ = prompt;
    int count = 0;
    errno = 0;
    const char* read = el_gets(editor_, &count);
    if (read == nullptr || count <= 0) {
      if (errno == EINTR) {
        el_reset(editor_);
        return Outcome::kInterrupted;
      }
      return Outcome::kEnd;
    }
    line->assign(read, static_cast<size_t>(count));
    while (!line->empty() && (line->back() == '\n' || line->back() == '\r')) line->pop_back();
    return Outcome::kLine;
  }

  void Remember(const std::string& line) {
    HistEvent event;
    history(history_, &event, H_ENTER, line.c_str());
    if (history_file_.empty()) return;
    const mode_t before = umask(0077);
    history(history_, &event, H_SAVE, history_file_.c_str());
    umask(before);
  }

 private:
  static Impl* Self(EditLine* editor) {
    void* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return static_cast<Impl*>(self);
  }
  static char* Prompt(EditLine* editor) { return Self(editor)->prompt_.data(); }

  static unsigned char OnTab(EditLine* editor, int) {
    Impl* self = Self(editor);
    const LineInfo* info = el_line(editor);
    const std::string before(info->buffer, info->cursor);
    const Completion found = self->completer_(before);
    if (found.words.empty()) return CC_REFRESH_BEEP;
    const std::string typed = before.substr(found.begin);
    std::string start = CommonStart(found.words);
    if (found.words.size() == 1) start += found.begin > 0 && before[found.begin - 1] == '"' ? "\"" : "";
    if (start.size() > typed.size()) {
      return el_insertstr(editor, start.substr(typed.size()).c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }
    std::fputs(("\n" + InColumns(found.words, static_cast<size_t>(TerminalWidth(STDOUT_FILENO)))).c_str(), stdout);
    std::fflush(stdout);
    return CC_REDISPLAY;
  }

  std::string history_file_;
  Completer completer_;
  std::string prompt_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
};

LineEditor::LineEditor(std::string history_file, Completer completer)
    : impl_(std::make_unique<Impl>(std::move(history_file), std::move(completer))) {}
LineEditor::~LineEditor() = default;

LineEditor::Outcome LineEditor::Read(const std::string& prompt, std::string* line) { return impl_->Read(prompt, line); }

bool LineEditor::MoreIsWaiting() {
  pollfd waiting{STDIN_FILENO, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLIN) != 0;
}

void LineEditor::Remember(const std::string& line) { impl_->Remember(line); }

}  // namespace braid
