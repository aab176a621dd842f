#include "tools/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "tools/terminal.h"

namespace braid {
namespace {

constexpr int kBarColumns = 24;

}  // namespace

ProgressBar::ProgressBar(std::string label, bool quiet)
    : label_(std::move(label)),
      quiet_(quiet),
      terminal_(IsTerminal(STDERR_FILENO)),
      next_(std::chrono::steady_clock::now() + std::chrono::seconds(terminal_ ? 0 : 5)) {}

ProgressBar::~ProgressBar() {
  if (terminal_ && drawn_) std::fputs("\r\x1b[K", stderr);
}

void ProgressBar::Update(uint64_t done, uint64_t total, const std::string& text) {
  if (quiet_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(terminal_ ? 100 : 5000);
  std::string line = label_ + "  ";
  if (total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const int filled = static_cast<int>(share * kBarColumns);
    if (terminal_) {
      for (int i = 0; i < kBarColumns; ++i) line += i < filled ? "█" : "░";
      line += ' ';
    }
    line += std::to_string(static_cast<int>(share * 100)) + "%  ";
  }
  Draw(line + text, false);
}

void ProgressBar::Finish(const std::string& text) {
  if (!quiet_) Draw(label_ + "  " + text, true);
}

void ProgressBar::Draw(const std::string& line, bool last) {
  if (terminal_) {
    const int width = TerminalWidth(STDERR_FILENO);
    std::fprintf(stderr, "\r\x1b[K%s%s", (width > 1 ? Shorten(line, static_cast<size_t>(width - 1)) : line).c_str(),
                 last ? "\n" : "");
    drawn_ = !last;
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

}  // namespace braid
