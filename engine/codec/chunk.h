// Compressed runs of samples of one series. A chunk's first byte is its encoding; the rest is that encoding's.
//
// Source of the general encoding: Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database",
// VLDB 2015 (delta-of-delta timestamps, XOR values), with nanosecond times divided by a unit that the chunk carries.
// Threads: pure functions; an appender belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"
#include "engine/base/coding.h"

namespace braid {

// On disk; numbers never change their meaning.
enum class ChunkEncoding : uint8_t { kGorilla = 1, kHistogram = 2, kConstant = 3, kDecimal = 4, kBits = 5 };

inline constexpr size_t kMaxChunkSamples = 1 << 16;  // bounds what a damaged count can ask for
// Samples times buckets of a histogram chunk; bounds memory in the same way. Writers cut their chunks below it.
inline constexpr size_t kMaxChunkBuckets = 1 << 22;

// An open chunk that samples are appended to in ascending time. It holds nothing but the encoded bits.
class GorillaAppender {
 public:
  // Times of a chunk are multiples of one of these; its number stands in the chunk.
  static constexpr std::array<int64_t, 4> kUnits = {1, 1'000, 1'000'000, 1'000'000'000};

  GorillaAppender() = default;
  // REQUIRES: time is greater than the time before; count() < kMaxChunkSamples.
  void Append(Timestamp time, double value);
  uint32_t count() const { return count_; }
  Timestamp first_time() const { return first_units_ * kUnits[unit_]; }
  Timestamp last_time() const { return last_units_ * kUnits[unit_]; }
  size_t byte_size() const { return sizeof(*this) + bits_.capacity(); }  // memory in use
  std::string Finish() const;  // the chunk as DecodeChunk reads it; appending may go on

 private:
  // Writes everything anew in a finer unit, when a time is no multiple of the one so far.
  void Rebuild(uint8_t unit);
  void PutTime(int64_t units);
  void PutValue(uint64_t bits);
  void Put(uint64_t value, uint32_t bits);
  void PutPair(uint64_t prefix, uint32_t prefix_bits, uint64_t value, uint32_t bits);

  std::string bits_;
  int64_t first_units_ = 0;
  int64_t last_units_ = 0;
  uint64_t last_delta_ = 0;  // in units
  uint64_t last_value_bits_ = 0;
  uint32_t count_ = 0;
  uint8_t free_bits_ = 0;   // in the last byte of bits_
  uint8_t unit_ = 0;        // index into the units of chunk.md: 1 ns, 1 us, 1 ms, 1 s
  uint8_t leading_ = 0xff;  // window of the value bits written last; 0xff = none yet
  uint8_t trailing_ = 0;
};

// The smallest lossless encoding of the samples. REQUIRES: 1..kMaxChunkSamples samples, ascending times.
std::string EncodeChunk(std::span<const Timestamp> times, std::span<const double> values);
// REQUIRES: no null histogram; samples times the most buckets of any of them is at most kMaxChunkBuckets.
std::string EncodeHistogramChunk(std::span<const Timestamp> times,
                                 std::span<const std::shared_ptr<const Histogram>> histograms);

// Appends the chunk's samples; histograms only if it has them (values then get their sums). DataLoss for bytes that no
// encoder wrote; never reads outside `bytes`, never allocates more than kMaxChunkSamples entries. `histograms` may be
// null: then a histogram chunk gives its times and sums alone.
absl::Status DecodeChunk(std::string_view bytes, std::vector<Timestamp>* times, std::vector<double>* values,
                         std::vector<std::shared_ptr<const Histogram>>* histograms);

// One histogram, self-contained: for WAL and batches. Read... returns false for bytes that no encoder wrote.
void EncodeHistogram(const Histogram& histogram, std::string* out);
bool ReadHistogram(Decoder* decoder, Histogram* histogram);

}  // namespace braid
