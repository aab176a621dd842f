#include "tools/answer_output.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/base/utc_text.h"
#include "query/plan/result_writer.h"
#include "query/syntax/ast.h"
#include "query/syntax/parser.h"
#include "tools/terminal.h"

namespace braid {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kSparklineMost = 60, kSparklineLeast = 12;

struct Line {
  std::string name;
  Type type = Type::kDouble;
  std::map<Timestamp, double> points;
};

std::optional<double> NumberAt(const Column& column, size_t row) {
  if (column.IsNull(row)) return std::nullopt;
  switch (column.type) {
    case Type::kDouble: return column.doubles[row];
    case Type::kInt:
    case Type::kDuration: return static_cast<double>(column.ints[row]);
    case Type::kMixed:
      if (const double* number = std::get_if<double>(&column.mixed[row])) return *number;
      if (const int64_t* integer = std::get_if<int64_t>(&column.mixed[row])) return static_cast<double>(*integer);
      return std::nullopt;
    default: return std::nullopt;
  }
}

bool IsNumber(const RecordBatch& batch, size_t column, const std::string& name) {
  const Type type = batch.columns[column].type;
  return type == Type::kDouble || type == Type::kInt || type == Type::kDuration ||
         (type == Type::kMixed && name == "value");
}

std::string NumberText(double value, Type type) {
  if (type == Type::kDuration && std::isfinite(value)) return ReadableDuration(static_cast<Duration>(value));
  char text[40];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// Does the query choose the columns of its answer with `keep` or `stats`, so that none comes unasked?
bool NamesColumns(const std::string& query) {
  const auto parsed = ParseQuery(query);
  if (!parsed.ok() || (*parsed)->body == nullptr) return false;
  bool named = false;
  for (const Stage& stage : (*parsed)->body->stages) {
    if (std::holds_alternative<KeepStage>(stage.node) || std::holds_alternative<StatsStage>(stage.node)) named = true;
    if (std::holds_alternative<ParseStage>(stage.node) || std::holds_alternative<JoinStage>(stage.node) ||
        std::holds_alternative<UnionStage>(stage.node) || std::holds_alternative<ContextStage>(stage.node) ||
        std::holds_alternative<WindowsStage>(stage.node) || std::holds_alternative<CompareStage>(stage.node)) {
      named = false;
    }
  }
  return named;
}

std::string Padded(const std::string& text, size_t width) {
  const size_t used = DisplayWidth(text);
  return text + std::string(used < width ? width - used : 0, ' ');
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeptResult>> KeptResult::Read(ResultReader* from) {
  auto kept = std::make_unique<KeptResult>();
  while (true) {
    RecordBatch batch;
    ASSIGN_OR_RETURN(const bool more, from->Next(&batch));
    if (!more) break;
    kept->batches_.push_back(std::move(batch));
  }
  kept->kind_ = from->kind();
  kept->columns_ = from->columns();
  kept->summary_ = from->summary();
  return kept;
}

absl::StatusOr<bool> KeptResult::Next(RecordBatch* batch) {
  if (next_ == batches_.size()) return false;
  *batch = batches_[next_++];
  return true;
}

std::string Sparkline(const std::vector<double>& values, size_t width) {
  static const char* const kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const size_t cells = std::min(width, values.size());
  std::vector<double> shown(cells, kNan);
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) continue;
    double& cell = shown[i * cells / values.size()];
    if (std::isnan(cell) || values[i] > cell) cell = values[i];
    low = std::min(low, values[i]);
    high = std::max(high, values[i]);
  }
  std::string line;
  for (const double value : shown) {
    if (std::isnan(value)) {
      line += ' ';
    } else {
      const double share = high > low ? (value - low) / (high - low) : 0.5;
      line += kBlocks[std::min<size_t>(7, static_cast<size_t>(share * 8))];
    }
  }
  return line;
}

std::string FormatSeries(const KeptResult& result, const TableStyle& style) {
  if (result.kind() != Kind::kSeries || !result.summary().explain.empty()) return "";
  const std::vector<ResultColumn>& columns = result.columns();
  size_t time = columns.size();
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].name == "time") time = c;
  }
  if (time == columns.size()) return "";
  std::vector<Line> lines;
  std::map<std::string, size_t> index;
  std::set<Timestamp> instants;
  for (const RecordBatch& batch : result.batches()) {
    size_t numbers = 0;
    for (size_t c = 0; c < batch.columns.size(); ++c) numbers += c != time && IsNumber(batch, c, columns[c].name);
    for (size_t row = 0; row < batch.num_rows; ++row) {
      if (batch.columns[time].type != Type::kTimestamp || batch.columns[time].IsNull(row)) return "";
      instants.insert(batch.columns[time].ints[row]);
      std::string labels;
      for (size_t c = 0; c < batch.columns.size(); ++c) {
        if (c == time || IsNumber(batch, c, columns[c].name) || batch.columns[c].IsNull(row)) continue;
        labels += (labels.empty() ? "" : " ") + columns[c].name + "=" + PlainValue(batch.columns[c], row);
      }
      for (size_t c = 0; c < batch.columns.size(); ++c) {
        if (c == time || !IsNumber(batch, c, columns[c].name)) continue;
        std::string name = Printable(labels);
        if (numbers > 1 || name.empty()) name = (name.empty() ? "" : name + " ") + Printable(columns[c].name);
        const auto [it, added] = index.try_emplace(name, lines.size());
        if (added) lines.push_back({name, batch.columns[c].type, {}});
        if (const auto value = NumberAt(batch.columns[c], row)) {
          lines[it->second].points[batch.columns[time].ints[row]] = *value;
        } else if (!batch.columns[c].IsNull(row)) {
          return "";  // a histogram is no point of a line
        }
      }
    }
  }
  if (instants.size() < 2) return "";

  size_t name_width = 0;
  for (const Line& line : lines) name_width = std::max(name_width, DisplayWidth(line.name));
  constexpr size_t kNumbers = 44;  // for last, least and greatest
  const size_t width = style.width == 0 ? 200 : static_cast<size_t>(style.width);
  size_t spark = std::min(kSparklineMost, instants.size());
  if (name_width + spark + kNumbers > width) {
    spark = std::max(kSparklineLeast, width > name_width + kNumbers ? width - name_width - kNumbers : 0);
    spark = std::min(spark, instants.size());
    name_width = std::min(name_width, std::max<size_t>(16, width > spark + kNumbers ? width - spark - kNumbers : 16));
  }
  std::string out = Paint(UtcText(*instants.begin()) + " .. " + UtcText(*instants.rbegin()) + ", " +
                              std::to_string(instants.size()) + " steps, " + std::to_string(lines.size()) + " series",
                          Colour::kDim, style.colour) +
                    "\n";
  for (const Line& line : lines) {
    std::vector<double> values;
    double low = kNan, high = kNan, last = kNan;
    for (const Timestamp at : instants) {
      const auto found = line.points.find(at);
      values.push_back(found == line.points.end() ? kNan : found->second);
      if (std::isnan(values.back())) continue;
      last = values.back();
      if (std::isnan(low) || last < low) low = last;
      if (std::isnan(high) || last > high) high = last;
    }
    out += Padded(Shorten(line.name, name_width), name_width) + "  " +
           Paint(Padded(Sparkline(values, spark), spark), Colour::kCyan, style.colour) + "  " +
           Paint(Padded(NumberText(last, line.type), 9), Colour::kBold, style.colour) +
           Paint("min " + Padded(NumberText(low, line.type), 9) + " max " + NumberText(high, line.type), Colour::kDim,
                 style.colour) +
           "\n";
  }
  for (const Note& note : result.summary().notes) {
    out += Paint("note (" + note.kind + "): ", Colour::kYellow, style.colour) + Printable(note.text) + "\n";
  }
  return out;
}

absl::StatusOr<std::string> FormatAnswer(ResultReader* result, const std::string& query, bool table) {
  const TableStyle style{TerminalWidth(STDOUT_FILENO), UseColour(STDOUT_FILENO), NamesColumns(query)};
  if (table || !IsTerminal(STDOUT_FILENO)) return FormatTable(result, style);
  ASSIGN_OR_RETURN(const std::unique_ptr<KeptResult> kept, KeptResult::Read(result));
  std::string lines = FormatSeries(*kept, style);
  if (!lines.empty()) return lines;
  return FormatTable(kept.get(), style);
}

}  // namespace braid
