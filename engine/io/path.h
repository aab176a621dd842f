// Joining and splitting paths. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace braid {

// "a" and "b" make "a/b"; an empty directory adds nothing, a final slash is not doubled.
inline std::string JoinPath(std::string_view dir, std::string_view name) {
  std::string path(dir);
  if (!path.empty() && path.back() != '/') path.push_back('/');
  path.append(name);
  return path;
}

// The directory of "a/b" is "a", of "/b" it is "/", of "b" it is ".".
inline std::string DirName(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

inline std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace braid
