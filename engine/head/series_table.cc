#include "engine/head/series_table.h"

#include <algorithm>
#include <bit>

#include "engine/base/checksum.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"

namespace braid {
namespace {

uint64_t PairHash(std::string_view name, std::string_view value) { return Hash64(value, Hash64(name)); }

std::string_view FindInLabels(std::string_view labels, std::string_view wanted) {
  Decoder in(labels);
  std::string_view name, value;
  while (in.remaining() > 0 && in.ReadBytes(&name) && in.ReadBytes(&value)) {
    if (name == wanted) return value;
    if (name > wanted) break;
  }
  return {};
}

}  // namespace

bool SeriesCopy::Touches(TimeRange range) const {
  for (const Chunk& chunk : chunks) {
    if (range.Overlaps({chunk.first, chunk.last})) return true;
  }
  for (const TimedHistogram& sample : histograms) {
    if (range.Contains(sample.time)) return true;
  }
  for (const Late& sample : late) {
    if (range.Contains(sample.time)) return true;
  }
  return false;
}

absl::Status SeriesCopy::Decode(TimeRange range, SeriesData* data) const {
  struct Sample {
    Timestamp time;
    double value;
    std::shared_ptr<const Histogram> histogram;
  };
  std::vector<Timestamp> times;
  std::vector<double> values;
  for (const Chunk& chunk : chunks) {
    const size_t before = times.size();
    RETURN_IF_ERROR(DecodeChunk(*chunk.bytes, &times, &values, nullptr));
    if (times.size() - before > chunk.samples) {
      times.resize(before + chunk.samples);
      values.resize(before + chunk.samples);
    }
  }
  if (late.empty() && histograms.empty()) {
    const auto begin = std::lower_bound(times.begin(), times.end(), range.start) - times.begin();
    const auto end = std::upper_bound(times.begin() + begin, times.end(), range.end) - times.begin();
    if (data->times.empty() && begin == 0 && static_cast<size_t>(end) == times.size()) {
      data->times = std::move(times);
      data->values = std::move(values);
    } else {
      data->times.insert(data->times.end(), times.begin() + begin, times.begin() + end);
      data->values.insert(data->values.end(), values.begin() + begin, values.begin() + end);
    }
    return absl::OkStatus();
  }
  std::vector<Sample> samples;
  for (size_t i = 0; i < times.size(); ++i) {
    if (range.Contains(times[i])) samples.push_back({times[i], values[i], nullptr});
  }
  for (const TimedHistogram& sample : histograms) {
    if (range.Contains(sample.time)) samples.push_back({sample.time, sample.histogram->sum, sample.histogram});
  }
  size_t next_histogram = 0;
  for (uint32_t i = 0; i < late.size(); ++i) {
    std::shared_ptr<const Histogram> histogram;
    if (next_histogram < late_histograms.size() && late_histograms[next_histogram].first == i) {
      histogram = late_histograms[next_histogram++].second;
    }
    if (range.Contains(late[i].time)) samples.push_back({late[i].time, late[i].value, std::move(histogram)});
  }
  // A late sample was written after every in-order sample of its time, so a stable sort leaves the last written last.
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.time < b.time; });
  bool has_histograms = false;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i + 1 < samples.size() && samples[i + 1].time == samples[i].time) continue;
    data->times.push_back(samples[i].time);
    data->values.push_back(samples[i].value);
    data->histograms.push_back(std::move(samples[i].histogram));
    has_histograms = has_histograms || data->histograms.back() != nullptr;
  }
  if (!has_histograms) data->histograms.clear();
  return absl::OkStatus();
}

uint32_t SeriesTable::FindOrAdd(std::string_view labels) {
  const uint64_t hash = Hash64(labels);
  const uint64_t fingerprint = hash != 0 ? hash : 1;  // as Fingerprint(Labels) has it: the encoding is the same
  const uint32_t found = by_labels_.Find(hash, [&](uint32_t number) {
    return series_[number].fingerprint == fingerprint && series_[number].labels == labels;
  });
  if (found != NumberTable::kNone) return found;
  Series series;
  series.labels = arena_->Copy(labels);
  series.fingerprint = fingerprint;
  const uint32_t number = series_.size();
  // Memory may run out at each step: the series is either not there, or in both.
  const uint64_t table_before = by_labels_.byte_size();
  by_labels_.MakeRoom();
  series_.PushBack(std::move(series));
  by_labels_.Add(hash, number);
  const uint64_t bytes = sizeof(Series) + by_labels_.byte_size() - table_before;
  byte_size_ += bytes;
  series_byte_size_ += bytes + labels.size();
  return number;
}

void SeriesTable::IndexUpTo(uint32_t count) const {
  uint64_t bytes = 0;
  // Where memory runs out in the midst of a series, it is begun again the next time.
  for (; indexed_ < count; ++indexed_) {
    Decoder in(labels(indexed_));
    std::string_view name, value;
    while (in.remaining() > 0 && in.ReadBytes(&name) && in.ReadBytes(&value)) {
      std::vector<uint32_t>& postings = index_[PairHash(name, value)];
      if (postings.empty() || postings.back() != indexed_) postings.push_back(indexed_);
      bytes += postings.size() == 1 ? 64 : 6;  // a new entry of the index; a posting with room for more
    }
  }
  index_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

void SeriesTable::Touch(Series* series, uint64_t commit, uint64_t oldest_snapshot) {
  Mark& mark = series->mark;
  if (mark.commit == commit) return;
  if (series->extra) {
    auto& older = series->extra->older_marks;
    older.erase(older.begin(),
                std::find_if(older.begin(), older.end(), [&](const Mark& m) { return m.commit > oldest_snapshot; }));
  }
  if (mark.commit > oldest_snapshot) ExtraOf(series)->older_marks.push_back(mark);
  mark = {commit, series->now};
}

SeriesTable::Extra* SeriesTable::ExtraOf(Series* series) {
  if (!series->extra) series->extra = std::make_unique<Extra>();
  return series->extra.get();
}

void SeriesTable::Append(uint32_t number, uint64_t commit, uint64_t oldest_snapshot, Timestamp time, double value) {
  Series& series = series_[number];
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  std::lock_guard lock(LockOf(number));
  const bool first = series.now.none();
  // The very sample that is already the last one: a producer's retry.
  if (!first && time == series.last_time && bits == series.last_bits && series.now.late == 0 &&
      series.now.histograms == 0) {
    return;
  }
  Touch(&series, commit, oldest_snapshot);
  if (!first && time <= series.last_time) {
    ExtraOf(&series)->late.push_back({time, value});
    ++series.now.late;
    byte_size_ += sizeof(SeriesCopy::Late);
    return;
  }
  const size_t before = series.open.byte_size();
  series.open.Append(time, value);
  byte_size_ += series.open.byte_size() - before;
  series.last_time = time;
  series.last_bits = bits;
  ++series.now.floats;
  if (series.open.count() >= kChunkSamples) {
    auto bytes = std::make_shared<const std::string>(series.open.Finish());
    byte_size_ += bytes->size() + sizeof(SeriesCopy::Chunk) + 48;
    byte_size_ -= series.open.byte_size();
    series.closed.push_back({std::move(bytes), series.open.count(), series.open.first_time(), series.open.last_time()});
    series.open = GorillaAppender();
    byte_size_ += series.open.byte_size();
  }
}

void SeriesTable::AppendHistogram(uint32_t number, uint64_t commit, uint64_t oldest_snapshot, Timestamp time,
                                  std::shared_ptr<const Histogram> histogram) {
  Series& series = series_[number];
  std::lock_guard lock(LockOf(number));
  Touch(&series, commit, oldest_snapshot);
  const bool first = series.now.none();
  byte_size_ += sizeof(Histogram) + 64 + (histogram->positive.capacity() + histogram->negative.capacity()) * 16 +
                histogram->custom_bounds.capacity() * 8;
  Extra* extra = ExtraOf(&series);
  if (!first && time <= series.last_time) {
    extra->late.push_back({time, histogram->sum});
    extra->late_histograms.emplace_back(series.now.late++, std::move(histogram));
    return;
  }
  extra->histograms.push_back({time, std::move(histogram)});
  series.last_time = time;
  ++series.now.histograms;
}

bool SeriesTable::Read(uint32_t number, uint64_t snapshot, TimeRange range, SeriesCopy* copy) const {
  const Series& series = series_[number];
  copy->chunks.clear();
  copy->histograms.clear();
  copy->late.clear();
  copy->late_histograms.clear();
  std::lock_guard lock(LockOf(number));
  Counts counts = series.now;
  if (series.mark.commit > snapshot) {
    counts = series.mark.counts;
    if (series.extra) {
      for (const Mark& mark : series.extra->older_marks) {
        if (mark.commit <= snapshot) continue;
        counts = mark.counts;
        break;
      }
    }
  }
  if (counts.none()) return false;
  uint32_t left = counts.floats;
  for (const SeriesCopy::Chunk& chunk : series.closed) {
    if (left == 0) break;
    const uint32_t samples = std::min(left, chunk.samples);
    left -= samples;
    if (!range.Overlaps({chunk.first, chunk.last})) continue;
    copy->chunks.push_back(chunk);
    copy->chunks.back().samples = samples;
  }
  if (left > 0 && range.Overlaps({series.open.first_time(), series.open.last_time()})) {
    copy->chunks.push_back({std::make_shared<const std::string>(series.open.Finish()), left, series.open.first_time(),
                            series.open.last_time()});
  }
  if (series.extra) {
    const Extra& extra = *series.extra;
    copy->histograms.assign(extra.histograms.begin(), extra.histograms.begin() + counts.histograms);
    copy->late.assign(extra.late.begin(), extra.late.begin() + counts.late);
    for (const auto& entry : extra.late_histograms) {
      if (entry.first < counts.late) copy->late_histograms.push_back(entry);
    }
  }
  return true;
}

std::vector<uint32_t> SeriesTable::Match(const std::vector<CompiledMatcher>& matchers, uint32_t count) const {
  std::vector<uint64_t> pairs;
  for (const CompiledMatcher& matcher : matchers) {
    const std::vector<std::string>* literals = matcher.literals();
    if (literals == nullptr || matcher.negated() || literals->size() != 1 || literals->front().empty()) continue;
    pairs.push_back(PairHash(matcher.name(), literals->front()));
  }
  std::vector<uint32_t> candidates;
  if (!pairs.empty()) {
    std::shared_lock lock(index_mutex_);
    if (indexed_ < count) {
      lock.unlock();
      {
        std::unique_lock alone(index_mutex_);
        IndexUpTo(count);
      }
      lock.lock();
    }
    const std::vector<uint32_t>* shortest = nullptr;
    for (const uint64_t pair : pairs) {
      auto found = index_.find(pair);
      if (found == index_.end()) return {};
      if (shortest == nullptr || found->second.size() < shortest->size()) shortest = &found->second;
    }
    candidates.assign(shortest->begin(), std::lower_bound(shortest->begin(), shortest->end(), count));
  }
  std::vector<uint32_t> matched;
  auto consider = [&](uint32_t series) {
    for (const CompiledMatcher& matcher : matchers) {
      if (!matcher.Matches(FindInLabels(labels(series), matcher.name()))) return;
    }
    matched.push_back(series);
  };
  if (!pairs.empty()) {
    for (uint32_t series : candidates) consider(series);
  } else {
    for (uint32_t series = 0; series < count; ++series) consider(series);
  }
  return matched;
}

}  // namespace braid
