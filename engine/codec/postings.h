// Sorted sets of ordinals (roaring bitmaps). The only user of CRoaring.
// Threads: values; const methods from many threads. Errors: DataLoss from Parse; REQUIRES of Parse: the bytes' checksum
// has been checked (the library cannot tell every wrong content), bounds are checked here all the same.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace braid {

class Postings {
 public:
  Postings();
  Postings(const Postings& other);
  Postings(Postings&& other) noexcept;  // leaves nothing: what was moved from can be assigned to, or destroyed
  Postings& operator=(Postings other) noexcept;
  ~Postings();

  static Postings Range(uint32_t begin, uint32_t end);  // [begin, end)
  // `bytes` must be used up exactly; every ordinal is below `ordinal_end`.
  static absl::StatusOr<Postings> Parse(std::string_view bytes, uint32_t ordinal_end);
  std::string Serialize() const;
  // The same of the set of `ordinals`, which ascend.
  static std::string Serialize(const std::vector<uint32_t>& ordinals);

  void Add(uint32_t ordinal);
  void AddMany(const std::vector<uint32_t>& ordinals);
  void And(const Postings& other);
  void Or(const Postings& other);
  void AndNot(const Postings& other);
  bool Contains(uint32_t ordinal) const;
  bool IntersectsRange(uint32_t begin, uint32_t end) const;
  uint64_t Count() const;
  bool empty() const { return Count() == 0; }
  std::vector<uint32_t> ToVector() const;
  std::vector<uint32_t> ToVector(uint32_t begin, uint32_t end) const;  // those in [begin, end)

 private:
  struct Bitmap;
  std::unique_ptr<Bitmap> bitmap_;
};

}  // namespace braid
