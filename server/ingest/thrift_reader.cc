#include "server/ingest/thrift_reader.h"

#include <bit>
#include <utility>

#include "server/ingest/ingest_limits.h"

namespace braid::ingest {
namespace {

int64_t UnZigzag(uint64_t value) { return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1)); }

}  // namespace

void ThriftReader::Fail(const char* problem) {
  if (problem_ == nullptr) problem_ = problem;
  at_ = bytes_.size();
}

uint8_t ThriftReader::ReadByte() {
  if (at_ >= bytes_.size()) {
    Fail("the bytes end in the middle");
    return 0;
  }
  return static_cast<uint8_t>(bytes_[at_++]);
}

uint64_t ThriftReader::ReadFixed(size_t size) {
  if (rest() < size) {
    Fail("the bytes end in the middle");
    return 0;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = (value << 8) | static_cast<uint8_t>(bytes_[at_ + i]);
  at_ += size;
  return value;
}

uint64_t ThriftReader::ReadVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    const uint8_t byte = ReadByte();
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  Fail("a number of more than ten bytes");
  return 0;
}

uint32_t ThriftReader::CheckedSize(uint64_t size) {
  // Every element and every character takes at least a byte; negative sizes are huge here.
  if (size > rest()) {
    Fail("a declared size is beyond the end of the bytes");
    return 0;
  }
  return static_cast<uint32_t>(size);
}

ThriftType ThriftReader::TypeOf(uint8_t wire, bool* truth) {
  *truth = false;
  if (!compact_) {
    switch (wire) {
      case 0:
      case 2:
      case 3:
      case 4:
      case 6:
      case 8:
      case 10:
      case 11:
      case 12:
      case 13:
      case 14:
      case 15: return static_cast<ThriftType>(wire);
      default: break;
    }
  } else {
    switch (wire) {
      case 0: return ThriftType::kStop;
      case 1: *truth = true; return ThriftType::kBool;
      case 2: return ThriftType::kBool;
      case 3: return ThriftType::kByte;
      case 4: return ThriftType::kI16;
      case 5: return ThriftType::kI32;
      case 6: return ThriftType::kI64;
      case 7: return ThriftType::kDouble;
      case 8: return ThriftType::kString;
      case 9: return ThriftType::kList;
      case 10: return ThriftType::kSet;
      case 11: return ThriftType::kMap;
      case 12: return ThriftType::kStruct;
      default: break;
    }
  }
  Fail("an unknown type of field");
  return ThriftType::kStop;
}

ThriftReader::MessageHead ThriftReader::ReadMessageHead() {
  MessageHead head;
  if (compact_) {
    if (ReadByte() != 0x82) Fail("not a compact message");
    const uint8_t second = ReadByte();
    if ((second & 0x1f) != 1) Fail("a compact protocol of another version than 1");
    head.type = second >> 5;
    ReadVarint();  // sequence number
    head.name = ReadString();
  } else {
    const uint64_t first = ReadFixed(4);
    if ((first >> 16) != 0x8001) Fail("a binary protocol of another version than 1");
    head.type = static_cast<int>(first & 0x07);
    head.name = ReadString();
    ReadFixed(4);
  }
  return head;
}

bool ThriftReader::NextField(StructPlace* place, Field* field) {
  *field = Field();
  const uint8_t head = ReadByte();
  if (!ok()) return false;
  field->type = TypeOf(compact_ ? head & 0x0f : head, &field->truth);
  if (field->type == ThriftType::kStop) return false;
  if (!compact_) {
    field->id = static_cast<int16_t>(ReadFixed(2));
  } else if ((head >> 4) != 0) {
    field->id = static_cast<int16_t>(place->last_id + (head >> 4));
  } else {
    field->id = static_cast<int16_t>(UnZigzag(ReadVarint()));
  }
  place->last_id = field->id;
  return ok();
}

bool ThriftReader::ReadBool(const Field& field) { return compact_ ? field.truth : ReadByte() != 0; }

int64_t ThriftReader::ReadInt(ThriftType type) {
  switch (type) {
    case ThriftType::kByte: return static_cast<int8_t>(ReadByte());
    case ThriftType::kI16: return compact_ ? UnZigzag(ReadVarint()) : static_cast<int16_t>(ReadFixed(2));
    case ThriftType::kI32: return compact_ ? UnZigzag(ReadVarint()) : static_cast<int32_t>(ReadFixed(4));
    case ThriftType::kI64: return compact_ ? UnZigzag(ReadVarint()) : static_cast<int64_t>(ReadFixed(8));
    default: Fail("a number of another type"); return 0;
  }
}

double ThriftReader::ReadDouble() {
  uint64_t bits = ReadFixed(8);
  // The compact protocol's doubles are little-endian, whatever its first description said.
  if (compact_) bits = __builtin_bswap64(bits);
  return std::bit_cast<double>(bits);
}

std::string_view ThriftReader::ReadString() {
  const uint32_t size = CheckedSize(compact_ ? ReadVarint() : ReadFixed(4));
  if (!ok()) return {};
  const std::string_view text = bytes_.substr(at_, size);
  at_ += size;
  return text;
}

ThriftReader::ListHead ThriftReader::ReadListHead() {
  ListHead head;
  bool truth = false;
  const uint8_t first = ReadByte();
  head.element = TypeOf(compact_ ? first & 0x0f : first, &truth);
  uint64_t size = 0;
  if (!compact_) {
    size = ReadFixed(4);
  } else if ((first >> 4) == 0x0f) {
    size = ReadVarint();
  } else {
    size = first >> 4;
  }
  head.size = CheckedSize(size);
  if (head.size > 0 && head.element == ThriftType::kStop) Fail("a list of nothing");
  if (!ok()) head.size = 0;
  return head;
}

void ThriftReader::Skip(const Field& field) {
  // A boolean field of the compact protocol has been read with its head.
  if (compact_ && field.type == ThriftType::kBool) return;
  SkipElement(field.type, 0);
}

void ThriftReader::SkipElement(ThriftType type, int depth) {
  if (depth > kThriftDepthMax) {
    Fail("nested too deep");
    return;
  }
  switch (type) {
    case ThriftType::kStop: Fail("a value without a type"); return;
    case ThriftType::kBool:
    case ThriftType::kByte: ReadByte(); return;
    case ThriftType::kI16:
    case ThriftType::kI32:
    case ThriftType::kI64: ReadInt(type); return;
    case ThriftType::kDouble: ReadFixed(8); return;
    case ThriftType::kString: ReadString(); return;
    case ThriftType::kStruct: {
      StructPlace place;
      Field field;
      while (NextField(&place, &field)) {
        if (compact_ && field.type == ThriftType::kBool) continue;
        SkipElement(field.type, depth + 1);
      }
      return;
    }
    case ThriftType::kList:
    case ThriftType::kSet: {
      const ListHead head = ReadListHead();
      for (uint32_t i = 0; i < head.size && ok(); ++i) SkipElement(head.element, depth + 1);
      return;
    }
    case ThriftType::kMap: {
      uint32_t size = 0;
      ThriftType key = ThriftType::kStop, value = ThriftType::kStop;
      bool truth = false;
      if (compact_) {
        size = CheckedSize(ReadVarint());
        if (size == 0) return;
        const uint8_t types = ReadByte();
        key = TypeOf(types >> 4, &truth);
        value = TypeOf(types & 0x0f, &truth);
      } else {
        key = TypeOf(ReadByte(), &truth);
        value = TypeOf(ReadByte(), &truth);
        size = CheckedSize(ReadFixed(4));
      }
      for (uint32_t i = 0; i < size && ok(); ++i) {
        SkipElement(key, depth + 1);
        SkipElement(value, depth + 1);
      }
      return;
    }
  }
}

}  // namespace braid::ingest
