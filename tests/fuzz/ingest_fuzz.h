// Foreign bytes as bodies of every format that is taken in: what must hold for all of them. CheckBody aborts where it
// does not.
//
// Two drivers: libFuzzer (clang, -DBRAID_FUZZ=ON) and ingest_fuzz_test.cc, which replays and mutates the corpus with
// any compiler. The corpus, tests/fuzz/corpus/FORMAT/, holds bodies as real clients have sent them (record_corpus.py),
// made ones for what those do not send, and `bad-...`: what a decoder has once stumbled over. Threads: one.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::fuzz {

struct IngestFormat {
  const char* name;
  const char* folder;  // of the corpus
  absl::Status (*decode)(std::string_view body, WriteBatch* batch, ingest::IngestReport* report);
  // Is every accepted record one of the batch? (A point of an OpenTelemetry histogram is many samples.)
  bool counted;
};

std::span<const IngestFormat> IngestFormats();

// A body is decoded, always in the same way, to a batch of bounded size that the engine takes and that holds what the
// report says; or it is refused in words of bounded length. Returns whether it was taken whole.
bool CheckBody(const IngestFormat& format, std::string_view body);

}  // namespace braid::fuzz
