#include "server/ingest/file_ingest.h"

#include <memory>
#include <optional>

#include "engine/base/status_macros.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/json_text.h"
#include "server/ingest/log_lines.h"
#include "server/ingest/otlp_json.h"
#include "server/ingest/prometheus_text.h"

namespace braid::ingest {
namespace {

constexpr size_t kReadBytes = size_t{256} << 10;
constexpr size_t kSniffBytes = size_t{16} << 10;

class Ingest {
 public:
  Ingest(const FileIngestOptions& options, const FileIngest::BatchSink& sink, const FileIngest::ErrorSink& errors)
      : options_(options), sink_(sink), errors_(errors) {
    log_sink_.set_batch(&batch_);
  }

  absl::StatusOr<FileIngestResult> Run(const FileIngest::Reader& reader) {
    std::string piece(kReadBytes, '\0');
    const auto take = [this](std::string_view text) { return Take(text); };
    std::unique_ptr<Decompressor> decompressor;
    while (true) {
      ASSIGN_OR_RETURN(const size_t size, reader(piece.data(), piece.size()));
      if (size == 0) break;
      const std::string_view input(piece.data(), size);
      if (decompressor == nullptr) {
        if (options_.decompress) result_.coding = SniffCoding(input);
        decompressor = Decompressor::Make(result_.coding);
      }
      RETURN_IF_ERROR(decompressor->Feed(input, take));
    }
    if (decompressor != nullptr) RETURN_IF_ERROR(decompressor->Finish());
    RETURN_IF_ERROR(End());
    return std::move(result_);
  }

 private:
  // Decompressed text: whole lines are parsed, the rest waits in carry_.
  absl::Status Take(std::string_view text) {
    result_.bytes += text.size();
    if (!started_) {
      carry_.append(text);
      if (carry_.size() < kSniffBytes) return absl::OkStatus();
      RETURN_IF_ERROR(Start());
      std::string head = std::move(carry_);
      carry_.clear();
      return TakeLines(head);
    }
    return TakeLines(text);
  }

  absl::Status TakeLines(std::string_view text) {
    if (document_) return TakeDocument(text);
    while (!text.empty()) {
      const size_t end = text.find('\n');
      if (end == std::string_view::npos) {
        Carry(text);
        return absl::OkStatus();
      }
      if (carry_.empty() && !overlong_) {
        RETURN_IF_ERROR(Line(text.substr(0, end)));
      } else {
        Carry(text.substr(0, end));
        RETURN_IF_ERROR(CarriedLine());
      }
      text.remove_prefix(end + 1);
    }
    return absl::OkStatus();
  }

  // A line that does not end is not collected beyond its limit.
  void Carry(std::string_view text) {
    const size_t limit = result_.format == FileFormat::kOtlpJson ? kJsonBytesMax : kLineBytesMax;
    if (overlong_ || carry_.size() + text.size() > limit) {
      overlong_ = true;
      carry_.clear();
    } else {
      carry_.append(text);
    }
  }

  absl::Status CarriedLine() {
    if (overlong_) {
      overlong_ = false;
      ++result_.lines;
      if (prometheus_) prometheus_->ParseLine("", &batch_, &report_);  // keeps its line count
      if (json_) json_->ParseLine("", &batch_, &report_);
      report_.RejectLine(result_.lines, "line is longer than is taken");
      return AfterLine();
    }
    const std::string line = std::move(carry_);
    carry_.clear();
    return Line(line);
  }

  // OTLP may also be one document over many lines; it is read whole, within the limit of a document.
  absl::Status TakeDocument(std::string_view text) {
    if (carry_.size() + text.size() > kJsonBytesMax) {
      return absl::ResourceExhaustedError("a JSON document of more than " + std::to_string(kJsonBytesMax >> 20) +
                                          " MiB; write one export request a line");
    }
    carry_.append(text);
    return absl::OkStatus();
  }

  absl::Status Start() {
    started_ = true;
    std::string_view head = carry_;
    if (head.starts_with(kByteOrderMark)) {
      carry_.erase(0, kByteOrderMark.size());
      head = carry_;
    }
    result_.format = options_.detect ? SniffFormat(head) : options_.format;
    const size_t zero = head.find('\0');
    if (options_.detect && result_.format == FileFormat::kPlainText && zero != std::string_view::npos) {
      return absl::FailedPreconditionError("byte " + std::to_string(zero) +
                                           " is zero: a binary file, or text in UTF-16");
    }
    switch (result_.format) {
      case FileFormat::kPrometheusText:
      case FileFormat::kOpenMetrics:
        prometheus_.emplace(
            PrometheusTextOptions{result_.format == FileFormat::kOpenMetrics, options_.now, options_.labels});
        break;
      case FileFormat::kOtlpJson: {
        otlp_ = std::make_unique<OtlpJsonDecoder>();
        // A first line that opens more than it closes belongs to a document that is spread over lines.
        const std::string_view line = head.substr(0, head.find('\n'));
        document_ = head.find('\n') != std::string_view::npos && !Closes(line);
        break;
      }
      case FileFormat::kJsonLines: {
        JsonLinesOptions json;
        json.now = options_.now;
        json.service = options_.service;
        json_.emplace(std::move(json));
        break;
      }
      case FileFormat::kPlainText: {
        LogLinesOptions lines;
        lines.service = options_.service;
        lines.live = false;
        plain_.emplace(std::move(lines));
        break;
      }
    }
    return absl::OkStatus();
  }

  static bool Closes(std::string_view line) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (quoted) {
        if (line[i] == '\\')
          ++i;
        else if (line[i] == '"')
          quoted = false;
      } else if (line[i] == '"') {
        quoted = true;
      } else if (line[i] == '{' || line[i] == '[') {
        ++depth;
      } else if (line[i] == '}' || line[i] == ']') {
        --depth;
      }
    }
    return depth == 0;
  }

  absl::Status Line(std::string_view line) {
    ++result_.lines;
    if (prometheus_) {
      prometheus_->ParseLine(line, &batch_, &report_);
    } else if (json_) {
      json_->ParseLine(line, &batch_, &report_);
    } else if (plain_) {
      plain_->ParseLine(line, options_.now, &log_sink_, &report_);
    } else {
      OtlpLine(line);
    }
    return AfterLine();
  }

  void OtlpLine(std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
    IngestReport report;
    OtlpJsonDecoder::Signals signals;
    const absl::Status status = otlp_->Decode(line, options_.now, &batch_, &report, &signals);
    report_.accepted += report.accepted;
    report_.rejected += report.rejected;
    report_.untimed += report.untimed;
    for (IngestError& error : report.errors) {
      error.line = result_.lines;
      report_.Keep(std::move(error));
    }
    if (!status.ok()) {
      std::string why(Str(status.message()));
      if (report.accepted > 0) why += " (" + std::to_string(report.accepted) + " records before it are kept)";
      report_.RejectLine(result_.lines, std::move(why));
    }
  }

  absl::Status AfterLine() {
    // Emptied after each line, so that errors_ sees every error while the result keeps the first ones.
    for (IngestError& error : report_.errors) {
      if (errors_ != nullptr) errors_(error);
      result_.report.Keep(std::move(error));
    }
    report_.errors.clear();
    return batch_.byte_size() >= options_.batch_bytes ? Hand() : absl::OkStatus();
  }

  absl::Status Hand() {
    if (batch_.empty()) return absl::OkStatus();
    const WriteBatch::Counts& counts = batch_.counts();
    RETURN_IF_ERROR(sink_(batch_));
    result_.counts.samples += counts.samples;
    result_.counts.exemplars += counts.exemplars;
    result_.counts.logs += counts.logs;
    result_.counts.spans += counts.spans;
    result_.counts.metadata += counts.metadata;
    batch_.Clear();
    if (prometheus_) prometheus_->ForgetBatch();
    if (json_) json_->ForgetBatch();
    log_sink_.ForgetBatch();
    return absl::OkStatus();
  }

  absl::Status End() {
    if (!started_) {
      RETURN_IF_ERROR(Start());
      std::string head = std::move(carry_);
      carry_.clear();
      RETURN_IF_ERROR(TakeLines(head));
    }
    if (!carry_.empty() || overlong_) RETURN_IF_ERROR(CarriedLine());
    if (plain_) plain_->Finish(&log_sink_, &report_);
    RETURN_IF_ERROR(AfterLine());
    RETURN_IF_ERROR(Hand());
    result_.report.accepted = report_.accepted;
    result_.report.rejected = report_.rejected;
    result_.report.kept_raw = report_.kept_raw;
    result_.report.untimed = report_.untimed;
    return absl::OkStatus();
  }

  const FileIngestOptions& options_;
  const FileIngest::BatchSink& sink_;
  const FileIngest::ErrorSink& errors_;
  FileIngestResult result_;
  IngestReport report_;
  bool started_ = false;
  bool document_ = false;
  bool overlong_ = false;
  std::string carry_;
  WriteBatch batch_;
  std::optional<PrometheusTextParser> prometheus_;
  std::optional<JsonLinesParser> json_;
  std::optional<LogLinesParser> plain_;
  BatchLogSink log_sink_;
  std::unique_ptr<OtlpJsonDecoder> otlp_;
};

}  // namespace

absl::StatusOr<FileIngestResult> FileIngest::Run(const FileIngestOptions& options, const Reader& reader,
                                                 const BatchSink& sink, const ErrorSink& errors) {
  return Ingest(options, sink, errors).Run(reader);
}

}  // namespace braid::ingest
