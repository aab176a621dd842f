// What became of the records of one body: how many were taken, how many were not, and why.
//
// Threads: a value; one thread fills it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/ingest/decode_budget.h"
#include "server/ingest/ingest_limits.h"
#include "server/ingest/series_gate.h"

namespace braid::ingest {

struct IngestError {
  uint64_t line = 0;  // from 1; 0 = the format has no lines
  std::string place;  // "spans[3]"; empty if `line` says it
  std::string message;
};

struct IngestReport {
  uint64_t accepted = 0;            // records in the batch: samples, log records or spans
  uint64_t rejected = 0;            // records that are not
  uint64_t untimed = 0;             // of the accepted: records that show no time and got that of arrival
  uint64_t kept_raw = 0;            // of the accepted: lines that could not be read and were kept as plain text
  uint64_t over_limit = 0;          // of the rejected: those of series that the gate turned away
  std::vector<IngestError> errors;  // the first kErrorsKeptMax

  // Set by who makes the report; null: series without bound.
  SeriesGate* gate = nullptr;
  Timestamp now = 0;  // of the gate's windows
  // Set likewise; null: batches of any number. The batch takes its memory from it as it grows.
  DecodeBudget::Share* share = nullptr;
  bool no_room = false;  // the share could not grow: the rest of the body is not decoded

  // False if the batch has outgrown what may be written at once, or what is left for all bodies: decoding stops.
  bool Fits(const WriteBatch& batch) {
    if (batch.byte_size() > WriteBatch::kMaxBatchBytes) return false;
    if (share != nullptr && !share->GrowBatch(batch.byte_size())) no_room = true;
    return !no_room;
  }

  // False, with `problem` and over_limit set for `records` records, if the gate turns the series away.
  bool Admit(std::span<const LabelView> labels, uint64_t series, uint64_t records, std::string* problem) {
    if (gate == nullptr || gate->Admit(labels, now, series)) return true;
    over_limit += records;
    *problem = errors.size() < kErrorsKeptMax ? gate->Refusal() : "too many active series";
    return false;
  }

  void Reject(uint64_t count, std::string place, std::string message) {
    rejected += count;
    Keep({0, std::move(place), std::move(message)});
  }
  void RejectLine(uint64_t line, std::string message) {
    ++rejected;
    Keep({line, "", std::move(message)});
  }
  void Keep(IngestError error) {
    if (errors.size() < kErrorsKeptMax) errors.push_back(std::move(error));
  }
  // "3 rejected; line 7: ...; line 9: ..." or "" if nothing went wrong.
  std::string Summary() const;
};

}  // namespace braid::ingest
