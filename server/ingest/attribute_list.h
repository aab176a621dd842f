// The attributes of one record while it is being decoded, and the texts that decoding had to make.
//
// Threads: one thread. Ownership: views handed out live until Clear() of the list or arena that made them.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid::ingest {

// Keeps texts at fixed addresses.
class TextArena {
 public:
  std::string_view Keep(std::string text) { return texts_.emplace_back(std::move(text)); }
  // `text` itself if it is well-formed UTF-8, else a repaired copy: what is stored can always be shown.
  std::string_view CleanText(std::string_view text) { return IsAscii(text) ? text : CleanOther(text); }
  void Clear() { texts_.clear(); }

 private:
  // Most texts are ASCII, and most of them are so short that calling anything takes longer than looking.
  static bool IsAscii(std::string_view text) {
    uint64_t any = 0, word = 0;
    size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
      std::memcpy(&word, text.data() + at, 8);
      any |= word;
    }
    for (; at < text.size(); ++at) any |= static_cast<uint8_t>(text[at]);
    return (any & 0x8080808080808080u) == 0;
  }
  std::string_view CleanOther(std::string_view text);

  std::deque<std::string> texts_;
};

class AttributeList {
 public:
  // Adds or, if the name is there already, replaces (the last one sent counts). Attributes beyond the limits of
  // ingest_limits.h are counted in dropped(). Views must live as long as the list is used; names and texts are cleaned.
  void Add(std::string_view name, const ValueView& value);
  // As Add(name, text), without cleaning. REQUIRES: both are well-formed UTF-8.
  void AddClean(std::string_view name, std::string_view text);
  // Value of `name` as text of an attribute that is a string; "" otherwise.
  std::string_view Text(std::string_view name) const;
  bool Has(std::string_view name) const;
  void Remove(std::string_view name);
  // Asks `taken` once for each attribute, in order.
  template <typename Predicate>
  void RemoveIf(Predicate&& taken) {
    std::erase_if(views_, std::forward<Predicate>(taken));
  }

  std::span<const AttributeView> views() const { return views_; }
  uint32_t dropped() const { return dropped_; }
  TextArena& arena() { return arena_; }
  void Clear();
  // Copies for a Stream.
  std::vector<Attribute> Owned() const;

 private:
  // Counts what cannot be taken as dropped.
  bool HasRoomFor(std::string_view name);
  // The value of `name` if it is in the list, else null; then the name counts as one that is there.
  ValueView* FindOrExpect(std::string_view name);

  std::vector<AttributeView> views_;
  TextArena arena_;
  // A bit for each name that is, or was, in the list: a name without its bit need not be looked for.
  uint64_t name_bits_ = 0;
  uint32_t dropped_ = 0;
};

}  // namespace braid::ingest
