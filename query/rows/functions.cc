#include "query/rows/functions.h"

#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "query/rows/expression_nodes.h"
#include "query/rows/row_function.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

absl::Status WrongCount(std::string_view name, std::string_view wanted) {
  return absl::InvalidArgumentError(std::string(name) + "() takes " + std::string(wanted));
}

// ---- numbers

Type NumericResult(Type type, bool keeps) {
  if (type == Type::kMixed || type == Type::kString) return Type::kMixed;
  if (keeps && (type == Type::kInt || type == Type::kDuration)) return type;
  return type == Type::kInt || type == Type::kDouble || type == Type::kDuration ? Type::kDouble : Type::kNull;
}

using MathFunction = double (*)(double);

FunctionPtr MakeMath(RowExpressionPtr operand, MathFunction function, bool keeps) {
  const Type type = NumericResult(operand->type(), keeps);
  return std::make_shared<PerCell>(std::move(operand), type, [function, keeps](const CellView& cell, Output* out) {
    if (keeps && cell.type == Type::kInt) {
      out->AppendInt(Type::kInt,
                     function == static_cast<MathFunction>(std::fabs) && cell.integer < 0 && cell.integer != INT64_MIN
                         ? -cell.integer
                         : cell.integer);
      return;
    }
    const auto number = NumberOf(cell);
    if (!number || cell.type == Type::kTimestamp) {
      out->AppendNull();
      return;
    }
    const double value = function(*number);
    if (keeps && cell.type == Type::kDuration) {
      if (function == static_cast<MathFunction>(std::fabs)) {
        out->AppendInt(Type::kDuration, cell.integer < 0 && cell.integer != INT64_MIN ? -cell.integer : cell.integer);
      } else {
        // Whole seconds of an int64 of nanoseconds fit, but for the very ends of the range.
        const double clamped = std::clamp(value, -9.2e9, 9.2e9);
        out->AppendInt(Type::kDuration, static_cast<int64_t>(clamped) * kSecond);
      }
      return;
    }
    out->AppendDouble(value);
  });
}

int64_t FloorTo(int64_t value, int64_t size) {
  int64_t rest = value % size;
  if (rest < 0) rest += size;
  int64_t floor = 0;
  return __builtin_sub_overflow(value, rest, &floor) ? value : floor;
}

absl::StatusOr<FunctionPtr> MakeBucket(Arguments arguments) {
  if (arguments.size() != 2) return WrongCount("bucket", "a value and a size");
  const Column* size = ConstantOf(arguments[1]);
  const auto number = size == nullptr ? std::nullopt : NumberOf(CellAt(*size, 0));
  if (!number || !(*number > 0)) return absl::InvalidArgumentError("bucket() needs a constant size above 0");
  const CellView size_cell = CellAt(*size, 0);
  const double width = *number;
  const int64_t width_ns = size_cell.type == Type::kDuration
                               ? size_cell.integer
                               : static_cast<int64_t>(std::clamp(width * 1e9, 1.0, 9.2e18));
  const bool whole = size_cell.type == Type::kInt;
  const int64_t width_int = whole ? size_cell.integer : 1;
  const Type type = arguments[0]->type() == Type::kInt && !whole ? Type::kDouble : arguments[0]->type();
  return std::make_shared<PerCell>(std::move(arguments[0]), type, [=](const CellView& cell, Output* out) {
    if (cell.type == Type::kTimestamp || cell.type == Type::kDuration) {
      out->AppendInt(cell.type, FloorTo(cell.integer, width_ns));
    } else if (cell.type == Type::kInt && whole) {
      out->AppendInt(Type::kInt, FloorTo(cell.integer, width_int));
    } else if (const auto value = NumberOf(cell)) {
      out->AppendDouble(std::floor(*value / width) * width);
    } else {
      out->AppendNull();
    }
  });
}

FunctionPtr MakeHour(RowExpressionPtr operand) {
  return std::make_shared<PerCell>(std::move(operand), Type::kInt, [](const CellView& cell, Output* out) {
    const auto seconds = cell.type == Type::kString ? std::nullopt : NumberOf(cell);
    if (!seconds || !(std::fabs(*seconds) < 9.2e18)) {
      out->AppendNull();
      return;
    }
    const auto whole = cell.type == Type::kTimestamp ? FloorTo(cell.integer, kSecond) / kSecond
                                                     : static_cast<int64_t>(std::floor(*seconds));
    out->AppendInt(Type::kInt, (whole % 86400 + 86400) % 86400 / 3600);
  });
}

// ---- texts

template <typename Change>
FunctionPtr MakeTextChange(RowExpressionPtr operand, Change change) {
  return std::make_shared<PerCell>(std::move(operand), Type::kString, [change](const CellView& cell, Output* out) {
    if (cell.null()) {
      out->AppendNull();
      return;
    }
    std::string storage;
    out->AppendString(change(TextOf(cell, &storage)));
  });
}

std::string ChangeCase(std::string_view text, bool upper) {
  std::string out(text);
  for (char& c : out) {
    if (upper ? (c >= 'a' && c <= 'z') : (c >= 'A' && c <= 'Z')) c = static_cast<char>(c ^ 0x20);
  }
  return out;
}

int64_t CountCharacters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

FunctionPtr MakeLen(RowExpressionPtr operand) {
  return std::make_shared<PerCell>(std::move(operand), Type::kInt, [](const CellView& cell, Output* out) {
    std::string storage;
    if (cell.null()) {
      out->AppendNull();
    } else {
      out->AppendInt(Type::kInt, CountCharacters(TextOf(cell, &storage)));
    }
  });
}

absl::StatusOr<std::string> ConstantText(const RowExpressionPtr& argument, std::string_view function,
                                         std::string_view what) {
  const Column* constant = ConstantOf(argument);
  if (constant == nullptr || constant->type != Type::kString) {
    return absl::InvalidArgumentError(std::string(function) + "() needs a text in quotes as its " + std::string(what));
  }
  return std::string(constant->StringAt(0));
}

absl::StatusOr<std::shared_ptr<const RE2>> CompileRegex(const std::string& pattern) {
  RE2::Options options;
  options.set_dot_nl(true);
  options.set_log_errors(false);
  auto regex = std::make_shared<const RE2>(pattern, options);
  if (!regex->ok()) return absl::InvalidArgumentError("bad regular expression: " + regex->error());
  return regex;
}

absl::StatusOr<FunctionPtr> MakeContains(Arguments arguments) {
  if (arguments.size() != 2) return WrongCount("contains", "a text and the part to look for");
  if (const Column* part = ConstantOf(arguments[1]); part != nullptr && part->type == Type::kString) {
    return std::make_shared<PerCell>(std::move(arguments[0]), Type::kBool,
                                     [part = std::string(part->StringAt(0))](const CellView& cell, Output* out) {
                                       std::string storage;
                                       const bool found =
                                           !cell.null() && TextOf(cell, &storage).find(part) != std::string_view::npos;
                                       out->AppendInt(Type::kBool, found ? 1 : 0);
                                     });
  }
  return std::make_shared<PerRow>(
      std::move(arguments), Type::kBool, [](const std::vector<Column>& columns, size_t row, Output* out) {
        const CellView text = CellAt(columns[0], row);
        const CellView part = CellAt(columns[1], row);
        std::string a;
        std::string b;
        const bool found =
            !text.null() && !part.null() && TextOf(text, &a).find(TextOf(part, &b)) != std::string_view::npos;
        out->AppendInt(Type::kBool, found ? 1 : 0);
      });
}

size_t CharacterAt(std::string_view text, size_t at) {
  size_t size = 1;
  while (at + size < text.size() && (static_cast<unsigned char>(text[at + size]) & 0xc0) == 0x80) ++size;
  return size;
}

// RE2::GlobalReplace that stops once the result is longer than `size_max`; false then.
bool ReplaceAll(const RE2& regex, const std::string& with, std::string_view text, uint64_t size_max,
                std::string* result) {
  constexpr int kGroupsMax = 10;  // \0 ... \9
  re2::StringPiece groups[kGroupsMax];
  const int wanted = 1 + RE2::MaxSubmatch(with);
  const re2::StringPiece whole(text.data(), text.size());
  size_t at = 0;
  size_t last_end = std::string_view::npos;
  while (at <= text.size() && regex.Match(whole, at, text.size(), RE2::UNANCHORED, groups, wanted)) {
    const auto begin = static_cast<size_t>(groups[0].data() - text.data());
    result->append(text.substr(at, begin - at));
    at = begin;
    if (groups[0].empty() && begin == last_end) {
      // No empty match right behind another match: go on behind the next character.
      if (at == text.size()) break;
      const size_t size = CharacterAt(text, at);
      result->append(text.substr(at, size));
      at += size;
      continue;
    }
    regex.Rewrite(result, with, groups, wanted);
    at = last_end = begin + groups[0].size();
    if (result->size() > size_max) return false;
  }
  if (at < text.size()) result->append(text.substr(at));
  return result->size() <= size_max;
}

absl::StatusOr<FunctionPtr> MakeReplace(Arguments arguments) {
  if (arguments.size() != 3) return WrongCount("replace", "a text, a regular expression and the replacement");
  ASSIGN_OR_RETURN(const std::string pattern, ConstantText(arguments[1], "replace", "regular expression"));
  ASSIGN_OR_RETURN(const std::string with, ConstantText(arguments[2], "replace", "replacement"));
  ASSIGN_OR_RETURN(const std::shared_ptr<const RE2> regex, CompileRegex(pattern));
  std::string problem;
  if (!regex->CheckRewriteString(with, &problem)) return absl::InvalidArgumentError("bad replacement: " + problem);
  return std::make_shared<PerCell>(
      std::move(arguments[0]), Type::kString, [regex, with](const CellView& cell, Output* out) {
        std::string storage;
        std::string replaced;
        if (cell.null()) {
          out->AppendNull();
        } else if (ReplaceAll(*regex, with, TextOf(cell, &storage), out->room(), &replaced)) {
          out->AppendString(replaced);
        } else {
          out->Overflow();
        }
      });
}

absl::StatusOr<FunctionPtr> MakeExtract(Arguments arguments) {
  if (arguments.size() != 2) return WrongCount("extract", "a text and a regular expression");
  ASSIGN_OR_RETURN(const std::string pattern, ConstantText(arguments[1], "extract", "regular expression"));
  ASSIGN_OR_RETURN(const std::shared_ptr<const RE2> regex, CompileRegex(pattern));
  const int group = regex->NumberOfCapturingGroups() > 0 ? 1 : 0;
  return std::make_shared<PerCell>(std::move(arguments[0]), Type::kString,
                                   [regex, group](const CellView& cell, Output* out) {
                                     std::string storage;
                                     const std::string_view text = TextOf(cell, &storage);
                                     re2::StringPiece found[2];
                                     if (cell.null() ||
                                         !regex->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                                                       RE2::UNANCHORED, found, group + 1) ||
                                         found[group].data() == nullptr) {
                                       out->AppendNull();
                                       return;
                                     }
                                     out->AppendString(std::string_view(found[group].data(), found[group].size()));
                                   });
}

// ---- choices

Type CommonType(const Arguments& arguments, size_t first) {
  Type common = Type::kNull;
  for (size_t i = first; i < arguments.size(); ++i) {
    const Type type = arguments[i]->type();
    if (type == Type::kNull || type == common) continue;
    if (common != Type::kNull) return Type::kMixed;
    common = type;
  }
  return common;
}

absl::StatusOr<FunctionPtr> MakeCoalesce(Arguments arguments) {
  if (arguments.empty()) return WrongCount("coalesce", "at least one value");
  const Type type = CommonType(arguments, 0);
  return std::make_shared<PerRow>(std::move(arguments), type,
                                  [](const std::vector<Column>& columns, size_t row, Output* out) {
                                    for (const Column& column : columns) {
                                      if (!column.IsNull(row) && !CellAt(column, row).null()) {
                                        out->AppendFrom(column, row);
                                        return;
                                      }
                                    }
                                    out->AppendNull();
                                  });
}

absl::StatusOr<FunctionPtr> MakeIf(Arguments arguments) {
  if (arguments.size() != 2 && arguments.size() != 3) return WrongCount("if", "a condition, a value and another value");
  const Type type = CommonType(arguments, 1);
  return std::make_shared<PerRow>(std::move(arguments), type,
                                  [](const std::vector<Column>& columns, size_t row, Output* out) {
                                    const bool holds = IsTrue(columns[0], row);
                                    if (!holds && columns.size() < 3) {
                                      out->AppendNull();
                                    } else {
                                      out->AppendFrom(columns[holds ? 1 : 2], row);
                                    }
                                  });
}

// ---- the table

struct Unary {
  const char* name;
  FunctionPtr (*make)(RowExpressionPtr operand);
};

double Round(double value) { return std::floor(value + 0.5); }  // halves go up, as PromQL's round

constexpr Unary kUnary[] = {
    {"abs", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::fabs, true); }},
    {"ceil", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::ceil, true); }},
    {"exp", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::exp, false); }},
    {"floor", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::floor, true); }},
    {"hour", [](RowExpressionPtr x) { return MakeHour(std::move(x)); }},
    {"len", [](RowExpressionPtr x) { return MakeLen(std::move(x)); }},
    {"ln", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::log, false); }},
    {"lower",
     [](RowExpressionPtr x) {
       return MakeTextChange(std::move(x), [](std::string_view text) { return ChangeCase(text, false); });
     }},
    {"pattern", [](RowExpressionPtr x) { return MakeTextChange(std::move(x), PatternOf); }},
    {"round", [](RowExpressionPtr x) { return MakeMath(std::move(x), Round, true); }},
    {"sqrt", [](RowExpressionPtr x) { return MakeMath(std::move(x), std::sqrt, false); }},
    {"upper",
     [](RowExpressionPtr x) {
       return MakeTextChange(std::move(x), [](std::string_view text) { return ChangeCase(text, true); });
     }},
};

struct Several {
  const char* name;
  absl::StatusOr<FunctionPtr> (*make)(Arguments arguments);
};
constexpr Several kSeveral[] = {
    {"bucket", MakeBucket}, {"coalesce", MakeCoalesce}, {"contains", MakeContains}, {"extract", MakeExtract},
    {"if", MakeIf},         {"replace", MakeReplace},
};

}  // namespace

bool IsRowFunction(std::string_view name) {
  const auto is_it = [name](const auto& entry) { return entry.name == name; };
  return std::any_of(std::begin(kUnary), std::end(kUnary), is_it) ||
         std::any_of(std::begin(kSeveral), std::end(kSeveral), is_it);
}

absl::StatusOr<RowExpressionPtr> MakeFunction(std::string_view name, std::vector<RowExpressionPtr> arguments,
                                              QueryContext* context) {
  for (const Unary& entry : kUnary) {
    if (entry.name != name) continue;
    if (arguments.size() != 1) return WrongCount(name, "one value");
    FunctionPtr made = entry.make(std::move(arguments[0]));
    made->Watch(context, entry.name);
    return made;
  }
  for (const Several& entry : kSeveral) {
    if (entry.name != name) continue;
    ASSIGN_OR_RETURN(const FunctionPtr made, entry.make(std::move(arguments)));
    made->Watch(context, entry.name);
    return made;
  }
  return absl::InvalidArgumentError("unknown function " + std::string(name) + "()");
}

}  // namespace braid
