// Lines typed on a terminal: editing, history across runs, completion. libedit does the work.
//
// Threads: one. One object at a time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/completion.h"

namespace braid {

class LineEditor {
 public:
  using Completer = std::function<Completion(const std::string& before_cursor)>;

  // `history_file` may be empty: nothing is kept then. It is read now and written by Remember, for the user alone.
  LineEditor(std::string history_file, Completer completer);
  ~LineEditor();

  enum class Outcome { kLine, kInterrupted, kEnd };
  // Shows `prompt` and reads a line, without its line feed. kInterrupted: Ctrl-C; kEnd: Ctrl-D on an empty line.
  Outcome Read(const std::string& prompt, std::string* line);
  // True if more has been typed already, as when several lines were pasted.
  static bool MoreIsWaiting();
  // Puts a line into the history.
  void Remember(const std::string& line);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace braid
