// libFuzzer: any text as a query over a small store.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/query_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  braid::fuzz::CheckExecutor({reinterpret_cast<const char*>(data), size});
  return 0;
}
