#include "server/ingest/decoded_body.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace braid::ingest {
namespace {

// Agents' bodies are below this: they need no system call each.
constexpr size_t kHeapBytesMax = size_t{1} << 20;
constexpr size_t kPageBytes = 4096;

}  // namespace

DecodedBody& DecodedBody::operator=(DecodedBody&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

DecodedBody::~DecodedBody() {
  if (capacity_ > kHeapBytesMax) {
    ::munmap(data_, capacity_);
  } else {
    std::free(data_);
  }
}

void DecodedBody::Append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(Extend(bytes.size()), bytes.data(), bytes.size());
}

char* DecodedBody::Extend(size_t count) {
  if (count > capacity_ - size_) Reserve(std::max(size_ + count, capacity_ + capacity_ / 2));
  char* const space = data_ + size_;
  size_ += count;
  return space;
}

void DecodedBody::Reserve(size_t capacity) {
  void* moved = nullptr;
  if (capacity <= kHeapBytesMax) {
    moved = std::realloc(data_, capacity);
    if (moved == nullptr) throw std::bad_alloc();
  } else {
    capacity = (capacity + kPageBytes - 1) / kPageBytes * kPageBytes;
    const bool in_pages = capacity_ > kHeapBytesMax;
    moved = in_pages ? ::mremap(data_, capacity_, capacity, MREMAP_MAYMOVE)
                     : ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (moved == MAP_FAILED) throw std::bad_alloc();
    if (!in_pages) {
      if (size_ > 0) std::memcpy(moved, data_, size_);
      std::free(data_);
    }
  }
  data_ = static_cast<char*>(moved);
  capacity_ = capacity;
}

}  // namespace braid::ingest
