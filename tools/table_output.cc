#include "tools/table_output.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/status_macros.h"
#include "tools/terminal.h"

namespace braid {
namespace {

// Below this a text column is not squeezed further.
constexpr size_t kLeastColumns = 12;

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
    case Type::kTimestamp: return ReadableTime(column.ints[row]);
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

// Narrows the widest texts, one step at a time, until the line fits.
void Fit(std::vector<TextColumn>* columns, size_t width) {
  if (width == 0) return;
  const auto total = [&] {
    size_t sum = 0;
    for (const TextColumn& column : *columns) sum += column.width + 2;
    return sum;
  };
  while (total() > width + 2) {
    auto widest = std::max_element(columns->begin(), columns->end(), [](const TextColumn& a, const TextColumn& b) {
      const auto squeezable = [](const TextColumn& c) { return c.type == Type::kString || c.type == Type::kMixed ? c.width : 0; };
      return squeezable(a) < squeezable(b);
    });
    if (widest->width <= kLeastColumns || (widest->type != Type::kString && widest->type != Type::kMixed)) return;
    --widest->width;
  }
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
  std::erase_if(columns, [](const TextColumn& column) {
    return std::all_of(column.cells.begin(), column.cells.end(), [](const std::string& cell) { return cell.empty(); });
  });
  for (TextColumn& column : columns) {
    column.right = IsNumber(column.type);
    column.name = Printable(column.name);
    column.width = DisplayWidth(column.name);
    for (const std::string& cell : column.cells) column.width = std::max(column.width, DisplayWidth(cell));
  }
  Fit(&columns, static_cast<size_t>(style.width));

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
        out += Padded(Shorten(column.cells[row], column.width), column.width, column.right, column.colours[row], style.colour) + "  ";
      }
      end_line();
    }
  }
  for (const Note& note : summary.notes) {
    out += Paint("note (" + note.kind + "): ", Colour::kYellow, style.colour) + Printable(note.text) + "\n";
  }
  return out;
}

}  // namespace braid
