#include "server/ingest/stack_trace.h"

#include <algorithm>

namespace braid::ingest {
namespace {

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

bool IsIndented(std::string_view line) { return line.starts_with("\t") || line.starts_with("  "); }

bool IsPythonHead(std::string_view line) {
  // Exception groups draw a tree of + and | before it.
  const size_t start = line.find_first_not_of(" +|");
  if (start == std::string_view::npos) return false;
  line.remove_prefix(start);
  return line.starts_with("Traceback (most recent call last):") ||
         line.starts_with("Exception Group Traceback (most recent call last):");
}

bool IsPythonLink(std::string_view line) {
  return line.starts_with("During handling of the above exception, another exception occurred:") ||
         line.starts_with("The above exception was the direct cause of the following exception:");
}

// "java.lang.IllegalStateException: text", "TypeError: text", "pkg.MyError": the name, its end in `*end`.
bool IsThrowableName(std::string_view line, size_t* end) {
  size_t at = 0;
  while (at < line.size() && (IsWordByte(line[at]) || line[at] == '.')) ++at;
  const std::string_view name = line.substr(0, at);
  if (!name.ends_with("Error") && !name.ends_with("Exception") && !name.ends_with("Throwable")) return false;
  if (name.front() == '.' || (name.front() >= '0' && name.front() <= '9')) return false;
  // The bare word "Error" in front of a colon is how any program reports; only Node's has frames, which join anyway.
  if (name == "Error" || name == "Exception") return false;
  *end = at;
  return at == line.size() || line.substr(at).starts_with(": ") || line.substr(at) == ":";
}

std::string_view JavaHead(std::string_view line) {
  for (std::string_view before : {"Exception in thread \"", "Caused by: ", "Uncaught ", "Unhandled exception. "}) {
    if (!line.starts_with(before)) continue;
    line.remove_prefix(before.size());
    if (before.ends_with("\"")) {
      const size_t quote = line.find("\" ");
      if (quote == std::string_view::npos) return {};
      line.remove_prefix(quote + 2);
    }
    break;
  }
  return line;
}

bool IsJavaHead(std::string_view line) {
  size_t end;
  return line.starts_with("Exception in thread \"") || IsThrowableName(JavaHead(line), &end);
}

bool IsGoHead(std::string_view line) {
  if (line.starts_with("panic: ") || line.starts_with("fatal error: ")) return true;
  return line.starts_with("goroutine ") && line.ends_with("]:");
}

bool IsGoMore(std::string_view line) {
  if (line.empty() || line.front() == '\t' || IsGoHead(line)) return true;
  return line.starts_with("created by ") || line.starts_with("[signal ") || line.starts_with("exit status ") ||
         line.starts_with("runtime: ") ||
         (line.ends_with(")") && line.find('(') != std::string_view::npos &&
          line.find(' ') == std::string_view::npos) ||
         (line.ends_with(")") && line.find(".") < line.find('(') && line.find(' ') > line.find('('));
}

bool IsRustHead(std::string_view line) {
  return line.starts_with("thread '") && line.find("' panicked at ") != std::string_view::npos;
}

}  // namespace

StackTraceReader::Line StackTraceReader::Next(std::string_view line) {
  switch (state_) {
    case State::kNone: break;
    case State::kPythonFrames:
      // The first line at the margin names the exception.
      if (!line.empty() && line.front() != ' ' && line.front() != '\t') state_ = State::kPythonEnd;
      return Line::kMore;
    case State::kPythonEnd:
      if (line.empty() || IsPythonLink(line)) return Line::kMore;
      if (IsPythonHead(line)) {
        state_ = State::kPythonFrames;
        return Line::kMore;
      }
      if (line.front() == ' ' && line.find('|') != std::string_view::npos) return Line::kMore;
      break;
    case State::kJava:
      if (IsIndented(line) || line.starts_with("Caused by: ") || line.starts_with("... ") ||
          line.starts_with("Suppressed: ") || line.starts_with("at ")) {
        return Line::kMore;
      }
      break;
    case State::kGo:
      if (IsGoMore(line)) return Line::kMore;
      break;
    case State::kRustMessage: state_ = State::kRust; return Line::kMore;
    case State::kRust:
      if (IsIndented(line) || line.starts_with("note: ") || line.starts_with("stack backtrace:")) return Line::kMore;
      break;
  }
  state_ = IsPythonHead(line) ? State::kPythonFrames
           : IsGoHead(line)   ? State::kGo
           : IsRustHead(line) ? (line.ends_with(":") ? State::kRustMessage : State::kRust)
           : IsJavaHead(line) ? State::kJava
                              : State::kNone;
  return state_ == State::kNone ? Line::kNone : Line::kStart;
}

ThrownException FindException(std::string_view trace) {
  const auto first_line = [](std::string_view text) { return text.substr(0, std::min(text.find('\n'), text.size())); };
  const auto split = [](std::string_view line) {
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return ThrownException{line.substr(0, line.find(':')), {}};
    return ThrownException{line.substr(0, colon), line.substr(colon + 2)};
  };
  const std::string_view first = first_line(trace);
  if (IsGoHead(first)) {
    if (first.starts_with("goroutine ")) return {};
    return split(first);
  }
  if (IsRustHead(first)) {
    const size_t next = trace.find('\n');
    return {"panic", next == std::string_view::npos ? std::string_view() : first_line(trace.substr(next + 1))};
  }
  if (!IsPythonHead(first)) {
    const std::string_view head = JavaHead(first);
    size_t end;
    return IsThrowableName(head, &end) ? split(head) : ThrownException();
  }
  // Python names it behind the frames of the last traceback.
  ThrownException found;
  bool frames = false;
  while (!trace.empty()) {
    const std::string_view line = first_line(trace);
    trace.remove_prefix(std::min(line.size() + 1, trace.size()));
    if (IsPythonHead(line)) {
      frames = true;
    } else if (frames && !line.empty() && line.front() != ' ' && line.front() != '\t') {
      found = split(line);
      frames = false;
    }
  }
  return found;
}

}  // namespace braid::ingest
