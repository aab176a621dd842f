#include "tests/support/naive_store.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <tuple>
#include <unordered_map>

namespace braid {
namespace {

using Fields = std::map<std::string, Value>;

uint64_t Below(std::mt19937_64* random, uint64_t limit) { return (*random)() % limit; }

uint64_t BitsOf(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

Timestamp RandomTime(const NaiveWriteSpec& spec, std::mt19937_64* random) {
  if (spec.extremes && Below(random, 12) == 0) {
    constexpr Timestamp kEnds[] = {kMinTimestamp, kMinTimestamp + 1, -1, 0, 1, kMaxTimestamp - 1, kMaxTimestamp};
    return kEnds[Below(random, std::size(kEnds))];
  }
  const auto steps = static_cast<uint64_t>(spec.spread / kSecond) + 1;
  return spec.around - static_cast<Duration>(Below(random, steps)) * kSecond;
}

TraceId RandomTrace(std::mt19937_64* random) {
  const uint64_t n = Below(random, 9) + 1;
  return {n << 60, n};
}

double RandomValue(std::mt19937_64* random) {
  switch (Below(random, 8)) {
    case 0: return StaleNan();
    case 1: return std::numeric_limits<double>::infinity();
    case 2: return -0.0;
    case 3: return std::numeric_limits<double>::quiet_NaN();
    case 4: return static_cast<double>((*random)()) * 1e-5;
    default: return static_cast<double>(Below(random, 1000));
  }
}

Histogram RandomHistogram(std::mt19937_64* random) {
  Histogram histogram;
  const bool custom = Below(random, 4) == 0;
  histogram.schema = custom ? -53 : static_cast<int32_t>(Below(random, 9)) - 4;
  histogram.zero_threshold = custom ? 0 : 0.001;
  histogram.zero_count = custom ? 0 : static_cast<double>(Below(random, 5));
  histogram.count = histogram.zero_count;
  int32_t index = custom ? 0 : static_cast<int32_t>(Below(random, 100)) - 50;
  for (uint64_t i = Below(random, 4); i > 0; --i) {
    histogram.positive.push_back({index, static_cast<double>(Below(random, 50))});
    histogram.count += histogram.positive.back().count;
    index += 1 + static_cast<int32_t>(Below(random, 3));
  }
  if (custom) {
    for (int32_t i = 0; i <= index; ++i) histogram.custom_bounds.push_back(i * 0.5);
  } else if (Below(random, 3) == 0) {
    histogram.negative.push_back({-3, 2});
    histogram.count += 2;
  }
  histogram.sum = static_cast<double>(Below(random, 10000)) / 4;
  histogram.is_gauge = Below(random, 5) == 0;
  histogram.reset_unknown = Below(random, 2) == 0;
  return histogram;
}

struct NaiveStream {
  Stream stream;
  std::string service, instance;
};

NaiveStream RandomStream(std::mt19937_64* random) {
  NaiveStream made;
  const uint64_t n = Below(random, 5);
  if (n != 0) {
    made.service = "shop" + std::to_string(n % 3);
    made.instance = "pod-" + std::to_string(n);
    // Not sorted: the order of attributes does not tell streams apart.
    made.stream.resource = {{"service.name", made.service}, {"region", int64_t(n)}, {"k8s.pod.name", made.instance}};
    made.stream.scope_name = n % 2 == 0 ? "checkout" : "";
    made.stream.scope_attributes = {{"library", std::string("x")}};
  }
  return made;
}

void AddStreamFields(const NaiveStream& stream, Fields* fields) {
  if (!stream.service.empty()) {
    (*fields)["service"] = stream.service;
    (*fields)["instance"] = stream.instance;
    (*fields)["region"] = stream.stream.resource[1].value;
    (*fields)["library"] = stream.stream.scope_attributes[0].value;
  }
  if (!stream.stream.scope_name.empty()) (*fields)["scope.name"] = stream.stream.scope_name;
}

// Null unless something is said.
void Put(const char* name, uint64_t value, Fields* fields) {
  if (value != 0) (*fields)[name] = static_cast<int64_t>(value);
}
void Put(const char* name, const std::string& value, Fields* fields) {
  if (!value.empty()) (*fields)[name] = value;
}
void PutIds(TraceId trace, SpanId span, Fields* fields) {
  if (!trace.IsZero()) (*fields)["trace_id"] = ToHex(trace);
  if (!span.IsZero()) (*fields)["span_id"] = ToHex(span);
}

// A column may widen whole numbers to doubles, so those have one letter.
void AppendField(const ColumnRef& ref, const ValueView& value, std::string* text) {
  text->append(ref.name).append("=").append(1, "-bnns"[value.index()]).append(":");
  text->append(ToText(value)).append(";");
}

// The same of a value in a column; the kinds that come most without a detour.
void AppendField(const ColumnRef& ref, const Column& column, size_t row, std::string* text) {
  const bool is_number = column.type == Type::kInt || column.type == Type::kTimestamp || column.type == Type::kDuration;
  if (column.type == Type::kString) {
    text->append(ref.name).append("=s:").append(column.StringAt(row)).append(";");
  } else if (is_number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), column.ints[row]);
    text->append(ref.name).append("=n:").append(digits, end.ptr).append(";");
  } else if (const Value value = column.ValueAt(row); value.index() != 0) {
    AppendField(ref, View(value), text);
  }
}

std::string NaiveText(Table table, const Fields& fields) {
  std::string text;
  for (const ColumnRef& ref : NaiveColumns(table)) {
    const auto found = fields.find(ref.name);
    if (found != fields.end()) AppendField(ref, View(found->second), &text);
  }
  return text;
}

class WriteMaker {
 public:
  WriteMaker(uint64_t number, const NaiveWriteSpec& spec, std::mt19937_64* random, WriteBatch* batch)
      : spec_(spec), random_(random), batch_(batch) {
    write_.number = number;
  }

  NaiveWrite Make() {
    for (uint64_t i = Below(random_, 4); i > 0; --i) AddSamples();
    for (uint64_t i = Below(random_, 3) + 1; i > 0; --i) AddLog();
    for (uint64_t i = Below(random_, 3); i > 0; --i) AddSpan();
    if (Below(random_, 6) == 0) {
      write_.metadata.push_back(
          {"metric" + std::to_string(Below(random_, 3)), "gauge", "s", "help " + std::to_string(Below(random_, 2))});
      batch_->AddMetadata(write_.metadata.back());
    }
    return std::move(write_);
  }

 private:
  uint64_t Random(uint64_t limit) { return Below(random_, limit); }
  Timestamp Time() {
    const Timestamp time = RandomTime(spec_, random_);
    Saw(time);
    return time;
  }
  void Saw(Timestamp time) {
    write_.times.start = std::min(write_.times.start, time);
    write_.times.end = std::max(write_.times.end, time);
  }

  // Every row's own attributes; views stay valid until the next call.
  std::span<const AttributeView> Attributes(Table table, Fields* fields) {
    auto& rows = write_.rows[static_cast<int>(table)];
    arrival_ = static_cast<int64_t>(write_.number * 1000 + rows.size());
    attributes_ = {{"arrival", arrival_}};
    switch (Random(5)) {
      case 0: attributes_.push_back({"mixed", ValueView(std::string_view("text"))}); break;
      case 1: attributes_.push_back({"mixed", ValueView(int64_t{7})}); break;
      case 2: attributes_.push_back({"mixed", ValueView(true)}); break;
      case 3: attributes_.push_back({"mixed", ValueView(2.5)}); break;
      default: break;
    }
    if (Random(40) == 0) attributes_.push_back({"rare", ValueView(std::string_view("once"))});
    for (const AttributeView& attribute : attributes_) (*fields)[std::string(attribute.name)] = Own(attribute.value);
    return attributes_;
  }
  void AddRow(Table table, Timestamp time, Timestamp end, TraceId trace, Fields fields) {
    fields["time"] = time;
    write_.rows[static_cast<int>(table)].push_back({time, end, trace, arrival_, NaiveText(table, fields)});
  }

  void AddSamples() {
    const std::string job = "job" + std::to_string(Random(3)), metric = "metric" + std::to_string(Random(3));
    const std::string instance = Random(2) == 0 ? "" : "i" + std::to_string(Random(2));
    const std::vector<LabelView> labels = {{"job", job}, {"__name__", metric}, {"instance", instance}};
    Labels canonical = {{"__name__", metric}};
    if (!instance.empty()) canonical.push_back({"instance", instance});
    canonical.push_back({"job", job});
    const auto series = batch_->AddSeries(labels);
    const bool histograms = Random(5) == 0;
    for (uint64_t i = Random(6); i > 0; --i) {
      NaiveSample sample{canonical, Time(), 0, nullptr};
      if (histograms) {
        sample.histogram = std::make_shared<Histogram>(RandomHistogram(random_));
        sample.value = sample.histogram->sum;
        batch_->AddHistogram(series, sample.time, *sample.histogram);
      } else {
        sample.value = RandomValue(random_);
        batch_->AddSample(series, sample.time, sample.value);
      }
      write_.samples.push_back(std::move(sample));
    }
    for (uint64_t i = Random(2); i > 0; --i) {
      Exemplar exemplar;
      exemplar.time = Time();
      exemplar.value = static_cast<double>(Random(100));
      if (Random(4) != 0) exemplar.trace_id = RandomTrace(random_);
      exemplar.span_id = {Random(3)};
      Fields fields;
      PutIds(exemplar.trace_id, exemplar.span_id, &fields);
      fields["value"] = exemplar.value;
      fields["metric"] = metric;
      fields["service"] = job;
      Put("instance", instance, &fields);
      exemplar.attributes = Attributes(Table::kExemplars, &fields);
      batch_->AddExemplar(series, exemplar);
      AddRow(Table::kExemplars, exemplar.time, exemplar.time, exemplar.trace_id, fields);
    }
  }

  void AddLog() {
    const NaiveStream from = RandomStream(random_);
    const std::string message = Random(8) == 0 ? "" : "order " + std::to_string(write_.number) + " took a while";
    const std::string event = Random(5) == 0 ? "event" : "", severity = Random(3) == 0 ? "Info" : "";
    LogRecord log;
    log.time = Time();
    log.observed_time = Random(3) == 0 ? log.time ^ 4096 : 0;
    log.severity_number = static_cast<int>(Random(25));
    log.severity_text = severity;
    log.message = message;
    log.event_name = event;
    if (Random(3) != 0) log.trace_id = RandomTrace(random_);
    log.span_id = {Random(4)};
    log.flags = static_cast<uint32_t>(Random(2));
    log.dropped_attributes = static_cast<uint32_t>(Random(8) == 0 ? 1000 : 0);
    Fields fields;
    AddStreamFields(from, &fields);
    PutIds(log.trace_id, log.span_id, &fields);
    Put("observed_time", static_cast<uint64_t>(log.observed_time), &fields);
    Put("severity", static_cast<uint64_t>(log.severity_number), &fields);
    constexpr const char* kLevels[] = {"trace", "debug", "info", "warn", "error", "fatal"};
    if (log.severity_number > 0) fields["level"] = std::string(kLevels[(log.severity_number - 1) / 4]);
    Put("severity_text", severity, &fields);
    Put("message", message, &fields);
    Put("event_name", event, &fields);
    Put("flags", log.flags, &fields);
    Put("dropped_attributes", log.dropped_attributes, &fields);
    log.attributes = Attributes(Table::kLogs, &fields);
    batch_->AddLog(batch_->AddStream(from.stream), log);
    AddRow(Table::kLogs, log.time, log.time, log.trace_id, fields);
  }

  void AddSpan() {
    const NaiveStream from = RandomStream(random_);
    const std::string name = "GET /cart/" + std::to_string(Random(4));
    Span span;
    span.trace_id = RandomTrace(random_);
    span.span_id = {Random(20) + 1};
    span.parent_id = {Random(20)};
    span.name = name;
    span.kind = static_cast<SpanKind>(Random(6));
    span.status = static_cast<StatusCode>(Random(3));
    span.start = Time();
    span.end = Time();
    span.dropped_links = static_cast<uint32_t>(Random(2));
    Fields ids;
    AddStreamFields(from, &ids);
    PutIds(span.trace_id, span.span_id, &ids);
    Fields fields = ids;
    fields["end"] = span.end;
    // An end before the start counts as no duration; a longer one than an int64 holds counts as the longest.
    Duration duration = 0;
    if (span.end > span.start && __builtin_sub_overflow(span.end, span.start, &duration)) duration = INT64_MAX;
    fields["duration"] = duration;
    Put("parent_id", span.parent_id.IsZero() ? "" : ToHex(span.parent_id), &fields);
    fields["name"] = name;
    constexpr const char* kKinds[] = {"unset", "internal", "server", "client", "producer", "consumer"};
    fields["kind"] = std::string(kKinds[static_cast<int>(span.kind)]);
    constexpr const char* kStatuses[] = {"unset", "ok", "error"};
    fields["status"] = std::string(kStatuses[static_cast<int>(span.status)]);
    Put("dropped_links", span.dropped_links, &fields);

    std::vector<SpanEvent> events(Random(3));
    std::vector<SpanLink> links(Random(2));
    std::vector<std::vector<AttributeView>> kept;
    for (SpanEvent& event : events) {
      event.time = Time();
      event.name = "retry";
      Fields of_event = ids;
      of_event["name"] = std::string("retry");
      const auto attributes = Attributes(Table::kEvents, &of_event);
      kept.emplace_back(attributes.begin(), attributes.end());
      event.attributes = kept.back();
      AddRow(Table::kEvents, event.time, event.time, span.trace_id, of_event);
    }
    for (SpanLink& link : links) {
      link.trace_id = RandomTrace(random_);
      link.span_id = {Random(5) + 1};
      Fields of_link = ids;
      of_link["linked_trace_id"] = ToHex(link.trace_id);
      of_link["linked_span_id"] = ToHex(link.span_id);
      const auto attributes = Attributes(Table::kLinks, &of_link);
      kept.emplace_back(attributes.begin(), attributes.end());
      link.attributes = kept.back();
      AddRow(Table::kLinks, span.start, span.start, span.trace_id, of_link);
    }
    span.events = events;
    span.links = links;
    span.attributes = Attributes(Table::kSpans, &fields);
    batch_->AddSpan(batch_->AddStream(from.stream), span);
    AddRow(Table::kSpans, span.start, span.end, span.trace_id, fields);
  }

  const NaiveWriteSpec& spec_;
  std::mt19937_64* random_;
  WriteBatch* batch_;
  NaiveWrite write_;
  std::vector<AttributeView> attributes_;
  int64_t arrival_ = 0;
};

bool Matches(const Matcher& matcher, std::string_view value) {
  bool equal = value == matcher.value;
  if (matcher.op == Matcher::Op::kRegex || matcher.op == Matcher::Op::kNotRegex) {
    // Those that RandomSeriesSpec writes, told apart without an engine for regular expressions.
    if (matcher.value == ".+") equal = !value.empty();
    if (matcher.value == "job(0|2)") equal = value == "job0" || value == "job2";
    if (matcher.value == ".*1") equal = value.ends_with("1");
    if (matcher.value == "|i0") equal = value.empty() || value == "i0";
  }
  return equal == (matcher.op == Matcher::Op::kEqual || matcher.op == Matcher::Op::kRegex);
}

TimeRange RandomRange(const NaiveWriteSpec& of, std::mt19937_64* random) {
  if (Below(random, 4) == 0) return {};
  Timestamp a = RandomTime(of, random), b = RandomTime(of, random);
  // Once in a while an empty range.
  if (a > b && Below(random, 20) != 0) std::swap(a, b);
  return {a, b};
}

}  // namespace

NaiveWrite MakeNaiveWrite(uint64_t number, const NaiveWriteSpec& spec, std::mt19937_64* random, WriteBatch* batch) {
  return WriteMaker(number, spec, random, batch).Make();
}

const std::vector<ColumnRef>& NaiveColumns(Table table) {
  using List = std::vector<ColumnRef>;
  auto any = [](std::initializer_list<const char*> names) {
    List list = {{ColumnLevel::kAttribute, "arrival"}, {ColumnLevel::kAttribute, "rare"}};
    for (const char* name : names) list.push_back({ColumnLevel::kAny, name});
    return list;
  };
  static const auto& lists = *new std::map<Table, List>{
      {Table::kLogs, any({"mixed", "time", "service", "instance", "trace_id", "span_id", "observed_time", "level",
                          "severity", "severity_text", "message", "event_name", "flags", "dropped_attributes",
                          "scope.name", "region", "library"})},
      {Table::kSpans, any({"mixed", "time", "end", "duration", "service", "instance", "trace_id", "span_id",
                           "parent_id", "name", "kind", "status", "dropped_links", "scope.name", "region", "library"})},
      {Table::kEvents, any({"mixed", "time", "name", "service", "trace_id", "span_id", "region"})},
      {Table::kLinks, any({"mixed", "time", "linked_trace_id", "linked_span_id", "instance", "trace_id", "span_id"})},
      {Table::kExemplars, any({"mixed", "time", "metric", "value", "service", "instance", "trace_id", "span_id"})}};
  return lists.at(table);
}

std::multimap<int64_t, std::string> NaiveRows(const NaiveWrites& writes, const ScanSpec& spec) {
  std::multimap<int64_t, std::string> rows;
  for (const NaiveWrite* write : writes) {
    for (const NaiveRow& row : write->rows[static_cast<int>(spec.table)]) {
      const Timestamp end = spec.overlap && spec.table == Table::kSpans ? std::max(row.time, row.end) : row.time;
      if (end < spec.time.start || row.time > spec.time.end || spec.time.end < spec.time.start) continue;
      if (spec.trace_ids != nullptr &&
          std::find(spec.trace_ids->begin(), spec.trace_ids->end(), row.trace_id) == spec.trace_ids->end()) {
        continue;
      }
      rows.emplace(row.arrival, row.text);
    }
  }
  return rows;
}

NaiveSeries NaiveSamples(const NaiveWrites& writes, const SeriesSpec& spec) {
  NaiveSeries all;
  for (const NaiveWrite* write : writes) {
    for (const NaiveSample& sample : write->samples) {
      const bool matches = std::all_of(spec.matchers.begin(), spec.matchers.end(), [&](const Matcher& matcher) {
        return Matches(matcher, FindLabel(sample.labels, matcher.name));
      });
      if (matches && spec.time.start <= sample.time && sample.time <= spec.time.end) {
        all[sample.labels][sample.time] = sample;
      }
    }
  }
  return all;
}

std::vector<MetricMetadata> NaiveMetadata(const NaiveWrites& writes) {
  std::map<std::string, MetricMetadata> last;
  for (const NaiveWrite* write : writes) {
    for (const MetricMetadata& metadata : write->metadata) last[metadata.metric] = metadata;
  }
  std::vector<MetricMetadata> all;
  for (const auto& [name, metadata] : last) all.push_back(metadata);
  return all;
}

std::multimap<int64_t, std::string> RowsOf(Scan* scan, Table table) {
  std::multimap<int64_t, std::string> rows;
  std::unordered_map<std::string, int64_t> last_arrival;  // by the key that ends with the order of arrival
  const std::vector<ColumnRef>& columns = NaiveColumns(table);
  std::vector<size_t> key_columns;  // streams of the model differ in these
  for (const char* name : {"time", "trace_id", "span_id", "service", "instance", "metric"}) {
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == name) key_columns.push_back(i);
    }
  }
  const bool in_order = table == Table::kLogs || table == Table::kSpans;
  RecordBatch batch;
  while (true) {
    const absl::StatusOr<bool> more = scan->Next(&batch);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    EXPECT_LE(batch.num_rows, 8192u);
    for (size_t row = 0; row < batch.num_rows; ++row) {
      const Column& arrival = batch.columns[0];
      const bool has_arrival = arrival.type == Type::kInt && !arrival.IsNull(row);
      EXPECT_TRUE(has_arrival);
      if (!has_arrival) continue;
      const int64_t n = arrival.ints[row];
      std::string key;
      for (const size_t i : key_columns) {
        if (!batch.columns[i].IsNull(row)) AppendField(columns[i], batch.columns[i], row, &key);
        key.push_back('/');
      }
      auto [entry, added] = last_arrival.try_emplace(std::move(key), n);
      if (!added) {
        EXPECT_TRUE(!in_order || entry->second < n) << "equal rows are not in arrival order";
        entry->second = n;
      }
      std::string text;
      for (size_t i = 0; i < columns.size(); ++i) {
        if (!batch.columns[i].IsNull(row)) AppendField(columns[i], batch.columns[i], row, &text);
      }
      rows.emplace_hint(rows.end(), n, std::move(text));
    }
  }
  return rows;
}

NaiveSeries SamplesOf(SeriesScan* scan) {
  NaiveSeries all;
  SeriesData data;
  const Labels* last = nullptr;
  while (true) {
    const absl::StatusOr<bool> more = scan->Next(&data);
    EXPECT_TRUE(more.ok()) << more.status();
    if (!more.ok() || !*more) break;
    if (last != nullptr) {
      EXPECT_LT(*last, data.labels) << "series are not in order";
    }
    EXPECT_EQ(data.times.size(), data.values.size());
    EXPECT_TRUE(data.histograms.empty() || data.histograms.size() == data.times.size());
    EXPECT_TRUE(std::adjacent_find(data.times.begin(), data.times.end(), std::greater_equal<>()) == data.times.end());
    auto [entry, added] = all.try_emplace(data.labels);
    EXPECT_TRUE(added);
    last = &entry->first;
    for (size_t i = 0; i < data.times.size(); ++i) {
      entry->second.emplace_hint(
          entry->second.end(), data.times[i],
          NaiveSample{{}, data.times[i], data.values[i], data.histograms.empty() ? nullptr : data.histograms[i]});
    }
  }
  return all;
}

::testing::AssertionResult SameSeries(const NaiveSeries& expected, const NaiveSeries& found) {
  if (expected.size() != found.size()) {
    return ::testing::AssertionFailure() << found.size() << " series instead of " << expected.size();
  }
  for (const auto& [labels, samples] : expected) {
    const auto other = found.find(labels);
    if (other == found.end()) return ::testing::AssertionFailure() << ToString(labels) << " is missing";
    if (other->second.size() != samples.size()) {
      return ::testing::AssertionFailure()
             << ToString(labels) << " has " << other->second.size() << " samples instead of " << samples.size();
    }
    for (const auto& [time, sample] : samples) {
      const auto at = other->second.find(time);
      if (at == other->second.end()) {
        return ::testing::AssertionFailure() << ToString(labels) << " lacks the sample at " << time;
      }
      const bool same_kind = (sample.histogram == nullptr) == (at->second.histogram == nullptr);
      const bool same = same_kind && (sample.histogram != nullptr ? *sample.histogram == *at->second.histogram
                                                                  : BitsOf(sample.value) == BitsOf(at->second.value));
      if (!same || (sample.histogram != nullptr && at->second.value != sample.value)) {
        return ::testing::AssertionFailure()
               << ToString(labels) << " at " << time << " is " << at->second.value << " instead of " << sample.value;
      }
    }
  }
  return ::testing::AssertionSuccess();
}

ScanSpec RandomScanSpec(Table table, const NaiveWriteSpec& of, std::mt19937_64* random) {
  ScanSpec spec;
  spec.table = table;
  spec.columns = NaiveColumns(table);
  spec.time = RandomRange(of, random);
  spec.overlap = Below(random, 2) == 0;
  spec.use_indexes = Below(random, 3) != 0;
  if (Below(random, 3) == 0) {
    std::set<TraceId> ids;
    for (uint64_t i = Below(random, 4); i > 0; --i) ids.insert(RandomTrace(random));
    if (Below(random, 2) == 0) ids.insert({77, 77});
    spec.trace_ids = std::make_shared<std::vector<TraceId>>(ids.begin(), ids.end());
  }
  return spec;
}

SeriesSpec RandomSeriesSpec(const NaiveWriteSpec& of, std::mt19937_64* random) {
  SeriesSpec spec;
  spec.time = RandomRange(of, random);
  using Op = Matcher::Op;
  const Matcher kMatchers[] = {
      {Op::kEqual, "job", "job1"},         {Op::kEqual, "instance", ""},       {Op::kNotEqual, "instance", ""},
      {Op::kNotEqual, "job", "job0"},      {Op::kRegex, "job", "job(0|2)"},    {Op::kNotRegex, "job", "job(0|2)"},
      {Op::kRegex, "__name__", ".*1"},     {Op::kNotRegex, "__name__", ".*1"}, {Op::kRegex, "instance", "|i0"},
      {Op::kNotRegex, "instance", "|i0"},  {Op::kRegex, "instance", ".+"},     {Op::kNotRegex, "instance", ".+"},
      {Op::kEqual, "unknown", ""},         {Op::kEqual, "unknown", "x"},       {Op::kNotEqual, "unknown", "x"},
      {Op::kEqual, "__name__", "metric2"},
  };
  for (uint64_t i = Below(random, 3); i > 0; --i)
    spec.matchers.push_back(kMatchers[Below(random, std::size(kMatchers))]);
  return spec;
}

std::vector<ScanSpec> AllScans() {
  std::vector<ScanSpec> scans;
  for (int table = 0; table < kTableCount; ++table) {
    ScanSpec spec;
    spec.table = static_cast<Table>(table);
    spec.columns = NaiveColumns(spec.table);
    scans.push_back(std::move(spec));
  }
  return scans;
}

}  // namespace braid
