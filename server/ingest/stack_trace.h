// Stack traces of Python, Java and its relatives, Node, Go and Rust in a stream of lines: which lines belong together,
// and what was thrown.
//
// Threads: a reader belongs to one thread; the functions are pure.
#pragma once

#include <string_view>

namespace braid::ingest {

class StackTraceReader {
 public:
  enum class Line {
    kNone,   // belongs to no trace
    kStart,  // a trace begins
    kMore,   // goes on with the trace before it
  };
  Line Next(std::string_view line);
  void Reset() { state_ = State::kNone; }

 private:
  enum class State { kNone, kPythonFrames, kPythonEnd, kJava, kGo, kRust, kRustMessage };
  State state_ = State::kNone;
};

struct ThrownException {
  std::string_view type;     // "ValueError", "java.lang.IllegalStateException", "panic"
  std::string_view message;  // one line; may be empty
};
// What the trace says was thrown, the outermost one; empty views if it does not. Views into `trace`.
ThrownException FindException(std::string_view trace);

}  // namespace braid::ingest
