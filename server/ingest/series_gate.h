// Bounds how many series are active: beyond it new ones are turned away while those that are known go on. A program
// that puts an id into a label would otherwise take the memory of all others.
//
// Active is what has come within the last one to two windows. Series are remembered by the hash of their labels.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "braid/types.h"
#include "braid/write_batch.h"

namespace braid::ingest {

class SeriesGate {
 public:
  static constexpr Duration kWindow = 3600 * kSecond;

  // `series_max` = 0: no bound.
  explicit SeriesGate(uint64_t series_max) : series_max_(series_max) {}

  // Notes that the series with these labels, in any order, is active at `now`. False if it is not known yet and there
  // is no room. `series`: how many it stands for, as a histogram's point does for its buckets.
  bool Admit(std::span<const LabelView> labels, Timestamp now, uint64_t series = 1);
  // The same for labels that stand in `message` as a remote write message has them: in order of their names, each name
  // and value not empty and of 127 bytes at most, lengths in one byte.
  bool AdmitMessage(std::string_view message, std::span<const LabelView> labels, Timestamp now);
  // Why, naming the metric with the most active series and, of those turned away of late, the label with the most
  // values.
  std::string Refusal() const;
  uint64_t active() const { return active_; }

 private:
  struct Known {
    uint32_t window = 0;
    uint32_t series = 0;
    uint64_t* of_metric = nullptr;  // in metrics_
  };
  bool AdmitHash(uint64_t hash, std::span<const LabelView> labels, Timestamp now, uint64_t series);
  void NoteRefused(std::span<const LabelView> labels);
  // Drops what has not come since before the last window.
  void Forget();

  const uint64_t series_max_;
  std::atomic<uint64_t> active_{0};
  mutable std::mutex mutex_;
  uint32_t window_ = 0;
  absl::flat_hash_map<uint64_t, Known> known_;
  std::map<std::string, uint64_t, std::less<>> metrics_;  // metric -> its active series
  // Of what was turned away: label -> values, some of them.
  std::map<std::string, absl::flat_hash_map<uint64_t, char>, std::less<>> refused_values_;
};

}  // namespace braid::ingest
