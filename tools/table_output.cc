#include "tools/table_output.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/status_macros.h"
#include "engine/base/utc_text.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Below this a text column is not squeezed further.
constexpr size_t kLeastColumns = 12;
constexpr size_t kLeastMessageColumns = 40;

struct TextColumn {
  std::string name;
  Type type = Type::kNull;
  bool right = false;
  std::vector<std::string> cells;
  std::vector<Colour> colours;
  size_t width = 0;
};

std::string Number(double value) {
  if (std::isfinite(value) && value == std::floor(value) && std::abs(value) < 1e15) {
    char text[32];
    std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string Cell(const Column& column, size_t row, Colour* colour) {
  *colour = Colour::kPlain;
  if (column.IsNull(row)) return "";
  switch (column.type) {
    case Type::kTimestamp: return UtcText(column.ints[row]);
    case Type::kDuration: return ReadableDuration(column.ints[row]);
    case Type::kDouble: return Number(column.doubles[row]);
    case Type::kLevel:
      *colour = column.ints[row] >= static_cast<int64_t>(Level::kError)  ? Colour::kRed
                : column.ints[row] == static_cast<int64_t>(Level::kWarn) ? Colour::kYellow
                                                                         : Colour::kPlain;
      break;
    case Type::kStatus:
      if (column.ints[row] == static_cast<int64_t>(StatusCode::kError)) *colour = Colour::kRed;
      break;
    case Type::kMixed:
      if (const double* number = std::get_if<double>(&column.mixed[row])) return Number(*number);
      break;
    default: break;
  }
  const Value value = column.ValueAt(row);
  return Printable(ToText(View(value)));
}

bool IsNumber(Type type) { return type == Type::kInt || type == Type::kDouble || type == Type::kDuration; }

void Append(const RecordBatch& batch, const std::vector<ResultColumn>& names, std::vector<TextColumn>* columns) {
  if (columns->empty()) columns->resize(names.size());
  for (size_t c = 0; c < batch.columns.size() && c < columns->size(); ++c) {
    TextColumn& out = (*columns)[c];
    out.name = names[c].name;
    const Column& in = batch.columns[c];
    if (in.type != Type::kNull) out.type = in.type;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      Colour colour;
      out.cells.push_back(Cell(in, row, &colour));
      out.colours.push_back(colour);
    }
  }
}

bool IsText(const TextColumn& column) { return column.type == Type::kString || column.type == Type::kMixed; }

// The least that a column is shown with. The message is what people read, so it keeps more.
size_t LeastWidth(const TextColumn& column) {
  if (!IsText(column)) return column.width;
  return std::min(column.width, column.name == "message" ? kLeastMessageColumns : kLeastColumns);
}

// Makes the lines fit: columns that find no room even at their least width are taken out from the right (never the
// message), then the texts share what is left. Returns the names of what was taken out.
std::vector<std::string> Fit(std::vector<TextColumn>* columns, size_t width) {
  std::vector<std::string> hidden;
  size_t natural = 0;
  for (const TextColumn& column : *columns) natural += column.width + 2;
  if (width == 0 || natural <= width + 2) return hidden;

  size_t used = 0;
  for (const TextColumn& column : *columns) {
    if (column.name == "message") used += LeastWidth(column) + 2;
  }
  std::vector<TextColumn> kept;
  for (TextColumn& column : *columns) {
    const size_t least = LeastWidth(column) + 2;
    const bool message = column.name == "message";
    if (!message && !kept.empty() && used + least > width + 2) {
      hidden.push_back(column.name);
      continue;
    }
    if (!message) used += least;
    kept.push_back(std::move(column));
  }
  // Texts start from their least width and grow, the message first.
  size_t room = width + 2 > used ? width + 2 - used : 0;
  for (const bool message : {true, false}) {
    for (TextColumn& column : kept) {
      if (!IsText(column) || (column.name == "message") != message) continue;
      const size_t least = LeastWidth(column);
      const size_t more = std::min(room, column.width - least);
      column.width = least + more;
      room -= more;
    }
  }
  *columns = std::move(kept);
  return hidden;
}

std::string Padded(const std::string& text, size_t width, bool right, Colour colour, bool paint) {
  const size_t used = DisplayWidth(text);
  const std::string space(used < width ? width - used : 0, ' ');
  return right ? space + Paint(text, colour, paint) : Paint(text, colour, paint) + space;
}

}  // namespace

absl::StatusOr<std::string> FormatTable(ResultReader* result, const TableStyle& style) {
  std::vector<TextColumn> columns;
  size_t rows = 0;
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, result->Next(&batch));
    if (!more) break;
    Append(batch, result->columns(), &columns);
    rows += batch.num_rows;
  }
  std::erase_if(columns, [&style](const TextColumn& column) {
    return !style.keep_empty &&
           std::all_of(column.cells.begin(), column.cells.end(), [](const std::string& cell) { return cell.empty(); });
  });
  for (TextColumn& column : columns) {
    column.right = IsNumber(column.type);
    column.name = Printable(column.name);
    column.width = DisplayWidth(column.name);
    for (const std::string& cell : column.cells) column.width = std::max(column.width, DisplayWidth(cell));
  }
  const std::vector<std::string> hidden = Fit(&columns, static_cast<size_t>(style.width));

  std::string out;
  const auto end_line = [&out] {
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  const ResultSummary& summary = result->summary();
  if (!summary.explain.empty()) {
    // The rows are the plan's lines, for clients that know only rows.
    out += summary.explain + (summary.explain.back() == '\n' ? "" : "\n");
  } else if (rows == 0) {
    out += Paint("(no rows)", Colour::kDim, style.colour) + "\n";
  } else {
    for (const TextColumn& column : columns) {
      out += Padded(Shorten(column.name, column.width), column.width, column.right, Colour::kBold, style.colour) + "  ";
    }
    end_line();
    for (size_t row = 0; row < rows; ++row) {
      for (const TextColumn& column : columns) {
        out += Padded(Shorten(column.cells[row], column.width), column.width, column.right, column.colours[row],
                      style.colour) +
               "  ";
      }
      end_line();
    }
  }
  if (!hidden.empty() && rows > 0 && summary.explain.empty()) {
    std::string names;
    for (const std::string& name : hidden) names += (names.empty() ? "" : ", ") + name;
    out += Paint("no room for " + std::to_string(hidden.size()) + " columns (choose with | keep ...): " + names,
                 Colour::kDim, style.colour) +
           "\n";
  }
  for (const Note& note : summary.notes) {
    out += Paint("note (" + note.kind + "): ", Colour::kYellow, style.colour) + Printable(note.text) + "\n";
  }
  return out;
}

}  // namespace braid
