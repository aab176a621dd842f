// Parcels on their way to a store that may be away for a while: kept in memory within a bound, sent in order, tried
// again. Whoever hands parcels in never waits.
//
// Threads: Put, Close and the counts may be called from one thread; parcels are sent by a thread of the delivery's own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "braid/types.h"

namespace braid {

struct Parcel {
  uint64_t records = 0;
  size_t bytes = 0;  // memory it takes
  // Called until it answers ok, or an error that is not worth another try: any but Unavailable, DeadlineExceeded and
  // ResourceExhausted.
  std::function<absl::Status()> send;
};

struct DeliveryOptions {
  // Beyond this the oldest parcels are dropped: what is new tells more about why the store is away.
  size_t bytes_max = size_t{64} << 20;
  Duration retry_min = 100 * kMillisecond;
  Duration retry_max = 2 * kSecond;
  // Told when sending begins to fail, and when it works again; may be null. Called from the delivery's thread.
  std::function<void(const std::string& note)> note;
};

struct DeliveryCounts {
  uint64_t delivered = 0;
  uint64_t dropped = 0;   // for want of room
  uint64_t rejected = 0;  // by the store
  uint64_t waiting = 0;
  std::string last_error;
};

class Delivery {
 public:
  explicit Delivery(DeliveryOptions options);
  // Without Close: what waits is given up.
  ~Delivery();

  void Put(Parcel parcel);
  DeliveryCounts counts() const;
  // Waits until everything is sent, or for so long, and stops; what `waiting` counts then was not sent.
  DeliveryCounts Close(Duration grace);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace braid
