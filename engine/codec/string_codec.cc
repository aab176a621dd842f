#include "engine/codec/string_codec.h"

#include <algorithm>
#include <bit>

#include "engine/base/checksum.h"
#include "engine/codec/compression.h"
#include "engine/codec/int_codec.h"

namespace braid {
namespace {

constexpr uint8_t kDictionaryStrings = 0;
constexpr uint8_t kPlainStrings = 1;
constexpr uint8_t kRawWords = 0;
constexpr uint8_t kDictionaryWords = 1;
constexpr uint8_t kIntWords = 2;
constexpr uint8_t kPlainTraces = 0;
constexpr uint8_t kDictionaryTraces = 1;

constexpr int kTextZstdLevel = 3;
// Shorter texts grow under zstd's frame.
constexpr size_t kTextZstdBytesMin = 24;

// Numbers values by first appearance. `Hash` and `Equal` look at positions of the caller's list.
class Numbering {
 public:
  explicit Numbering(size_t count) : slots_(std::bit_ceil(count * 2 + 1), 0) {}

  // The number of the value: a new one (== size() before the call) if `equals(number)` holds for none with its hash.
  template <typename Equals>
  uint32_t Number(uint64_t hash, Equals equals) {
    size_t slot = hash & (slots_.size() - 1);
    for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      if (equals(slots_[slot] - 1)) return slots_[slot] - 1;
    }
    slots_[slot] = ++size_;
    return size_ - 1;
  }
  uint32_t size() const { return size_; }

 private:
  std::vector<uint32_t> slots_;  // number + 1; 0 = free
  uint32_t size_ = 0;
};

uint64_t Mix(uint64_t word) {
  word *= 0x9e3779b97f4a7c15u;
  return word ^ (word >> 29);
}

void PutTextList(const std::vector<std::string_view>& texts, std::string* out) {
  std::vector<int64_t> lengths;
  lengths.reserve(texts.size());
  size_t bytes = 0;
  for (std::string_view text : texts) {
    lengths.push_back(static_cast<int64_t>(text.size()));
    bytes += text.size();
  }
  std::string joined;
  joined.reserve(bytes);
  for (std::string_view text : texts) joined.append(text);
  PutInts(lengths, out);
  PutText(joined, out);
}

bool ReadTextList(Decoder* decoder, size_t count, size_t text_bytes_max, StringDictionary* dictionary) {
  std::vector<int64_t> lengths(count);
  if (!ReadInts(decoder, count, lengths.data()) || !ReadText(decoder, text_bytes_max, &dictionary->bytes)) return false;
  const std::string_view bytes = dictionary->bytes;
  dictionary->values.reserve(count);
  size_t at = 0;
  for (int64_t length : lengths) {
    if (length < 0 || static_cast<size_t>(length) > bytes.size() - at) return decoder->Fail();
    dictionary->values.push_back(bytes.substr(at, static_cast<size_t>(length)));
    at += static_cast<size_t>(length);
  }
  return at == bytes.size() || decoder->Fail();
}

bool ReadCodes(Decoder* decoder, size_t count, uint64_t code_end, std::vector<int64_t>* codes) {
  codes->resize(count);
  if (!ReadInts(decoder, count, codes->data())) return false;
  for (int64_t code : *codes) {
    if (static_cast<uint64_t>(code) >= code_end) return decoder->Fail();
  }
  return true;
}

void PutRawWords(std::span<const int64_t> words, std::string* out) {
  out->append(reinterpret_cast<const char*>(words.data()), words.size_bytes());
}

bool ReadRawWords(Decoder* decoder, size_t count, int64_t* words) {
  std::string_view raw;
  if (count > decoder->remaining() / 8 || !decoder->ReadRaw(count * 8, &raw)) return decoder->Fail();
  std::memcpy(words, raw.data(), raw.size());
  return true;
}

// Are neighbouring words near each other often enough that ints() will find something? Random ids are not.
bool LookOrdered(std::span<const int64_t> words) {
  size_t near = 0;
  for (size_t i = 1; i < words.size(); ++i) {
    const uint64_t distance = static_cast<uint64_t>(words[i]) - static_cast<uint64_t>(words[i - 1]);
    if (std::min<uint64_t>(distance, 0 - distance) < (uint64_t{1} << 56)) ++near;
  }
  return near * 2 >= words.size();
}

void PutHalves(std::span<const TraceId> ids, std::string* out) {
  std::vector<int64_t> half(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) half[i] = static_cast<int64_t>(ids[i].high);
  PutWords(half, out);
  for (size_t i = 0; i < ids.size(); ++i) half[i] = static_cast<int64_t>(ids[i].low);
  PutWords(half, out);
}

bool ReadHalves(Decoder* decoder, size_t count, TraceId* ids) {
  std::vector<int64_t> half(count);
  if (!ReadWords(decoder, count, half.data())) return false;
  for (size_t i = 0; i < count; ++i) ids[i].high = static_cast<uint64_t>(half[i]);
  if (!ReadWords(decoder, count, half.data())) return false;
  for (size_t i = 0; i < count; ++i) ids[i].low = static_cast<uint64_t>(half[i]);
  return true;
}

}  // namespace

void PutText(std::string_view text, std::string* out) {
  std::string packed;
  const Compression wanted = text.size() < kTextZstdBytesMin ? Compression::kNone : Compression::kZstd;
  const Compression used = Compress(wanted, kTextZstdLevel, text, &packed);
  PutByte(out, static_cast<uint8_t>(used));
  PutVarint(out, text.size());
  PutBytes(out, packed);
}

bool ReadText(Decoder* decoder, size_t text_bytes_max, std::string* text) {
  uint8_t compression;
  uint64_t plain_size;
  std::string_view packed;
  if (!decoder->ReadByte(&compression) || !decoder->ReadVarintMax(text_bytes_max, &plain_size) ||
      !decoder->ReadBytes(&packed)) {
    return false;
  }
  return Decompress(static_cast<Compression>(compression), packed, plain_size, text_bytes_max, text).ok() ||
         decoder->Fail();
}

void PutStrings(const StringDictionary& dictionary, std::span<const uint32_t> codes, std::string* out) {
  // Codes of the source become numbers of distinct texts; the source may hold a text twice or have unused ones.
  constexpr uint32_t kUnknown = UINT32_MAX;
  std::vector<uint32_t> number_of(dictionary.values.size(), kUnknown);
  std::vector<std::string_view> distinct;
  std::vector<int64_t> numbers;
  numbers.reserve(codes.size());
  Numbering numbering(dictionary.distinct ? 0 : std::min(codes.size(), dictionary.values.size()));
  for (uint32_t code : codes) {
    if (number_of[code] == kUnknown) {
      const std::string_view text = dictionary.values[code];
      number_of[code] = dictionary.distinct
                            ? static_cast<uint32_t>(distinct.size())
                            : numbering.Number(Hash64(text), [&](uint32_t number) { return distinct[number] == text; });
      if (number_of[code] == distinct.size()) distinct.push_back(text);
    }
    numbers.push_back(number_of[code]);
  }
  if (distinct.size() * 2 <= codes.size() || distinct.size() == 1) {
    PutByte(out, kDictionaryStrings);
    PutVarint(out, distinct.size());
    PutTextList(distinct, out);
    PutInts(numbers, out);
    return;
  }
  PutByte(out, kPlainStrings);
  if (distinct.size() == codes.size()) return PutTextList(distinct, out);
  std::vector<std::string_view> texts;
  texts.reserve(codes.size());
  for (uint32_t code : codes) texts.push_back(dictionary.values[code]);
  PutTextList(texts, out);
}

bool ReadStrings(Decoder* decoder, size_t count, size_t text_bytes_max, std::vector<uint32_t>* codes,
                 std::shared_ptr<const StringDictionary>* dictionary) {
  auto made = std::make_shared<StringDictionary>();
  uint8_t form;
  if (!decoder->ReadByte(&form)) return false;
  codes->resize(count);
  if (form == kDictionaryStrings) {
    uint64_t size;
    std::vector<int64_t> numbers;
    if (!decoder->ReadVarintMax(count, &size) || !ReadTextList(decoder, size, text_bytes_max, made.get()) ||
        !ReadCodes(decoder, count, size, &numbers)) {
      return false;
    }
    for (size_t i = 0; i < count; ++i) (*codes)[i] = static_cast<uint32_t>(numbers[i]);
  } else if (form == kPlainStrings) {
    if (!ReadTextList(decoder, count, text_bytes_max, made.get())) return false;
    for (size_t i = 0; i < count; ++i) (*codes)[i] = static_cast<uint32_t>(i);
  } else {
    return decoder->Fail();
  }
  *dictionary = std::move(made);
  return true;
}

void PutWords(std::span<const int64_t> words, std::string* out) {
  std::vector<int64_t> distinct;
  std::vector<int64_t> numbers;
  numbers.reserve(words.size());
  Numbering numbering(words.size());
  for (int64_t word : words) {
    const uint32_t number =
        numbering.Number(Mix(static_cast<uint64_t>(word)), [&](uint32_t known) { return distinct[known] == word; });
    if (number == distinct.size()) distinct.push_back(word);
    numbers.push_back(number);
  }
  if (distinct.size() > 1 && distinct.size() * 4 <= words.size() * 3 && !LookOrdered(words)) {
    PutByte(out, kDictionaryWords);
    PutVarint(out, distinct.size());
    PutRawWords(distinct, out);
    PutInts(numbers, out);
  } else if (distinct.size() == 1 || LookOrdered(words)) {
    PutByte(out, kIntWords);
    PutInts(words, out);
  } else {
    PutByte(out, kRawWords);
    PutRawWords(words, out);
  }
}

bool ReadWords(Decoder* decoder, size_t count, int64_t* words) {
  uint8_t form;
  if (!decoder->ReadByte(&form)) return false;
  if (form == kRawWords) return ReadRawWords(decoder, count, words);
  if (form == kIntWords) return ReadInts(decoder, count, words);
  uint64_t size;
  if (form != kDictionaryWords || !decoder->ReadVarintMax(count, &size)) return decoder->Fail();
  std::vector<int64_t> distinct(size);
  std::vector<int64_t> numbers;
  if (!ReadRawWords(decoder, size, distinct.data()) || !ReadCodes(decoder, count, size, &numbers)) return false;
  for (size_t i = 0; i < count; ++i) words[i] = distinct[static_cast<size_t>(numbers[i])];
  return true;
}

void PutTraceIds(std::span<const TraceId> ids, std::string* out) {
  std::vector<TraceId> distinct;
  std::vector<int64_t> numbers;
  numbers.reserve(ids.size());
  Numbering numbering(ids.size());
  for (TraceId id : ids) {
    const uint32_t number =
        numbering.Number(Mix(id.high ^ Mix(id.low)), [&](uint32_t known) { return distinct[known] == id; });
    if (number == distinct.size()) distinct.push_back(id);
    numbers.push_back(number);
  }
  if (distinct.size() * 8 > ids.size() * 7) {
    PutByte(out, kPlainTraces);
    PutHalves(ids, out);
    return;
  }
  PutByte(out, kDictionaryTraces);
  PutVarint(out, distinct.size());
  PutHalves(distinct, out);
  PutInts(numbers, out);
}

bool ReadTraceIds(Decoder* decoder, size_t count, TraceId* ids) {
  uint8_t form;
  if (!decoder->ReadByte(&form)) return false;
  if (form == kPlainTraces) return ReadHalves(decoder, count, ids);
  uint64_t size;
  if (form != kDictionaryTraces || !decoder->ReadVarintMax(count, &size)) return decoder->Fail();
  std::vector<TraceId> distinct(size);
  std::vector<int64_t> numbers;
  if (!ReadHalves(decoder, size, distinct.data()) || !ReadCodes(decoder, count, size, &numbers)) return false;
  for (size_t i = 0; i < count; ++i) ids[i] = distinct[static_cast<size_t>(numbers[i])];
  return true;
}

}  // namespace braid
