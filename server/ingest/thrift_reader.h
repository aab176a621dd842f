// Reading Apache Thrift's two wire protocols, binary and compact, as one stream of typed fields.
// Source: thrift-binary-protocol.md and thrift-compact-protocol.md of the Thrift project.
//
// Grammar (both):  message = head struct;  struct = { field } stop;  field = type id value
//   binary:  all integers big-endian and fixed; strings and lists with i32 sizes
//   compact: zigzag varints; field ids as differences; the value of a boolean field in its type
//
// Nothing is allocated; a declared size is compared with the bytes that are left before it is believed. The first wrong
// byte ends the reading: from then on fields end, lists are empty, numbers are 0, and problem() says why.
//
// Threads: a value; one thread. A copy goes on from the same place, which is how a struct is read twice.
#pragma once

#include <cstdint>
#include <string_view>

namespace braid::ingest {

enum class ThriftProtocol : uint8_t { kBinary, kCompact };

// Numbers as in the binary protocol.
enum class ThriftType : uint8_t {
  kStop = 0,
  kBool = 2,
  kByte = 3,
  kDouble = 4,
  kI16 = 6,
  kI32 = 8,
  kI64 = 10,
  kString = 11,
  kStruct = 12,
  kMap = 13,
  kSet = 14,
  kList = 15,
};

class ThriftReader {
 public:
  ThriftReader(ThriftProtocol protocol, std::string_view bytes)
      : compact_(protocol == ThriftProtocol::kCompact), bytes_(bytes) {}

  bool ok() const { return problem_ == nullptr; }
  const char* problem() const { return problem_; }  // null if nothing is wrong
  size_t rest() const { return bytes_.size() - at_; }

  // 1 = call, 4 = one-way call.
  struct MessageHead {
    std::string_view name;
    int type = 0;
  };
  MessageHead ReadMessageHead();

  // One for each struct that is open.
  struct StructPlace {
    int16_t last_id = 0;
  };
  struct Field {
    ThriftType type = ThriftType::kStop;
    int16_t id = 0;
    bool truth = false;  // compact: the value of a boolean
    bool Is(int16_t wanted, ThriftType kind) const { return id == wanted && type == kind; }
  };
  // False at the end of the struct. Each field is then to be read, or skipped.
  bool NextField(StructPlace* place, Field* field);

  bool ReadBool(const Field& field);
  int64_t ReadInt(ThriftType type);  // kByte, kI16, kI32, kI64
  double ReadDouble();
  std::string_view ReadString();
  struct ListHead {
    ThriftType element = ThriftType::kStop;
    uint32_t size = 0;
  };
  ListHead ReadListHead();

  void Skip(const Field& field);
  // An element of a list, or a whole struct.
  void SkipValue(ThriftType type) { SkipElement(type, 0); }

 private:
  void Fail(const char* problem);
  uint8_t ReadByte();
  uint64_t ReadFixed(size_t size);
  uint64_t ReadVarint();
  ThriftType TypeOf(uint8_t wire, bool* truth);
  uint32_t CheckedSize(uint64_t size);
  void SkipElement(ThriftType type, int depth);

  bool compact_;
  std::string_view bytes_;
  size_t at_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace braid::ingest
