// Every scan of a part against the naive model, with indexes and without.
#include "tests/part/part_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/part/memory_file_system.h"

namespace braid {
namespace {

const char* const kWords[] = {"error", "timeout", "connected", "user_7", "GET", "retry", "disk", "na\xc3\xafve"};

TraceId TraceOf(uint64_t n) { return {n * 0x9e3779b97f4a7c15ULL, n + 1}; }

std::string Pick(std::mt19937_64* random, const char* prefix, uint64_t count) {
  return prefix + std::to_string((*random)() % count);
}

Value RandomAttribute(std::mt19937_64* random, int kind) {
  uint64_t n = (*random)();
  switch (kind % 5) {
    case 0: return Pick(random, "v", 5);
    case 1: return static_cast<int64_t>(n % 7) - 3;
    case 2: return n % 2 == 0;
    case 3: return static_cast<double>(n % 5) / 2;
    default:  // several types under one name
      return n % 3 == 0   ? Value(Pick(random, "v", 3))
             : n % 3 == 1 ? Value(static_cast<int64_t>(n % 4))
                          : Value(n % 2 == 0);
  }
}

bool IsSet(const Value& value) { return value.index() != 0; }

void AddCommon(std::mt19937_64* random, bool needs_trace, ModelRow* row) {
  row->builtin["time"] = static_cast<int64_t>((*random)() % 100000);
  if (needs_trace || (*random)() % 3 != 0) {
    row->builtin["trace_id"] = ToHex(TraceOf((*random)() % 400));
    row->builtin["span_id"] = ToHex(SpanId{(*random)() % 50 + 1});
  }
}

}  // namespace

ModelData RandomData(uint64_t seed, size_t rows, size_t series) {
  std::mt19937_64 random(seed);
  ModelData data;
  for (int i = 0; i < 12; ++i) {
    Stream stream;
    if (i != 0) stream.resource.push_back({"service.name", "svc" + std::to_string(i % 4)});
    if (i % 2 == 0) stream.resource.push_back({"k8s.pod.name", "pod" + std::to_string(i)});
    stream.resource.push_back({"region", i % 3 == 0 ? Value(int64_t{7}) : Value(std::string("eu"))});
    if (i % 4 == 1) stream.scope_name = "lib";
    if (i % 4 == 2) stream.scope_attributes.push_back({"level", std::string("scoped")});
    stream.scope_attributes.push_back({"number", static_cast<int64_t>(i)});
    data.streams.push_back(stream);
  }
  const char* const kLevels[] = {"unset", "trace", "debug", "info", "warn", "error", "fatal"};
  const char* const kKinds[] = {"unset", "internal", "server", "client"};
  for (int table = 0; table < kTableCount; ++table) {
    size_t count = table < 2 ? rows : rows / 4;
    for (size_t n = 0; n < count; ++n) {
      ModelRow row;
      Table which = static_cast<Table>(table);
      AddCommon(&random, which != Table::kLogs && which != Table::kExemplars, &row);
      auto& builtin = row.builtin;
      int64_t time = std::get<int64_t>(builtin["time"]);
      if (which == Table::kExemplars) {
        builtin["value"] = static_cast<double>(random() % 100) / 4;
        builtin["stream"] = static_cast<int64_t>(random() % 9) - 4;
        row.attributes["__name__"] = Pick(&random, "metric", 3);
        if (random() % 2 == 0) row.attributes["job"] = Pick(&random, "svc", 3);
        if (random() % 2 == 0) row.attributes["instance"] = Pick(&random, "host", 3);
      } else {
        row.stream = static_cast<int>(random() % data.streams.size());
        builtin["stream"] = static_cast<int64_t>(Fingerprint(data.streams[static_cast<size_t>(row.stream)]));
        if (random() % 50 == 0) builtin["dropped_attributes"] = int64_t{3};
      }
      if (which == Table::kLogs) {
        builtin["level"] = std::string(kLevels[random() % 7]);
        builtin["severity"] = static_cast<int64_t>(random() % 25);
        std::string message = random() % 40 == 0 ? "" : "request " + std::to_string(random() % 3000);
        for (uint64_t i = random() % 4; i > 0; --i) message += std::string(" ") + kWords[random() % std::size(kWords)];
        if (random() % 20 != 0) builtin["message"] = message;
      } else if (which == Table::kSpans) {
        builtin["end"] = time + static_cast<int64_t>(random() % 3000) - 200;
        builtin["name"] = Pick(&random, "op", 30);
        builtin["kind"] = std::string(kKinds[random() % 4]);
        if (random() % 3 == 0) builtin["parent_id"] = ToHex(SpanId{random() % 50 + 1});
      } else if (which == Table::kEvents) {
        builtin["name"] = Pick(&random, "event", 6);
      } else if (which == Table::kLinks) {
        builtin["linked_trace_id"] = ToHex(TraceOf(random() % 400));
        builtin["linked_span_id"] = ToHex(SpanId{random() % 50 + 1});
      }
      row.attributes["row"] = static_cast<int64_t>(n);
      for (int kind = 0; kind < 5; ++kind) {
        if (random() % 2 == 0) row.attributes["attr" + std::to_string(kind)] = RandomAttribute(&random, kind);
      }
      if (random() % 200 == 0) row.attributes["rare" + std::to_string(random() % 100)] = RandomAttribute(&random, 4);
      if (random() % 5 == 0) row.attributes["region"] = std::string("own");
      if (random() % 500 == 0) row.attributes["attr0"] = std::string(1000, 'x');
      data.rows[table].push_back(std::move(row));
    }
  }
  std::set<Labels> labels;
  while (labels.size() < series) {
    Labels one = {{"__name__", Pick(&random, "metric", 7)}, {"instance", Pick(&random, "host", 2000)}};
    if (random() % 2 == 0) one.push_back({"job", Pick(&random, "job", 3)});
    labels.insert(one);
  }
  for (const Labels& one : labels) {
    ModelSeries made{one, {}, {}, {}};
    size_t count = 1 + random() % (random() % 20 == 0 ? 3000 : 20);
    Timestamp time = static_cast<Timestamp>(random() % 1000);
    bool has_histograms = random() % 10 == 0;
    for (size_t i = 0; i < count; ++i) {
      time += 1 + static_cast<Timestamp>(random() % 40);
      std::shared_ptr<Histogram> histogram;
      double value = static_cast<double>(random() % 1000) / 8;
      if (has_histograms && random() % 3 != 0) {
        histogram = std::make_shared<Histogram>();
        histogram->sum = value;
        histogram->count = 3;
        histogram->positive = {{1, 2.0}, {4, 1.0}};
      }
      made.times.push_back(time);
      made.values.push_back(value);
      if (has_histograms) made.histograms.push_back(histogram);
    }
    data.series.push_back(std::move(made));
  }
  data.metadata = {{"metric0", "counter", "s", "help"}, {"metric1", "gauge", "", ""}};
  return data;
}

namespace {

Value Lookup(const std::map<std::string, Value>& values, const std::string& name) {
  auto at = values.find(name);
  return at == values.end() ? Value() : at->second;
}
Value Lookup(const std::vector<Attribute>& values, const std::string& name) {
  for (const Attribute& one : values) {
    if (one.name == name) return one.value;
  }
  return {};
}

Value TextOrNull(const std::string& text) { return text.empty() ? Value() : Value(text); }

}  // namespace

Value ModelValue(const ModelData& data, Table table, const ModelRow& row, const ColumnRef& ref) {
  const Stream* stream = row.stream < 0 ? nullptr : &data.streams[static_cast<size_t>(row.stream)];
  switch (ref.level) {
    case ColumnLevel::kAny:
      for (ColumnLevel level :
           {ColumnLevel::kBuiltin, ColumnLevel::kAttribute, ColumnLevel::kResource, ColumnLevel::kScope}) {
        Value value = ModelValue(data, table, row, {level, ref.name});
        if (IsSet(value)) return value;
      }
      return {};
    case ColumnLevel::kAttribute: return Lookup(row.attributes, ref.name);
    case ColumnLevel::kResource: return stream == nullptr ? Value() : Lookup(stream->resource, ref.name);
    case ColumnLevel::kScope: return stream == nullptr ? Value() : Lookup(stream->scope_attributes, ref.name);
    case ColumnLevel::kBuiltin: break;
  }
  if (stream != nullptr) {
    if (ref.name == "service") return Lookup(stream->resource, "service.name");
    if (ref.name == "instance") return Lookup(stream->resource, "k8s.pod.name");
    if (ref.name == "scope.name") return TextOrNull(stream->scope_name);
    if (ref.name == "scope.version") return TextOrNull(stream->scope_version);
  } else {
    if (ref.name == "service") return Lookup(row.attributes, "job");
    if (ref.name == "instance") return Lookup(row.attributes, "instance");
    if (ref.name == "metric") return Lookup(row.attributes, "__name__");
  }
  if (ref.name == "duration" && table == Table::kSpans) {
    return std::max<int64_t>(0, std::get<int64_t>(row.builtin.at("end")) - std::get<int64_t>(row.builtin.at("time")));
  }
  return Lookup(row.builtin, ref.name);
}

bool MayReturn(const ModelRow& row, const ScanSpec& spec) {
  int64_t time = std::get<int64_t>(row.builtin.at("time")), end = time;
  if (spec.overlap && spec.table == Table::kSpans) end = std::max(end, std::get<int64_t>(row.builtin.at("end")));
  if (time > spec.time.end || end < spec.time.start) return false;
  if (spec.trace_ids == nullptr) return true;
  TraceId id;
  Value value = Lookup(row.builtin, "trace_id");
  return IsSet(value) && ParseTraceId(std::get<std::string>(value), &id) &&
         std::count(spec.trace_ids->begin(), spec.trace_ids->end(), id) > 0;
}

namespace {

// -1, 0, 1; 2 = values that do not compare.
int ModelOrder(const Value& a, const Value& b) {
  if (a.index() == 4 && b.index() == 4)
    return std::get<std::string>(a).compare(std::get<std::string>(b)) < 0 ? -1 : a == b ? 0 : 1;
  auto number = [](const Value& v) -> std::optional<double> {
    if (v.index() == 2) return static_cast<double>(std::get<int64_t>(v));
    if (v.index() == 3) return std::get<double>(v);
    return std::nullopt;
  };
  if (a.index() == 1 && b.index() == 1)
    return static_cast<int>(std::get<bool>(a)) - static_cast<int>(std::get<bool>(b));
  if (!number(a) || !number(b)) return 2;
  return *number(a) < *number(b) ? -1 : *number(a) > *number(b) ? 1 : 0;
}

// As a predicate sees it: enums as numbers.
Value PredicateValue(const ModelData& data, Table table, const ModelRow& row, const ColumnRef& ref) {
  Value value = ModelValue(data, table, row, ref);
  bool builtin =
      (ref.level == ColumnLevel::kBuiltin || ref.level == ColumnLevel::kAny) && row.builtin.count(ref.name) > 0;
  Level level;
  SpanKind kind;
  if (builtin && ref.name == "level" && ParseLevel(std::get<std::string>(value), &level))
    return static_cast<int64_t>(level);
  if (builtin && ref.name == "kind" && ParseSpanKind(std::get<std::string>(value), &kind))
    return static_cast<int64_t>(kind);
  return value;
}

bool PredicateHolds(const Predicate& predicate, const Value& value) {
  if (!IsSet(value)) return false;
  for (const Value& constant : predicate.values) {
    int order = ModelOrder(value, constant);
    using Op = Predicate::Op;
    bool holds = (predicate.op == Op::kEqual || predicate.op == Op::kIn) ? order == 0
                 : predicate.op == Op::kNotEqual                         ? order != 0
                 : predicate.op == Op::kLess                             ? order == -1
                 : predicate.op == Op::kLessEqual                        ? order == -1 || order == 0
                 : predicate.op == Op::kGreater                          ? order == 1
                                                                         : order == 1 || order == 0;
    if (holds) return true;
  }
  return false;
}

}  // namespace

bool MustReturn(const ModelData& data, const ModelRow& row, const ScanSpec& spec) {
  if (!MayReturn(row, spec)) return false;
  for (const Predicate& predicate : spec.predicates) {
    if (!PredicateHolds(predicate, PredicateValue(data, spec.table, row, predicate.column))) return false;
  }
  for (const std::string& term : spec.terms) {
    Value message = Lookup(row.builtin, "message");
    if (!IsSet(message) || std::get<std::string>(message).find(term) == std::string::npos) return false;
  }
  for (const auto& set : spec.intervals) {
    std::vector<std::string> key;
    for (const ColumnRef& ref : set->keys) key.push_back(ToText(View(ModelValue(data, spec.table, row, ref))));
    int64_t time = std::get<int64_t>(row.builtin.at("time")), end = time;
    if (spec.table == Table::kSpans) end = std::max(end, std::get<int64_t>(row.builtin.at("end")));
    bool any = false;
    for (const auto& entry : set->entries) {
      if (entry.key != key) continue;
      for (const TimeRange& range : entry.ranges) any |= time <= range.end && end >= range.start;
    }
    if (!any) return false;
  }
  return true;
}

namespace {

std::vector<ColumnRef> SomeColumns(Table table) {
  std::vector<ColumnRef> refs;
  for (const auto& [name, type] : BuiltinColumns(table)) {
    refs.push_back({ColumnLevel::kBuiltin, name});
    refs.push_back({ColumnLevel::kAny, name});
  }
  for (const char* name : {"attr0", "attr1", "attr2", "attr3", "attr4", "rare3", "rare77", "region", "number",
                           "nothing", "service.name", "job"}) {
    for (ColumnLevel level :
         {ColumnLevel::kAny, ColumnLevel::kAttribute, ColumnLevel::kResource, ColumnLevel::kScope}) {
      refs.push_back({level, name});
    }
  }
  return refs;
}

}  // namespace

ScanSpec RandomSpec(const ModelData& data, Table table, std::mt19937_64* random) {
  ScanSpec spec;
  spec.table = table;
  auto coin = [&](uint64_t n) { return (*random)() % n == 0; };
  const auto& rows = data.rows[static_cast<int>(table)];
  auto some_row = [&]() -> const ModelRow& { return rows[(*random)() % rows.size()]; };
  std::vector<ColumnRef> all = SomeColumns(table);
  spec.columns = {{ColumnLevel::kAttribute, "row"}};
  for (int i = 0; i < 4; ++i) spec.columns.push_back(all[(*random)() % all.size()]);
  if (coin(2)) {
    spec.time.start = static_cast<int64_t>((*random)() % 100000);
    spec.time.end = spec.time.start + static_cast<int64_t>((*random)() % 30000);
    spec.overlap = coin(2);
  }
  if (coin(3)) {
    std::set<TraceId> ids;
    for (uint64_t i = 0; i < 1 + (*random)() % 20; ++i) ids.insert(TraceOf((*random)() % 500));
    spec.trace_ids = std::make_shared<const std::vector<TraceId>>(ids.begin(), ids.end());
  }
  for (uint64_t i = (*random)() % 3; i > 0; --i) {
    Predicate predicate;
    predicate.column = all[(*random)() % all.size()];
    predicate.op = coin(2) ? Predicate::Op::kEqual : static_cast<Predicate::Op>((*random)() % 7);
    for (uint64_t n = predicate.op == Predicate::Op::kIn ? 3 : 1; n > 0; --n) {
      Value value = PredicateValue(data, table, some_row(), predicate.column);
      if (!IsSet(value)) value = int64_t{2};
      predicate.values.push_back(value);
    }
    spec.predicates.push_back(predicate);
  }
  if (table == Table::kLogs && coin(3)) {
    Value message = Lookup(some_row().builtin, "message");
    if (IsSet(message)) {
      std::string text = std::get<std::string>(message);
      size_t begin = text.empty() ? 0 : (*random)() % text.size();
      spec.terms.push_back(text.substr(begin, 1 + (*random)() % 12));
    }
  }
  if (coin(4)) {
    auto set = std::make_shared<IntervalSet>();
    if (coin(2)) set->keys.push_back({ColumnLevel::kAny, "service"});
    if (coin(3)) set->keys.push_back(all[(*random)() % all.size()]);
    std::map<std::vector<std::string>, std::vector<TimeRange>> entries;
    for (int i = 0; i < 3; ++i) {
      std::vector<std::string> key;
      const ModelRow& row = some_row();
      for (const ColumnRef& ref : set->keys) key.push_back(ToText(View(ModelValue(data, table, row, ref))));
      int64_t start = static_cast<int64_t>((*random)() % 50000);
      entries[key] = {{start, start + 1000}, {start + 5000, start + 20000}};
    }
    for (auto& [key, ranges] : entries) set->entries.push_back({key, ranges});
    spec.intervals.push_back(set);
  }
  return spec;
}

std::pair<std::vector<ColumnRef>, RecordBatch> ModelBatch(const ModelData& data, Table table) {
  const auto& rows = data.rows[static_cast<int>(table)];
  std::vector<ColumnRef> refs;
  RecordBatch batch;
  batch.num_rows = rows.size();
  for (const auto& [name, type] : StoredColumns(table)) {
    ColumnBuilder builder;
    for (const ModelRow& row : rows) {
      Value value = Lookup(row.builtin, name);
      TraceId trace;
      SpanId span;
      Level level;
      SpanKind kind;
      if (!IsSet(value)) {
        builder.AppendNull();
      } else if (type == Type::kTraceId) {
        ParseTraceId(std::get<std::string>(value), &trace);
        builder.AppendTraceId(trace);
      } else if (type == Type::kSpanId) {
        ParseSpanId(std::get<std::string>(value), &span);
        builder.AppendInt(type, static_cast<int64_t>(span.value));
      } else if (type == Type::kLevel) {
        ParseLevel(std::get<std::string>(value), &level);
        builder.AppendInt(type, static_cast<int64_t>(level));
      } else if (type == Type::kSpanKind) {
        ParseSpanKind(std::get<std::string>(value), &kind);
        builder.AppendInt(type, static_cast<int64_t>(kind));
      } else if (type == Type::kString) {
        builder.AppendString(std::get<std::string>(value));
      } else if (type == Type::kDouble) {
        builder.AppendDouble(std::get<double>(value));
      } else {
        builder.AppendInt(type, std::get<int64_t>(value));
      }
    }
    refs.push_back({ColumnLevel::kBuiltin, name});
    batch.columns.push_back(builder.Finish());
  }
  std::set<std::string> names;
  for (const ModelRow& row : rows) {
    for (const auto& [name, value] : row.attributes) names.insert(name);
  }
  for (const std::string& name : names) {
    ColumnBuilder builder;
    for (const ModelRow& row : rows) {
      Value value = Lookup(row.attributes, name);
      builder.AppendValue(View(value));
    }
    refs.push_back({ColumnLevel::kAttribute, name});
    batch.columns.push_back(builder.Finish());
  }
  return {refs, batch.Select(PartOrder(table, batch))};
}

absl::Status WriteModel(const ModelData& data, PartWriter* writer) {
  for (const ModelSeries& series : data.series) {
    absl::Status status = writer->AddSeries(series.labels, series.times, series.values, series.histograms);
    if (!status.ok()) return status;
  }
  absl::Status status = writer->AddMetadata(data.metadata);
  if (!status.ok()) return status;
  std::vector<std::pair<uint64_t, Stream>> streams;
  for (const Stream& stream : data.streams) streams.emplace_back(Fingerprint(stream), stream);
  status = writer->AddStreams(streams);
  for (int table = 0; status.ok() && table < kTableCount; ++table) {
    auto [refs, batch] = ModelBatch(data, static_cast<Table>(table));
    // In uneven pieces, so that row groups are put together from several.
    for (size_t begin = 0; status.ok() && begin < batch.num_rows;) {
      size_t end = std::min(batch.num_rows, begin + 3000);
      std::vector<uint32_t> rows(end - begin);
      std::iota(rows.begin(), rows.end(), static_cast<uint32_t>(begin));
      status = writer->AddRows(static_cast<Table>(table), refs, batch.Select(rows));
      begin = end;
    }
  }
  return status.ok() ? writer->Finish() : status;
}

std::shared_ptr<Part> MakePart(MemoryFileSystem* fs, const ModelData& data, const std::string& dir) {
  auto writer = PartWriter::Create(fs, dir);
  EXPECT_TRUE(writer.ok()) << writer.status();
  absl::Status status = WriteModel(data, writer->get());
  EXPECT_TRUE(status.ok()) << status;
  auto part = Part::Open(fs, dir, dir);
  EXPECT_TRUE(part.ok()) << part.status();
  return part.ok() ? *part : nullptr;
}

namespace {

void CheckScan(const ModelData& data, const Source& source, const ScanSpec& spec, const std::string& trace) {
  SCOPED_TRACE(trace);
  auto scan = source.OpenScan(spec);
  ASSERT_TRUE(scan.ok()) << scan.status();
  std::set<int64_t> returned;
  const auto& rows = data.rows[static_cast<int>(spec.table)];
  RecordBatch batch;
  while (true) {
    auto more = (*scan)->Next(&batch);
    ASSERT_TRUE(more.ok()) << more.status();
    if (!*more) break;
    ASSERT_GT(batch.num_rows, 0u);
    ASSERT_LE(batch.num_rows, 8192u);
    ASSERT_EQ(batch.columns.size(), spec.columns.size());
    for (size_t i = 0; i < batch.num_rows; ++i) {
      int64_t id = std::get<int64_t>(batch.columns[0].ValueAt(i));
      ASSERT_TRUE(returned.insert(id).second);
      const ModelRow& row = rows[static_cast<size_t>(id)];
      ASSERT_TRUE(MayReturn(row, spec)) << id;
      for (size_t c = 0; c < spec.columns.size(); ++c) {
        ASSERT_EQ(ToText(View(batch.columns[c].ValueAt(i))),
                  ToText(View(ModelValue(data, spec.table, row, spec.columns[c]))))
            << id << " " << spec.columns[c].name << " level " << static_cast<int>(spec.columns[c].level);
      }
    }
  }
  for (size_t id = 0; id < rows.size(); ++id) {
    if (MustReturn(data, rows[id], spec)) {
      ASSERT_EQ(returned.count(static_cast<int64_t>(id)), 1u) << "row " << id << " is missing";
    }
  }
  EXPECT_TRUE((*scan)->stats().damaged.empty());
  EXPECT_EQ((*scan)->stats().rows_returned, returned.size());
}

TEST(PartModel, ScansMatchTheModel) {
  MemoryFileSystem fs;
  ModelData data = RandomData(11, 9000, 10);
  auto part = MakePart(&fs, data, "p");
  ASSERT_NE(part, nullptr);
  std::vector<std::string> problems;
  uint64_t blocks = 0;
  ASSERT_TRUE(part->Verify(&problems, nullptr, &blocks).ok());
  EXPECT_EQ(problems, std::vector<std::string>());
  EXPECT_GT(blocks, 100u);
  std::mt19937_64 random(5);
  for (int n = 0; n < 50; ++n) {
    ScanSpec spec = RandomSpec(data, static_cast<Table>(n % kTableCount), &random);
    CheckScan(data, *part, spec, "spec " + std::to_string(n));
    if (n % 4 != 0) continue;
    spec.use_indexes = false;
    CheckScan(data, *part, spec, "spec without indexes " + std::to_string(n));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(PartModel, CountsRangesAndColumns) {
  MemoryFileSystem fs;
  ModelData data = RandomData(12, 1000, 50);
  auto part = MakePart(&fs, data, "p");
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->counts().series, 50u);
  size_t samples = 0;
  for (const ModelSeries& series : data.series) samples += series.times.size();
  EXPECT_EQ(part->counts().samples, samples);
  EXPECT_EQ(part->Streams().size(), data.streams.size());
  EXPECT_EQ(part->Metadata(), data.metadata);
  uint64_t bytes = 0;
  for (const auto& [name, file] : fs.files) bytes += file->size();
  EXPECT_EQ(part->byte_size(), bytes);
  for (int table = 0; table < kTableCount; ++table) {
    TimeRange range{kMaxTimestamp, kMinTimestamp};
    std::map<std::string, uint64_t> attributes;
    uint64_t regions = 0;
    for (const ModelRow& row : data.rows[table]) {
      int64_t time = std::get<int64_t>(row.builtin.at("time"));
      range.start = std::min(range.start, time);
      range.end = std::max(range.end, time);
      if (row.builtin.count("end") > 0) range.end = std::max(range.end, std::get<int64_t>(row.builtin.at("end")));
      for (const auto& [name, value] : row.attributes) ++attributes[name];
      if (row.stream >= 0) ++regions;
    }
    EXPECT_EQ(part->Range(static_cast<Table>(table)), range);
    std::map<std::string, uint64_t> seen;
    for (const ColumnInfo& info : part->Columns(static_cast<Table>(table))) {
      if (info.ref.level == ColumnLevel::kAttribute) seen[info.ref.name] = info.rows;
      if (info.ref.level == ColumnLevel::kResource && info.ref.name == "region") {
        EXPECT_EQ(info.rows, regions);
        EXPECT_EQ(info.types, (std::vector<Type>{Type::kInt, Type::kString}));
      }
    }
    EXPECT_EQ(seen, attributes);
  }
  for (const auto& rows : data.rows) {
    for (const ModelRow& row : rows) {
      TraceId id;
      Value value = Lookup(row.builtin, "trace_id");
      if (!IsSet(value)) continue;
      ASSERT_TRUE(ParseTraceId(std::get<std::string>(value), &id));
      EXPECT_TRUE(part->MayContainTrace(id));
    }
  }
  int false_hits = 0;
  for (uint64_t n = 1000; n < 2000; ++n) false_hits += part->MayContainTrace(TraceOf(n)) ? 1 : 0;
  EXPECT_LT(false_hits, 50);
}

}  // namespace
}  // namespace braid
