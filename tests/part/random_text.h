// Texts of few letters, so that parts of them are found elsewhere too.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace braid {

inline std::string RandomText(std::mt19937* random, size_t length_max, int letters) {
  std::string text(std::uniform_int_distribution<size_t>(0, length_max)(*random), ' ');
  for (char& c : text) c = static_cast<char>('a' + std::uniform_int_distribution<int>(0, letters - 1)(*random));
  return text;
}

}  // namespace braid
