// Queries to a running server.
#include <simdjson.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "engine/base/status_macros.h"
#include "query/plan/result_writer.h"
#include "query/syntax/parser.h"
#include "server/ingest/time_text.h"
#include "tools/answer_output.h"
#include "tools/http_client.h"
#include "tools/query_target.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Queries are bounded by the server's own limit; this only keeps a dead connection from waiting for ever.
constexpr int kTimeoutSeconds = 120;
constexpr int kCompletionSeconds = 2;  // a person waits for it

// An answer that came as JSON, given out as the batch that it was made from.
class RemoteResult : public ResultReader {
 public:
  Kind kind() const override { return kind_; }
  const std::vector<ResultColumn>& columns() const override { return columns_; }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (given_) return false;
    given_ = true;
    *batch = std::move(rows_);
    return true;
  }
  const ResultSummary& summary() const override { return summary_; }

  absl::Status Read(const std::string& json) {
    try {
      return ReadDocument(json);
    } catch (const simdjson::simdjson_error& error) {
      return absl::InternalError(std::string("the server's answer cannot be read: ") + error.what());
    }
  }

 private:
  absl::Status ReadDocument(const std::string& json) {
    simdjson::dom::parser parser;
    const simdjson::dom::element answer = parser.parse(json);
    std::string_view kind;
    if (answer["kind"].get_string().get(kind) == simdjson::SUCCESS && kind == "series") kind_ = Kind::kSeries;
    std::vector<ColumnBuilder> builders;
    for (const simdjson::dom::element column : answer["columns"].get_array()) {
      columns_.push_back(
          {std::string(column["name"].get_string().value()), TypeOf(column["type"].get_string().value())});
      builders.emplace_back();
    }
    for (const simdjson::dom::element row : answer["rows"].get_array()) {
      size_t c = 0;
      for (const simdjson::dom::element cell : row.get_array()) {
        if (c < builders.size()) Append(cell, columns_[c].type, &builders[c]);
        ++c;
      }
      ++rows_.num_rows;
    }
    for (ColumnBuilder& builder : builders) rows_.columns.push_back(builder.Finish());
    for (const simdjson::dom::element note : answer["notes"].get_array()) {
      summary_.notes.push_back(
          {std::string(note["kind"].get_string().value()), std::string(note["text"].get_string().value())});
    }
    std::string_view explain;
    if (answer["explain"].get_string().get(explain) == simdjson::SUCCESS) summary_.explain = explain;
    return absl::OkStatus();
  }

  static Type TypeOf(std::string_view name) {
    for (int type = 0; type <= static_cast<int>(Type::kHistogram); ++type) {
      if (ToString(static_cast<Type>(type)) == name) return static_cast<Type>(type);
    }
    return Type::kMixed;
  }

  // Numbers, times, durations and enums come back as themselves, so that they are shown as a local answer is.
  static void Append(simdjson::dom::element cell, Type type, ColumnBuilder* builder) {
    Timestamp time;
    Level level;
    StatusCode status;
    switch (cell.type()) {
      case simdjson::dom::element_type::NULL_VALUE: return builder->AppendNull();
      case simdjson::dom::element_type::BOOL: return builder->AppendInt(Type::kBool, cell.get_bool().value());
      case simdjson::dom::element_type::INT64:
        return builder->AppendInt(type == Type::kDuration ? Type::kDuration : Type::kInt, cell.get_int64().value());
      case simdjson::dom::element_type::UINT64:
      case simdjson::dom::element_type::DOUBLE: return builder->AppendDouble(cell.get_double().value());
      case simdjson::dom::element_type::STRING: {
        const std::string_view text = cell.get_string().value();
        if (type == Type::kTimestamp && ingest::ParseTimeText(text, &time)) return builder->AppendInt(type, time);
        if (type == Type::kLevel && ParseLevel(text, &level))
          return builder->AppendInt(type, static_cast<int64_t>(level));
        if (type == Type::kStatus && ParseStatusCode(text, &status))
          return builder->AppendInt(type, static_cast<int64_t>(status));
        return builder->AppendString(text);
      }
      default: return builder->AppendString(simdjson::minify(cell));
    }
  }

  Kind kind_ = Kind::kRows;
  std::vector<ResultColumn> columns_;
  RecordBatch rows_;
  ResultSummary summary_;
  bool given_ = false;
};

// {"error":{...}} of a server as the status that a local query would have ended with.
absl::Status StatusOfAnswer(const HttpAnswer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element document, error;
  std::string_view text;
  if (parser.parse(answer.body).get(document) != simdjson::SUCCESS ||
      document["error"].get(error) != simdjson::SUCCESS ||
      error["message"].get_string().get(text) != simdjson::SUCCESS) {
    return absl::UnavailableError("the server answered " + std::to_string(answer.status) + ": " + ErrorText(answer));
  }
  QueryError query_error;
  query_error.message = text;
  int64_t line;
  if (error["line"].get_int64().get(line) != simdjson::SUCCESS) return absl::InvalidArgumentError(query_error.message);
  const auto number = [&error](const char* name) {
    int64_t value = 1;
    return error[name].get_int64().get(value) == simdjson::SUCCESS ? static_cast<uint32_t>(value) : 1u;
  };
  query_error.line = number("line");
  query_error.column = number("column");
  query_error.length = number("length");
  if (error["code"].get_string().get(text) == simdjson::SUCCESS) query_error.code = text;
  if (error["hint"].get_string().get(text) == simdjson::SUCCESS) query_error.hint = text;
  return MakeError(query_error);
}

std::string RequestBody(const QuerySettings& settings, const std::string& text) {
  std::string body = "{\"query\":";
  AppendJsonString(text, &body);
  const auto add = [&body](const char* name, const std::string& value) {
    if (value.empty()) return;
    body += std::string(",\"") + name + "\":";
    AppendJsonString(value[0] == '-' && name[0] != 'q' ? "now" + value : value, &body);
  };
  add("start", settings.start);
  add("end", settings.end);
  add("step", settings.step);
  if (!settings.params.empty()) {
    body += ",\"params\":{";
    for (size_t i = 0; i < settings.params.size(); ++i) {
      const std::string& param = settings.params[i];
      const size_t equals = param.find('=');
      if (i > 0) body += ',';
      AppendJsonString(param.substr(0, equals), &body);
      body += ':';
      AppendJsonString(equals == std::string::npos ? "" : param.substr(equals + 1), &body);
    }
    body += '}';
  }
  if (settings.limit) body += ",\"limit\":" + std::to_string(*settings.limit);
  return body + "}";
}

std::string Encoded(std::string_view text) {
  static const char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.') {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

class RemoteTarget : public QueryTarget {
 public:
  RemoteTarget(const QuerySettings& settings, Endpoint endpoint) : endpoint_(std::move(endpoint)) {
    vocabulary_.start = settings.start;
    vocabulary_.end = settings.end;
  }

  absl::Status Run(const QuerySettings& settings, const std::string& text) override {
    const bool people = settings.format.empty() || settings.format == "table";
    const std::string accept = settings.format == "ndjson" ? "application/x-ndjson"
                               : settings.format == "csv"  ? "text/csv"
                                                           : "application/json";
    ASSIGN_OR_RETURN(const HttpAnswer answer, HttpPost(endpoint_, "/v1/query", "application/json", accept,
                                                       RequestBody(settings, text), kTimeoutSeconds));
    if (answer.status != 200) return StatusOfAnswer(answer);
    if (!people) {
      RETURN_IF_ERROR(PrintOut(answer.body));
      return ShowNotes(answer.notes);
    }
    RemoteResult result;
    RETURN_IF_ERROR(result.Read(answer.body));
    ASSIGN_OR_RETURN(const std::string shown, FormatAnswer(&result, text, settings.format == "table"));
    return PrintOut(shown);
  }

  std::vector<std::string> Metrics() override { return LabelValues("", std::string(kMetricNameLabel)); }
  std::vector<std::string> Labels(const std::string& metric) override {
    std::vector<std::string> names = Names("/api/v1/labels" + Match(metric));
    std::erase(names, std::string(kMetricNameLabel));
    return names;
  }
  std::vector<std::string> LabelValues(const std::string& metric, const std::string& label) override {
    return Names("/api/v1/label/" + Encoded(label) + "/values" + Match(metric));
  }
  std::vector<std::string> Columns(const std::string& table) override {
    std::vector<std::string> names;
    RemoteResult result;
    if (Ask(table + " | limit 100", &result)) {
      for (const ResultColumn& column : result.columns()) names.push_back(column.name);
    }
    return names;
  }
  std::vector<std::string> ColumnValues(const std::string& table, const std::string& column) override {
    std::vector<std::string> values;
    RemoteResult result;
    RecordBatch batch;
    if (!Ask(table + " | stats n = count() by (value = " + column + ") | top 50 by n", &result)) return values;
    if (!result.Next(&batch).ok()) return values;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      if (!batch.columns[0].IsNull(row)) values.push_back(PlainValue(batch.columns[0], row));
    }
    return values;
  }
  std::string Name() const override { return "the server " + endpoint_.url; }

 private:
  static std::string Match(const std::string& metric) {
    std::string query = "?limit=2000";
    if (!metric.empty()) query += "&match[]=" + Encoded("{__name__=\"" + metric + "\"}");
    return query;
  }

  // {"status":"success","data":["a","b"]}; empty if anything is wrong, because completion must not disturb.
  std::vector<std::string> Names(const std::string& target) const {
    std::vector<std::string> names;
    const auto answer = HttpGet(endpoint_, target, "application/json", kCompletionSeconds);
    simdjson::dom::parser parser;
    simdjson::dom::array data;
    if (!answer.ok() || parser.parse(answer->body)["data"].get_array().get(data) != simdjson::SUCCESS) return names;
    for (const simdjson::dom::element name : data) {
      std::string_view text;
      if (name.get_string().get(text) == simdjson::SUCCESS) names.emplace_back(text);
    }
    return names;
  }

  bool Ask(const std::string& text, RemoteResult* result) const {
    const auto answer = HttpPost(endpoint_, "/v1/query", "application/json", "application/json",
                                 RequestBody(vocabulary_, text), kCompletionSeconds);
    return answer.ok() && answer->status == 200 && result->Read(answer->body).ok();
  }

  // What Braid-Notes says, as a local query would have shown it.
  static absl::Status ShowNotes(const std::string& notes) {
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    if (notes.empty() || parser.parse(notes).get_array().get(list) != simdjson::SUCCESS) return absl::OkStatus();
    for (const simdjson::dom::element note : list) {
      std::string_view kind, text;
      if (note["kind"].get_string().get(kind) != simdjson::SUCCESS) continue;
      if (note["text"].get_string().get(text) != simdjson::SUCCESS) continue;
      std::fprintf(stderr, "note (%s): %s\n", Printable(kind).c_str(), Printable(text).c_str());
    }
    return absl::OkStatus();
  }

  const Endpoint endpoint_;
  QuerySettings vocabulary_;  // of questions for completion: the session's range
};

}  // namespace

std::unique_ptr<QueryTarget> MakeRemoteTarget(const QuerySettings& settings, const Endpoint& endpoint) {
  return std::make_unique<RemoteTarget>(settings, endpoint);
}

}  // namespace braid
