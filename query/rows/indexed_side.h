// The side of a join that is indexed: what the other one looks its rows up in.
//
// Threads: any number may look up once it is built.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "query/rows/id_table.h"
#include "query/rows/key_table.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {

// Rows grouped by key, within a key by (time, row).
class IndexedSide {
 public:
  explicit IndexedSide(size_t keys) : table_(keys, NullKeys::kNeverMatch) {}

  // The number of each row's key, kNoKey if no row of this side has it.
  // REQUIRES: Build was called.
  void Find(const std::vector<const Column*>& keys, size_t rows, KeyTable::Cache* cache,
            std::vector<uint32_t>* numbers) const {
    if (ids_) {
      ids_->Find(keys, rows, numbers);
    } else {
      table_.Find(keys, rows, cache, numbers);
    }
  }

  // `targets`: what keys are compared as. `timed`: rows without a time have no
  // place. `overlap`: ends are needed too. `threads`: that may work on it.
  absl::Status Build(RecordBatch rows, const std::vector<const Column*>& keys, const std::vector<Type>& targets,
                     const TimeColumns& time, bool timed, bool overlap, size_t threads, Reservation* reservation) {
    rows_ = std::move(rows);
    const auto is_id = [&](size_t i) { return keys[i]->type == targets[i] || keys[i]->type == Type::kNull; };
    bool ids = IdTable::Fits(targets);
    for (size_t i = 0; ids && i < keys.size(); ++i) ids = is_id(i);
    if (ids) {
      ids_.emplace(targets);
      RETURN_IF_ERROR(reservation->Add(ids_->BytesFor(rows_.num_rows)));
    }
    RETURN_IF_ERROR(reservation->Add(rows_.num_rows * (overlap ? 36 : 20)));
    const Column no_time;
    const Column& times = time.time < 0 ? no_time : rows_.columns[static_cast<size_t>(time.time)];
    const bool has_times = times.type == Type::kTimestamp;
    if (timed && !has_times && times.type != Type::kNull) {
      return absl::InvalidArgumentError("`time` of the right side of a join is not a timestamp");
    }
    if (ids) {
      RETURN_IF_ERROR(ids_->Build(keys, rows_.num_rows, threads, &begins_, &order_));
    } else {
      RETURN_IF_ERROR(GroupByKey(keys, reservation));
    }
    if (timed && (!has_times || !times.valid.empty())) DropTimeless(times);
    if (has_times) {
      const auto time_of = [&](uint32_t row) {
        return std::pair(times.IsNull(row), times.IsNull(row) ? 0 : times.ints[row]);
      };
      const auto earlier = [&](uint32_t a, uint32_t b) { return time_of(a) < time_of(b); };
      for (size_t key = 0; key + 1 < begins_.size(); ++key) {
        const auto first = order_.begin() + begins_[key];
        const auto last = order_.begin() + begins_[key + 1];
        if (!std::is_sorted(first, last, earlier)) std::stable_sort(first, last, earlier);
      }
    }
    if (!timed) return absl::OkStatus();
    times_.resize(order_.size());
    for (size_t i = 0; i < order_.size(); ++i) times_[i] = times.ints[order_[i]];
    if (overlap) BuildEnds(time);
    return absl::OkStatus();
  }

  const RecordBatch& rows() const { return rows_; }
  uint32_t RowAt(size_t place) const { return order_[place]; }
  std::pair<size_t, size_t> Run(uint32_t key) const { return {begins_[key], begins_[key + 1]}; }
  size_t num_keys() const { return begins_.empty() ? 0 : begins_.size() - 1; }
  void PrefetchRun(uint32_t key) const { __builtin_prefetch(&begins_[key]); }
  void PrefetchRows(uint32_t key) const { __builtin_prefetch(order_.data() + begins_[key]); }
  // First place of [begin, end) with a time of at least / above `time`.
  size_t FirstAtLeast(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::lower_bound(At(begin), At(end), time) - times_.begin());
  }
  size_t FirstAbove(size_t begin, size_t end, Timestamp time) const {
    return static_cast<size_t>(std::upper_bound(At(begin), At(end), time) - times_.begin());
  }
  // The same, for who looks near `hint`, a place of [begin, end]: rows that come in order of time do not look far.
  size_t FirstAboveNear(size_t begin, size_t end, Timestamp time, size_t hint) const {
    const Timestamp* const times = times_.data();
    size_t step = 1;
    if (hint > begin && times[hint - 1] > time) {
      // It is before the hint.
      end = hint - 1;
      while (end > begin && end - begin > step && times[end - step] > time) {
        end -= step;
        step *= 2;
      }
      begin = end - begin > step ? end - step : begin;
    } else {
      begin = hint;
      while (end - begin > step && times[begin + step - 1] <= time) {
        begin += step;
        step *= 2;
      }
      end = std::min(end, begin + step);
    }
    return FirstAbove(begin, end, time);
  }
  Timestamp TimeAt(size_t place) const { return times_[place]; }

  // First place in [begin, end) whose row ends at or after `time`; `end` if
  // there is none. O(log n).
  size_t NextEndingAtLeast(size_t begin, size_t end, Timestamp time) const {
    size_t place = begin;
    // Climb over whole subtrees that end too early, then descend into the one
    // that does not.
    size_t node = place + leaves_;
    while (place < end) {
      if (greatest_[node] >= time) {
        while (node < leaves_) {
          node *= 2;
          if (greatest_[node] < time) ++node;
        }
        return std::min(node - leaves_, end);
      }
      while (node % 2 == 1) node /= 2;
      if (node == 0) return end;
      ++node;
      // The leftmost leaf below the node is where the search stands now.
      size_t leaf = node;
      while (leaf < leaves_) leaf *= 2;
      place = leaf - leaves_;
    }
    return end;
  }

 private:
  absl::Status GroupByKey(const std::vector<const Column*>& keys, Reservation* reservation) {
    std::vector<uint32_t> numbers;
    table_.Assign(keys, rows_.num_rows, &numbers);
    RETURN_IF_ERROR(reservation->Add(table_.bytes()));
    begins_.assign(table_.size() + 1, 0);
    for (const uint32_t number : numbers) {
      if (number != kNoKey) ++begins_[number + 1];
    }
    std::partial_sum(begins_.begin(), begins_.end(), begins_.begin());
    order_.resize(begins_.back());
    std::vector<uint32_t> at(begins_.begin(), begins_.end() - 1);
    for (size_t row = 0; row < rows_.num_rows; ++row) {
      if (numbers[row] != kNoKey) order_[at[numbers[row]]++] = static_cast<uint32_t>(row);
    }
    return absl::OkStatus();
  }

  void DropTimeless(const Column& times) {
    size_t kept = 0;
    for (size_t key = 0; key + 1 < begins_.size(); ++key) {
      const size_t begin = std::exchange(begins_[key], static_cast<uint32_t>(kept));
      for (size_t place = begin; place < begins_[key + 1]; ++place) {
        if (!times.IsNull(order_[place])) order_[kept++] = order_[place];
      }
    }
    begins_.back() = static_cast<uint32_t>(kept);
    order_.resize(kept);
  }

  std::vector<Timestamp>::const_iterator At(size_t place) const {
    return times_.begin() + static_cast<ptrdiff_t>(place);
  }

  // A tree of greatest ends over all places.
  void BuildEnds(const TimeColumns& time) {
    leaves_ = 1;
    while (leaves_ < order_.size()) leaves_ *= 2;
    greatest_.assign(2 * leaves_, kMinTimestamp);
    const Column* ends = time.end < 0 ? nullptr : &rows_.columns[static_cast<size_t>(time.end)];
    for (size_t i = 0; i < order_.size(); ++i) {
      Timestamp end = times_[i];
      if (ends != nullptr && ends->type == Type::kTimestamp && !ends->IsNull(order_[i])) {
        end = std::max(end, ends->ints[order_[i]]);
      }
      greatest_[leaves_ + i] = end;
    }
    for (size_t node = leaves_; node-- > 1;) greatest_[node] = std::max(greatest_[2 * node], greatest_[2 * node + 1]);
  }

  KeyTable table_;
  std::optional<IdTable> ids_;  // instead of table_
  RecordBatch rows_;
  std::vector<uint32_t> begins_;
  std::vector<uint32_t> order_;
  std::vector<Timestamp> times_;  // by place, of timed joins
  size_t leaves_ = 0;
  std::vector<Timestamp> greatest_;
};

}  // namespace braid
