#include "tools/completion.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "query/syntax/function_table.h"

namespace braid {
namespace {

constexpr std::array<std::string_view, 6> kTables = {"logs", "spans", "events", "links", "exemplars", "samples"};
constexpr std::array<std::string_view, 19> kStages = {
    "where", "extend", "keep", "drop",  "json", "logfmt", "regexp",  "pattern", "stats",  "top",
    "sort",  "limit",  "tail", "dedup", "join", "union",  "windows", "context", "compare"};

struct Builtins {
  std::string_view table;
  std::vector<std::string_view> columns;
};
const std::vector<Builtins>& BuiltinColumns() {
  static const std::vector<Builtins> builtins = {
      {"logs", {"time", "service", "instance", "level", "message", "trace_id", "span_id"}},
      {"spans", {"time",           "end",        "duration",       "service",   "instance",       "name",
                 "kind",           "status",     "status_message", "trace_id",  "span_id",        "parent_id",
                 "self_time",      "critical",   "root.service",   "root.name", "parent.service", "parent.name",
                 "trace.duration", "trace.spans"}},
      {"events", {"time", "name", "service", "trace_id", "span_id"}},
      {"links", {"time", "trace_id", "span_id", "linked_trace_id", "linked_span_id"}},
      {"exemplars", {"time", "metric", "value", "trace_id", "span_id"}},
      {"samples", {"time", "metric", "value"}}};
  return builtins;
}

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':' || c == '.'; }

bool IsTable(std::string_view word) { return std::find(kTables.begin(), kTables.end(), word) != kTables.end(); }

// What the text before the cursor says about the place.
struct Place {
  std::string source;             // the table or metric whose rows or labels are meant; may be empty
  bool in_braces = false;         // of `source`
  bool in_stage = false;          // behind a `|`
  bool after_pipe = false;        // right behind it: a stage's name
  std::optional<size_t> quote;    // an open string begins here
  std::string compared;           // the name left of the operator before the cursor
  std::vector<std::string> lets;  // names given so far
};

// Reads words, strings and brackets from left to right; no more of the grammar than completion needs.
Place PlaceOf(std::string_view text) {
  Place place;
  std::string word, before;     // the last two words
  bool operator_since = false;  // an operator stands behind `word`
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (place.quote) {
      if (c == '\\' && text[*place.quote] != '`') {
        ++i;
      } else if (c == text[*place.quote]) {
        place.quote.reset();
        place.compared.clear();
      }
      continue;
    }
    if (c == '#') {
      while (i < text.size() && text[i] != '\n') ++i;
      continue;
    }
    if (c == '"' || c == '\'' || c == '`') {
      place.quote = i;
      place.compared = operator_since ? word : "";
      continue;
    }
    if (IsWord(c)) {
      const size_t begin = i;
      while (i + 1 < text.size() && IsWord(text[i + 1])) ++i;
      before = word;
      const bool at_end = i + 1 == text.size();
      if (at_end && operator_since) place.compared = word;
      word = std::string(text.substr(begin, i + 1 - begin));
      operator_since = false;
      if (before == "let") place.lets.push_back(word);
      const bool source = IsTable(word) || (!place.in_stage && !place.in_braces && !at_end);
      if (source) place.source = word;
      if (!at_end) place.after_pipe = false;
      continue;
    }
    if (c == '{') place.in_braces = true;
    if (c == '}') place.in_braces = false;
    if (c == '=' || c == '!' || c == '~' || c == '<' || c == '>') operator_since = true;
    if (c == ',' || c == '{' || c == '(') operator_since = false, place.compared.clear();
    if (c == ';') place = Place{"", false, false, false, std::nullopt, "", place.lets};
    if (c == '|' && !place.in_braces) {
      const char next = i + 1 < text.size() ? text[i + 1] : ' ';
      if (next == '=' || next == '~' || next == '|') {
        ++i;  // a line filter or an or
      } else {
        place.in_stage = place.after_pipe = true;
      }
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      place.after_pipe = false;
    }
  }
  if (operator_since) place.compared = word;
  return place;
}

template <typename List>
void AddAll(const List& list, std::set<std::string>* words) {
  for (const auto& word : list) words->emplace(word);
}

void AddColumns(const std::string& table, QueryTarget* vocabulary, std::set<std::string>* words) {
  for (const Builtins& entry : BuiltinColumns()) {
    if (entry.table == table) AddAll(entry.columns, words);
  }
  AddAll(vocabulary->Columns(table), words);
}

void AddValues(const Place& place, QueryTarget* vocabulary, std::set<std::string>* words) {
  if (place.compared.empty()) return;
  AddAll(IsTable(place.source) ? vocabulary->ColumnValues(place.source, place.compared)
                               : vocabulary->LabelValues(place.source, place.compared),
         words);
}

}  // namespace

Completion Complete(std::string_view text, QueryTarget* vocabulary) {
  const Place place = PlaceOf(text);
  Completion completion;
  std::set<std::string> words;
  if (place.quote) {
    completion.begin = *place.quote + 1;
    AddValues(place, vocabulary, &words);
  } else {
    completion.begin = text.size();
    while (completion.begin > 0 && IsWord(text[completion.begin - 1])) --completion.begin;
    const bool table = IsTable(place.source);
    if (place.after_pipe) {
      AddAll(kStages, &words);
    } else if (place.in_braces) {
      if (!place.compared.empty() && table) {
        if (place.compared == "level") AddAll(std::array{"debug", "error", "fatal", "info", "trace", "warn"}, &words);
        if (place.compared == "status") AddAll(std::array{"error", "ok", "unset"}, &words);
        if (place.compared == "kind")
          AddAll(std::array{"client", "consumer", "internal", "producer", "server"}, &words);
      } else if (table) {
        AddColumns(place.source, vocabulary, &words);
      } else {
        AddAll(vocabulary->Labels(place.source), &words);
      }
    } else if (place.in_stage) {
      if (table) {
        AddColumns(place.source, vocabulary, &words);
      } else {
        AddAll(std::array{"time", "value", "metric"}, &words);
        AddAll(vocabulary->Labels(place.source), &words);
      }
      AddAll(RowFunctionNames(), &words);
      AddAll(std::array{"by", "as", "on", "within", "asof", "gap", "pad", "desc", "asc", "per", "in", "not", "and",
                        "or", "null", "true", "false"},
             &words);
      AddAll(place.lets, &words);
    } else {
      AddAll(kTables, &words);
      AddAll(place.lets, &words);
      AddAll(VectorFunctionNames(), &words);
      AddAll(vocabulary->Metrics(), &words);
      AddAll(std::array{"by", "without", "on", "ignoring", "offset", "let", "over", "explain"}, &words);
    }
  }
  const std::string_view prefix = text.substr(completion.begin);
  for (const std::string& word : words) {
    if (word.size() > prefix.size() && std::string_view(word).substr(0, prefix.size()) == prefix) {
      completion.words.push_back(word);
    }
  }
  return completion;
}

}  // namespace braid
