// Bytes as lines: what belongs to a line that has not ended waits here, within bounds.
//
// Threads: a splitter belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace braid {

class LineSplitter {
 public:
  // A longer line is cut into lines of this size, so that no writer can make one grow for ever.
  static constexpr size_t kLineBytesMax = size_t{1} << 20;

  // Calls take(line, bytes) for each line that has ended: without its break, and how many bytes it took with it.
  template <typename Take>
  void Feed(std::string_view bytes, Take&& take) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      const size_t room = kLineBytesMax - begun_.size();
      if (end == std::string_view::npos ? bytes.size() < room : end <= room) {
        if (end == std::string_view::npos) {
          begun_.append(bytes);
          return;
        }
        GiveLine(bytes.substr(0, end), 1, take);
        bytes.remove_prefix(end + 1);
      } else {
        GiveLine(bytes.substr(0, room), 0, take);
        bytes.remove_prefix(room);
      }
    }
  }
  // The same for a line that has no break because nothing comes any more.
  template <typename Take>
  void End(Take&& take) {
    if (!begun_.empty()) GiveLine({}, 0, take);
  }
  // Bytes of the line that has not ended.
  size_t begun_bytes() const { return begun_.size(); }
  void Forget() { begun_.clear(); }

 private:
  template <typename Take>
  void GiveLine(std::string_view rest, size_t break_bytes, Take&& take) {
    if (begun_.empty()) {
      take(rest, rest.size() + break_bytes);
      return;
    }
    begun_.append(rest);
    take(std::string_view(begun_), begun_.size() + break_bytes);
    begun_.clear();
  }

  std::string begun_;
};

}  // namespace braid
