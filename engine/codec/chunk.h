// Compressed runs of samples of one series. A chunk's first byte is its encoding; the rest is that encoding's.
//
// Source of the general encoding: Pelkonen et al., "Gorilla: A Fast, Scalable, In-Memory Time Series Database",
// VLDB 2015 (delta-of-delta timestamps, XOR values), with nanosecond times divided by a unit that the chunk carries.
// Threads: pure functions; an appender belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "braid/types.h"

namespace braid {

// On disk; numbers never change their meaning.
enum class ChunkEncoding : uint8_t { kGorilla = 1, kHistogram = 2, kConstant = 3, kDecimal = 4 };

inline constexpr size_t kMaxChunkSamples = 1 << 16;  // bounds what a damaged count can ask for

// An open chunk that samples are appended to in ascending time. Bytes appended before a call of bytes() stay as they
// are; `Gorilla` bit streams may be read up to a count taken earlier while appending goes on only under the owner's lock.
class GorillaAppender {
 public:
  GorillaAppender();
  // REQUIRES: time is greater than the time before; not after Finish().
  void Append(Timestamp time, double value);
  uint32_t count() const { return count_; }
  Timestamp first_time() const { return first_time_; }
  Timestamp last_time() const { return last_time_; }
  size_t byte_size() const;   // memory in use
  std::string Finish() const; // the chunk as DecodeChunk reads it; appending may go on

 private:
  std::string bits_;
  uint32_t free_bits_ = 0;
  uint32_t count_ = 0;
  Timestamp first_time_ = 0;
  Timestamp last_time_ = 0;
  int64_t last_delta_ = 0;
  int64_t unit_ = 0;
  uint64_t last_value_bits_ = 0;
  uint8_t leading_ = 0xff;
  uint8_t trailing_ = 0;
  // Samples are kept raw until the unit is known and again if a later time is no multiple of it (see chunk.cc).
  void Rebuild(int64_t unit);
  void Put(uint64_t value, uint32_t bits);
};

// The smallest lossless encoding of the samples. REQUIRES: 1..kMaxChunkSamples samples, ascending times.
std::string EncodeChunk(std::span<const Timestamp> times, std::span<const double> values);
std::string EncodeHistogramChunk(std::span<const Timestamp> times,
                                 std::span<const std::shared_ptr<const Histogram>> histograms);

// Appends the chunk's samples; histograms only if it has them (values then get their sums). DataLoss for bytes that no
// encoder wrote; never reads outside `bytes`, never allocates more than kMaxChunkSamples entries.
absl::Status DecodeChunk(std::string_view bytes, std::vector<Timestamp>* times, std::vector<double>* values,
                         std::vector<std::shared_ptr<const Histogram>>* histograms);

void EncodeHistogram(const Histogram& histogram, std::string* out);  // one, self-contained: WAL and batches

}  // namespace braid
