// chunk := byte(ChunkEncoding) varint(samples) body; page: docs/format/chunk.md
// body of kGorilla   := see gorilla.cc
//         kConstant,
//         kDecimal,
//         kBits      := ints(times) doubles(values)
//         kHistogram := ints(times) histograms
#include "engine/codec/chunk.h"

#include <algorithm>

#include "engine/base/coding.h"
#include "engine/codec/double_codec.h"
#include "engine/codec/gorilla.h"
#include "engine/codec/histogram_codec.h"
#include "engine/codec/int_codec.h"
#include "engine/codec/time_order.h"

namespace braid {
namespace {

ChunkEncoding EncodingOf(DoubleForm form) {
  switch (form) {
    case DoubleForm::kConstant: return ChunkEncoding::kConstant;
    case DoubleForm::kBits: return ChunkEncoding::kBits;
    default: return ChunkEncoding::kDecimal;
  }
}

std::string EncodeGorilla(std::span<const Timestamp> times, std::span<const double> values) {
  GorillaAppender appender;
  for (size_t i = 0; i < times.size(); ++i) appender.Append(times[i], values[i]);
  return appender.Finish();
}

absl::Status Damaged(const char* what) { return absl::DataLossError(what); }

}  // namespace

std::string EncodeChunk(std::span<const Timestamp> times, std::span<const double> values) {
  std::string body;
  PutVarint(&body, times.size());
  PutInts(times, &body);
  const DoubleForm form = PutDoubles(values, &body);
  // XOR of neighbours cannot win against decimals of a byte; it is worth its time where values repeat or are noise.
  if (body.size() > times.size()) {
    std::string gorilla = EncodeGorilla(times, values);
    if (gorilla.size() <= body.size()) return gorilla;
  }
  std::string chunk(1, static_cast<char>(EncodingOf(form)));
  return chunk += body;
}

std::string EncodeHistogramChunk(std::span<const Timestamp> times,
                                 std::span<const std::shared_ptr<const Histogram>> histograms) {
  std::string chunk(1, static_cast<char>(ChunkEncoding::kHistogram));
  PutVarint(&chunk, times.size());
  PutInts(times, &chunk);
  PutHistograms(histograms, &chunk);
  return chunk;
}

absl::Status DecodeChunk(std::string_view bytes, std::vector<Timestamp>* times, std::vector<double>* values,
                         std::vector<std::shared_ptr<const Histogram>>* histograms) {
  Decoder decoder(bytes);
  uint8_t encoding;
  uint64_t count;
  if (!decoder.ReadByte(&encoding) || !decoder.ReadVarintMax(kMaxChunkSamples, &count))
    return Damaged("chunk: bad head");
  if (count == 0) return decoder.done() ? absl::OkStatus() : Damaged("chunk: bytes without samples");
  const size_t before = times->size();
  const size_t values_before = values->size();
  const auto fail = [&](const char* what) {
    times->resize(before);
    values->resize(values_before);
    return Damaged(what);
  };
  times->resize(before + count);
  values->resize(values_before + count);
  Timestamp* chunk_times = times->data() + before;
  double* chunk_values = values->data() + values_before;
  switch (static_cast<ChunkEncoding>(encoding)) {
    case ChunkEncoding::kGorilla:
      if (!ReadGorilla(&decoder, count, chunk_times, chunk_values)) return fail("chunk: damaged bits");
      break;
    case ChunkEncoding::kConstant:
    case ChunkEncoding::kDecimal:
    case ChunkEncoding::kBits:
      if (!ReadInts(&decoder, count, chunk_times)) return fail("chunk: damaged times");
      if (!ReadDoubles(&decoder, count, chunk_values) || !decoder.done()) return fail("chunk: damaged values");
      break;
    case ChunkEncoding::kHistogram: {
      std::vector<std::shared_ptr<const Histogram>> decoded;
      if (!ReadInts(&decoder, count, chunk_times)) return fail("chunk: damaged times");
      if (!ReadHistograms(&decoder, count, kMaxChunkBuckets, &decoded) || !decoder.done()) {
        return fail("chunk: damaged histograms");
      }
      for (size_t i = 0; i < count; ++i) chunk_values[i] = decoded[i]->sum;
      if (!std::is_sorted(chunk_times, chunk_times + count)) return fail("chunk: times out of order");
      if (histograms != nullptr) histograms->insert(histograms->end(), decoded.begin(), decoded.end());
      return absl::OkStatus();
    }
    default: return fail("chunk: unknown encoding");
  }
  // Readers search in times, so that order is part of the format.
  if (!IsNotDescending({chunk_times, count})) return fail("chunk: times out of order");
  return absl::OkStatus();
}

}  // namespace braid
