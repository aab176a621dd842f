#include "engine/part/series_scan.h"

#include <algorithm>

#include "braid/series_fold.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

class PartSeriesScan : public FoldingSeriesScan {
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
    if (context_.file == nullptr) return false;
    while (true) {
      while (at_ < loaded_.size()) {
        SeriesInfo& info = loaded_[at_++];
        if (!wanted_[at_ - 1]) continue;
        RETURN_IF_ERROR(Fill(info, series));
        if (series->labels.empty()) continue;
        ++stats_.rows_returned;
        return true;
      }
      if (!LoadBlock()) return false;
    }
  }

  const ScanStats& stats() const override { return stats_; }
  void FoldInside(std::vector<TimeRange> ranges) override { fold_inside_ = std::move(ranges); }
  const std::vector<SampleFold>& folds() const override { return folds_; }

 private:
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

  // Leaves `series->labels` empty if nothing of the series is in the range.
  absl::Status Fill(SeriesInfo& info, SeriesData* series) {
    bool any = false;
    stats_.blocks_total += info.chunks.size();
    folds_.clear();
    size_t samples = 0;
    for (const ChunkInfo& chunk : info.chunks) {
      if (chunk.range().Overlaps(time_) && !MayFold(chunk)) samples += chunk.count;
    }
    if (!labels_only_) {
      series->times.reserve(samples);
      series->values.reserve(samples);
    }
    for (const ChunkInfo& chunk : info.chunks) {
      if (!chunk.range().Overlaps(time_)) continue;
      any = true;
      if (labels_only_) break;
      if (MayFold(chunk)) {
        folds_.push_back({chunk.first_time, chunk.last_time, chunk.count, chunk.min, chunk.max});
        continue;
      }
      absl::Status status = AppendChunk(chunk, series);
      if (absl::IsDataLoss(status)) {
        stats_.damaged.push_back(std::string(status.message()));
        continue;
      }
      RETURN_IF_ERROR(status);
    }
    if (!series->histograms.empty()) series->histograms.resize(series->times.size());
    if (any && (labels_only_ || !series->times.empty() || !folds_.empty())) series->labels = std::move(info.labels);
    return absl::OkStatus();
  }

  bool MayFold(const ChunkInfo& chunk) const {
    if (fold_inside_.empty() || !chunk.has_no_nan || chunk.has_histograms) return false;
    const auto range = std::lower_bound(fold_inside_.begin(), fold_inside_.end(), chunk.last_time,
                                        [](const TimeRange& r, Timestamp time) { return r.end < time; });
    return range != fold_inside_.end() && range->start <= chunk.first_time;
  }

  // Appends the chunk's samples that lie in the range; `series->histograms` stays empty until there is one.
  absl::Status AppendChunk(const ChunkInfo& chunk, SeriesData* series) {
    if (!(chunk.block == chunk_block_)) {
      chunk_block_ = {};
      RETURN_IF_ERROR(context_.file->ReadChunkBlock(chunk.block, &chunk_bytes_));
      stats_.bytes_read += chunk.block.size;
      chunk_block_ = chunk.block;
    }
    std::vector<Timestamp>& times = series->times;
    std::vector<double>& values = series->values;
    const size_t before = times.size();
    histograms_.clear();
    if (absl::Status status = context_.file->DecodeChunkOf(chunk, chunk_bytes_, &times, &values, &histograms_);
        !status.ok()) {
      times.resize(before);
      values.resize(before);
      return status;
    }
    ++stats_.blocks_read;
    stats_.rows_read += times.size() - before;
    const auto chunk_begin = times.begin() + static_cast<ptrdiff_t>(before);
    const auto begin = std::lower_bound(chunk_begin, times.end(), time_.start) - chunk_begin;
    const auto end = std::upper_bound(chunk_begin, times.end(), time_.end) - chunk_begin;
    const bool has_histograms = !histograms_.empty() && histograms_.size() == times.size() - before;
    times.resize(before + static_cast<size_t>(end));
    values.resize(before + static_cast<size_t>(end));
    times.erase(times.begin() + static_cast<ptrdiff_t>(before), times.begin() + static_cast<ptrdiff_t>(before) + begin);
    values.erase(values.begin() + static_cast<ptrdiff_t>(before),
                 values.begin() + static_cast<ptrdiff_t>(before) + begin);
    if (has_histograms && begin < end) {
      series->histograms.resize(before);
      series->histograms.insert(series->histograms.end(), histograms_.begin() + begin, histograms_.begin() + end);
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
  BlockRef chunk_block_;
  std::string chunk_bytes_;
  std::vector<std::shared_ptr<const Histogram>> histograms_;  // of the chunk at hand
  std::vector<TimeRange> fold_inside_;
  std::vector<SampleFold> folds_;
  ScanStats stats_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SeriesScan>> MakeSeriesScan(SeriesContext context, const SeriesSpec& spec) {
  ASSIGN_OR_RETURN(std::vector<CompiledMatcher> matchers, CompiledMatcher::MakeAll(spec.matchers));
  return std::make_unique<PartSeriesScan>(std::move(context), spec, std::move(matchers));
}

}  // namespace braid
