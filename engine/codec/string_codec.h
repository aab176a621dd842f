// Lists of strings and of ids.
//
//   strings := byte(form) body
//   form 0  := text_list(dictionary) ints(codes)          varint(n) before the dictionary; n >= 1
//   form 1  := text_list(values)
//   text_list of n := ints(lengths) text
//   text    := byte(compression) varint(plain size) bytes(stored)
//
//   words   := byte(form) body                            64-bit words without order: span ids, halves of trace ids
//   form 0  := fixed64...
//   form 1  := varint(n) n * fixed64 ints(codes)
//   form 2  := ints(words)
//
//   traces  := byte(form) body
//   form 0  := words(high halves) words(low halves)
//   form 1  := varint(n) words(high halves) words(low halves) ints(codes)    each id once, by first appearance
//
// Threads: pure functions. Errors: false for bytes that no encoder wrote.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "braid/record_batch.h"
#include "braid/types.h"
#include "engine/base/coding.h"

namespace braid {

// The strings dictionary[codes[0]], dictionary[codes[1]], ...
void PutStrings(const StringDictionary& dictionary, std::span<const uint32_t> codes, std::string* out);
// Fails if the texts together are longer than `text_bytes_max`. All of them stand in one buffer.
bool ReadStrings(Decoder* decoder, size_t count, size_t text_bytes_max, std::vector<uint32_t>* codes,
                 std::shared_ptr<const StringDictionary>* dictionary);

// One text, compressed if that pays.
void PutText(std::string_view text, std::string* out);
bool ReadText(Decoder* decoder, size_t text_bytes_max, std::string* text);

void PutWords(std::span<const int64_t> words, std::string* out);
bool ReadWords(Decoder* decoder, size_t count, int64_t* words);

void PutTraceIds(std::span<const TraceId> ids, std::string* out);
bool ReadTraceIds(Decoder* decoder, size_t count, TraceId* ids);

}  // namespace braid
