// Native histograms: one by one, and in columns for chunks.
//
//   histogram  := zigzag(schema) byte(flags) short(zero threshold, zero count, count, sum)
//                 buckets(positive) buckets(negative) varint(n) n * short(bound)
//   buckets    := varint(n) n * { zigzag(index - index before) short(count) }
//   flags      := 1 gauge, 2 reset unknown, 4 reset
//   histograms := run...                                  until all samples are there
//   run        := varint(samples) shape doubles(zero counts) doubles(counts) doubles(sums) { doubles(bucket) }
//   shape      := zigzag(schema) byte(flags) short(zero threshold) varint(n) indices varint(n) indices varint(n) bounds
// A run is of neighbours of one shape: the same buckets and flags. Each bucket is then one column of counts, positive
// ones first. `short` and `doubles` are those of double_codec.h, indices are zigzags of differences.
//
// Threads: pure functions. Errors: false for bytes that no encoder wrote.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "braid/types.h"
#include "engine/base/coding.h"

namespace braid {

void PutHistograms(std::span<const std::shared_ptr<const Histogram>> histograms, std::string* out);
// Appends `count` histograms. Fails if samples times buckets exceed `buckets_max`.
bool ReadHistograms(Decoder* decoder, size_t count, size_t buckets_max,
                    std::vector<std::shared_ptr<const Histogram>>* histograms);

}  // namespace braid
