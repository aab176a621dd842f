// Queries on a store's directory.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>

#include "braid/db.h"
#include "braid/query.h"
#include "engine/base/status_macros.h"
#include "query/plan/result_writer.h"
#include "tools/answer_output.h"
#include "tools/query_target.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr size_t kWordsMax = 2000;                    // that completion offers
constexpr Duration kCompletionTimeMax = kSecond / 2;  // a person waits for it

// Everything that the store holds: what a person means who names a directory and no range.
TimeRange ExtentOf(const Snapshot& snapshot) {
  TimeRange extent = snapshot.SampleRange();
  for (int table = 0; table < kTableCount; ++table) {
    const TimeRange range = snapshot.Range(static_cast<Table>(table));
    if (range.empty()) continue;
    if (extent.empty()) {
      extent = range;
    } else {
      extent.start = std::min(extent.start, range.start);
      extent.end = std::max(extent.end, range.end);
    }
  }
  return extent;
}

absl::Status BadSetting(const std::string& name, const std::string& text, const std::string& example) {
  return absl::InvalidArgumentError(name + ": '" + text + "' is not " + example);
}

absl::Status ReadRange(const QuerySettings& settings, const Snapshot& snapshot, QueryOptions* options) {
  const auto time = [&](const char* name, const std::string& text, std::optional<Timestamp>* into) -> absl::Status {
    if (text.empty()) return absl::OkStatus();
    Timestamp value;
    if (!ParseTimeText(text, options->now, &value)) {
      return BadSetting(name, text, "a time such as 2026-01-31T10:00:00Z, 1767261600 or -1h");
    }
    *into = value;
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(time("--start", settings.start, &options->start));
  RETURN_IF_ERROR(time("--end", settings.end, &options->end));
  if (!settings.step.empty()) {
    Duration step;
    if (!ParseDurationText(settings.step, &step) || step <= 0)
      return BadSetting("--step", settings.step, "a duration such as 30s");
    options->step = step;
  }
  const TimeRange extent = ExtentOf(snapshot);
  if (!extent.empty()) {
    // One end alone means "from there on" or "until there", even where that lies outside of the data.
    if (!options->start) options->start = std::min(extent.start, options->end.value_or(extent.end));
    if (!options->end) options->end = std::max(extent.end, *options->start);
  }
  return absl::OkStatus();
}

class LocalTarget : public QueryTarget {
 public:
  LocalTarget(std::unique_ptr<DB> db, std::string directory) : db_(std::move(db)), directory_(std::move(directory)) {
    for (const std::string& damaged : db_->Stats().quarantined) {
      std::fprintf(stderr, "note (partial): %s; its rows are missing\n", damaged.c_str());
    }
    if (const uint64_t torn = db_->Stats().torn_bytes; torn > 0) {
      std::fprintf(stderr, "note: %s of an unfinished write at the end of the WAL are left out\n",
                   ReadableBytes(torn).c_str());
    }
    for (const std::string& damaged : db_->Stats().quarantined_before) {
      std::fprintf(stderr, "note (partial): set aside earlier: %s\n", damaged.c_str());
    }
  }

  absl::Status Run(const QuerySettings& settings, const std::string& text) override {
    ASSIGN_OR_RETURN(const Query query, Query::Parse(text));
    const std::shared_ptr<const Snapshot> snapshot = db_->GetSnapshot();
    QueryOptions options;
    options.now = Now();
    options.cancel = settings.cancel;
    RETURN_IF_ERROR(ReadRange(settings, *snapshot, &options));
    for (const std::string& param : settings.params) {
      const size_t equals = param.find('=');
      if (equals == std::string::npos || equals == 0) return BadSetting("--param", param, "NAME=VALUE");
      options.params[param.substr(0, equals)] = param.substr(equals + 1);
    }
    if (settings.limit) options.limits.rows_max = *settings.limit;

    const auto began = std::chrono::steady_clock::now();
    ASSIGN_OR_RETURN(std::unique_ptr<ResultReader> result, query.Execute(snapshot, options));
    const auto print = [](std::string_view bytes) { return PrintOut(bytes); };
    if (settings.format == "json") return WriteJson(result.get(), print);
    if (settings.format == "ndjson" || settings.format == "csv") {
      RETURN_IF_ERROR(settings.format == "csv" ? WriteCsv(result.get(), print) : WriteNdjson(result.get(), print));
      // These formats have no place for notes, and a cut or partial answer must not look whole.
      for (const Note& note : result->summary().notes) {
        std::fprintf(stderr, "note (%s): %s\n", note.kind.c_str(), Printable(note.text).c_str());
      }
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(const std::string shown, FormatAnswer(result.get(), text, settings.format == "table"));
    RETURN_IF_ERROR(print(shown));
    if (IsTerminal(STDERR_FILENO)) {
      const Duration took =
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
      std::fflush(stdout);
      std::fprintf(stderr, "%s\n",
                   Paint("took " + ReadableDuration(took), Colour::kDim, UseColour(STDERR_FILENO)).c_str());
    }
    return absl::OkStatus();
  }

  std::vector<std::string> Metrics() override { return LabelValues("", std::string(kMetricNameLabel)); }

  std::vector<std::string> Labels(const std::string& metric) override {
    std::set<std::string> names;
    EachSeries(metric, [&](const braid::Labels& labels) {
      for (const Label& label : labels) names.insert(label.name);
      return names.size() < kWordsMax;
    });
    names.erase(std::string(kMetricNameLabel));
    return {names.begin(), names.end()};
  }

  std::vector<std::string> LabelValues(const std::string& metric, const std::string& label) override {
    std::set<std::string> values;
    EachSeries(metric, [&](const braid::Labels& labels) {
      for (const Label& found : labels) {
        if (found.name == label) values.insert(std::string(found.value));
      }
      return values.size() < kWordsMax;
    });
    return {values.begin(), values.end()};
  }

  std::vector<std::string> Columns(const std::string& table) override {
    const std::shared_ptr<const Snapshot> snapshot = db_->GetSnapshot();
    std::set<std::string> names;
    for (int i = 0; i < kTableCount; ++i) {
      if (ToString(static_cast<Table>(i)) != table) continue;
      for (const ColumnInfo& column : snapshot->Columns(static_cast<Table>(i), {kMinTimestamp, kMaxTimestamp})) {
        names.insert(column.ref.name);
      }
    }
    return {names.begin(), names.end()};
  }

  std::vector<std::string> ColumnValues(const std::string& table, const std::string& column) override {
    std::vector<std::string> values;
    const auto query = Query::Parse(table + " | stats n = count() by (value = " + column + ") | top 50 by n");
    if (!query.ok()) return values;
    QueryOptions options;
    options.now = Now();
    options.limits.time_max = kCompletionTimeMax;
    const std::shared_ptr<const Snapshot> snapshot = db_->GetSnapshot();
    if (!ReadRange({}, *snapshot, &options).ok()) return values;
    auto result = query->Execute(snapshot, options);
    RecordBatch batch;
    while (result.ok()) {
      const auto more = (*result)->Next(&batch);
      if (!more.ok() || !*more) break;
      for (size_t row = 0; row < batch.num_rows; ++row) {
        if (!batch.columns[0].IsNull(row)) values.push_back(PlainValue(batch.columns[0], row));
      }
    }
    return values;
  }

  std::string Name() const override { return "the store " + directory_; }

 private:
  void EachSeries(const std::string& metric, const std::function<bool(const braid::Labels&)>& take) {
    SeriesSpec spec;
    spec.time = {kMinTimestamp, kMaxTimestamp};
    spec.labels_only = true;
    if (!metric.empty()) spec.matchers.push_back({Matcher::Op::kEqual, std::string(kMetricNameLabel), metric});
    const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(kCompletionTimeMax);
    auto scan = db_->GetSnapshot()->OpenSeriesScan(spec);
    SeriesData series;
    while (scan.ok() && std::chrono::steady_clock::now() < until) {
      const auto more = (*scan)->Next(&series);
      if (!more.ok() || !*more || !take(series.labels)) return;
    }
  }

  const std::unique_ptr<DB> db_;
  const std::string directory_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<QueryTarget>> OpenLocalTarget(const std::string& directory) {
  Options open;
  open.read_only = true;
  open.create_if_missing = false;
  ASSIGN_OR_RETURN(std::unique_ptr<DB> db, DB::Open(open, directory));
  return std::make_unique<LocalTarget>(std::move(db), directory);
}

absl::StatusOr<std::unique_ptr<QueryTarget>> OpenQueryTarget(const QuerySettings& settings) {
  if (!settings.server.url.empty()) {
    ASSIGN_OR_RETURN(const Endpoint endpoint, ReadEndpoint(settings.server));
    return MakeRemoteTarget(settings, endpoint);
  }
  return OpenLocalTarget(settings.data.empty() ? "braid-data" : settings.data);
}

}  // namespace braid
