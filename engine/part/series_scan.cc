#include "engine/part/series_scan.h"

#include <algorithm>
#include <mutex>

#include "braid/series_fold.h"
#include "braid/unread_series.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

class PartSeriesScan : public FoldingSeriesScan, public UnreadSeriesScan {
 public:
  PartSeriesScan(SeriesContext context, const SeriesSpec& spec, std::vector<CompiledMatcher> matchers)
      : context_(std::move(context)), time_(spec.time), labels_only_(spec.labels_only), matchers_(std::move(matchers)) {
    stats_.sources_total = 1;
    if (context_.file == nullptr || time_.empty()) {
      if (context_.file != nullptr) block_ = context_.file->blocks().size();
      return;
    }
    if (!matchers_.empty()) FindSeries();
  }

  absl::StatusOr<bool> Next(SeriesData* series) override {
    *series = SeriesData();
    while (SeriesInfo* info = NextInfo()) {
      series->labels = std::move(info->labels);
      if (labels_only_) {
        ++stats_.rows_returned;
        return true;
      }
      folds_.clear();
      RETURN_IF_ERROR(Read(info->chunks, series, &folds_));
      if (!series->times.empty() || !folds_.empty()) return true;
      *series = SeriesData();
    }
    return false;
  }

  absl::StatusOr<bool> NextUnread(UnreadSeries* series) override {
    SeriesInfo* info = NextInfo();
    if (info == nullptr) return false;
    series->labels = std::move(info->labels);
    series->samples = SamplesToDecode(info->chunks);
    series->reader = std::make_unique<Reader>(this, std::move(info->chunks));
    return true;
  }

  const ScanStats& stats() const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    all_stats_ = stats_;
    all_stats_.Add(read_stats_);
    return all_stats_;
  }
  void FoldInside(std::vector<TimeRange> ranges) override { fold_inside_ = std::move(ranges); }
  const std::vector<SampleFold>& folds() const override { return folds_; }

 private:
  class Reader : public SampleReader {
   public:
    Reader(PartSeriesScan* scan, std::vector<ChunkInfo> chunks) : scan_(scan), chunks_(std::move(chunks)) {}
    absl::Status Read(SeriesData* series, std::vector<SampleFold>* folds) override {
      return scan_->Read(chunks_, series, folds);
    }

   private:
    PartSeriesScan* const scan_;
    const std::vector<ChunkInfo> chunks_;
  };

  void FindSeries() {
    absl::StatusOr<const LabelIndex*> index = context_.labels();
    absl::StatusOr<Postings> found =
        index.ok() ? (*index)->Match(matchers_, &stats_.bytes_read) : absl::StatusOr<Postings>(index.status());
    if (!found.ok()) {
      // The labels themselves decide as well, only slower.
      stats_.damaged.push_back(std::string(found.status().message()));
      return;
    }
    found_ = *std::move(found);
    has_found_ = true;
    stats_.indexes.push_back("label index");
  }

  // Loads the next block that may have wanted series; false at the end.
  bool LoadBlock() {
    const auto& blocks = context_.file->blocks();
    while (block_ < blocks.size()) {
      const SampleFileReader::Block& block = blocks[block_++];
      if (!block.range.Overlaps(time_)) continue;
      uint32_t end = block.first_series + block.series;
      if (has_found_ && !found_.IntersectsRange(block.first_series, end)) continue;
      stats_.sources_read = 1;
      stats_.bytes_read += block.ref.size;
      absl::Status status = context_.file->ReadSeries(block, &loaded_);
      if (!status.ok()) {
        stats_.damaged.push_back(std::string(status.message()));
        loaded_.clear();
        continue;
      }
      at_ = 0;
      wanted_.assign(loaded_.size(), has_found_ ? 0 : 1);
      if (has_found_) {
        for (uint32_t ordinal : found_.ToVector(block.first_series, end)) wanted_[ordinal - block.first_series] = 1;
      } else {
        for (size_t i = 0; i < loaded_.size(); ++i) {
          for (const CompiledMatcher& matcher : matchers_) {
            if (!matcher.Matches(loaded_[i].labels)) wanted_[i] = 0;
          }
        }
      }
      return true;
    }
    return false;
  }

  // The next wanted series that has a chunk that meets the range; null at the end. It may be moved from.
  SeriesInfo* NextInfo() {
    if (context_.file == nullptr) return nullptr;
    while (true) {
      while (at_ < loaded_.size()) {
        SeriesInfo& info = loaded_[at_++];
        if (!wanted_[at_ - 1]) continue;
        stats_.blocks_total += info.chunks.size();
        const bool any = std::any_of(info.chunks.begin(), info.chunks.end(),
                                     [this](const ChunkInfo& chunk) { return chunk.range().Overlaps(time_); });
        if (any) return &info;
      }
      if (!LoadBlock()) return nullptr;
    }
  }

  size_t SamplesToDecode(const std::vector<ChunkInfo>& chunks) const {
    size_t samples = 0;
    for (const ChunkInfo& chunk : chunks) {
      if (chunk.range().Overlaps(time_) && !MayFold(chunk)) samples += chunk.count;
    }
    return samples;
  }

  // May run on several threads at once.
  absl::Status Read(const std::vector<ChunkInfo>& chunks, SeriesData* series, std::vector<SampleFold>* folds) {
    const size_t samples = SamplesToDecode(chunks);
    series->times.reserve(samples);
    series->values.reserve(samples);
    ScanStats stats;
    ChunkBlock block;
    for (const ChunkInfo& chunk : chunks) {
      if (!chunk.range().Overlaps(time_)) continue;
      if (MayFold(chunk)) {
        folds->push_back({chunk.first_time, chunk.last_time, chunk.count, chunk.min, chunk.max});
        continue;
      }
      absl::Status status = AppendChunk(chunk, &block, series, &stats);
      if (absl::IsDataLoss(status)) {
        stats.damaged.push_back(std::string(status.message()));
        continue;
      }
      RETURN_IF_ERROR(status);
    }
    if (!series->histograms.empty()) series->histograms.resize(series->times.size());
    if (!series->times.empty() || !folds->empty()) stats.rows_returned = 1;
    const std::lock_guard<std::mutex> lock(mutex_);
    read_stats_.Add(stats);
    return absl::OkStatus();
  }

  bool MayFold(const ChunkInfo& chunk) const {
    if (fold_inside_.empty() || !chunk.has_no_nan || chunk.has_histograms) return false;
    const auto range = std::lower_bound(fold_inside_.begin(), fold_inside_.end(), chunk.last_time,
                                        [](const TimeRange& r, Timestamp time) { return r.end < time; });
    return range != fold_inside_.end() && range->start <= chunk.first_time;
  }

  // A block of chunks and what is in it; null if there is none. Neighbouring series share one.
  struct ChunkBlock {
    BlockRef ref;
    std::shared_ptr<const std::string> plain;
  };
  ChunkBlock LastBlock() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return last_block_;
  }

  // Appends the chunk's samples that lie in the range; `series->histograms` stays empty until there is one.
  absl::Status AppendChunk(const ChunkInfo& chunk, ChunkBlock* block, SeriesData* series, ScanStats* stats) const {
    if (block->plain == nullptr || !(chunk.block == block->ref)) {
      *block = LastBlock();
      if (block->plain == nullptr || !(chunk.block == block->ref)) {
        block->plain = nullptr;
        std::string plain;
        RETURN_IF_ERROR(context_.file->ReadChunkBlock(chunk.block, &plain));
        stats->bytes_read += chunk.block.size;
        *block = {chunk.block, std::make_shared<const std::string>(std::move(plain))};
        const std::lock_guard<std::mutex> lock(mutex_);
        last_block_ = *block;
      }
    }
    std::vector<Timestamp>& times = series->times;
    std::vector<double>& values = series->values;
    const size_t before = times.size();
    std::vector<std::shared_ptr<const Histogram>> histograms;
    if (absl::Status status = context_.file->DecodeChunkOf(chunk, *block->plain, &times, &values, &histograms);
        !status.ok()) {
      times.resize(before);
      values.resize(before);
      return status;
    }
    ++stats->blocks_read;
    stats->rows_read += times.size() - before;
    const auto chunk_begin = times.begin() + static_cast<ptrdiff_t>(before);
    const auto begin = std::lower_bound(chunk_begin, times.end(), time_.start) - chunk_begin;
    const auto end = std::upper_bound(chunk_begin, times.end(), time_.end) - chunk_begin;
    const bool has_histograms = !histograms.empty() && histograms.size() == times.size() - before;
    times.resize(before + static_cast<size_t>(end));
    values.resize(before + static_cast<size_t>(end));
    times.erase(times.begin() + static_cast<ptrdiff_t>(before), times.begin() + static_cast<ptrdiff_t>(before) + begin);
    values.erase(values.begin() + static_cast<ptrdiff_t>(before),
                 values.begin() + static_cast<ptrdiff_t>(before) + begin);
    if (has_histograms && begin < end) {
      series->histograms.resize(before);
      series->histograms.insert(series->histograms.end(), histograms.begin() + begin, histograms.begin() + end);
    }
    return absl::OkStatus();
  }

  SeriesContext context_;
  TimeRange time_;
  bool labels_only_;
  std::vector<CompiledMatcher> matchers_;
  bool has_found_ = false;
  Postings found_;
  size_t block_ = 0;
  std::vector<SeriesInfo> loaded_;
  std::vector<uint8_t> wanted_;
  size_t at_ = 0;
  std::vector<TimeRange> fold_inside_;
  std::vector<SampleFold> folds_;
  mutable std::mutex mutex_;  // of what readers change
  mutable ChunkBlock last_block_;
  ScanStats read_stats_;
  ScanStats stats_;  // of finding series
  mutable ScanStats all_stats_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SeriesScan>> MakeSeriesScan(SeriesContext context, const SeriesSpec& spec) {
  ASSIGN_OR_RETURN(std::vector<CompiledMatcher> matchers, CompiledMatcher::MakeAll(spec.matchers));
  return std::make_unique<PartSeriesScan>(std::move(context), spec, std::move(matchers));
}

}  // namespace braid
