// One output of a program: passed through byte by byte, and read as log records.
//
// Threads: one thread. Ownership: descriptors stay the caller's; the outlet outlives the stream.
#pragma once

#include "braid/types.h"
#include "server/ingest/log_lines.h"
#include "tools/capture/line_splitter.h"
#include "tools/capture/log_outlet.h"

namespace braid {

class CapturedStream {
 public:
  // Reads from `input`; what it reads is written to `echo` (-1: nowhere) before anything else is done with it.
  CapturedStream(int input, int echo, ingest::LogLinesOptions options, LogOutlet* outlet)
      : input_(input), echo_(echo), parser_(std::move(options)), outlet_(outlet) {}

  int input() const { return input_; }
  // Reads once what is there, waiting if nothing is; false at the end of the input.
  bool Read(Timestamp now);
  // Hands out a record that nothing has been added to for a while.
  void Tick(Timestamp now);
  // Hands out what is left.
  void End(Timestamp now);
  uint64_t records() const { return report_.accepted; }

 private:
  void Echo(std::string_view bytes);

  const int input_;
  int echo_;
  LineSplitter splitter_;
  ingest::LogLinesParser parser_;
  ingest::IngestReport report_;
  LogOutlet* const outlet_;
  Timestamp last_read_ = 0;
};

// How far this machine's clock face is ahead of UTC now.
Duration LocalZoneOffset(Timestamp now);
// A random UUID, for service.instance.id.
std::string RandomUuid();

}  // namespace braid
