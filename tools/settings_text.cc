// Words and times as people type them on the command line.
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "server/request_time.h"
#include "tools/command.h"

namespace braid {

bool ParseDurability(const std::string& text, Durability* durability) {
  if (text == "durable")
    *durability = Durability::kDurable;
  else if (text == "buffered")
    *durability = Durability::kBuffered;
  else if (text == "memory")
    *durability = Durability::kMemory;
  else
    return false;
  return true;
}

bool ParseRecovery(const std::string& text, Recovery* recovery) {
  if (text == "refuse")
    *recovery = Recovery::kRefuse;
  else if (text == "point-in-time")
    *recovery = Recovery::kPointInTime;
  else if (text == "salvage")
    *recovery = Recovery::kSalvage;
  else
    return false;
  return true;
}

bool ParseDurationText(const std::string& text, Duration* duration) {
  const absl::StatusOr<Duration> parsed = server::ParseRequestDuration(text);
  if (parsed.ok()) *duration = *parsed;
  return parsed.ok();
}

bool ParseTimeText(const std::string& text, Timestamp now, Timestamp* time) {
  // "-1h" is short for "now-1h".
  const absl::StatusOr<Timestamp> parsed =
      server::ParseRequestTime(!text.empty() && text[0] == '-' ? "now" + text : text, now);
  if (parsed.ok()) *time = *parsed;
  return parsed.ok();
}

Timestamp Now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

absl::Status PrintOut(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() && std::fflush(stdout) == 0)
    return absl::OkStatus();
  return absl::UnavailableError(std::string("standard output: ") + std::strerror(errno));
}

int Fail(const std::string& message) {
  std::fprintf(stderr, "braid: %s\n", message.c_str());
  return 1;
}

}  // namespace braid
