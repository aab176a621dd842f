#include "engine/codec/double_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "engine/codec/int_codec.h"

namespace braid {
namespace {

// 10^22 is the last power of ten that a double holds exactly; beyond 17 digits no double needs more.
constexpr std::array<double, 18> kPowers = {1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
                                            1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};
constexpr std::array<double, 18> kInverses = {1e-0, 1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,  1e-8,
                                              1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15, 1e-16, 1e-17};
constexpr uint32_t kExponents = 18;
// Mantissas stay where a cast to int64 is defined.
constexpr double kMantissaLimit = 9.2e18;
// More exceptions than this share and the decimal forms are not worth finishing.
constexpr size_t kExceptionShareMax = 8;
// Values looked at to guess the exponent.
constexpr size_t kSampleSize = 48;
// Noise beyond this costs more than it saves.
constexpr int64_t kUlpsMax = int64_t{1} << 20;

uint64_t BitsOf(double value) { return std::bit_cast<uint64_t>(value); }

double FromMantissa(int64_t mantissa, uint32_t exponent, bool multiply) {
  const auto m = static_cast<double>(mantissa);
  return multiply ? m * kInverses[exponent] : m / kPowers[exponent];
}

// The decimal nearest to the value; false if it has none in range.
bool ToMantissa(double value, uint32_t exponent, int64_t* mantissa) {
  const double scaled = value * kPowers[exponent];
  if (!(std::fabs(scaled) < kMantissaLimit)) return false;
  *mantissa = std::llrint(scaled);
  return true;
}

bool IsExact(double value, uint32_t exponent, bool multiply, int64_t* mantissa) {
  return ToMantissa(value, exponent, mantissa) && BitsOf(FromMantissa(*mantissa, exponent, multiply)) == BitsOf(value);
}

// Least exponent from `from` on at which the value is exact; kExponents if there is none.
uint32_t ExponentOf(double value, uint32_t from, bool multiply) {
  int64_t mantissa;
  for (uint32_t exponent = from; exponent < kExponents; ++exponent) {
    if (IsExact(value, exponent, multiply, &mantissa)) return exponent;
  }
  return kExponents;
}

std::vector<double> SampleOf(std::span<const double> values) {
  std::vector<double> sample;
  const size_t step = std::max<size_t>(1, values.size() / kSampleSize);
  for (size_t i = 0; i < values.size(); i += step) {
    if (std::isfinite(values[i])) sample.push_back(values[i]);
  }
  return sample;
}

// Values as decimals of one exponent; what does not fit is an exception.
struct Decimals {
  DoubleForm form = DoubleForm::kDivide;
  uint32_t exponent = 0;
  std::vector<int64_t> mantissas;
  std::vector<int64_t> ulps;  // kUlps only
  std::vector<uint32_t> exceptions;
};

void AddException(size_t index, Decimals* decimals) {
  decimals->mantissas.push_back(decimals->mantissas.empty() ? 0 : decimals->mantissas.back());
  decimals->exceptions.push_back(static_cast<uint32_t>(index));
}

// Leading exceptions had no neighbour to repeat yet.
void FillFront(Decimals* decimals) {
  size_t front = 0;
  while (front < decimals->exceptions.size() && decimals->exceptions[front] == front) ++front;
  if (front == 0 || front == decimals->mantissas.size()) return;
  std::fill_n(decimals->mantissas.begin(), front, decimals->mantissas[front]);
}

Decimals Convert(std::span<const double> values, uint32_t exponent, DoubleForm form) {
  Decimals decimals;
  decimals.form = form;
  decimals.exponent = exponent;
  decimals.mantissas.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    int64_t mantissa;
    if (form == DoubleForm::kUlps) {
      int64_t ulps = 0;
      bool fits = ToMantissa(values[i], exponent, &mantissa);
      if (fits) {
        ulps = static_cast<int64_t>(BitsOf(values[i]) - BitsOf(FromMantissa(mantissa, exponent, false)));
        fits = ulps >= -kUlpsMax && ulps <= kUlpsMax;
      }
      decimals.ulps.push_back(fits ? ulps : 0);
      if (fits) {
        decimals.mantissas.push_back(mantissa);
        continue;
      }
    } else if (IsExact(values[i], exponent, form == DoubleForm::kMultiply, &mantissa)) {
      decimals.mantissas.push_back(mantissa);
      continue;
    }
    AddException(i, &decimals);
  }
  FillFront(&decimals);
  return decimals;
}

// Exact decimals in the given form, or with as few exceptions as two tries find.
Decimals ConvertExactly(std::span<const double> values, const std::vector<double>& sample, DoubleForm form) {
  const bool multiply = form == DoubleForm::kMultiply;
  uint32_t exponent = 0;
  for (double value : sample) {
    const uint32_t needed = ExponentOf(value, exponent, multiply);
    if (needed < kExponents) exponent = needed;
  }
  Decimals decimals = Convert(values, exponent, form);
  uint32_t higher = exponent;
  size_t looked_at = 0;
  for (uint32_t index : decimals.exceptions) {
    if (++looked_at > kSampleSize) break;
    if (!std::isfinite(values[index])) continue;
    const uint32_t needed = ExponentOf(values[index], higher, multiply);
    if (needed < kExponents) higher = needed;
  }
  if (higher == exponent) return decimals;
  Decimals second = Convert(values, higher, form);
  return second.exceptions.size() < decimals.exceptions.size() ? second : decimals;
}

// Decimals with noise in their last bits, as sums and products of decimals have it.
Decimals ConvertNearly(std::span<const double> values, const std::vector<double>& sample) {
  constexpr int64_t kSampleUlpsMax = 1 << 12;
  for (uint32_t exponent = 0; exponent < 16; ++exponent) {
    size_t near = 0;
    for (double value : sample) {
      int64_t mantissa;
      if (!ToMantissa(value, exponent, &mantissa)) continue;
      const auto ulps = static_cast<int64_t>(BitsOf(value) - BitsOf(FromMantissa(mantissa, exponent, false)));
      if (ulps >= -kSampleUlpsMax && ulps <= kSampleUlpsMax) ++near;
    }
    if (near * 16 >= sample.size() * 15) return Convert(values, exponent, DoubleForm::kUlps);
  }
  Decimals none;
  none.exceptions.resize(values.size());
  return none;
}

void PutDecimals(std::span<const double> values, const Decimals& decimals, std::string* out) {
  PutByte(out, static_cast<uint8_t>(decimals.form));
  PutByte(out, static_cast<uint8_t>(decimals.exponent));
  PutVarint(out, decimals.exceptions.size());
  uint32_t next = 0;
  for (uint32_t index : decimals.exceptions) {
    PutVarint(out, index - next);
    PutShortDouble(out, values[index]);
    next = index + 1;
  }
  PutInts(decimals.mantissas, out);
  if (decimals.form == DoubleForm::kUlps) PutInts(decimals.ulps, out);
}

bool HasFewExceptions(const Decimals& decimals, size_t count) {
  return decimals.exceptions.size() <= std::max<size_t>(1, count / kExceptionShareMax);
}

void PutBits(std::span<const double> values, std::string* out) {
  std::vector<int64_t> bits(values.size());
  for (size_t i = 0; i < values.size(); ++i) bits[i] = static_cast<int64_t>(BitsOf(values[i]));
  PutByte(out, static_cast<uint8_t>(DoubleForm::kBits));
  PutInts(bits, out);
}

bool ReadExceptions(Decoder* decoder, size_t count, std::vector<std::pair<size_t, double>>* exceptions) {
  uint64_t left;
  if (!decoder->ReadVarintMax(count, &left)) return false;
  size_t next = 0;
  for (; left > 0; --left) {
    uint64_t gap;
    double value;
    if (!decoder->ReadVarintMax(count, &gap) || !ReadShortDouble(decoder, &value)) return false;
    if (next + gap >= count) return decoder->Fail();
    exceptions->emplace_back(next + gap, value);
    next += gap + 1;
  }
  return true;
}

bool ReadDecimals(Decoder* decoder, DoubleForm form, size_t count, double* values) {
  uint8_t exponent;
  std::vector<std::pair<size_t, double>> exceptions;
  if (!decoder->ReadByte(&exponent)) return false;
  if (exponent >= kExponents) return decoder->Fail();
  if (!ReadExceptions(decoder, count, &exceptions)) return false;
  std::vector<int64_t> mantissas(count);
  if (!ReadInts(decoder, count, mantissas.data())) return false;
  if (form == DoubleForm::kMultiply) {
    const double inverse = kInverses[exponent];
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(mantissas[i]) * inverse;
  } else if (exponent == 0) {
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(mantissas[i]);
  } else {
    const double power = kPowers[exponent];
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(mantissas[i]) / power;
  }
  if (form == DoubleForm::kUlps) {
    if (!ReadInts(decoder, count, mantissas.data())) return false;
    for (size_t i = 0; i < count; ++i) {
      values[i] = std::bit_cast<double>(BitsOf(values[i]) + static_cast<uint64_t>(mantissas[i]));
    }
  }
  for (const auto& [index, value] : exceptions) values[index] = value;
  return true;
}

}  // namespace

void PutShortDouble(std::string* out, double value) { PutVarint(out, __builtin_bswap64(BitsOf(value))); }

bool ReadShortDouble(Decoder* decoder, double* value) {
  uint64_t bits;
  if (!decoder->ReadVarint(&bits)) return false;
  *value = std::bit_cast<double>(__builtin_bswap64(bits));
  return true;
}

DoubleForm PutDoubles(std::span<const double> values, std::string* out) {
  if (values.empty()) return DoubleForm::kConstant;
  const uint64_t first = BitsOf(values[0]);
  if (std::all_of(values.begin(), values.end(), [&](double value) { return BitsOf(value) == first; })) {
    PutByte(out, static_cast<uint8_t>(DoubleForm::kConstant));
    PutShortDouble(out, values[0]);
    return DoubleForm::kConstant;
  }
  const std::vector<double> sample = SampleOf(values);
  Decimals decimals = ConvertExactly(values, sample, DoubleForm::kDivide);
  if (decimals.exponent > 0 && !decimals.exceptions.empty()) {
    Decimals products = ConvertExactly(values, sample, DoubleForm::kMultiply);
    if (products.exceptions.size() < decimals.exceptions.size()) decimals = std::move(products);
  }
  std::string best;
  DoubleForm form = DoubleForm::kBits;
  if (HasFewExceptions(decimals, values.size())) {
    PutDecimals(values, decimals, &best);
    form = decimals.form;
    // A decimal of few digits cannot be beaten by its bits.
    if (decimals.exceptions.empty() && best.size() < values.size() * 3) {
      out->append(best);
      return form;
    }
  }
  if (!sample.empty() && !(decimals.exceptions.empty())) {
    const Decimals nearly = ConvertNearly(values, sample);
    std::string other;
    if (HasFewExceptions(nearly, values.size()) && nearly.form == DoubleForm::kUlps)
      PutDecimals(values, nearly, &other);
    if (!other.empty() && (best.empty() || other.size() < best.size())) {
      best = std::move(other);
      form = DoubleForm::kUlps;
    }
  }
  std::string bits;
  PutBits(values, &bits);
  if (best.empty() || bits.size() < best.size()) {
    best = std::move(bits);
    form = DoubleForm::kBits;
  }
  out->append(best);
  return form;
}

bool ReadDoubles(Decoder* decoder, size_t count, double* values) {
  if (count == 0) return decoder->ok();
  uint8_t form;
  if (!decoder->ReadByte(&form)) return false;
  switch (static_cast<DoubleForm>(form)) {
    case DoubleForm::kConstant: {
      double value;
      if (!ReadShortDouble(decoder, &value)) return false;
      std::fill(values, values + count, value);
      return true;
    }
    case DoubleForm::kDivide:
    case DoubleForm::kMultiply:
    case DoubleForm::kUlps: return ReadDecimals(decoder, static_cast<DoubleForm>(form), count, values);
    case DoubleForm::kBits: {
      std::vector<int64_t> bits(count);
      if (!ReadInts(decoder, count, bits.data())) return false;
      std::memcpy(values, bits.data(), count * sizeof(*values));
      return true;
    }
  }
  return decoder->Fail();
}

}  // namespace braid
