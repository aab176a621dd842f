#include "server/query_request.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>

#include "engine/base/status_macros.h"
#include "server/request_time.h"

namespace braid::server {
namespace {

constexpr std::string_view kKnown = "query, start, end, step, params, limit, timeout and format";

absl::Status SetText(std::string_view name, const std::string& value, Timestamp now, QueryRequest* to) {
  QueryOptions& options = to->options;
  if (name == "query") {
    to->text = value;
  } else if (name == "start") {
    ASSIGN_OR_RETURN(options.start, ParseRequestTime(value, now));
  } else if (name == "end") {
    ASSIGN_OR_RETURN(options.end, ParseRequestTime(value, now));
  } else if (name == "step") {
    ASSIGN_OR_RETURN(options.step, ParseRequestDuration(value));
  } else if (name == "timeout") {
    ASSIGN_OR_RETURN(const Duration timeout, ParseRequestDuration(value));
    options.limits.time_max = std::min(options.limits.time_max, timeout);
  } else if (name == "limit") {
    uint64_t rows = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), rows);
    if (read.ec != std::errc() || read.ptr != value.data() + value.size() || rows == 0 || rows > kRowsMax) {
      return absl::InvalidArgumentError("limit is a number of rows from 1 to " + std::to_string(kRowsMax));
    }
    options.limits.rows_max = rows;
  } else if (name == "format") {
    if (value == "json") {
      to->format = ResultFormat::kJson;
    } else if (value == "ndjson") {
      to->format = ResultFormat::kNdjson;
    } else if (value == "csv") {
      to->format = ResultFormat::kCsv;
    } else {
      return absl::InvalidArgumentError("format is json, ndjson or csv");
    }
  } else if (name.starts_with("param.") && name.size() > 6) {
    options.params[std::string(name.substr(6))] = value;
  } else {
    return absl::InvalidArgumentError("unknown parameter '" + std::string(name.substr(0, 100)) + "'; known are " +
                                      std::string(kKnown) + " (in a URL or form: param.NAME)");
  }
  return absl::OkStatus();
}

absl::Status SetParams(simdjson::dom::element value, QueryRequest* to) {
  simdjson::dom::object params;
  if (value.get(params) != simdjson::SUCCESS) return absl::InvalidArgumentError("params is an object of values");
  for (const auto& [name, param] : params) {
    Value& slot = to->options.params[std::string(name)];
    switch (param.type()) {
      case simdjson::dom::element_type::STRING: slot = std::string(std::string_view(param)); break;
      case simdjson::dom::element_type::BOOL: slot = bool(param); break;
      case simdjson::dom::element_type::INT64: slot = int64_t(param); break;
      case simdjson::dom::element_type::UINT64: slot = static_cast<double>(uint64_t(param)); break;
      case simdjson::dom::element_type::DOUBLE: slot = double(param); break;
      case simdjson::dom::element_type::NULL_VALUE: slot = Value(); break;
      default: return absl::InvalidArgumentError("parameter " + std::string(name) + " is not a single value");
    }
  }
  return absl::OkStatus();
}

absl::Status SetFromJson(const std::string& body, Timestamp now, QueryRequest* to) {
  simdjson::dom::parser parser(size_t{1} << 20);
  if (body.size() > (size_t{1} << 20)) return absl::ResourceExhaustedError("a query may have at most 1 MiB");
  if (parser.allocate(std::max<size_t>(body.size(), 1024), 16) != simdjson::SUCCESS) {
    return absl::ResourceExhaustedError("no memory for the query");
  }
  simdjson::dom::object object;
  if (const auto error = parser.parse(body).get(object); error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(std::string("the body is not a JSON object such as {\"query\": \"up\"}: ") +
                                      simdjson::error_message(error));
  }
  for (const auto& [key, value] : object) {
    if (key == "params") {
      RETURN_IF_ERROR(SetParams(value, to));
      continue;
    }
    if (value.is_null()) continue;
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) {
      RETURN_IF_ERROR(SetText(key, std::string(text), now, to));
    } else if (value.is_number() && key != "query" && key != "format") {
      RETURN_IF_ERROR(SetText(key, simdjson::minify(value), now, to));
    } else {
      return absl::InvalidArgumentError("the value of '" + std::string(key.substr(0, 100)) +
                                        "' has the wrong type; known keys are " + std::string(kKnown));
    }
  }
  return absl::OkStatus();
}

// The first of the formats that Accept names; JSON if it names none of them.
ResultFormat FormatOfAccept(std::string_view accept) {
  struct Known {
    std::string_view type;
    ResultFormat format;
  };
  constexpr Known kFormats[] = {{"application/json", ResultFormat::kJson},
                                {"application/x-ndjson", ResultFormat::kNdjson},
                                {"application/jsonl", ResultFormat::kNdjson},
                                {"text/csv", ResultFormat::kCsv}};
  size_t best = std::string_view::npos;
  ResultFormat format = ResultFormat::kJson;
  for (const Known& known : kFormats) {
    const size_t at = accept.find(known.type);
    if (at < best) {
      best = at;
      format = known.format;
    }
  }
  return format;
}

}  // namespace

absl::StatusOr<QueryRequest> ParseQueryRequest(const http::Request& request, Timestamp now, const QueryLimits& limits) {
  QueryRequest parsed;
  parsed.options.now = now;
  parsed.options.limits = limits;
  parsed.options.cancel = request.cancelled;
  parsed.format = FormatOfAccept(request.HeaderValue("Accept"));
  for (const auto& [name, value] : request.query) RETURN_IF_ERROR(SetText(name, value, now, &parsed));
  if (request.method == "POST") {
    const std::string type = request.MediaType();
    if (type == "application/json") {
      RETURN_IF_ERROR(SetFromJson(request.body, now, &parsed));
    } else if (type == "text/plain" || type == "application/braid-query") {
      if (!parsed.text.empty()) return absl::InvalidArgumentError("there is a query in the URL and one in the body");
      parsed.text = request.body;
    } else if (type == "application/x-www-form-urlencoded") {
      std::vector<std::pair<std::string, std::string>> form;
      if (!http::ParseForm(request.body, &form)) return absl::InvalidArgumentError("bad % escape in the form");
      for (const auto& [name, value] : form) RETURN_IF_ERROR(SetText(name, value, now, &parsed));
    } else {
      return absl::UnimplementedError(
          "Content-Type '" + type.substr(0, 100) +
          "' is not known here; send application/json {\"query\": ...}, text/plain or a form");
    }
  }
  if (parsed.text.empty())
    return absl::InvalidArgumentError("there is no query; send {\"query\": \"up\"} or ?query=up");
  return parsed;
}

}  // namespace braid::server
