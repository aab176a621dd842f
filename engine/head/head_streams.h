// The streams of a head: where its log records and spans come from.
// Threads: FindOrAdd by one thread at a time; stream(i) by any thread below a published count.
#pragma once

#include <string>
#include <string_view>

#include "braid/write_batch.h"
#include "engine/base/checksum.h"
#include "engine/base/fingerprint.h"
#include "engine/head/arena.h"
#include "engine/head/batch_reader.h"
#include "engine/head/segmented_vector.h"
#include "engine/head/series_table.h"
#include "engine/memory/hash_map.h"

namespace braid {

struct HeadStream {
  std::string_view bytes;
  Stream stream;
  uint64_t fingerprint = 0;
  std::string service;
  std::string instance;
  WalPlace wal_place;  // the writer's
};

class HeadStreams {
 public:
  explicit HeadStreams(Arena* arena) : arena_(arena) {}

  // REQUIRES: CheckStream(bytes) is OK.
  uint32_t FindOrAdd(std::string_view bytes) {
    const BytesKey key{Hash64(bytes), bytes};
    if (auto found = by_bytes_.find(key); found != by_bytes_.end()) return found->second;
    HeadStream stream;
    stream.bytes = arena_->Copy(bytes);
    DecodeStream(bytes, &stream.stream);
    stream.fingerprint = Fingerprint(stream.stream);
    stream.service = ServiceOf(stream.stream);
    stream.instance = InstanceOf(stream.stream);
    const uint32_t number = streams_.size();
    by_bytes_.MakeRoom();  // memory may run out: in both or in neither
    streams_.PushBack(std::move(stream));
    by_bytes_.try_emplace(BytesKey{key.hash, streams_[number].bytes}, number);
    byte_size_ += sizeof(HeadStream) + bytes.size() * 2 + 256;
    return number;
  }
  WalPlace& wal_place(uint32_t stream) { return streams_[stream].wal_place; }
  uint32_t size() const { return streams_.size(); }  // writer
  uint64_t byte_size() const { return byte_size_; }  // writer
  const HeadStream& stream(uint32_t number) const { return streams_[number]; }

 private:
  Arena* const arena_;
  SegmentedVector<HeadStream> streams_;
  HashMap<BytesKey, uint32_t, BytesKeyHash> by_bytes_;
  uint64_t byte_size_ = 0;
};

}  // namespace braid
