// How many cases a fault test runs: what CI can pay for, unless the environment of the test says otherwise.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace braid {

// The value of BRAID_TEST_<name>, else `in_ci`; a sanitized build, many times slower, runs a tenth of that.
inline uint64_t CaseCount(const char* name, uint64_t in_ci) {
  const char* text = std::getenv((std::string("BRAID_TEST_") + name).c_str());
  if (text != nullptr) return std::strtoull(text, nullptr, 10);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::max<uint64_t>(in_ci / 10, 1);
#else
  return in_ci;
#endif
}

// The seed of the first case: BRAID_TEST_FIRST_SEED, so that a failed case can be run alone.
inline uint64_t FirstSeed() {
  const char* text = std::getenv("BRAID_TEST_FIRST_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

}  // namespace braid
