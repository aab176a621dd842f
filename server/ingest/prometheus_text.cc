#include "server/ingest/prometheus_text.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "server/ingest/json_text.h"
#include "server/ingest/time_text.h"

namespace braid::ingest {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':'; }
bool IsNameChar(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string_view FindLabelView(const std::vector<LabelView>& labels, std::string_view name) {
  for (const LabelView& label : labels) {
    if (label.name == name) return label.value;
  }
  return {};
}

void SkipBlanks(std::string_view text, size_t* at) {
  while (*at < text.size() && IsBlank(text[*at])) ++*at;
}

std::string_view TakeWord(std::string_view text, size_t* at) {
  const size_t start = *at;
  while (*at < text.size() && !IsBlank(text[*at])) ++*at;
  return text.substr(start, *at - start);
}

// Go's strconv.ParseFloat as far as exporters use it: decimal and hex floats, Inf and NaN of any case, a plus sign.
bool ParseValue(std::string_view text, double* value) {
  if (text.empty()) return false;
  std::string_view rest = text;
  const bool negative = rest.front() == '-';
  if (rest.front() == '+' || rest.front() == '-') rest.remove_prefix(1);
  const auto is = [&](std::string_view word) {
    if (rest.size() != word.size()) return false;
    for (size_t i = 0; i < word.size(); ++i) {
      if ((rest[i] | 0x20) != word[i]) return false;
    }
    return true;
  };
  if (is("inf") || is("infinity")) {
    *value = negative ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return true;
  }
  if (is("nan")) {
    *value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  if (rest.empty() || !((rest.front() >= '0' && rest.front() <= '9') || rest.front() == '.')) return false;
  std::chars_format format = std::chars_format::general;
  if (rest.size() > 2 && rest[0] == '0' && (rest[1] == 'x' || rest[1] == 'X')) {
    rest.remove_prefix(2);
    format = std::chars_format::hex;
  }
  double number = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number, format);
  if (read.ptr != rest.data() + rest.size() || read.ec == std::errc::invalid_argument) return false;
  if (read.ec == std::errc::result_out_of_range) {
    // Too large or too small for a double; the sign of the exponent tells which.
    const size_t exponent = rest.find_first_of(format == std::chars_format::hex ? "pP" : "eE");
    const bool tiny = exponent != std::string_view::npos ? rest.substr(exponent + 1).starts_with('-')
                                                         : rest.starts_with("0.") || rest.starts_with('.');
    number = tiny ? 0 : std::numeric_limits<double>::infinity();
  }
  *value = negative ? -number : number;
  return true;
}

// HELP texts escape backslash and line feed; OpenMetrics also the quote.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain.push_back(text[i]);
      continue;
    }
    ++i;
    switch (text[i]) {
      case 'n': plain.push_back('\n'); break;
      case '\\':
      case '"': plain.push_back(text[i]); break;
      default:  // as Prometheus: an unknown escape stands for itself
        plain.push_back('\\');
        plain.push_back(text[i]);
    }
  }
  return plain;
}

}  // namespace

bool PrometheusTextParser::Fail(std::string problem) {
  problem_ = std::move(problem);
  return false;
}

void PrometheusTextParser::ParseBody(std::string_view body, WriteBatch* batch, IngestReport* report) {
  line_ = 0;
  ended_ = false;
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  // The last line of OpenMetrics; a text cannot have it by accident, and knowing before the first line costs nothing.
  std::string_view tail = body;
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == '\r')) tail.remove_suffix(1);
  if (tail.ends_with("# EOF")) options_.openmetrics = true;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    ParseLine(body.substr(0, end), batch, report);
    if (end == std::string_view::npos) break;
    body.remove_prefix(end + 1);
    if (!report->Fits(*batch)) return;
  }
}

void PrometheusTextParser::ParseLine(std::string_view line, WriteBatch* batch, IngestReport* report) {
  ++line_;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  size_t at = 0;
  SkipBlanks(line, &at);
  line.remove_prefix(at);
  if (line.empty()) return;
  bool ok;
  if (ended_) {
    ok = Fail("text after # EOF");
  } else if (line.size() > kLineBytesMax) {
    ok = Fail("line of " + std::to_string(line.size()) + " bytes");
  } else if (!IsUtf8(line)) {
    ok = Fail("not UTF-8");
  } else if (line.front() == '#') {
    ok = ParseComment(line, batch);
    if (!ok) report->Keep({line_, "", problem_});  // metadata is no record
    return;
  } else {
    ok = ParseSample(line, batch, report);
  }
  if (ok) {
    ++report->accepted;
  } else {
    report->RejectLine(line_, problem_);
  }
}

bool PrometheusTextParser::ParseComment(std::string_view line, WriteBatch* batch) {
  size_t at = 1;
  SkipBlanks(line, &at);
  const std::string_view keyword = TakeWord(line, &at);
  if (keyword == "EOF" && at == line.size()) {
    ended_ = true;
    options_.openmetrics = true;
    return true;
  }
  const bool help = keyword == "HELP", type = keyword == "TYPE", unit = keyword == "UNIT";
  if (!help && !type && !unit) return true;  // a plain comment
  SkipBlanks(line, &at);
  std::string_view name = TakeWord(line, &at);
  if (name.size() >= 2 && name.front() == '"' && name.back() == '"') name = name.substr(1, name.size() - 2);
  if (name.empty()) return Fail("# " + std::string(keyword) + " without a metric name");
  SkipBlanks(line, &at);
  const std::string_view text = line.substr(at);
  MetricMetadata& metadata = families_[std::string(name)];
  metadata.metric = name;
  if (help) {
    metadata.help = Unescape(text);
  } else if (unit) {
    metadata.unit = text;
    options_.openmetrics = true;
  } else {
    metadata.type = text == "untyped" ? "unknown" : std::string(text);
    if (text == "gaugehistogram") metadata.type = "histogram";
  }
  MetricMetadata stored = metadata;
  // OpenMetrics names the family, its samples end in _total: metadata goes by the name that queries use.
  if (stored.type == "counter" && options_.openmetrics && !stored.metric.ends_with("_total")) stored.metric += "_total";
  if (stored.type.empty()) stored.type = "unknown";
  batch->AddMetadata(stored);
  return true;
}

bool PrometheusTextParser::ParseLabels(std::string_view text, size_t* at, std::vector<LabelView>* labels) {
  ++*at;  // the brace
  while (true) {
    SkipBlanks(text, at);
    if (*at >= text.size()) return Fail("labels are not closed by }");
    if (text[*at] == '}') {
      ++*at;
      return true;
    }
    // A quoted name is a label name with any characters or, without a value, the metric's name (UTF-8 names).
    const auto quoted = [&](std::string_view* content) {
      const size_t start = ++*at;
      bool escaped = false;
      for (; *at < text.size() && text[*at] != '"'; ++*at) {
        if (text[*at] == '\\') {
          escaped = true;
          ++*at;
        }
      }
      if (*at >= text.size()) return Fail("a quoted text is not closed");
      *content = text.substr(start, *at - start);
      ++*at;
      if (escaped) {
        if (unescaped_used_ == unescaped_.size()) unescaped_.emplace_back();  // a deque: the others stay in place
        std::string& plain = unescaped_[unescaped_used_++];
        plain = Unescape(*content);
        *content = plain;
      }
      return true;
    };
    std::string_view name, value;
    const bool name_quoted = text[*at] == '"';
    if (name_quoted) {
      if (!quoted(&name)) return false;
    } else {
      const size_t start = *at;
      if (!IsNameStart(text[*at])) return Fail(std::string("label name cannot start with '") + text[*at] + "'");
      while (*at < text.size() && IsNameChar(text[*at])) ++*at;
      name = text.substr(start, *at - start);
    }
    SkipBlanks(text, at);
    if (*at < text.size() && text[*at] == '=') {
      ++*at;
      SkipBlanks(text, at);
      if (*at >= text.size() || text[*at] != '"') return Fail("value of label " + std::string(name) + " is not quoted");
      if (!quoted(&value)) return false;
    } else if (labels->empty() && name_quoted) {
      value = name;
      name = kMetricNameLabel;
    } else {
      return Fail("label " + std::string(name) + " has no =");
    }
    if (labels->size() >= kLabelsMax) return Fail("more than " + std::to_string(kLabelsMax) + " labels");
    for (const LabelView& other : *labels) {
      if (other.name == name) return Fail("label " + std::string(name) + " is given twice");
    }
    labels->push_back({name, value});
    SkipBlanks(text, at);
    if (*at < text.size() && text[*at] == ',') {
      ++*at;
    } else if (*at >= text.size() || text[*at] != '}') {
      return Fail("expected , or } after label " + std::string(name));
    }
  }
}

bool PrometheusTextParser::ParseTimestamp(std::string_view text, Timestamp* time) {
  int64_t whole;
  const char* end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), end, whole); read.ec == std::errc() && read.ptr == end) {
    return !__builtin_mul_overflow(whole, options_.openmetrics ? kSecond : kMillisecond, time);
  }
  double seconds;
  if (!ParseValue(text, &seconds) || !std::isfinite(seconds) || std::fabs(seconds) > 9.2e9) return false;
  // Decimal digits are read as such: a double of seconds does not hold nanoseconds.
  const size_t point = text.find('.');
  if (point != std::string_view::npos && text.find_first_of("eEpPxX") == std::string_view::npos) {
    const bool negative = text.front() == '-';
    int64_t nanos = 0, scale = 100'000'000;
    for (char c : text.substr(point + 1)) {
      nanos += (c - '0') * scale;
      scale /= 10;
    }
    const int64_t base = static_cast<int64_t>(std::trunc(seconds)) * kSecond;
    *time = negative ? base - nanos : base + nanos;
    return true;
  }
  *time = static_cast<int64_t>(std::llround(seconds * 1e3)) * kMillisecond;
  return true;
}

bool PrometheusTextParser::ParseSeries(std::string_view line, size_t* at, size_t* key_end) {
  labels_.clear();
  unescaped_used_ = 0;
  if (IsNameStart(line[0])) {
    while (*at < line.size() && IsNameChar(line[*at])) ++*at;
    labels_.push_back({kMetricNameLabel, line.substr(0, *at)});
  } else if (line[0] != '{') {
    return Fail(std::string("expected a metric name, not '") + line[0] + "'");
  }
  *key_end = *at;
  SkipBlanks(line, at);
  if (*at < line.size() && line[*at] == '{') {
    if (!ParseLabels(line, at, &labels_)) return false;
    *key_end = *at;
  }
  if (FindLabelView(labels_, kMetricNameLabel).empty()) return Fail("sample without a metric name");
  SkipBlanks(line, at);
  return true;
}

void PrometheusTextParser::CompleteLabels() {
  const auto set_default = [&](const Label& label) {
    for (LabelView& own : labels_) {
      if (own.name != label.name) continue;
      if (own.value.empty()) own.value = label.value;
      return;
    }
    labels_.push_back({label.name, label.value});
  };
  exported_.clear();
  for (const Label& label : options_.labels) {
    if (options_.labels_win) {
      for (LabelView& own : labels_) {
        if (own.name != label.name || own.value.empty()) continue;
        std::string name = label.name;
        do {
          name.insert(0, "exported_");
        } while (!FindLabelView(labels_, name).empty());
        own.name = exported_.emplace_back(std::move(name));
      }
    }
    set_default(label);
  }
  for (const Label& label : options_.defaults) set_default(label);
}

void PrometheusTextParser::AddStale(const std::string& text, Timestamp time, WriteBatch* batch) {
  size_t at = 0, key_end = 0;
  if (text.empty() || !ParseSeries(text, &at, &key_end)) return;
  CompleteLabels();
  batch->AddSample(batch->AddSeries(labels_), time, std::bit_cast<double>(kStaleNanBits));
}

bool PrometheusTextParser::ParseSample(std::string_view line, WriteBatch* batch, IngestReport* report) {
  size_t at = 0, key_end = 0;
  if (!ParseSeries(line, &at, &key_end)) return false;
  double value;
  const std::string_view value_text = TakeWord(line, &at);
  if (value_text.empty()) return Fail("sample without a value");
  if (!ParseValue(value_text, &value)) return Fail("value is not a number: " + std::string(value_text.substr(0, 64)));
  SkipBlanks(line, &at);
  Timestamp time = options_.now;
  bool timed = false, shown = false;
  if (at < line.size() && line[at] != '#') {
    const std::string_view word = TakeWord(line, &at);
    if (!ParseTimestamp(word, &time)) return Fail("timestamp is not a number: " + std::string(word.substr(0, 64)));
    shown = true;
    timed = options_.honor_timestamps;
    if (!timed) time = options_.now;
    SkipBlanks(line, &at);
  }
  if (at < line.size() && line[at] != '#') return Fail("text after the sample: " + std::string(line.substr(at, 64)));

  last_key_.assign(line.substr(0, key_end));
  auto found = series_.find(last_key_);
  if (found == series_.end()) {
    CompleteLabels();
    if (!report->Admit(labels_, 1, 1, &problem_)) return false;
    found = series_.emplace(last_key_, Seen{batch->AddSeries(labels_), false}).first;
  }
  found->second.timed = found->second.timed || timed;
  if (at < line.size() && !ParseExemplar(line, at, time, found->second.ref, batch)) return false;
  batch->AddSample(found->second.ref, time, value);
  if (!shown) ++report->untimed;
  return true;
}

// "# {trace_id="..."} value [timestamp]"
bool PrometheusTextParser::ParseExemplar(std::string_view line, size_t at, Timestamp time, WriteBatch::SeriesRef series,
                                         WriteBatch* batch) {
  ++at;
  SkipBlanks(line, &at);
  if (at >= line.size() || line[at] != '{') return true;  // a comment behind the sample
  exemplar_labels_.clear();
  if (!ParseLabels(line, &at, &exemplar_labels_)) {
    problem_ = "exemplar: " + problem_;
    return false;
  }
  SkipBlanks(line, &at);
  Exemplar exemplar;
  exemplar.time = time;
  if (!ParseValue(TakeWord(line, &at), &exemplar.value)) return Fail("exemplar: value is not a number");
  SkipBlanks(line, &at);
  if (at < line.size()) {
    const bool openmetrics = options_.openmetrics;
    options_.openmetrics = true;  // exemplars are OpenMetrics: their times are seconds
    const bool ok = ParseTimestamp(TakeWord(line, &at), &exemplar.time);
    options_.openmetrics = openmetrics;
    if (!ok) return Fail("exemplar: timestamp is not a number");
    SkipBlanks(line, &at);
    if (at < line.size()) return Fail("text after the exemplar: " + std::string(line.substr(at, 64)));
  }
  std::vector<AttributeView> attributes;
  for (const LabelView& label : exemplar_labels_) {
    const bool is_trace = label.name == "trace_id" || label.name == "traceID" || label.name == "traceId";
    const bool is_span = label.name == "span_id" || label.name == "spanID" || label.name == "spanId";
    if (is_trace && ParseTraceId(label.value, &exemplar.trace_id)) continue;
    if (is_span && ParseSpanId(label.value, &exemplar.span_id)) continue;
    attributes.push_back({label.name, ValueView(label.value)});
  }
  exemplar.attributes = attributes;
  batch->AddExemplar(series, exemplar);
  return true;
}

}  // namespace braid::ingest
