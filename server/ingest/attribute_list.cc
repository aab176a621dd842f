#include "server/ingest/attribute_list.h"

#include "server/ingest/ingest_limits.h"
#include "server/ingest/json_text.h"

namespace braid::ingest {

std::string_view TextArena::CleanOther(std::string_view text) { return IsUtf8(text) ? text : Keep(RepairUtf8(text)); }

namespace {

// One of 64 bits, by what tells most names apart.
uint64_t BitOf(std::string_view name) {
  const auto first = static_cast<uint8_t>(name.front()), last = static_cast<uint8_t>(name.back()),
             middle = static_cast<uint8_t>(name[name.size() / 2]);
  return uint64_t{1} << ((name.size() * 7 + first * 5u + middle * 3u + last) % 64);
}

}  // namespace

inline bool AttributeList::HasRoomFor(std::string_view name) {
  // A full list takes nothing more, not even a new value: looking names up in it for every one of millions of
  // attributes is how a small body would buy a lot of work.
  if (!name.empty() && name.size() <= kAttributeNameBytesMax && views_.size() < kAttributesMax) return true;
  ++dropped_;
  return false;
}

inline ValueView* AttributeList::FindOrExpect(std::string_view name) {
  const uint64_t bit = BitOf(name);
  if ((name_bits_ & bit) == 0) {
    name_bits_ |= bit;
    return nullptr;
  }
  for (AttributeView& view : views_) {
    if (view.name == name) return &view.value;
  }
  return nullptr;
}

void AttributeList::Add(std::string_view name, const ValueView& value) {
  if (!HasRoomFor(name)) return;
  name = arena_.CleanText(name);
  ValueView clean = value;
  if (const std::string_view* text = std::get_if<std::string_view>(&value)) clean = arena_.CleanText(*text);
  if (ValueView* known = FindOrExpect(name)) {
    *known = clean;
  } else {
    views_.push_back({name, clean});
  }
}

void AttributeList::AddClean(std::string_view name, std::string_view text) {
  if (!HasRoomFor(name)) return;
  if (ValueView* known = FindOrExpect(name)) {
    *known = text;
  } else {
    AttributeView& added = views_.emplace_back();
    added.name = name;
    added.value.emplace<std::string_view>(text);
  }
}

std::string_view AttributeList::Text(std::string_view name) const {
  for (const AttributeView& view : views_) {
    if (view.name != name) continue;
    const std::string_view* text = std::get_if<std::string_view>(&view.value);
    return text != nullptr ? *text : std::string_view();
  }
  return {};
}

bool AttributeList::Has(std::string_view name) const {
  for (const AttributeView& view : views_) {
    if (view.name == name) return true;
  }
  return false;
}

void AttributeList::Remove(std::string_view name) {
  std::erase_if(views_, [&](const AttributeView& view) { return view.name == name; });
}

void AttributeList::Clear() {
  views_.clear();
  name_bits_ = 0;
  arena_.Clear();
  dropped_ = 0;
}

std::vector<Attribute> AttributeList::Owned() const {
  std::vector<Attribute> owned;
  owned.reserve(views_.size());
  for (const AttributeView& view : views_) owned.push_back({std::string(view.name), Own(view.value)});
  return owned;
}

}  // namespace braid::ingest
