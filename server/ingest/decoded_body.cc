#include "server/ingest/decoded_body.h"

#include <algorithm>
#include <cstring>

#include "engine/memory/large_allocator.h"

namespace braid::ingest {

DecodedBody& DecodedBody::operator=(DecodedBody&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

DecodedBody::~DecodedBody() { LargeAllocator<char>().deallocate(data_, capacity_); }

void DecodedBody::Append(std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(Extend(bytes.size()), bytes.data(), bytes.size());
}

char* DecodedBody::Extend(size_t count) {
  if (count > capacity_ - size_) {
    const size_t wanted = std::max(size_ + count, capacity_ + capacity_ / 2);
    data_ = LargeAllocator<char>().grow(data_, capacity_, wanted);
    capacity_ = wanted;
  }
  char* const space = data_ + size_;
  size_ += count;
  return space;
}

}  // namespace braid::ingest
