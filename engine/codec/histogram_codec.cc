#include "engine/codec/histogram_codec.h"

#include <algorithm>
#include <bit>

#include "engine/codec/chunk.h"
#include "engine/codec/double_codec.h"

namespace braid {
namespace {

using HistogramPtr = std::shared_ptr<const Histogram>;
using Buckets = std::vector<Histogram::Bucket>;

constexpr uint8_t kGaugeFlag = 1;
constexpr uint8_t kResetUnknownFlag = 2;
constexpr uint8_t kResetFlag = 4;
constexpr uint8_t kAllFlags = 7;

uint8_t FlagsOf(const Histogram& histogram) {
  return static_cast<uint8_t>((histogram.is_gauge ? kGaugeFlag : 0) |
                              (histogram.reset_unknown ? kResetUnknownFlag : 0) | (histogram.reset ? kResetFlag : 0));
}

bool ReadHead(Decoder* decoder, Histogram* histogram) {
  int64_t schema;
  uint8_t flags;
  if (!decoder->ReadZigzag(&schema) || !decoder->ReadByte(&flags)) return false;
  if (schema < INT32_MIN || schema > INT32_MAX || (flags & ~kAllFlags) != 0) return decoder->Fail();
  histogram->schema = static_cast<int32_t>(schema);
  histogram->is_gauge = (flags & kGaugeFlag) != 0;
  histogram->reset_unknown = (flags & kResetUnknownFlag) != 0;
  histogram->reset = (flags & kResetFlag) != 0;
  return ReadShortDouble(decoder, &histogram->zero_threshold);
}

void PutIndex(int32_t index, int64_t* last, std::string* out) {
  PutZigzag(out, index - *last);
  *last = index;
}

bool ReadIndex(Decoder* decoder, int64_t* last, Histogram::Bucket* bucket) {
  int64_t gap;
  int64_t index;
  if (!decoder->ReadZigzag(&gap)) return false;
  if (__builtin_add_overflow(*last, gap, &index) || index < INT32_MIN || index > INT32_MAX) return decoder->Fail();
  *last = index;
  bucket->index = static_cast<int32_t>(index);
  return true;
}

void PutBounds(const std::vector<double>& bounds, std::string* out) {
  PutVarint(out, bounds.size());
  for (double bound : bounds) PutShortDouble(out, bound);
}

bool ReadBounds(Decoder* decoder, std::vector<double>* bounds) {
  uint64_t count;
  if (!decoder->ReadVarintMax(decoder->remaining(), &count)) return false;
  bounds->resize(count);
  for (double& bound : *bounds) {
    if (!ReadShortDouble(decoder, &bound)) return false;
  }
  return true;
}

// Bits decide, so that a NaN among the numbers does not end every run.
bool SameBits(double a, double b) { return std::bit_cast<uint64_t>(a) == std::bit_cast<uint64_t>(b); }

bool SameIndices(const Buckets& a, const Buckets& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Histogram::Bucket& x, const Histogram::Bucket& y) { return x.index == y.index; });
}

bool SameShape(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && FlagsOf(a) == FlagsOf(b) && SameBits(a.zero_threshold, b.zero_threshold) &&
         SameIndices(a.positive, b.positive) && SameIndices(a.negative, b.negative) &&
         std::equal(a.custom_bounds.begin(), a.custom_bounds.end(), b.custom_bounds.begin(), b.custom_bounds.end(),
                    SameBits);
}

void PutIndices(const Buckets& buckets, std::string* out) {
  PutVarint(out, buckets.size());
  int64_t last = 0;
  for (const Histogram::Bucket& bucket : buckets) PutIndex(bucket.index, &last, out);
}

bool ReadIndices(Decoder* decoder, Buckets* buckets) {
  uint64_t count;
  if (!decoder->ReadVarintMax(decoder->remaining(), &count)) return false;
  buckets->resize(count);
  int64_t last = 0;
  for (Histogram::Bucket& bucket : *buckets) {
    bucket.count = 0;
    if (!ReadIndex(decoder, &last, &bucket)) return false;
  }
  return true;
}

template <typename Get>
void PutColumn(std::span<const HistogramPtr> run, Get get, std::string* out) {
  std::vector<double> column;
  column.reserve(run.size());
  for (const HistogramPtr& histogram : run) column.push_back(get(*histogram));
  PutDoubles(column, out);
}

void PutRun(std::span<const HistogramPtr> run, std::string* out) {
  const Histogram& shape = *run[0];
  PutVarint(out, run.size());
  PutZigzag(out, shape.schema);
  PutByte(out, FlagsOf(shape));
  PutShortDouble(out, shape.zero_threshold);
  PutIndices(shape.positive, out);
  PutIndices(shape.negative, out);
  PutBounds(shape.custom_bounds, out);
  PutColumn(
      run, [](const Histogram& h) { return h.zero_count; }, out);
  PutColumn(
      run, [](const Histogram& h) { return h.count; }, out);
  PutColumn(
      run, [](const Histogram& h) { return h.sum; }, out);
  for (size_t i = 0; i < shape.positive.size(); ++i) {
    PutColumn(
        run, [i](const Histogram& h) { return h.positive[i].count; }, out);
  }
  for (size_t i = 0; i < shape.negative.size(); ++i) {
    PutColumn(
        run, [i](const Histogram& h) { return h.negative[i].count; }, out);
  }
}

bool ReadRun(Decoder* decoder, size_t count_max, size_t* buckets_left, std::vector<HistogramPtr>* histograms) {
  uint64_t count;
  Histogram shape;
  if (!decoder->ReadVarintMax(count_max, &count)) return false;
  if (count == 0) return decoder->Fail();
  if (!ReadHead(decoder, &shape) || !ReadIndices(decoder, &shape.positive) || !ReadIndices(decoder, &shape.negative) ||
      !ReadBounds(decoder, &shape.custom_bounds)) {
    return false;
  }
  const size_t width = shape.positive.size() + shape.negative.size() + shape.custom_bounds.size();
  if (width * count > *buckets_left) return decoder->Fail();
  *buckets_left -= width * count;
  std::vector<std::shared_ptr<Histogram>> run;
  run.reserve(count);
  for (uint64_t i = 0; i < count; ++i) run.push_back(std::make_shared<Histogram>(shape));
  std::vector<double> column(count);
  const auto read_into = [&](auto place) {
    if (!ReadDoubles(decoder, count, column.data())) return false;
    for (size_t i = 0; i < count; ++i) place(run[i].get()) = column[i];
    return true;
  };
  bool ok = read_into([](Histogram* h) -> double& { return h->zero_count; }) &&
            read_into([](Histogram* h) -> double& { return h->count; }) &&
            read_into([](Histogram* h) -> double& { return h->sum; });
  for (size_t b = 0; ok && b < shape.positive.size(); ++b) {
    ok = read_into([b](Histogram* h) -> double& { return h->positive[b].count; });
  }
  for (size_t b = 0; ok && b < shape.negative.size(); ++b) {
    ok = read_into([b](Histogram* h) -> double& { return h->negative[b].count; });
  }
  if (ok) histograms->insert(histograms->end(), run.begin(), run.end());
  return ok;
}

void PutBuckets(const Buckets& buckets, std::string* out) {
  PutVarint(out, buckets.size());
  int64_t last = 0;
  for (const Histogram::Bucket& bucket : buckets) {
    PutIndex(bucket.index, &last, out);
    PutShortDouble(out, bucket.count);
  }
}

bool ReadBuckets(Decoder* decoder, Buckets* buckets) {
  uint64_t count;
  // Two bytes a bucket at least, sixteen in memory.
  if (!decoder->ReadVarintMax(decoder->remaining() / 2, &count)) return false;
  buckets->resize(count);
  int64_t last = 0;
  for (Histogram::Bucket& bucket : *buckets) {
    if (!ReadIndex(decoder, &last, &bucket) || !ReadShortDouble(decoder, &bucket.count)) return false;
  }
  return true;
}

}  // namespace

void PutHistograms(std::span<const HistogramPtr> histograms, std::string* out) {
  size_t begin = 0;
  for (size_t i = 1; i <= histograms.size(); ++i) {
    if (i < histograms.size() && SameShape(*histograms[begin], *histograms[i])) continue;
    PutRun(histograms.subspan(begin, i - begin), out);
    begin = i;
  }
}

bool ReadHistograms(Decoder* decoder, size_t count, size_t buckets_max, std::vector<HistogramPtr>* histograms) {
  const size_t end = histograms->size() + count;
  while (histograms->size() < end) {
    if (!ReadRun(decoder, end - histograms->size(), &buckets_max, histograms)) return false;
  }
  return true;
}

void EncodeHistogram(const Histogram& histogram, std::string* out) {
  PutZigzag(out, histogram.schema);
  PutByte(out, FlagsOf(histogram));
  PutShortDouble(out, histogram.zero_threshold);
  PutShortDouble(out, histogram.zero_count);
  PutShortDouble(out, histogram.count);
  PutShortDouble(out, histogram.sum);
  PutBuckets(histogram.positive, out);
  PutBuckets(histogram.negative, out);
  PutBounds(histogram.custom_bounds, out);
}

bool ReadHistogram(Decoder* decoder, Histogram* histogram) {
  return ReadHead(decoder, histogram) && ReadShortDouble(decoder, &histogram->zero_count) &&
         ReadShortDouble(decoder, &histogram->count) && ReadShortDouble(decoder, &histogram->sum) &&
         ReadBuckets(decoder, &histogram->positive) && ReadBuckets(decoder, &histogram->negative) &&
         ReadBounds(decoder, &histogram->custom_bounds);
}

}  // namespace braid
