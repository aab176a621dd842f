// The samples of a part: chunks by series in label order, and for each run of series a block of labels and chunk
// descriptions.
//
//   directory section := blocks:varint { offset:varint size:varint series:varint samples:varint first:zigzag
//   last:zigzag }* chunks block      := chunk*                                     (bytes of codec EncodeChunk, back to
//   back) series block      := strings:varint { text:bytes }*
//                        series:varint { labels:varint { name:varint value:varint }* chunks:varint }*
//                        chunk_blocks:varint { offset:varint size:varint }*
//                        chunks:varint, then each as `bytes` of EncodeInts or EncodeColumn:
//                        first_time last_time-first_time count flags block size min max sum
//   flags             := 1 = histogram chunk, 2 = no NaN among its floats
//
// A chunk's place in its block follows from the sizes of those before it.
//
// Threads: a writer belongs to one thread; a reader may be used by many. Errors: DataLoss.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "braid/snapshot.h"
#include "engine/part/block_file.h"

namespace braid {

// One chunk as its series block describes it. min, max and sum are those of its values (NaNs left out; a histogram
// counts with its sum), so that an aggregate over whole chunks need not decode them.
struct ChunkInfo {
  Timestamp first_time = 0;
  Timestamp last_time = 0;
  uint32_t count = 0;
  bool has_histograms = false;
  bool has_no_nan = false;  // said of float chunks only; false = not known
  double min = 0;
  double max = 0;
  double sum = 0;
  BlockRef block;
  uint32_t begin = 0;  // bytes [begin, begin + size) of the block
  uint32_t size = 0;

  TimeRange range() const { return {first_time, last_time}; }
};

struct SeriesInfo {
  Labels labels;
  std::vector<ChunkInfo> chunks;
};

class SampleFileWriter {
 public:
  static absl::StatusOr<std::unique_ptr<SampleFileWriter>> Create(FileSystem* fs, const std::string& path,
                                                                  uint64_t file_id);
  // REQUIRES as PartWriter::AddSeries.
  absl::Status AddSeries(const Labels& labels, std::span<const Timestamp> times, std::span<const double> values,
                         std::span<const std::shared_ptr<const Histogram>> histograms);
  absl::Status Finish();
  uint64_t samples() const { return samples_; }
  TimeRange range() const { return range_; }
  const BlockFileWriter& file() const { return *file_; }

 private:
  struct SeriesBlock {
    BlockRef ref;
    uint64_t series;
    uint64_t samples;
    TimeRange range;
  };
  absl::Status AddChunk(std::span<const Timestamp> times, std::span<const double> values,
                        std::span<const std::shared_ptr<const Histogram>> histograms);
  absl::Status FlushChunks();
  absl::Status FlushSeries();

  std::unique_ptr<BlockFileWriter> file_;
  std::string chunk_bytes_;
  std::vector<BlockRef> chunk_blocks_;  // of the series block that is being filled
  std::vector<uint32_t> chunk_block_of_;
  std::vector<SeriesInfo> pending_;
  size_t pending_chunks_ = 0;
  TimeRange pending_range_{kMaxTimestamp, kMinTimestamp};
  uint64_t pending_samples_ = 0;
  std::vector<SeriesBlock> blocks_;
  uint64_t samples_ = 0;
  TimeRange range_{kMaxTimestamp, kMinTimestamp};
};

class SampleFileReader {
 public:
  static absl::StatusOr<std::unique_ptr<SampleFileReader>> Open(FileSystem* fs, const std::string& path,
                                                                const std::string& name);
  struct Block {
    BlockRef ref;
    uint32_t first_series = 0;
    uint32_t series = 0;
    uint64_t samples = 0;
    TimeRange range;
  };
  const std::vector<Block>& blocks() const { return blocks_; }
  uint64_t series() const { return series_; }
  uint64_t samples() const { return samples_; }

  absl::Status ReadSeries(const Block& block, std::vector<SeriesInfo>* series) const;
  absl::Status ReadChunkBlock(BlockRef ref, std::string* plain) const {
    return file_->ReadBlock(ref, BlockType::kChunks, plain);
  }
  // Appends the chunk's samples; `plain` is its block's content. DataLoss if count or times are not as described.
  absl::Status DecodeChunkOf(const ChunkInfo& chunk, const std::string& plain, std::vector<Timestamp>* times,
                             std::vector<double>* values,
                             std::vector<std::shared_ptr<const Histogram>>* histograms) const;
  const BlockFileReader& file() const { return *file_; }

 private:
  SampleFileReader() = default;
  std::unique_ptr<BlockFileReader> file_;
  std::vector<Block> blocks_;
  uint64_t series_ = 0;
  uint64_t samples_ = 0;
};

}  // namespace braid
