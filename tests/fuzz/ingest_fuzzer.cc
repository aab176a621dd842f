// libFuzzer: any bytes as a body of the format that BRAID_FUZZ_FORMAT names.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/fuzz/ingest_fuzz.h"

namespace {

const braid::fuzz::IngestFormat& Format() {
  const char* name = std::getenv("BRAID_FUZZ_FORMAT");
  for (const auto& format : braid::fuzz::IngestFormats()) {
    if (name != nullptr && name == std::string_view(format.name)) return format;
  }
  std::fprintf(stderr, "set BRAID_FUZZ_FORMAT to a folder of tests/fuzz/corpus\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const braid::fuzz::IngestFormat& format = Format();
  braid::fuzz::CheckBody(format, {reinterpret_cast<const char*>(data), size});
  return 0;
}
