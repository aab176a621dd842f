#include "tests/support/case_records.h"

#include <charconv>
#include <deque>
#include <optional>

#include "tests/support/promql_series_notation.h"

namespace braid {
namespace {

struct Word {
  std::string key;  // of key=value
  std::string text;
  bool quoted = false;
};

// Words of a line, split at blanks; quotes hold blanks together.
std::optional<std::vector<Word>> SplitWords(std::string_view line) {
  std::vector<Word> words;
  size_t at = 0;
  while (true) {
    while (at < line.size() && line[at] == ' ') ++at;
    if (at >= line.size()) return words;
    Word word;
    std::string plain;
    while (at < line.size() && line[at] != ' ') {
      if (line[at] == '"') {
        word.quoted = true;
        for (++at; at < line.size() && line[at] != '"'; ++at) {
          if (line[at] == '\\' && at + 1 < line.size()) {
            ++at;
            plain.push_back(line[at] == 'n' ? '\n' : line[at]);
          } else {
            plain.push_back(line[at]);
          }
        }
        if (at >= line.size()) return std::nullopt;
        ++at;
      } else if (line[at] == '=' && word.key.empty() && !word.quoted && !words.empty()) {
        word.key = plain;
        plain.clear();
        ++at;
      } else {
        plain.push_back(line[at++]);
      }
    }
    word.text = plain;
    words.push_back(std::move(word));
  }
}

Value ValueOf(const Word& word) {
  if (word.quoted) return word.text;
  if (word.text == "true" || word.text == "false") return word.text == "true";
  const char* end = word.text.data() + word.text.size();
  int64_t integer = 0;
  if (const auto [stop, error] = std::from_chars(word.text.data(), end, integer); error == std::errc() && stop == end) {
    return integer;
  }
  double number = 0;
  if (const auto [stop, error] = std::from_chars(word.text.data(), end, number); error == std::errc() && stop == end) {
    return number;
  }
  return word.text;
}

bool ReadTrace(const std::string& text, TraceId* id) { return text == "-" || ParseTraceId(text, id); }
bool ReadSpan(const std::string& text, SpanId* id) { return text == "-" || ParseSpanId(text, id); }

// What key=value words say: ids, attributes, and what belongs to the stream.
struct Fields {
  TraceId trace;
  SpanId span;
  SpanId parent;
  std::string status_message;
  std::vector<Attribute> attributes;
  Stream stream;

  std::string Read(const std::string& service, const std::vector<Word>& words, size_t from) {
    if (service != "-") stream.resource.push_back({"service.name", service});
    for (size_t i = from; i < words.size(); ++i) {
      const Word& word = words[i];
      if (word.key.empty()) return "expected key=value, found " + word.text;
      if (word.key == "trace") {
        if (!ReadTrace(word.text, &trace)) return "bad trace id " + word.text;
      } else if (word.key == "span" || word.key == "parent") {
        if (!ReadSpan(word.text, word.key == "span" ? &span : &parent)) return "bad span id " + word.text;
      } else if (word.key == "message") {
        status_message = word.text;
      } else if (word.key == "instance") {
        stream.resource.push_back({"service.instance.id", word.text});
      } else if (word.key.rfind("resource.", 0) == 0) {
        stream.resource.push_back({word.key.substr(9), ValueOf(word)});
      } else if (word.key.rfind("scope.", 0) == 0) {
        stream.scope_attributes.push_back({word.key.substr(6), ValueOf(word)});
      } else {
        attributes.push_back({word.key, ValueOf(word)});
      }
    }
    return "";
  }
};

std::vector<AttributeView> Views(const std::vector<Attribute>& attributes) {
  std::vector<AttributeView> views;
  for (const Attribute& attribute : attributes) views.push_back({attribute.name, View(attribute.value)});
  return views;
}

}  // namespace

bool ParseDistance(std::string_view text, Duration* distance) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  if (text == "0s" || text == "0") {
    *distance = 0;
    return true;
  }
  const auto parsed = ParseNotationDuration(text);
  if (!parsed) return false;
  *distance = negative ? -*parsed : *parsed;
  return true;
}

std::string LoadLogs(const std::vector<std::string>& lines, WriteBatch* batch) {
  for (const std::string& line : lines) {
    const auto words = SplitWords(line);
    if (!words || words->size() < 4) return "a log is: time service level \"message\" key=value ...: " + line;
    LogRecord record;
    if (!ParseDistance((*words)[0].text, &record.time)) return "bad time: " + line;
    Level level = Level::kUnset;
    if ((*words)[2].text != "-" && !ParseLevel((*words)[2].text, &level)) return "bad level: " + line;
    Fields fields;
    if (std::string problem = fields.Read((*words)[1].text, *words, 4); !problem.empty()) return problem + ": " + line;
    record.severity_number = SeverityOfLevel(level);
    record.message = (*words)[3].text;
    record.trace_id = fields.trace;
    record.span_id = fields.span;
    const std::vector<AttributeView> attributes = Views(fields.attributes);
    record.attributes = attributes;
    batch->AddLog(batch->AddStream(fields.stream), record);
  }
  return "";
}

std::string LoadSpans(const std::vector<std::string>& lines, WriteBatch* batch) {
  for (size_t i = 0; i < lines.size();) {
    const std::string& line = lines[i++];
    const auto words = SplitWords(line);
    if (!words || words->size() < 6)
      return "a span is: start +duration service kind status \"name\" key=value ...: " + line;
    Span span;
    Duration duration = 0;
    if (!ParseDistance((*words)[0].text, &span.start) || (*words)[1].text.empty() ||
        !ParseDistance(std::string_view((*words)[1].text).substr(1), &duration)) {
      return "bad time: " + line;
    }
    span.end = span.start + duration;
    if ((*words)[3].text != "-" && !ParseSpanKind((*words)[3].text, &span.kind)) return "bad kind: " + line;
    if ((*words)[4].text != "-" && !ParseStatusCode((*words)[4].text, &span.status)) return "bad status: " + line;
    Fields fields;
    if (std::string problem = fields.Read((*words)[2].text, *words, 6); !problem.empty()) return problem + ": " + line;
    span.name = (*words)[5].text;
    span.trace_id = fields.trace;
    span.span_id = fields.span;
    span.parent_id = fields.parent;
    span.status_message = fields.status_message;
    const std::vector<AttributeView> attributes = Views(fields.attributes);
    span.attributes = attributes;
    std::vector<SpanEvent> events;
    std::vector<SpanLink> links;
    std::deque<std::vector<Word>> texts;  // what events and attributes point into
    std::deque<std::vector<Attribute>> values;
    std::deque<std::vector<AttributeView>> views;
    for (; i < lines.size(); ++i) {
      auto inner = SplitWords(lines[i]);
      if (!inner || inner->size() < 3) break;
      if ((*inner)[0].text == "link") {
        SpanLink link;
        if (!ReadTrace((*inner)[1].text, &link.trace_id) || !ReadSpan((*inner)[2].text, &link.span_id)) {
          return "bad link: " + lines[i];
        }
        links.push_back(link);
      } else if ((*inner)[0].text == "event") {
        SpanEvent event;
        if (!ParseDistance((*inner)[1].text, &event.time)) return "bad event: " + lines[i];
        Fields own;
        if (std::string problem = own.Read("-", *inner, 3); !problem.empty()) return problem + ": " + lines[i];
        texts.push_back(*std::move(inner));
        values.push_back(std::move(own.attributes));
        views.push_back(Views(values.back()));
        event.name = texts.back()[2].text;
        event.attributes = views.back();
        events.push_back(event);
      } else {
        break;
      }
    }
    span.events = events;
    span.links = links;
    batch->AddSpan(batch->AddStream(fields.stream), span);
  }
  return "";
}

std::string LoadExemplars(const std::vector<std::string>& lines, WriteBatch* batch) {
  for (const std::string& line : lines) {
    const auto words = SplitWords(line.substr(0, line.find('{')));
    if (!words || words->size() != 5) return "an exemplar is: time value trace span series: " + line;
    Exemplar exemplar;
    const auto value = ParseNotationNumber((*words)[1].text);
    if (!ParseDistance((*words)[0].text, &exemplar.time) || !value ||
        !ReadTrace((*words)[2].text, &exemplar.trace_id) || !ReadSpan((*words)[3].text, &exemplar.span_id)) {
      return "bad exemplar: " + line;
    }
    exemplar.value = *value;
    std::string error;
    const auto series = ParseSeriesNotation(line.substr(line.find((*words)[4].text)) + " 0", &error);
    if (!series) return error + ": " + line;
    std::vector<LabelView> labels;
    for (const Label& label : series->labels) labels.push_back({label.name, label.value});
    batch->AddExemplar(batch->AddSeries(labels), exemplar);
  }
  return "";
}

std::string LoadSeries(std::string_view step_text, const std::vector<std::string>& lines, WriteBatch* batch) {
  Duration step = 0;
  if (!ParseDistance(step_text, &step) || step <= 0) return "bad step " + std::string(step_text);
  for (const std::string& line : lines) {
    std::string error;
    const auto series = ParseSeriesNotation(line, &error);
    if (!series) return error + ": " + line;
    std::vector<LabelView> labels;
    for (const Label& label : series->labels) labels.push_back({label.name, label.value});
    const auto ref = batch->AddSeries(labels);
    Timestamp time = 0;
    for (const SequenceValue& value : series->values) {
      if (value.histogram) {
        batch->AddHistogram(ref, time, *value.histogram);
      } else if (!value.omitted) {
        batch->AddSample(ref, time, value.value);
      }
      time += step;
    }
  }
  return "";
}

}  // namespace braid
