#include "tools/torture_load.h"

#include <map>
#include <tuple>

namespace braid {
namespace {

constexpr Timestamp kStart = 1'767'225'600 * kSecond;

Timestamp TimeOf(const TortureBatch& of) {
  return kStart + (static_cast<Timestamp>(of.round) * 1'000'000 + static_cast<Timestamp>(of.number)) * kMillisecond;
}
std::string TextOf(const TortureBatch& of, uint32_t record) {
  return "round " + std::to_string(of.round) + " writer " + std::to_string(of.writer) + " batch " +
         std::to_string(of.number) + " record " + std::to_string(record);
}
// Differs from batch to batch in all its bits, as measured values do.
double ValueOf(const TortureBatch& of, uint32_t record) {
  return static_cast<double>((of.number + 1) * 7919 + of.round * 104729 + of.writer * 13 + record) * 0.37;
}

using BatchKey = std::tuple<uint32_t, uint32_t, uint64_t>;
// What is there of a batch: bits of the records met, by signal.
struct Met {
  uint32_t samples = 0;
  uint32_t logs = 0;
  uint32_t spans = 0;
};

// What a store shows, and what is wrong with it whatever was acknowledged.
class Finder {
 public:
  explicit Finder(const DB& db) : snapshot_(db.GetSnapshot()) {
    for (const std::string& one : db.Stats().quarantined) problems.push_back("set aside: " + one);
    ReadRows(Table::kLogs);
    ReadRows(Table::kSpans);
    ReadSamples();
  }

  std::map<BatchKey, Met> met;
  std::vector<std::string> problems;

 private:
  void ReadRows(Table table) {
    ScanSpec spec;
    spec.table = table;
    const std::string text = table == Table::kLogs ? "message" : "name";
    for (const char* name : {"round", "writer", "number", "record"}) {
      spec.columns.push_back({ColumnLevel::kAttribute, name});
    }
    spec.columns.push_back({ColumnLevel::kBuiltin, text});
    absl::StatusOr<std::unique_ptr<Scan>> scan = snapshot_->OpenScan(spec);
    if (!scan.ok()) return problems.push_back(scan.status().ToString());
    RecordBatch rows;
    while (true) {
      const absl::StatusOr<bool> more = (*scan)->Next(&rows);
      if (!more.ok()) return problems.push_back(more.status().ToString());
      if (!*more) break;
      for (size_t row = 0; row < rows.num_rows; ++row) TakeRow(table, rows, row);
    }
    for (const std::string& one : (*scan)->stats().damaged) problems.push_back("damaged: " + one);
  }

  void TakeRow(Table table, const RecordBatch& rows, size_t row) {
    uint64_t numbers[4] = {};
    for (size_t i = 0; i < 4; ++i) {
      const Value value = rows.columns[i].ValueAt(row);
      if (!std::holds_alternative<int64_t>(value)) return problems.push_back("a row without its numbers");
      numbers[i] = static_cast<uint64_t>(std::get<int64_t>(value));
    }
    const TortureBatch of{static_cast<uint32_t>(numbers[0]), static_cast<uint32_t>(numbers[1]), numbers[2]};
    const auto record = static_cast<uint32_t>(numbers[3] & 31);
    if (ToText(View(rows.columns[4].ValueAt(row))) != TextOf(of, record)) {
      return problems.push_back("altered: a row of " + TextOf(of, record) + " says " +
                                ToText(View(rows.columns[4].ValueAt(row))));
    }
    Met& batch = met[{of.round, of.writer, of.number}];
    Mark(table == Table::kLogs ? &batch.logs : &batch.spans, of, record);
  }

  void ReadSamples() {
    absl::StatusOr<std::unique_ptr<SeriesScan>> scan = snapshot_->OpenSeriesScan({});
    if (!scan.ok()) return problems.push_back(scan.status().ToString());
    SeriesData data;
    while (true) {
      const absl::StatusOr<bool> more = (*scan)->Next(&data);
      if (!more.ok()) return problems.push_back(more.status().ToString());
      if (!*more) break;
      TortureBatch of;
      of.round = static_cast<uint32_t>(std::strtoul(std::string(FindLabel(data.labels, "round")).c_str(), nullptr, 10));
      of.writer =
          static_cast<uint32_t>(std::strtoul(std::string(FindLabel(data.labels, "writer")).c_str(), nullptr, 10));
      const auto record =
          static_cast<uint32_t>(std::strtoul(std::string(FindLabel(data.labels, "record")).c_str(), nullptr, 10)) & 31;
      for (size_t i = 0; i < data.times.size(); ++i) {
        of.number = 0;
        of.number = static_cast<uint64_t>((data.times[i] - TimeOf(of)) / kMillisecond);
        if (data.values[i] != ValueOf(of, record)) problems.push_back("altered: a sample of " + TextOf(of, record));
        Mark(&met[{of.round, of.writer, of.number}].samples, of, record);
      }
    }
    for (const std::string& one : (*scan)->stats().damaged) problems.push_back("damaged: " + one);
  }

  void Mark(uint32_t* bits, const TortureBatch& of, uint32_t record) {
    if ((*bits >> record & 1) != 0) problems.push_back("twice: " + TextOf(of, record));
    *bits |= 1u << record;
  }

  const std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace

void FillTortureBatch(const TortureBatch& of, WriteBatch* batch) {
  const Timestamp time = TimeOf(of);
  const std::string round = std::to_string(of.round), writer = std::to_string(of.writer);
  for (uint32_t record = 0; record < kTortureSamples; ++record) {
    const std::string number = std::to_string(record);
    const LabelView labels[] = {
        {kMetricNameLabel, "torture"}, {"round", round}, {"writer", writer}, {"record", number}};
    batch->AddSample(batch->AddSeries(labels), time, ValueOf(of, record));
  }
  Stream stream;
  stream.resource = {{"service.name", "torture" + writer}};
  const WriteBatch::StreamRef from = batch->AddStream(stream);
  for (uint32_t record = 0; record < std::max(kTortureLogs, kTortureSpans); ++record) {
    const std::string text = TextOf(of, record);
    const AttributeView attributes[] = {{"round", static_cast<int64_t>(of.round)},
                                        {"writer", static_cast<int64_t>(of.writer)},
                                        {"number", static_cast<int64_t>(of.number)},
                                        {"record", static_cast<int64_t>(record)}};
    const TraceId trace{uint64_t{of.round} << 32 | of.writer, of.number + 1};
    if (record < kTortureLogs) {
      LogRecord log;
      log.time = time + record;
      log.severity_number = 9;
      log.message = text;
      log.trace_id = trace;
      log.attributes = attributes;
      batch->AddLog(from, log);
    }
    if (record < kTortureSpans) {
      Span span;
      span.trace_id = trace;
      span.span_id = {record + 1};
      span.name = text;
      span.start = time;
      span.end = time + record;
      span.attributes = attributes;
      batch->AddSpan(from, span);
    }
  }
}

uint32_t TortureJournal::BeginRound() {
  rounds_.emplace_back(kTortureWriters);
  return static_cast<uint32_t>(rounds_.size() - 1);
}

void TortureJournal::Take(const TortureNote& note) {
  if (note.writer >= kTortureWriters) return;
  Writer& writer = rounds_.back()[note.writer];
  switch (note.kind) {
    case TortureNote::kSent: writer.sent = note.number + 1; break;
    case TortureNote::kAcknowledged:
      writer.done = note.number + 1;
      ++acknowledged_;
      break;
    case TortureNote::kRefused:
      writer.done = note.number + 1;
      writer.refused.insert(note.number);
      ++refused_;
      break;
  }
}

std::vector<std::string> TortureJournal::Compare(const DB& db) const {
  Finder found(db);
  std::vector<std::string> problems = std::move(found.problems);
  constexpr uint32_t kAllSamples = (1u << kTortureSamples) - 1, kAllLogs = (1u << kTortureLogs) - 1,
                     kAllSpans = (1u << kTortureSpans) - 1;
  for (const auto& [key, met] : found.met) {
    const auto& [round, writer, number] = key;
    const std::string name =
        "round " + std::to_string(round) + " writer " + std::to_string(writer) + " batch " + std::to_string(number);
    if (met.samples != kAllSamples || met.logs != kAllLogs || met.spans != kAllSpans) {
      problems.push_back("not whole: " + name);
    }
    if (round >= rounds_.size() || writer >= kTortureWriters || number >= rounds_[round][writer].sent) {
      problems.push_back("never sent: " + name);
    } else if (rounds_[round][writer].refused.contains(number)) {
      problems.push_back("refused, and there: " + name);
    }
  }
  for (uint32_t round = 0; round < rounds_.size(); ++round) {
    for (uint32_t writer = 0; writer < kTortureWriters; ++writer) {
      const Writer& told = rounds_[round][writer];
      for (uint64_t number = 0; number < told.done; ++number) {
        if (told.refused.contains(number) || found.met.contains({round, writer, number})) continue;
        problems.push_back("lost: round " + std::to_string(round) + " writer " + std::to_string(writer) + " batch " +
                           std::to_string(number) + " was acknowledged");
      }
    }
  }
  return problems;
}

}  // namespace braid
