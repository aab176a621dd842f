#include "query/plan/series_source.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <numeric>
#include <utility>

#include "query/rows/cells.h"
#include "query/rows/column_concat.h"
#include "query/rows/reservation.h"
#include "query/syntax/parser.h"
#include "query/syntax/status_macros.h"
#include "query/vector/series_value.h"

namespace braid {
namespace {

// Label values up to so many are looked up one by one.
constexpr size_t kMatchedKeysMax = 200;

// A series beside its points and labels.
constexpr uint64_t kSeriesBytes = 200;
constexpr size_t kRowsPerCheck = 4096;

bool IsSeriesColumn(const std::string& name) {
  return name == "time" || name == "value" || name == "metric" || name == "histogram";
}

// Text columns of which every series has one value: codes per series, written per row.
class LabelColumns {
 public:
  // `labels_of` gives the labels of each of `count` series.
  template <typename LabelsOf>
  LabelColumns(size_t count, const LabelsOf& labels_of, const ColumnNeeds& needs) {
    std::set<std::string> names;
    for (size_t i = 0; i < count; ++i) {
      for (const Label& label : labels_of(i)) {
        if (label.name == kMetricNameLabel) {
          names.insert("metric");
        } else if (needs.Has(label.name)) {
          names.insert(label.name);
        }
      }
    }
    for (const char* name : {"service", "instance"}) {
      if (needs.names.count(name) > 0) names.insert(name);
    }
    if (needs.Has("metric")) {
      if (names.erase("metric") > 0 || needs.names.count("metric") > 0) names_.push_back("metric");
    } else {
      names.erase("metric");
    }
    // A label that shares a name with a column of every series stays reachable only in vector position.
    for (const std::string& name : names) {
      if (!IsSeriesColumn(name)) names_.push_back(name);
    }
    for (const std::string& name : names_) {
      std::map<std::string, uint32_t> codes;
      std::vector<std::string> texts;
      std::vector<uint32_t> of_series(count, kNull);
      for (size_t i = 0; i < count; ++i) {
        const std::string text = ValueOf(labels_of(i), name);
        if (text.empty()) continue;
        const auto [entry, fresh] = codes.try_emplace(text, static_cast<uint32_t>(texts.size()));
        if (fresh) texts.push_back(text);
        of_series[i] = entry->second;
      }
      if (texts.empty()) texts.emplace_back();
      dictionaries_.push_back(StringDictionary::Make({texts.begin(), texts.end()}));
      codes_.push_back(std::move(of_series));
    }
  }

  const std::vector<std::string>& names() const { return names_; }

  // The columns for rows that belong to `series`.
  std::vector<Column> Make(const std::vector<uint32_t>& series) const {
    std::vector<Column> columns;
    for (size_t c = 0; c < names_.size(); ++c) {
      Column column;
      column.type = Type::kString;
      column.size = series.size();
      column.dictionary = dictionaries_[c];
      column.codes.resize(series.size());
      bool nulls = false;
      for (size_t row = 0; row < series.size(); ++row) {
        const uint32_t code = codes_[c][series[row]];
        nulls = nulls || code == kNull;
        column.codes[row] = code == kNull ? 0 : code;
      }
      if (nulls) {
        column.valid.resize(series.size());
        for (size_t row = 0; row < series.size(); ++row) column.valid[row] = codes_[c][series[row]] == kNull ? 0 : 1;
      }
      columns.push_back(std::move(column));
    }
    return columns;
  }

 private:
  static constexpr uint32_t kNull = UINT32_MAX;

  static std::string ValueOf(const Labels& labels, const std::string& name) {
    const std::string_view value = FindLabel(labels, name == "metric" ? kMetricNameLabel : std::string_view(name));
    if (!value.empty()) return std::string(value);
    for (const std::string& fallback : FallbackLabels(name)) {
      const std::string_view other = FindLabel(labels, fallback);
      if (!other.empty()) return std::string(other);
    }
    return "";
  }

  std::vector<std::string> names_;
  std::vector<std::shared_ptr<const StringDictionary>> dictionaries_;
  std::vector<std::vector<uint32_t>> codes_;
};

// One point of a series.
struct Point {
  Timestamp time;
  uint32_t series;
  double value;
  const std::shared_ptr<const Histogram>* histogram;
};

constexpr uint64_t kPointBytes = 2 * sizeof(Point);  // with the room that sorting them takes

// Room for `count` points, until RowsOfPoints has made rows of them.
absl::Status ReservePoints(size_t count, QueryContext* context, std::vector<Point>* points) {
  RETURN_IF_ERROR(context->Reserve(count * kPointBytes, "vector"));
  points->reserve(count);
  return absl::OkStatus();
}

// Rows of points for which ReservePoints has made room; their own memory is held until the query ends.
absl::StatusOr<RowSet> RowsOfPoints(std::vector<Point> points, const LabelColumns& labels, QueryContext* context) {
  // Time, value, which series; a code per label; what says that a cell is null.
  RETURN_IF_ERROR(context->Reserve(points.size() * (8 + 8 + 4 + labels.names().size() * 5), "vector"));
  RowSet set;
  set.schema.kind = Kind::kSeries;
  set.schema.columns = {{"time", Type::kTimestamp}, {"value", Type::kDouble}};
  set.rows.num_rows = points.size();
  Column time;
  time.type = Type::kTimestamp;
  time.size = points.size();
  Column value;
  value.type = Type::kDouble;
  value.size = points.size();
  std::vector<uint32_t> series;
  time.ints.reserve(points.size());
  value.doubles.reserve(points.size());
  series.reserve(points.size());
  bool histograms = false;
  for (const Point& point : points) {
    time.ints.push_back(point.time);
    value.doubles.push_back(point.histogram == nullptr ? point.value : 0);
    series.push_back(point.series);
    histograms = histograms || point.histogram != nullptr;
  }
  Column histogram;
  if (histograms) {
    RETURN_IF_ERROR(context->Reserve(points.size() * (2 + sizeof(*points[0].histogram)), "vector"));
    histogram.type = Type::kHistogram;
    histogram.size = points.size();
    for (const Point& point : points) {
      value.valid.push_back(point.histogram == nullptr ? 1 : 0);
      histogram.valid.push_back(point.histogram == nullptr ? 0 : 1);
      histogram.histograms.push_back(point.histogram == nullptr ? nullptr : *point.histogram);
    }
  }
  set.rows.columns.push_back(std::move(time));
  set.rows.columns.push_back(std::move(value));
  if (histograms) {
    set.schema.columns.push_back({"histogram", Type::kHistogram});
    set.rows.columns.push_back(std::move(histogram));
  }
  for (const std::string& name : labels.names()) set.schema.columns.push_back({name, Type::kString});
  for (Column& column : labels.Make(series)) set.rows.columns.push_back(std::move(column));
  context->Release(points.capacity() * kPointBytes);
  return set;
}

}  // namespace

const std::vector<std::string>& FallbackLabels(const std::string& name) {
  static const std::vector<std::string> kService = {"service_name", "service.name", "app", "job"};
  static const std::vector<std::string> kInstance = {"service_instance_id", "service.instance.id", "pod", "host"};
  static const std::vector<std::string> kNone;
  return name == "service" ? kService : name == "instance" ? kInstance : kNone;
}

absl::StatusOr<std::vector<Timestamp>> StepGrid(Timestamp origin, Duration step, TimeRange range) {
  if (step <= 0) return std::vector<Timestamp>{range.end};
  std::vector<Timestamp> times;
  // The first point of the grid that is not before the range.
  __int128 first = (static_cast<__int128>(range.start) - origin) / step * step + origin;
  if (first < range.start) first += step;
  if ((range.end - first) / step >= kGridStepsMax) {
    return MakeError(QueryError{"E067",
                                "a series is needed at more than " + std::to_string(kGridStepsMax) +
                                    " steps: what uses it reaches far beyond the query's range",
                                1, 1, 1, "shorten `pad`, `within` or the window, or take a longer step"});
  }
  for (__int128 time = first; time <= range.end; time += step) times.push_back(static_cast<Timestamp>(time));
  return times;
}

absl::StatusOr<RowSet> RowsOfVector(const VectorResult& vector, const std::vector<Timestamp>& times,
                                    const ColumnNeeds& needs, QueryContext* context) {
  if (vector.type == VectorType::kString) {
    RowSet set;
    set.schema.kind = Kind::kSeries;
    set.schema.columns = {{"time", Type::kTimestamp}, {"value", Type::kString}};
    set.rows.num_rows = 1;
    ColumnBuilder time(Type::kTimestamp);
    time.AppendInt(Type::kTimestamp, times.back());
    ColumnBuilder value(Type::kString);
    value.AppendString(vector.text);
    set.rows.columns = {time.Finish(), value.Finish()};
    return set;
  }
  std::vector<Point> points;
  if (vector.type == VectorType::kMatrix) {
    size_t count = 0;
    for (const SeriesData& series : vector.matrix) count += series.times.size();
    RETURN_IF_ERROR(ReservePoints(count, context, &points));
    for (size_t i = 0; i < vector.matrix.size(); ++i) {
      const SeriesData& series = vector.matrix[i];
      for (size_t j = 0; j < series.times.size(); ++j) {
        const bool histogram = !series.histograms.empty() && series.histograms[j] != nullptr;
        points.push_back(
            {series.times[j], static_cast<uint32_t>(i), series.values[j], histogram ? &series.histograms[j] : nullptr});
      }
    }
    std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.time < b.time; });
    const LabelColumns labels(
        vector.matrix.size(), [&](size_t i) -> const Labels& { return vector.matrix[i].labels; }, needs);
    return RowsOfPoints(std::move(points), labels, context);
  }
  size_t count = 0;
  for (const VectorSeries& series : vector.series) {
    count += static_cast<size_t>(
        std::count_if(series.present.begin(), series.present.end(), [](uint8_t p) { return p != 0; }));
  }
  RETURN_IF_ERROR(ReservePoints(count, context, &points));
  for (size_t t = 0; t < times.size(); ++t) {
    for (size_t i = 0; i < vector.series.size(); ++i) {
      const VectorSeries& series = vector.series[i];
      if (series.present[t] == 0) continue;
      const bool histogram = !series.histograms.empty() && series.histograms[t] != nullptr;
      points.push_back(
          {times[t], static_cast<uint32_t>(i), series.values[t], histogram ? &series.histograms[t] : nullptr});
    }
  }
  const LabelColumns labels(
      vector.series.size(), [&](size_t i) -> const Labels& { return vector.series[i].labels; }, needs);
  return RowsOfPoints(std::move(points), labels, context);
}

absl::StatusOr<VectorResult> VectorOfRows(const Schema& schema, const RecordBatch& rows,
                                          const std::vector<Timestamp>& times, QueryContext* context) {
  const int time_column = schema.Find("time");
  int value_column = schema.Find("value");
  if (value_column < 0) {
    for (size_t i = 0; i < schema.columns.size(); ++i) {
      const Type type = rows.columns[i].type;
      if (type == Type::kInt || type == Type::kDouble || type == Type::kDuration || type == Type::kHistogram ||
          (rows.num_rows == 0 && static_cast<int>(i) != time_column)) {
        value_column = static_cast<int>(i);
      }
    }
  }
  if (time_column < 0 || value_column < 0) {
    return absl::InvalidArgumentError("a pipeline used as a vector needs a time and a number per row");
  }
  std::map<Labels, VectorSeries> series;
  MemoryHold hold(context->memory(), context->limits.memory_bytes_max, "operand");
  const Column& time = rows.columns[static_cast<size_t>(time_column)];
  const Column& value = rows.columns[static_cast<size_t>(value_column)];
  for (size_t row = 0; row < rows.num_rows; ++row) {
    if (row % kRowsPerCheck == 0) RETURN_IF_ERROR(context->CheckAlive());
    if (time.IsNull(row) || value.IsNull(row)) continue;
    const auto at = std::lower_bound(times.begin(), times.end(), time.ints[row]);
    if (at == times.end() || *at != time.ints[row]) continue;
    const auto index = static_cast<size_t>(at - times.begin());
    Labels labels;
    for (size_t i = 0; i < schema.columns.size(); ++i) {
      if (static_cast<int>(i) == time_column || static_cast<int>(i) == value_column || rows.columns[i].IsNull(row))
        continue;
      std::string storage;
      const std::string text(TextOf(CellAt(rows.columns[i], row), &storage));
      if (text.empty()) continue;
      const std::string& name = schema.columns[i].name;
      labels.push_back(Label{name == "metric" ? std::string(kMetricNameLabel) : name, text});
    }
    std::sort(labels.begin(), labels.end());
    VectorSeries& target = series[labels];
    if (target.present.empty()) {
      RETURN_IF_ERROR(hold.Add(times.size() * 9 + kSeriesBytes + promql::BytesOf(labels)));
      target.labels = labels;
      target.present.resize(times.size());
      target.values.resize(times.size());
    }
    if (target.present[index] != 0) {
      return absl::InvalidArgumentError("two rows of a pipeline used as a vector have the same time and labels " +
                                        ToString(labels));
    }
    target.present[index] = 1;
    if (value.type == Type::kHistogram) {
      if (target.histograms.empty()) RETURN_IF_ERROR(hold.Add(times.size() * sizeof(target.histograms[0])));
      target.histograms.resize(times.size());
      target.histograms[index] = value.histograms[row];
    } else if (const auto number = NumberOf(CellAt(value, row))) {
      target.values[index] = *number;
    } else {
      target.present[index] = 0;
    }
  }
  VectorResult result;
  for (auto& [labels, entry] : series) result.series.push_back(std::move(entry));
  result.memory = std::make_shared<MemoryHold>(std::move(hold));
  return result;
}

std::vector<Matcher> MatchersOf(const std::vector<PushedCondition>& conditions) {
  std::vector<Matcher> matchers;
  for (const PushedCondition& condition : conditions) {
    const std::string& name = condition.column;
    if (name == "time" || name == "value" || name == "service" || name == "instance" || !condition.word.empty() ||
        condition.values.size() != 1 || condition.op != Predicate::Op::kEqual) {
      continue;
    }
    const CellView value = CellAt(condition.values[0], 0);
    // A number spelled otherwise in the label would match the condition, but not the matcher.
    if (value.type != Type::kString) continue;
    matchers.push_back(
        Matcher{Matcher::Op::kEqual, name == "metric" ? std::string(kMetricNameLabel) : name, std::string(value.text)});
  }
  return matchers;
}

std::optional<Matcher> MatcherOfKeys(const PushedSet& set) {
  if (set.interval_columns.size() != 1 || set.intervals->entries.size() > kMatchedKeysMax) return std::nullopt;
  const std::string& name = set.interval_columns[0];
  // Columns of every series, and those that may be made up from other labels.
  if (IsSeriesColumn(name) || name == "service" || name == "instance") return std::nullopt;
  Matcher matcher{Matcher::Op::kRegex, name, ""};
  for (const IntervalSet::Entry& entry : set.intervals->entries) {
    if (!matcher.value.empty()) matcher.value += '|';
    for (const char c : entry.key[0]) {
      if (c == '\0') return std::nullopt;
      const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<signed char>(c) < 0;
      if (!word) matcher.value += '\\';
      matcher.value += c;
    }
  }
  if (matcher.value.empty()) return std::nullopt;
  return matcher;
}

absl::StatusOr<OperatorPtr> OpenSamples(const std::vector<Matcher>& matchers, TimeRange range, const ColumnNeeds& needs,
                                        QueryContext* context, PlanNode* node) {
  SeriesSpec spec;
  spec.matchers = matchers;
  spec.time = range;
  ASSIGN_OR_RETURN(const std::unique_ptr<SeriesScan> scan, context->snapshot->OpenSeriesScan(spec));
  std::vector<SeriesData> all;
  std::vector<Point> points;
  size_t sample_count = 0;
  uint64_t held_bytes = 0;
  uint64_t counted_bytes = 0;
  while (true) {
    SeriesData series;
    ASSIGN_OR_RETURN(const bool more, scan->Next(&series));
    if (!more) break;
    RETURN_IF_ERROR(context->CheckAlive());
    const uint64_t series_bytes = promql::BytesOf(series) + series.times.size() * kPointBytes;
    RETURN_IF_ERROR(context->Reserve(series_bytes, "samples"));
    held_bytes += series_bytes;
    sample_count += series.times.size();
    const uint64_t bytes = scan->stats().bytes_read;
    RETURN_IF_ERROR(context->CountScanned(bytes - std::exchange(counted_bytes, bytes)));
    all.push_back(std::move(series));
  }
  node->scan = scan->stats();
  for (const std::string& damaged : scan->stats().damaged)
    context->AddNote("partial", "samples are missing: " + damaged);
  points.reserve(sample_count);
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < all[i].times.size(); ++j) {
      if (IsStaleNan(all[i].values[j])) continue;
      const bool histogram = !all[i].histograms.empty() && all[i].histograms[j] != nullptr;
      points.push_back(
          {all[i].times[j], static_cast<uint32_t>(i), all[i].values[j], histogram ? &all[i].histograms[j] : nullptr});
    }
  }
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.time < b.time; });
  const LabelColumns labels(
      all.size(), [&](size_t i) -> const Labels& { return all[i].labels; }, needs);
  ASSIGN_OR_RETURN(RowSet set, RowsOfPoints(std::move(points), labels, context));
  set.schema.kind = Kind::kEvents;
  context->Release(held_bytes - sample_count * kPointBytes);
  return MakeBatchSource(std::move(set.schema), std::move(set.rows));
}

}  // namespace braid
