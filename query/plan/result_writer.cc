#include "query/plan/result_writer.h"

#include <charconv>
#include <cmath>

#include "query/rows/cells.h"
#include "query/syntax/status_macros.h"

namespace braid {
namespace {

// Text is handed on in pieces of about this size.
constexpr size_t kPieceBytes = 1 << 16;

// Length of the UTF-8 sequence at `at`, 0 if the bytes there are none.
size_t SequenceAt(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  size_t length = 0;
  uint32_t code = 0;
  uint32_t least = 0;
  if (first < 0x80) return 1;
  if ((first & 0xe0) == 0xc0) {
    length = 2, code = first & 0x1fU, least = 0x80;
  } else if ((first & 0xf0) == 0xe0) {
    length = 3, code = first & 0x0fU, least = 0x800;
  } else if ((first & 0xf8) == 0xf0) {
    length = 4, code = first & 0x07U, least = 0x10000;
  }
  if (length == 0 || at + length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3fU);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < least || code > 0x10ffff || surrogate ? 0 : length;
}

void AppendNumber(double value, std::string* out) {
  if (std::isnan(value)) {
    *out += "\"NaN\"";
  } else if (std::isinf(value)) {
    *out += value > 0 ? "\"+Inf\"" : "\"-Inf\"";
  } else {
    char buffer[40];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    out->append(buffer, end);
  }
}

void AppendHistogram(const Histogram& histogram, std::string* out) {
  *out += "{\"schema\":" + std::to_string(histogram.schema) + ",\"count\":";
  AppendNumber(histogram.count, out);
  *out += ",\"sum\":";
  AppendNumber(histogram.sum, out);
  *out += ",\"zero_threshold\":";
  AppendNumber(histogram.zero_threshold, out);
  *out += ",\"zero_count\":";
  AppendNumber(histogram.zero_count, out);
  const auto buckets = [out](const char* name, const std::vector<Histogram::Bucket>& list) {
    if (list.empty()) return;
    *out += std::string(",\"") + name + "\":[";
    for (size_t i = 0; i < list.size(); ++i) {
      *out += (i == 0 ? "[" : ",[") + std::to_string(list[i].index) + ",";
      AppendNumber(list[i].count, out);
      *out += "]";
    }
    *out += "]";
  };
  buckets("positive", histogram.positive);
  buckets("negative", histogram.negative);
  if (!histogram.custom_bounds.empty()) {
    *out += ",\"custom_bounds\":[";
    for (size_t i = 0; i < histogram.custom_bounds.size(); ++i) {
      if (i > 0) *out += ",";
      AppendNumber(histogram.custom_bounds[i], out);
    }
    *out += "]";
  }
  *out += "}";
}

// JSON with every character beyond ASCII written as an escape. REQUIRES: valid UTF-8, as AppendJsonString makes it.
std::string AsciiJson(std::string_view json) {
  std::string out;
  for (size_t i = 0; i < json.size();) {
    const auto lead = static_cast<unsigned char>(json[i]);
    if (lead < 0x80) {
      out += json[i++];
      continue;
    }
    const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    uint32_t point = lead & (0xffu >> (length + 1));
    for (size_t k = 1; k < length && i + k < json.size(); ++k) {
      point = (point << 6) | (static_cast<unsigned char>(json[i + k]) & 0x3f);
    }
    char escape[16];
    if (point >= 0x10000) {
      point -= 0x10000;
      std::snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd800 + (point >> 10), 0xdc00 + (point & 0x3ff));
    } else {
      std::snprintf(escape, sizeof escape, "\\u%04x", point);
    }
    out += escape;
    i += length;
  }
  return out;
}

class Pieces {
 public:
  explicit Pieces(const TextSink& sink) : sink_(sink) {}
  std::string* text() { return &text_; }
  absl::Status FlushIfLarge() { return text_.size() < kPieceBytes ? absl::OkStatus() : Flush(); }
  absl::Status Flush() {
    if (text_.empty()) return absl::OkStatus();
    absl::Status status = sink_(text_);
    text_.clear();
    return status;
  }

 private:
  const TextSink& sink_;
  std::string text_;
};

void AppendSummary(const ResultReader& reader, std::string* out) {
  const ResultSummary& summary = reader.summary();
  *out += ",\"columns\":[";
  bool comma = false;
  for (const ResultColumn& column : reader.columns()) {
    *out += comma ? ",{\"name\":" : "{\"name\":";
    comma = true;
    AppendJsonString(column.name, out);
    *out += ",\"type\":\"" + std::string(ToString(column.type)) + "\"}";
  }
  *out += "],\"notes\":[";
  comma = false;
  for (const Note& note : summary.notes) {
    *out += comma ? ",{\"kind\":" : "{\"kind\":";
    comma = true;
    AppendJsonString(note.kind, out);
    *out += ",\"text\":";
    AppendJsonString(note.text, out);
    *out += "}";
  }
  *out += "],\"stages\":[";
  comma = false;
  for (const StageReport& stage : summary.stages) {
    *out += comma ? ",{\"text\":" : "{\"text\":";
    comma = true;
    AppendJsonString(stage.text, out);
    *out += ",\"rows_in\":" + std::to_string(stage.rows_in) + ",\"rows_out\":" + std::to_string(stage.rows_out) +
            ",\"bytes\":" + std::to_string(stage.bytes) + ",\"time_ns\":" + std::to_string(stage.time) + "}";
  }
  *out += summary.truncated ? "],\"truncated\":true" : "],\"truncated\":false";
}

template <typename Write>
absl::StatusOr<std::string> Collect(ResultReader* reader, Write write) {
  std::string all;
  RETURN_IF_ERROR(write(reader, [&all](std::string_view piece) {
    all += piece;
    return absl::OkStatus();
  }));
  return all;
}

void AppendCsvField(std::string_view text, std::string* out) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    *out += text;
    return;
  }
  *out += '"';
  for (const char c : text) {
    if (c == '"') *out += '"';
    *out += c;
  }
  *out += '"';
}

}  // namespace

void AppendJsonString(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  *out += '"';
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    switch (c) {
      case '"': *out += "\\\""; break;
      case '\\': *out += "\\\\"; break;
      case '\n': *out += "\\n"; break;
      case '\r': *out += "\\r"; break;
      case '\t': *out += "\\t"; break;
      default: {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          *out += "\\u00";
          *out += kHex[static_cast<unsigned char>(c) >> 4];
          *out += kHex[c & 0xf];
          break;
        }
        const size_t length = SequenceAt(text, at);
        if (length == 0) {
          *out += "\xef\xbf\xbd";
          break;
        }
        out->append(text.substr(at, length));
        at += length;
        continue;
      }
    }
    ++at;
  }
  *out += '"';
}

void AppendJsonValue(const Column& column, size_t row, std::string* out) {
  const CellView cell = CellAt(column, row);
  switch (cell.type) {
    case Type::kNull:
    case Type::kMixed: *out += "null"; return;
    case Type::kBool: *out += cell.integer != 0 ? "true" : "false"; return;
    case Type::kInt:
    case Type::kDuration: *out += std::to_string(cell.integer); return;
    case Type::kDouble: AppendNumber(cell.number, out); return;
    case Type::kString: AppendJsonString(cell.text, out); return;
    case Type::kHistogram: AppendHistogram(*cell.histogram, out); return;
    default: {
      // Ids, times and the words of enums need no escapes.
      std::string storage;
      *out += '"';
      *out += TextOf(cell, &storage);
      *out += '"';
    }
  }
}

std::string PlainValue(const Column& column, size_t row) {
  const CellView cell = CellAt(column, row);
  if (cell.type == Type::kDuration) return std::to_string(cell.integer);
  std::string storage;
  if (cell.type == Type::kHistogram) {
    AppendHistogram(*cell.histogram, &storage);
    return storage;
  }
  return std::string(TextOf(cell, &storage));
}

absl::Status WriteJson(ResultReader* reader, const TextSink& sink) {
  Pieces pieces(sink);
  std::string* out = pieces.text();
  *out += "{\"kind\":\"" + std::string(ToString(reader->kind())) + "\",\"rows\":[";
  bool comma = false;
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&batch));
    if (!more) break;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      *out += comma ? ",[" : "[";
      comma = true;
      for (size_t i = 0; i < batch.columns.size(); ++i) {
        if (i > 0) *out += ',';
        AppendJsonValue(batch.columns[i], row, out);
      }
      *out += ']';
      RETURN_IF_ERROR(pieces.FlushIfLarge());
    }
  }
  *out += "]";
  AppendSummary(*reader, out);
  if (!reader->summary().explain.empty()) {
    *out += ",\"explain\":";
    AppendJsonString(reader->summary().explain, out);
  }
  *out += "}";
  return pieces.Flush();
}

absl::Status WriteNdjson(ResultReader* reader, const TextSink& sink) {
  Pieces pieces(sink);
  std::string* out = pieces.text();
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&batch));
    if (!more) break;
    const std::vector<ResultColumn>& columns = reader->columns();
    for (size_t row = 0; row < batch.num_rows; ++row) {
      *out += '{';
      bool comma = false;
      for (size_t i = 0; i < batch.columns.size(); ++i) {
        if (CellAt(batch.columns[i], row).null()) continue;
        if (comma) *out += ',';
        comma = true;
        AppendJsonString(columns[i].name, out);
        *out += ':';
        AppendJsonValue(batch.columns[i], row, out);
      }
      *out += "}\n";
      RETURN_IF_ERROR(pieces.FlushIfLarge());
    }
  }
  return pieces.Flush();
}

absl::Status WriteCsv(ResultReader* reader, const TextSink& sink) {
  Pieces pieces(sink);
  std::string* out = pieces.text();
  bool comma = false;
  for (const ResultColumn& column : reader->columns()) {
    if (comma) *out += ',';
    comma = true;
    AppendCsvField(column.name, out);
  }
  *out += '\n';
  RecordBatch batch;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&batch));
    if (!more) break;
    for (size_t row = 0; row < batch.num_rows; ++row) {
      for (size_t i = 0; i < batch.columns.size(); ++i) {
        if (i > 0) *out += ',';
        AppendCsvField(PlainValue(batch.columns[i], row), out);
      }
      *out += '\n';
      RETURN_IF_ERROR(pieces.FlushIfLarge());
    }
  }
  return pieces.Flush();
}

std::string NotesHeader(const std::vector<Note>& notes) {
  constexpr size_t kHeaderBytes = 4000;
  std::string out;
  for (size_t i = 0; i < notes.size(); ++i) {
    std::string one = "{\"kind\":";
    AppendJsonString(notes[i].kind, &one);
    one += ",\"text\":";
    AppendJsonString(notes[i].text, &one);
    one = AsciiJson(one + "}");
    if (out.size() + one.size() > kHeaderBytes) {
      one = "{\"kind\":\"cut\",\"text\":\"" + std::to_string(notes.size() - i) + " more notes; JSON has all\"}";
      i = notes.size();
    }
    out += (out.empty() ? "[" : ",") + one;
  }
  return out.empty() ? out : out + "]";
}

absl::StatusOr<std::string> ToJson(ResultReader* reader) { return Collect(reader, WriteJson); }
absl::StatusOr<std::string> ToNdjson(ResultReader* reader) { return Collect(reader, WriteNdjson); }
absl::StatusOr<std::string> ToCsv(ResultReader* reader) { return Collect(reader, WriteCsv); }

std::string ErrorToJson(const QueryError& error) {
  std::string out = "{\"code\":";
  AppendJsonString(error.code, &out);
  out += ",\"message\":";
  AppendJsonString(error.message, &out);
  out += ",\"line\":" + std::to_string(error.line) + ",\"column\":" + std::to_string(error.column) +
         ",\"length\":" + std::to_string(error.length) + ",\"hint\":";
  AppendJsonString(error.hint, &out);
  return out + "}";
}

}  // namespace braid
