#include "server/log.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "server/ingest/json_text.h"

namespace braid::server {
namespace {

std::string TimeText(Timestamp time) {
  const time_t seconds = static_cast<time_t>(time / kSecond);
  tm parts;
  gmtime_r(&seconds, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%06dZ", static_cast<int>(time % kSecond / 1000));
  return text;
}

// A value of logfmt: quoted if it could be taken for more than one.
void AppendValue(std::string_view value, std::string* line) {
  const bool plain = !value.empty() && value.find_first_of(" =\"\\\n\r\t") == std::string_view::npos;
  if (plain) {
    line->append(value);
  } else {
    ingest::AppendJsonString(value, line);
  }
}

}  // namespace

bool ParseLogFormat(std::string_view text, LogFormat* format) {
  if (text == "text") {
    *format = LogFormat::kText;
  } else if (text == "logfmt") {
    *format = LogFormat::kLogfmt;
  } else if (text == "json") {
    *format = LogFormat::kJson;
  } else {
    return false;
  }
  return true;
}

std::string LogLine(LogFormat format, Timestamp time, Level level, std::string_view message,
                    std::span<const LogField> fields) {
  std::string line;
  switch (format) {
    case LogFormat::kText: line = "braid: " + std::string(message); break;
    case LogFormat::kLogfmt:
      line = "time=" + TimeText(time) + " level=" + std::string(ToString(level)) + " msg=";
      AppendValue(message, &line);
      break;
    case LogFormat::kJson:
      line = R"({"time":")" + TimeText(time) + R"(","level":")" + std::string(ToString(level)) + R"(","msg":)";
      ingest::AppendJsonString(message, &line);
      break;
  }
  for (const LogField& field : fields) {
    if (format == LogFormat::kJson) {
      line.push_back(',');
      ingest::AppendJsonString(field.name, &line);
      line.push_back(':');
      ingest::AppendJsonString(field.value, &line);
    } else {
      line.append(" ").append(field.name).append("=");
      AppendValue(field.value, &line);
    }
  }
  return line + (format == LogFormat::kJson ? "}\n" : "\n");
}

void Log::Write(Level level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < least_) return;
  const Timestamp time =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::span<const LogField> list(fields.begin(), fields.size());
  const std::string line = LogLine(format_, time, level, message, list);
  std::lock_guard lock(mutex_);
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  if (sink_) sink_(time, level, message, list);
}

void Log::SetSink(Sink sink) {
  std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

}  // namespace braid::server
