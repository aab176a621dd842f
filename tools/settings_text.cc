// Words and times as people type them on the command line.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "engine/base/status_macros.h"
#include "server/request_time.h"
#include "tools/command.h"
#include "tools/file_reader.h"

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

bool ParseSizeText(const std::string& text, uint64_t* bytes) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  const auto read = std::from_chars(text.data(), text.data() + digits, number);
  if (digits == 0 || read.ec != std::errc() || read.ptr != text.data() + digits) return false;
  std::string unit = text.substr(digits);
  if (unit == "B") unit.clear();
  double factor = 1;
  if (!unit.empty()) {
    const size_t power = std::string_view("KMGT").find(unit[0]);
    const bool binary = unit.size() == 3 && unit.substr(1) == "iB";
    const bool decimal = unit.size() == 1 || (unit.size() == 2 && unit[1] == 'B');
    if (power == std::string_view::npos || (!binary && !decimal)) return false;
    for (size_t i = 0; i <= power; ++i) factor *= binary ? 1024 : 1000;
  }
  if (number * factor > 9e18) return false;
  *bytes = static_cast<uint64_t>(number * factor);
  return true;
}

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<FileReader> file, FileReader::Open(path));
  ASSIGN_OR_RETURN(std::string token, file->ReadAll());
  token.resize(std::min(token.find_first_of("\r\n"), token.size()));
  // Too short a token is no protection.
  if (token.size() < 16)
    return absl::InvalidArgumentError(path + ": a token needs 16 characters or more in the first line");
  return token;
}

absl::StatusOr<Endpoint> ReadEndpoint(const ServerChoice& choice) {
  Endpoint endpoint{choice.url, "", choice.ca_file};
  if (!choice.token_file.empty()) {
    absl::StatusOr<std::string> token = ReadTokenFile(choice.token_file);
    if (!token.ok()) return absl::InvalidArgumentError("--token-file " + std::string(token.status().message()));
    endpoint.token = *std::move(token);
  }
  // What is wrong with the URL or the file of authorities shows at once, and not with the first request.
  if (!choice.url.empty()) RETURN_IF_ERROR(HttpConnection::Make(endpoint).status());
  return endpoint;
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
