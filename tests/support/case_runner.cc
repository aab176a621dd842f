#include "tests/support/case_runner.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <sstream>

#include "query/rows/cells.h"
#include "tests/support/case_records.h"

namespace braid {
namespace {

struct Block {
  size_t line = 0;  // of its first line, from 1
  std::string head;
  std::vector<std::string> body;      // up to ----
  std::vector<std::string> expected;  // after it
};

std::string Trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<Block> SplitBlocks(const std::string& text) {
  std::vector<Block> blocks;
  std::istringstream in(text);
  std::string line;
  bool open = false;
  bool answer = false;
  for (size_t number = 1; std::getline(in, line); ++number) {
    const std::string trimmed = Trim(line);
    if (trimmed.empty()) {
      open = false;
      continue;
    }
    if (trimmed[0] == '#') continue;
    if (!open) {
      open = true;
      answer = false;
      blocks.push_back(Block{number, trimmed, {}, {}});
    } else if (trimmed == "----") {
      answer = true;
    } else {
      (answer ? blocks.back().expected : blocks.back().body).push_back(answer ? trimmed : Trim(line));
    }
  }
  return blocks;
}

std::vector<std::string> Words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::string CaseValue(const Column& column, size_t row) {
  const CellView cell = CellAt(column, row);
  if (cell.null()) return "-";
  if (cell.type == Type::kString && cell.text.empty()) return "\"\"";
  if (cell.type == Type::kTimestamp) return FormatDuration(cell.integer);
  if (cell.type == Type::kTraceId || cell.type == Type::kSpanId) {
    // Ids of cases are short.
    std::string storage;
    std::string_view id = TextOf(cell, &storage);
    while (id.size() > 1 && id.front() == '0') id.remove_prefix(1);
    return std::string(id);
  }
  if (cell.type == Type::kDouble) {
    char buffer[40];
    const int length = std::snprintf(buffer, sizeof buffer, "%.10g", cell.number);
    return std::string(buffer, static_cast<size_t>(length));
  }
  std::string storage;
  return std::string(TextOf(cell, &storage));
}

std::string Join(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += "\n    " + line;
  return all;
}

// "a | b|c" -> "a|b|c", so that columns may be aligned.
std::string Squeeze(const std::string& line) {
  std::string out;
  std::string cell;
  std::istringstream in(line + "|");
  while (std::getline(in, cell, '|')) out += (out.empty() ? "" : " | ") + Trim(cell);
  return out;
}

// What is wrong with the answer to the block's query, or "".
std::string Check(const Block& block, const DB& db, bool use_indexes, int threads) {
  std::string text;
  for (const std::string& line : block.body) text += (text.empty() ? "" : "\n") + line;
  QueryOptions options;
  options.start = 0;
  options.end = 3600 * kSecond;
  options.step = 60 * kSecond;
  options.now = 3600 * kSecond;
  options.limits.time_max = 0;
  options.use_indexes = use_indexes;
  options.threads = threads;
  std::vector<Duration> times;
  for (const std::string& word : Words(block.head)) {
    Duration time = 0;
    const size_t equal = word.find('=');
    if (equal != std::string::npos) {
      const std::string value = word.substr(equal + 1);
      if (word.substr(0, equal) == "rows_max") {
        options.limits.rows_max = std::stoull(value);
      } else {
        options.params[word.substr(0, equal)] = value;
      }
    } else if (word != "query") {
      if (!ParseDistance(word, &time)) return "bad time " + word;
      times.push_back(time);
    }
  }
  if (times.size() >= 2) {
    options.start = times[0];
    options.end = options.now = times[1];
  }
  if (times.size() >= 3) options.step = times[2];

  std::vector<std::string> rows;
  std::vector<std::string> notes;
  std::string error;
  absl::Status status;
  std::unique_ptr<ResultReader> reader;
  const auto query = Query::Parse(text);
  if (!query.ok()) {
    status = query.status();
  } else {
    auto executed = query->Execute(db.GetSnapshot(), options);
    if (!executed.ok()) {
      status = executed.status();
    } else {
      reader = *std::move(executed);
      rows = AsCaseTable(reader.get(), &status);
    }
  }
  std::vector<std::string> expected;
  std::vector<std::string> wanted_notes;
  std::string wanted_error;
  for (const std::string& line : block.expected) {
    if (line.rfind("note ", 0) == 0) {
      wanted_notes.push_back(line.substr(5));
    } else if (line.rfind("error ", 0) == 0) {
      wanted_error = line.substr(6);
    } else {
      expected.push_back(Squeeze(line));
    }
  }
  if (!status.ok()) {
    const auto problem = ErrorOf(status);
    const std::string code = problem ? problem->code : std::string(status.message()).substr(0, 4);
    const std::string place = problem ? std::to_string(problem->line) + ":" + std::to_string(problem->column) : "";
    if (wanted_error.empty())
      return "failed: " + status.ToString() + (problem ? " " + problem->code + " " + problem->message : "");
    const std::vector<std::string> wanted = Words(wanted_error);
    if (wanted[0] != code || (wanted.size() > 1 && wanted[1] != place)) {
      return "wanted error " + wanted_error + ", got " + code + " " + place + " " + status.ToString();
    }
    return "";
  }
  if (!wanted_error.empty()) return "wanted error " + wanted_error + ", got rows" + Join(rows);
  if (rows != expected) return "wanted" + Join(expected) + "\n  got" + Join(rows);
  for (const std::string& wanted : wanted_notes) {
    const size_t colon = wanted.find(':');
    const std::string kind = wanted.substr(0, colon);
    const std::string part = colon == std::string::npos ? "" : Trim(wanted.substr(colon + 1));
    const auto& have = reader->summary().notes;
    const bool found = std::any_of(have.begin(), have.end(), [&](const Note& note) {
      return note.kind == kind && note.text.find(part) != std::string::npos;
    });
    if (found) continue;
    std::vector<std::string> all;
    for (const Note& note : have) all.push_back(note.kind + ": " + note.text);
    return "no note " + wanted + ", but" + Join(all);
  }
  return "";
}

// Adds the records of a load block; an error text, or "".
std::string LoadBlock(const Block& block, WriteBatch* batch) {
  const std::vector<std::string> words = Words(block.head);
  if (words[0] == "load" && words.size() == 2) return LoadSeries(words[1], block.body, batch);
  if (words[0] == "load_logs") return LoadLogs(block.body, batch);
  if (words[0] == "load_spans") return LoadSpans(block.body, batch);
  if (words[0] == "load_exemplars") return LoadExemplars(block.body, batch);
  return words[0] == "query" ? "" : "unknown block " + words[0];
}

}  // namespace

std::vector<std::string> AsCaseTable(ResultReader* reader, absl::Status* status) {
  std::vector<std::string> lines(1);
  for (const ResultColumn& column : reader->columns()) lines[0] += (lines[0].empty() ? "" : " | ") + column.name;
  RecordBatch batch;
  while (true) {
    const auto more = reader->Next(&batch);
    if (!more.ok()) {
      *status = more.status();
      return lines;
    }
    if (!*more) return lines;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      std::string line;
      for (const Column& column : batch.columns) {
        line += (line.empty() ? "" : " | ") + Squeeze(CaseValue(column, row));
      }
      lines.push_back(std::move(line));
    }
  }
}

std::string ParseLoads(const std::string& text, WriteBatch* batch) {
  for (const Block& block : SplitBlocks(text)) {
    const std::string problem = LoadBlock(block, batch);
    if (!problem.empty()) return "line " + std::to_string(block.line) + ": " + problem;
  }
  return "";
}

CaseReport RunCases(const std::string& file_name, const std::string& text, const std::string& folder) {
  CaseReport report;
  const auto fail = [&](size_t line, const std::string& state, const std::string& what) {
    report.failures.push_back(file_name + ":" + std::to_string(line) + " [" + state + "]: " + what);
  };
  std::filesystem::remove_all(folder);
  Options options;
  options.durability = Durability::kBuffered;
  options.background_work = false;
  auto opened = DB::Open(options, folder);
  if (!opened.ok()) {
    fail(0, "open", opened.status().ToString());
    return report;
  }
  std::unique_ptr<DB> db = *std::move(opened);
  WriteBatch batch;
  if (std::string problem = ParseLoads(text, &batch); !problem.empty()) {
    fail(0, "load", problem);
    return report;
  }
  if (!batch.empty()) {
    if (absl::Status written = db->Write(batch); !written.ok()) {
      fail(0, "load", written.ToString());
      return report;
    }
  }
  const std::vector<Block> blocks = SplitBlocks(text);
  const auto ask = [&](const DB& store, const std::string& state) {
    struct Way {
      bool use_indexes;
      int threads;
      const char* name;
    };
    for (const Block& block : blocks) {
      if (Words(block.head)[0] != "query") continue;
      for (const Way& way : {Way{true, 1, ""}, Way{false, 1, ", no indexes"}, Way{true, 2, ", two threads"}}) {
        ++report.queries;
        const std::string problem = Check(block, store, way.use_indexes, way.threads);
        if (!problem.empty()) fail(block.line, state + way.name, problem);
      }
    }
  };
  for (const std::string state : {"head", "flushed", "reopened", "compacted"}) {
    absl::Status status;
    if (state == "flushed") status = db->Flush();
    if (state == "compacted") status = db->Compact();
    if (state == "reopened") {
      status = db->Close();
      db.reset();
      auto again = DB::Open(options, folder);
      if (!again.ok()) {
        fail(0, state, again.status().ToString());
        return report;
      }
      db = *std::move(again);
    }
    if (!status.ok()) {
      fail(0, state, status.ToString());
      return report;
    }
    ask(*db, state);
  }
  db.reset();
  std::filesystem::remove_all(folder);

  // Each load block in a part of its own, the last in the head.
  auto scattered = DB::Open(options, folder);
  if (!scattered.ok()) {
    fail(0, "in parts", scattered.status().ToString());
    return report;
  }
  db = *std::move(scattered);
  for (const Block& block : blocks) {
    if (Words(block.head)[0] == "query") continue;
    absl::Status status = db->Flush();
    WriteBatch one;
    std::string problem = LoadBlock(block, &one);
    if (status.ok() && problem.empty()) status = db->Write(one);
    if (!status.ok() || !problem.empty()) {
      fail(block.line, "in parts", problem + status.ToString());
      return report;
    }
  }
  ask(*db, "in parts");
  db.reset();
  std::filesystem::remove_all(folder);
  return report;
}

}  // namespace braid
