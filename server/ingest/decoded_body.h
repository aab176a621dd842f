// The bytes that a request body is decoded to. A large one lies in pages of its own, which grow without a copy and go
// back to the system with the body: an allocator would keep up to 64 MiB of what a bomb unfolds to, for each thread.
//
// Threads: one thread. Errors: std::bad_alloc, and the bytes stay as they were.
#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace braid::ingest {

class DecodedBody {
 public:
  DecodedBody() = default;
  explicit DecodedBody(std::string_view bytes) { Append(bytes); }
  DecodedBody(DecodedBody&& other) noexcept { *this = std::move(other); }
  DecodedBody& operator=(DecodedBody&& other) noexcept;
  ~DecodedBody();

  std::string_view view() const { return {data_, size_}; }
  size_t size() const { return size_; }
  void Append(std::string_view bytes);
  // The next `count` bytes, to be filled by the caller.
  char* Extend(size_t count);

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace braid::ingest
