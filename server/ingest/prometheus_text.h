// The Prometheus text formats: 0.0.4 and OpenMetrics 1.0, told apart line by line, so that any Content-Type will do.
//
//   # HELP name text        # TYPE name type        # UNIT name unit        # EOF
//   name{label="value",...} value [timestamp] [# {label="value",...} value [timestamp]]
//
// Timestamps are milliseconds in 0.0.4 and seconds in OpenMetrics; which of the two a text is shows in its exemplars,
// `# UNIT` and `# EOF` lines or is said by the caller. A bare timestamp with a fraction is seconds in either.
//
// Threads: a parser belongs to one thread. Errors: a bad line is reported and left out; the rest goes on.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/ingest_report.h"

namespace braid::ingest {

struct PrometheusTextOptions {
  bool openmetrics = false;  // timestamps without a fraction are seconds
  Timestamp now = 0;         // of samples without a timestamp
  Labels labels;             // put on every series that does not have them: job, instance, ...
  // The other way round, as for a scrape without honor_labels: a series' own label of such a name becomes exported_....
  bool labels_win = false;
  Labels defaults;               // put on series that do not have them, in any case
  bool honor_timestamps = true;  // false: all samples are of `now`
};

class PrometheusTextParser {
 public:
  explicit PrometheusTextParser(PrometheusTextOptions options) : options_(std::move(options)) {}

  // One line without its line break. Appends to `*batch`; counts in `*report` under the next line number.
  void ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report);
  // A whole body. What it declares (types) is known to later bodies of the same parser.
  void ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report);
  // Call after handing the batch away: series numbers are valid in one batch only.
  void ForgetBatch() { series_.clear(); }

  // A series of the batch, under its text: name and labels as they stand in the body.
  struct Seen {
    WriteBatch::SeriesRef ref = 0;
    bool timed = false;  // has come with a timestamp of its own
  };
  using SeenSeries = absl::flat_hash_map<std::string, Seen>;
  const SeenSeries& series() const { return series_; }
  // Says that the series with this text, of an earlier body, is gone: a staleness marker at `time`.
  void AddStale(const std::string& text, Timestamp time, WriteBatch* batch);
  uint64_t lines() const { return line_; }

 private:
  // Text between `{` and `}` as label pairs; advances past the closing brace. False with problem_ set.
  bool ParseLabels(std::string_view text, size_t* at, std::vector<LabelView>* labels);
  // Name and labels of a line into labels_; `*key_end` is behind them. Advances past blanks too.
  bool ParseSeries(std::string_view line, size_t* at, size_t* key_end);
  // Adds those of the options to labels_.
  void CompleteLabels();
  bool ParseSample(std::string_view line, WriteBatch* batch, IngestReport* report);
  bool ParseExemplar(std::string_view line, size_t at, Timestamp time, WriteBatch::SeriesRef series, WriteBatch* batch);
  bool ParseComment(std::string_view line, WriteBatch* batch);
  bool ParseTimestamp(std::string_view text, Timestamp* time);
  bool Fail(std::string problem);

  PrometheusTextOptions options_;
  uint64_t line_ = 0;
  bool ended_ = false;  // "# EOF" was seen
  std::string problem_;
  std::vector<LabelView> labels_;
  std::vector<LabelView> exemplar_labels_;
  std::deque<std::string> unescaped_;  // label values that had escapes
  size_t unescaped_used_ = 0;
  std::deque<std::string> exported_;  // names of labels that had to give way
  // Text of name and labels -> its number in the batch: repeated series cost one lookup instead of their labels.
  SeenSeries series_;
  std::string last_key_;
  absl::flat_hash_map<std::string, MetricMetadata> families_;
};

}  // namespace braid::ingest
