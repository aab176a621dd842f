// One line on stderr that tells how far a long operation is.
//
// On a terminal the line is redrawn at most ten times a second; elsewhere a line is written every five seconds, so that
// a log of CI stays readable and still shows life.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace braid {

class ProgressBar {
 public:
  // `label` stands in front; `quiet` shows nothing.
  explicit ProgressBar(std::string label, bool quiet = false);
  ~ProgressBar();  // leaves the terminal line clean

  // `done` of `total` (0 = unknown); `text` follows the bar, e.g. "12,000 samples".
  void Update(uint64_t done, uint64_t total, const std::string& text);
  // The last state, always shown.
  void Finish(const std::string& text);

 private:
  void Draw(const std::string& line, bool last);

  std::string label_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace braid
