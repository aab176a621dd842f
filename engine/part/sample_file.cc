#include "engine/part/sample_file.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/codec/chunk.h"
#include "engine/codec/column_codec.h"
#include "engine/codec/time_order.h"
#include "engine/memory/hash_map.h"

namespace braid {
namespace {

// Chunks that a reader accepts in one series block: a series of a year at one sample a second has 30,000.
constexpr uint64_t kMaxChunksPerSeriesBlock = 1 << 22;
// A series block is closed early at this many chunks: it is decoded whole to read one of its series.
constexpr size_t kChunksPerSeriesBlock = 2048;

Column Doubles(std::vector<double> values) {
  Column column;
  column.type = Type::kDouble;
  column.size = values.size();
  column.doubles = std::move(values);
  return column;
}

bool ReadInts(Decoder* in, size_t count, std::vector<int64_t>* values) {
  std::string_view bytes;
  return in->ReadBytes(&bytes) && DecodeInts(bytes, count, values).ok() && values->size() == count;
}

bool ReadDoubles(Decoder* in, size_t count, std::vector<double>* values) {
  std::string_view bytes;
  Column column;
  if (!in->ReadBytes(&bytes) || !DecodeColumn(bytes, count, &column).ok()) return false;
  if (column.type != Type::kDouble || column.doubles.size() != count) return false;
  *values = std::move(column.doubles);
  return true;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SampleFileWriter>> SampleFileWriter::Create(FileSystem* fs, const std::string& path,
                                                                           uint64_t file_id) {
  auto writer = std::make_unique<SampleFileWriter>();
  ASSIGN_OR_RETURN(writer->file_, BlockFileWriter::Create(fs, path, FileKind::kSamples, file_id));
  return writer;
}

absl::Status SampleFileWriter::AddChunk(std::span<const Timestamp> times, std::span<const double> values,
                                        std::span<const std::shared_ptr<const Histogram>> histograms) {
  std::string bytes = histograms.empty() ? EncodeChunk(times, values) : EncodeHistogramChunk(times, histograms);
  if (!chunk_bytes_.empty() && chunk_bytes_.size() + bytes.size() > kChunkBlockBytes) RETURN_IF_ERROR(FlushChunks());
  ChunkInfo chunk;
  chunk.first_time = times.front();
  chunk.last_time = times.back();
  chunk.count = static_cast<uint32_t>(times.size());
  chunk.has_histograms = !histograms.empty();
  chunk.size = static_cast<uint32_t>(bytes.size());
  bool any = false;
  chunk.has_no_nan = histograms.empty();
  for (size_t i = 0; i < times.size(); ++i) {
    double value = histograms.empty() ? values[i] : histograms[i]->sum;
    if (std::isnan(value)) {
      chunk.has_no_nan = false;
      continue;
    }
    chunk.min = any ? std::min(chunk.min, value) : value;
    chunk.max = any ? std::max(chunk.max, value) : value;
    chunk.sum += value;
    any = true;
  }
  chunk_bytes_ += bytes;
  pending_.back().chunks.push_back(chunk);
  chunk_block_of_.push_back(static_cast<uint32_t>(chunk_blocks_.size()));
  ++pending_chunks_;
  return absl::OkStatus();
}

absl::Status SampleFileWriter::AddSeries(const Labels& labels, std::span<const Timestamp> times,
                                         std::span<const double> values,
                                         std::span<const std::shared_ptr<const Histogram>> histograms) {
  if (pending_.size() >= kSeriesPerBlock || pending_chunks_ >= kChunksPerSeriesBlock) RETURN_IF_ERROR(FlushSeries());
  pending_.emplace_back().labels = labels;
  auto is_histogram = [&](size_t i) { return !histograms.empty() && histograms[i] != nullptr; };
  for (size_t begin = 0; begin < times.size();) {
    size_t end = begin + 1;
    while (end < times.size() && end - begin < kChunkSamples && is_histogram(end) == is_histogram(begin)) ++end;
    size_t count = end - begin;
    RETURN_IF_ERROR(AddChunk(
        times.subspan(begin, count), values.subspan(begin, count),
        is_histogram(begin) ? histograms.subspan(begin, count) : std::span<const std::shared_ptr<const Histogram>>()));
    begin = end;
  }
  if (!times.empty()) {
    pending_range_.start = std::min(pending_range_.start, times.front());
    pending_range_.end = std::max(pending_range_.end, times.back());
    pending_samples_ += times.size();
  }
  return absl::OkStatus();
}

absl::Status SampleFileWriter::FlushChunks() {
  if (chunk_bytes_.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(BlockRef ref, file_->AddBlock(BlockType::kChunks, Compression::kZstd, chunk_bytes_));
  chunk_blocks_.push_back(ref);
  chunk_bytes_.clear();
  return absl::OkStatus();
}

absl::Status SampleFileWriter::FlushSeries() {
  if (pending_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(FlushChunks());
  HashMap<std::string_view, uint32_t> codes;
  std::string strings, series;
  auto code = [&](const std::string& text) {
    auto [at, added] = codes.try_emplace(text, static_cast<uint32_t>(codes.size()));
    if (added) PutBytes(&strings, text);
    return at->second;
  };
  std::vector<int64_t> first, length, count, flags, size, block(chunk_block_of_.begin(), chunk_block_of_.end());
  std::vector<double> min, max, sum;
  for (const SeriesInfo& info : pending_) {
    PutVarint(&series, info.labels.size());
    for (const Label& label : info.labels) {
      PutVarint(&series, code(label.name));
      PutVarint(&series, code(label.value));
    }
    PutVarint(&series, info.chunks.size());
    for (const ChunkInfo& chunk : info.chunks) {
      first.push_back(chunk.first_time);
      // Wraps for ranges above 2^63, and wraps back when it is added.
      length.push_back(
          static_cast<int64_t>(static_cast<uint64_t>(chunk.last_time) - static_cast<uint64_t>(chunk.first_time)));
      count.push_back(chunk.count);
      flags.push_back(chunk.has_histograms ? 1 : chunk.has_no_nan ? 2 : 0);
      size.push_back(chunk.size);
      min.push_back(chunk.min);
      max.push_back(chunk.max);
      sum.push_back(chunk.sum);
    }
  }
  std::string plain;
  PutVarint(&plain, codes.size());
  plain += strings;
  PutVarint(&plain, pending_.size());
  plain += series;
  PutVarint(&plain, chunk_blocks_.size());
  for (const BlockRef& ref : chunk_blocks_) {
    PutVarint(&plain, ref.offset);
    PutVarint(&plain, ref.size);
  }
  PutVarint(&plain, first.size());
  for (const auto* ints : {&first, &length, &count, &flags, &block, &size}) PutBytes(&plain, EncodeInts(*ints));
  for (auto* doubles : {&min, &max, &sum}) PutBytes(&plain, EncodeColumn(Doubles(std::move(*doubles))));
  ASSIGN_OR_RETURN(BlockRef ref, file_->AddBlock(BlockType::kSeries, Compression::kZstd, plain));
  blocks_.push_back({ref, pending_.size(), pending_samples_, pending_range_});
  samples_ += pending_samples_;
  range_.start = std::min(range_.start, pending_range_.start);
  range_.end = std::max(range_.end, pending_range_.end);
  pending_.clear();
  pending_chunks_ = 0;
  pending_samples_ = 0;
  pending_range_ = {kMaxTimestamp, kMinTimestamp};
  chunk_blocks_.clear();
  chunk_block_of_.clear();
  return absl::OkStatus();
}

absl::Status SampleFileWriter::Finish() {
  RETURN_IF_ERROR(FlushSeries());
  std::string plain;
  PutVarint(&plain, blocks_.size());
  for (const SeriesBlock& block : blocks_) {
    PutVarint(&plain, block.ref.offset);
    PutVarint(&plain, block.ref.size);
    PutVarint(&plain, block.series);
    PutVarint(&plain, block.samples);
    PutZigzag(&plain, block.range.start);
    PutZigzag(&plain, block.range.end);
  }
  ASSIGN_OR_RETURN(BlockRef ref, file_->AddBlock(BlockType::kDirectory, Compression::kZstd, plain));
  file_->AddSection("directory", ref);
  return file_->Finish();
}

absl::StatusOr<std::unique_ptr<SampleFileReader>> SampleFileReader::Open(FileSystem* fs, const std::string& path,
                                                                         const std::string& name) {
  std::unique_ptr<SampleFileReader> reader(new SampleFileReader);
  ASSIGN_OR_RETURN(reader->file_, BlockFileReader::Open(fs, path, name, FileKind::kSamples));
  std::string plain;
  RETURN_IF_ERROR(reader->file_->ReadSection("directory", BlockType::kDirectory, &plain));
  Decoder in(plain);
  uint64_t blocks = 0;
  bool ok = in.ReadVarintMax(plain.size(), &blocks);
  for (uint64_t i = 0; ok && i < blocks; ++i) {
    Block block;
    uint64_t series = 0;
    ok = in.ReadVarint(&block.ref.offset) && in.ReadVarint32(&block.ref.size) &&
         in.ReadVarintMax(kSeriesPerBlock, &series) && in.ReadVarint(&block.samples) &&
         in.ReadZigzag(&block.range.start) && in.ReadZigzag(&block.range.end);
    block.first_series = static_cast<uint32_t>(reader->series_);
    block.series = static_cast<uint32_t>(series);
    reader->series_ += series;
    reader->samples_ += block.samples;
    ok = ok && reader->series_ < UINT32_MAX;
    if (ok) reader->blocks_.push_back(block);
  }
  if (!ok || !in.done()) return absl::DataLossError(absl::StrCat(name, ": directory does not parse"));
  return reader;
}

absl::Status SampleFileReader::ReadSeries(const Block& block, std::vector<SeriesInfo>* series) const {
  series->clear();
  auto damage = [&] {
    return absl::DataLossError(
        absl::StrCat(file_->name(), " block ", block.ref.offset, ": series block does not parse"));
  };
  std::string plain;
  RETURN_IF_ERROR(file_->ReadBlock(block.ref, BlockType::kSeries, &plain));
  Decoder in(plain);
  uint64_t count;
  if (!in.ReadVarintMax(plain.size(), &count)) return damage();
  std::vector<std::string_view> strings(count);
  for (std::string_view& text : strings) {
    if (!in.ReadBytes(&text)) return damage();
  }
  if (!in.ReadVarintMax(kSeriesPerBlock, &count) || count != block.series) return damage();
  series->resize(count);
  uint64_t chunks_total = 0;
  for (SeriesInfo& info : *series) {
    uint64_t labels, chunks;
    if (!in.ReadVarintMax(in.remaining(), &labels)) return damage();
    info.labels.reserve(labels);
    for (uint64_t i = 0; i < labels; ++i) {
      uint64_t name, value;
      if (!in.ReadVarint(&name) || !in.ReadVarint(&value) || name >= strings.size() || value >= strings.size()) {
        return damage();
      }
      info.labels.push_back({std::string(strings[name]), std::string(strings[value])});
    }
    if (!in.ReadVarintMax(kMaxChunksPerSeriesBlock, &chunks)) return damage();
    chunks_total += chunks;
    if (chunks_total > kMaxChunksPerSeriesBlock) return damage();
    info.chunks.resize(chunks);
  }
  if (!in.ReadVarintMax(in.remaining(), &count)) return damage();
  std::vector<BlockRef> blocks(count);
  for (BlockRef& ref : blocks) {
    if (!in.ReadVarint(&ref.offset) || !in.ReadVarint32(&ref.size)) return damage();
  }
  if (!in.ReadVarintMax(kMaxChunksPerSeriesBlock, &count) || count != chunks_total) return damage();
  std::vector<int64_t> first, length, counts, flags, block_of, size;
  for (auto* ints : {&first, &length, &counts, &flags, &block_of, &size}) {
    if (!ReadInts(&in, count, ints)) return damage();
  }
  std::vector<double> min, max, sum;
  for (auto* doubles : {&min, &max, &sum}) {
    if (!ReadDoubles(&in, count, doubles)) return damage();
  }
  if (!in.done()) return damage();
  size_t i = 0;
  uint64_t begin = 0;
  for (SeriesInfo& info : *series) {
    for (ChunkInfo& chunk : info.chunks) {
      if (block_of[i] < 0 || static_cast<uint64_t>(block_of[i]) >= blocks.size() || counts[i] < 1 ||
          counts[i] > static_cast<int64_t>(kMaxChunkSamples) || size[i] < 0 || size[i] > UINT32_MAX) {
        return damage();
      }
      if (i > 0 && block_of[i] != block_of[i - 1]) begin = 0;
      chunk.first_time = first[i];
      chunk.last_time = static_cast<int64_t>(static_cast<uint64_t>(first[i]) + static_cast<uint64_t>(length[i]));
      chunk.count = static_cast<uint32_t>(counts[i]);
      chunk.has_histograms = (flags[i] & 1) != 0;
      chunk.has_no_nan = (flags[i] & 2) != 0;
      chunk.min = min[i];
      chunk.max = max[i];
      chunk.sum = sum[i];
      chunk.block = blocks[static_cast<size_t>(block_of[i])];
      chunk.size = static_cast<uint32_t>(size[i]);
      chunk.begin = static_cast<uint32_t>(begin);
      begin += chunk.size;
      if (begin > kMaxBlockBytes) return damage();
      ++i;
    }
  }
  return absl::OkStatus();
}

absl::Status SampleFileReader::DecodeChunkOf(const ChunkInfo& chunk, const std::string& plain,
                                             std::vector<Timestamp>* times, std::vector<double>* values,
                                             std::vector<std::shared_ptr<const Histogram>>* histograms) const {
  auto damage = [&](const std::string& why) {
    return absl::DataLossError(absl::StrCat(file_->name(), " block ", chunk.block.offset, ": ", why));
  };
  if (chunk.begin > plain.size() || chunk.size > plain.size() - chunk.begin) return damage("chunk out of bounds");
  size_t before = times->size();
  absl::Status status = DecodeChunk(std::string_view(plain).substr(chunk.begin, chunk.size), times, values, histograms);
  if (!status.ok()) return damage(std::string(status.message()));
  if (times->size() - before != chunk.count || values->size() != times->size() ||
      !IsAscending(std::span<const Timestamp>(*times).subspan(before)) || (*times)[before] != chunk.first_time ||
      times->back() != chunk.last_time) {
    return damage("chunk is not as its series block describes it");
  }
  return absl::OkStatus();
}

}  // namespace braid
