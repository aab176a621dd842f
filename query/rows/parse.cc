// The parsing stages: what line_parser.h finds in a row becomes columns.
#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "engine/memory/hash_map.h"
#include "query/rows/cells.h"
#include "query/rows/column_concat.h"
#include "query/rows/line_parser.h"
#include "query/rows/operators.h"
#include "query/rows/reservation.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

constexpr std::string_view kErrorColumn = "parse_error";

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

class ParseOperator : public Operator {
 public:
  ParseOperator(OperatorPtr input, ParseSpec spec, std::unique_ptr<LineParser> parser, QueryContext* context)
      : input_(std::move(input)),
        spec_(std::move(spec)),
        parser_(std::move(parser)),
        context_(context),
        reservation_(context, "parse"),
        message_(input_->schema().Find("message")) {}

  // The columns are these and no others.
  void FixNames(const std::vector<std::string>& names) {
    fixed_ = names;
    for (const std::string& name : names) AddName(name);
    FixSchema();
  }

  // Reads everything to learn the names.
  absl::Status ReadAll() {
    open_ = true;
    while (true) {
      RecordBatch batch;
      ASSIGN_OR_RETURN(const bool more, Parse(&batch));
      if (!more) break;
      if (batch.num_rows == 0) continue;
      RETURN_IF_ERROR(reservation_.Add(ApproximateBytes(batch)));
      parsed_.push_back(std::move(batch));
    }
    open_ = false;
    read_all_ = true;
    std::reverse(parsed_.begin(), parsed_.end());  // given out from the back
    if (left_out_) {
      context_->AddNote("cut", "parsing met more than " + std::to_string(kParsedColumnsMax) +
                                   " different names; further ones are left out");
    }
    FixSchema();
    return absl::OkStatus();
  }

  const Schema& schema() const override { return schema_; }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    RETURN_IF_ERROR(context_->CheckAlive());
    RecordBatch rows;
    if (read_all_) {
      if (parsed_.empty()) return false;
      rows = std::move(parsed_.back());
      parsed_.pop_back();
    } else {
      ASSIGN_OR_RETURN(const bool more, Parse(&rows));
      if (!more) return false;
    }
    Arrange(std::move(rows), batch);
    return true;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    if (read_all_) return {};
    std::vector<OperatorPtr> split = input_->Split(parts);
    for (OperatorPtr& part : split) {
      // A parser belongs to one thread; this one's pattern has been read before.
      auto parser = MakeLineParser(spec_.format, spec_.pattern);
      auto parse = std::make_unique<ParseOperator>(std::move(part), spec_, *std::move(parser), context_);
      parse->FixNames(fixed_);
      part = std::move(parse);
    }
    return split;
  }
  uint64_t place() const override { return input_->place(); }

 private:
  // The input's columns, then those parsed by order of names_, then the errors.
  absl::StatusOr<bool> Parse(RecordBatch* batch) {
    RETURN_IF_ERROR(context_->CheckAlive());
    ASSIGN_OR_RETURN(const bool more, input_->Next(batch));
    if (!more || batch->num_rows == 0) return more;
    const size_t rows = batch->num_rows;
    Column texts;
    if (spec_.from != nullptr) {
      ASSIGN_OR_RETURN(texts, spec_.from->Evaluate(*batch));
    } else if (message_ >= 0) {
      texts = batch->columns[static_cast<size_t>(message_)];
    }
    std::vector<ColumnBuilder> builders(names_.size());
    ColumnBuilder errors(Type::kString);
    std::string storage;
    for (size_t row = 0; row < rows; ++row) {
      // A pattern may take long for each line.
      if (row % 256 == 255) RETURN_IF_ERROR(context_->CheckAlive());
      std::string_view error = "nothing to parse";
      fields_.clear();
      if (texts.type != Type::kNull && !texts.IsNull(row)) {
        error = parser_->Parse(TextOf(CellAt(texts, row), &storage), &fields_);
      }
      if (!error.empty()) {
        errors.AppendString(error);
        continue;
      }
      errors.AppendNull();
      places_.clear();
      for (const ParsedField& field : fields_) places_.push_back(PlaceOf(field.name));
      builders.resize(names_.size());
      // From the back, so that the last of equal names is the one that stays.
      for (size_t i = fields_.size(); i-- > 0;) {
        if (places_[i] == kNowhere) continue;
        ColumnBuilder& builder = builders[places_[i]];
        if (builder.size() > row) continue;
        while (builder.size() < row) builder.AppendNull();
        builder.AppendValue(fields_[i].value);
      }
    }
    for (ColumnBuilder& builder : builders) {
      while (builder.size() < rows) builder.AppendNull();
      batch->columns.push_back(builder.Finish());
    }
    error_columns_.push_back(errors.Finish());
    return true;
  }

  static constexpr size_t kNowhere = SIZE_MAX;

  size_t PlaceOf(std::string_view name) {
    if (const auto found = places_of_.find(name); found != places_of_.end()) return found->second;
    if (!open_) return kNowhere;
    return AddName(std::string(name));
  }

  size_t AddName(const std::string& name) {
    size_t place = kNowhere;
    const bool builtin = std::find(spec_.builtins.begin(), spec_.builtins.end(), name) != spec_.builtins.end();
    if (name.empty() || builtin || name == kErrorColumn) {
      // Known, but never written.
    } else if (places_of_.find(std::string_view(name)) != places_of_.end()) {
      return places_of_.find(std::string_view(name))->second;
    } else if (open_ && names_.size() >= kParsedColumnsMax) {
      left_out_ = true;
      return kNowhere;  // not remembered: names are without end here
    } else {
      place = names_.size();
      names_.push_back(name);
    }
    places_of_.try_emplace(name, place);
    return place;
  }

  void FixSchema() {
    schema_ = input_->schema();
    for (size_t i = 0; i < names_.size(); ++i) schema_ = WithColumn(std::move(schema_), names_[i], TypeOf(i));
    schema_ = WithColumn(std::move(schema_), std::string(kErrorColumn), Type::kString);
  }

  // What is known of a parsed column's type before it is given out.
  Type TypeOf(size_t name) const {
    const size_t place = input_->schema().columns.size() + name;
    if (!read_all_ || input_->schema().Find(names_[name]) >= 0) return Type::kMixed;
    Type type = Type::kNull;
    for (const RecordBatch& batch : parsed_) {
      if (place >= batch.columns.size() || batch.columns[place].type == Type::kNull) continue;
      if (type != Type::kNull && type != batch.columns[place].type) return Type::kMixed;
      type = batch.columns[place].type;
    }
    return type;
  }

  void Arrange(RecordBatch rows, RecordBatch* batch) {
    *batch = RecordBatch();
    batch->num_rows = rows.num_rows;
    if (rows.num_rows == 0) return;
    const size_t from_input = input_->schema().columns.size();
    batch->columns.resize(schema_.columns.size());
    for (size_t i = 0; i < from_input; ++i) batch->columns[i] = std::move(rows.columns[i]);
    for (size_t i = 0; i < names_.size(); ++i) {
      Column column;
      if (from_input + i < rows.columns.size()) {
        column = std::move(rows.columns[from_input + i]);
      } else {
        column.size = rows.num_rows;
      }
      const auto place = static_cast<size_t>(schema_.Find(names_[i]));
      batch->columns[place] = place < from_input ? Overlay(batch->columns[place], column) : std::move(column);
    }
    Column errors = std::move(error_columns_.front());
    error_columns_.pop_front();
    batch->columns[static_cast<size_t>(schema_.Find(kErrorColumn))] = std::move(errors);
  }

  static Column Overlay(const Column& old, const Column& parsed) {
    ColumnBuilder builder;
    for (size_t row = 0; row < old.size; ++row) builder.AppendFrom(parsed.IsNull(row) ? old : parsed, row);
    return builder.Finish();
  }

  OperatorPtr input_;
  ParseSpec spec_;
  std::unique_ptr<LineParser> parser_;
  QueryContext* context_;
  Reservation reservation_;
  int message_;
  Schema schema_;
  std::vector<std::string> fixed_;  // what FixNames was given
  std::vector<std::string> names_;
  HashMap<std::string, size_t, TextHash, std::equal_to<>> places_of_;
  bool open_ = false;  // names are still being learnt
  bool left_out_ = false;
  bool read_all_ = false;
  std::vector<RecordBatch> parsed_;
  std::deque<Column> error_columns_;  // of the batches not yet given out, in order
  std::vector<ParsedField> fields_;
  std::vector<size_t> places_;
};

}  // namespace

absl::StatusOr<OperatorPtr> MakeParse(OperatorPtr input, ParseSpec spec, QueryContext* context) {
  ASSIGN_OR_RETURN(std::unique_ptr<LineParser> parser, MakeLineParser(spec.format, spec.pattern));
  std::optional<std::vector<std::string>> names = spec.columns;
  if (!parser->names().empty()) {
    // All captures, in the order in which they are written, whoever reads them later.
    names = parser->names();
  }
  auto parse = std::make_unique<ParseOperator>(std::move(input), std::move(spec), std::move(parser), context);
  if (names) {
    parse->FixNames(*names);
  } else {
    RETURN_IF_ERROR(parse->ReadAll());
  }
  return OperatorPtr(std::move(parse));
}

}  // namespace braid
