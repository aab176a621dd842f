// What a running server says about itself: lines on standard error, for people or for programs.
//
// Threads: any.
#pragma once

#include <functional>
#include <initializer_list>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "braid/types.h"

namespace braid::server {

enum class LogFormat { kText, kLogfmt, kJson };

// "text", "logfmt", "json"; false for other words.
bool ParseLogFormat(std::string_view text, LogFormat* format);

struct LogField {
  std::string_view name;
  std::string value;
};

class Log {
 public:
  // Lines below `least` are left out.
  Log(LogFormat format, Level least) : format_(format), least_(least) {}

  // As text: "braid: message name=value"; as logfmt and JSON with time and level.
  void Write(Level level, std::string_view message, std::initializer_list<LogField> fields = {});
  // Every line that is not left out goes there too. Null to end it.
  using Sink =
      std::function<void(Timestamp time, Level level, std::string_view message, std::span<const LogField> fields)>;
  void SetSink(Sink sink);

 private:
  const LogFormat format_;
  const Level least_;
  std::mutex mutex_;  // lines come whole, and one after another
  Sink sink_;
};

// A line of a log in one of the formats, with its line break.
std::string LogLine(LogFormat format, Timestamp time, Level level, std::string_view message,
                    std::span<const LogField> fields);

}  // namespace braid::server
