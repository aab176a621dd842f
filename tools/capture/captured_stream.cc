#include "tools/capture/captured_stream.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <random>

namespace braid {
namespace {

constexpr size_t kReadBytes = size_t{64} << 10;
// A parcel goes when so much has come; what comes slowly goes by the caller's clock.
constexpr size_t kCommitBytes = size_t{512} << 10;
// A stack trace is printed in one go; what comes later is another record.
constexpr Duration kQuiet = 200 * kMillisecond;

}  // namespace

bool CapturedStream::Read(Timestamp now) {
  char buffer[kReadBytes];
  ssize_t got;
  do {
    got = read(input_, buffer, sizeof buffer);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  const std::string_view bytes(buffer, static_cast<size_t>(got));
  Echo(bytes);
  last_read_ = now;
  splitter_.Feed(bytes, [&](std::string_view line, size_t) {
    parser_.ParseLine(line, now, outlet_->sink(), &report_);
    if (outlet_->bytes() >= kCommitBytes) outlet_->Commit();
  });
  return true;
}

void CapturedStream::Tick(Timestamp now) {
  if (parser_.pending() && now - last_read_ >= kQuiet) parser_.Finish(outlet_->sink(), &report_);
}

void CapturedStream::End(Timestamp now) {
  splitter_.End([&](std::string_view line, size_t) { parser_.ParseLine(line, now, outlet_->sink(), &report_); });
  parser_.Finish(outlet_->sink(), &report_);
}

void CapturedStream::Echo(std::string_view bytes) {
  while (echo_ >= 0 && !bytes.empty()) {
    const ssize_t written = write(echo_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      // Nobody reads any more (`... | head`): the store still gets everything.
      echo_ = -1;
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

Duration LocalZoneOffset(Timestamp now) {
  const time_t seconds = static_cast<time_t>(now / kSecond);
  tm local{};
  localtime_r(&seconds, &local);
  return local.tm_gmtoff * kSecond;
}

std::string RandomUuid() {
  std::random_device device;
  uint32_t words[4];
  for (uint32_t& word : words) word = device();
  words[1] = (words[1] & 0xffff0fff) | 0x4000;      // version 4
  words[2] = (words[2] & 0x3fffffff) | 0x80000000;  // variant of RFC 9562
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16, words[1] & 0xffff,
                words[2] >> 16, words[2] & 0xffff, words[3]);
  return text;
}

}  // namespace braid
