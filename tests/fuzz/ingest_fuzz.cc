#include "tests/fuzz/ingest_fuzz.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/head/batch_reader.h"
#include "server/http/grpc_status.h"
#include "server/ingest/container_log.h"
#include "server/ingest/content_encoding.h"
#include "server/ingest/elastic_bulk.h"
#include "server/ingest/file_ingest.h"
#include "server/ingest/ingest_limits.h"
#include "server/ingest/jaeger_thrift.h"
#include "server/ingest/json_lines.h"
#include "server/ingest/log_lines.h"
#include "server/ingest/loki_push.h"
#include "server/ingest/otlp_json.h"
#include "server/ingest/otlp_protobuf.h"
#include "server/ingest/prometheus_text.h"
#include "server/ingest/remote_write.h"
#include "server/ingest/remote_write_v2.h"
#include "server/ingest/zipkin_json.h"

namespace braid::fuzz {
namespace {

using ingest::Coding;
using ingest::IngestReport;
using ingest::OtlpSignal;

constexpr Timestamp kNow = 1'700'000'000 * kSecond;
// Errors quote what they are about, but never all of it.
constexpr size_t kMessageBytesMax = 4096;
// Bytes of the batch for each byte of the body, at the most, beside what is free.
constexpr size_t kGrowthMax = 64;
constexpr size_t kFreeBytes = 100'000;

[[noreturn]] void Die(const std::string& format, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", format.c_str(), what.c_str());
  std::abort();
}

template <OtlpSignal kSignal>
absl::Status OtlpProtobuf(std::string_view body, WriteBatch* batch, IngestReport* report) {
  return ingest::DecodeOtlpProtobuf(kSignal, body, kNow, batch, report);
}

absl::Status OtlpJson(std::string_view body, WriteBatch* batch, IngestReport* report) {
  // A decoder keeps its memory, and nothing else, from document to document.
  static ingest::OtlpJsonDecoder decoder;
  ingest::OtlpJsonDecoder::Signals signals;
  return decoder.Decode(body, kNow, batch, report, &signals);
}

// A call's message, bare or compressed, that holds spans.
absl::Status Grpc(std::string_view body, WriteBatch* batch, IngestReport* report) {
  bool compressed = false;
  std::string_view message;
  if (!http::TakeGrpcMessage(body, &compressed, &message)) return absl::InvalidArgumentError("no message");
  if (message.size() + 5 != body.size()) Die("otlp-grpc", "a message of another length than its prefix says");
  if (!compressed) return ingest::DecodeOtlpProtobuf(OtlpSignal::kTraces, message, kNow, batch, report);
  const auto decoded = ingest::DecodeContent(Coding::kGzip, message, ingest::DecodeLimits());
  if (!decoded.ok()) return decoded.status();
  return ingest::DecodeOtlpProtobuf(OtlpSignal::kTraces, decoded->view(), kNow, batch, report);
}

absl::Status RemoteWrite(std::string_view body, WriteBatch* batch, IngestReport* report) {
  return ingest::DecodeRemoteWrite(body, batch, report);
}

absl::Status RemoteWriteV2(std::string_view body, WriteBatch* batch, IngestReport* report) {
  ingest::RemoteWriteCounts counts;
  const absl::Status status = ingest::DecodeRemoteWriteV2(body, batch, report, &counts);
  // Beside those there may be samples of ..._created.
  if (status.ok() && counts.samples + counts.histograms > batch->counts().samples) {
    Die("remote-write-2", "more samples are counted than kept");
  }
  return status;
}

absl::Status PrometheusText(std::string_view body, WriteBatch* batch, IngestReport* report) {
  ingest::PrometheusTextParser(ingest::PrometheusTextOptions{.now = kNow}).ParseBody(body, batch, report);
  return absl::OkStatus();
}

// As a scrape reads it: the target's labels give way to nothing, and what is gone becomes stale.
absl::Status ScrapedText(std::string_view body, WriteBatch* batch, IngestReport* report) {
  ingest::PrometheusTextOptions options;
  options.now = kNow;
  options.labels = {{"instance", "a:1"}, {"job", "j"}};
  options.labels_win = true;
  options.honor_timestamps = false;
  ingest::PrometheusTextParser parser(options);
  parser.ParseBody(body, batch, report);
  ingest::PrometheusTextParser later(options);
  for (const auto& [text, seen] : parser.series()) {
    WriteBatch stale;
    later.AddStale(text, kNow + kSecond, &stale);
    if (stale.counts().samples != 1) Die("scraped-text", "a series that cannot be named again: " + text);
  }
  return absl::OkStatus();
}

absl::Status LokiJson(std::string_view body, WriteBatch* batch, IngestReport* report) {
  return ingest::DecodeLokiJson(body, kNow, batch, report);
}

absl::Status LokiProtobuf(std::string_view body, WriteBatch* batch, IngestReport* report) {
  return ingest::DecodeLokiProtobuf(body, kNow, batch, report);
}

absl::Status LokiLabels(std::string_view body, WriteBatch*, IngestReport*) {
  std::vector<std::pair<std::string, std::string>> labels;
  return ingest::ParseLokiLabels(body, &labels) ? absl::OkStatus() : absl::InvalidArgumentError("no labels");
}

absl::Status JsonLines(std::string_view body, WriteBatch* batch, IngestReport* report) {
  ingest::JsonLinesOptions options;
  options.now = kNow;
  ingest::JsonLinesParser(std::move(options)).ParseBody(body, batch, report);
  return absl::OkStatus();
}

absl::Status LogLines(std::string_view body, WriteBatch* batch, IngestReport* report) {
  ingest::LogLinesParser lines(
      ingest::LogLinesOptions{.zone_offset = 8 * 3600 * kSecond, .last_number = std::make_shared<uint64_t>()});
  ingest::BatchLogSink sink;
  sink.set_batch(batch);
  for (size_t begin = 0; begin < body.size();) {
    const size_t end = std::min(body.find('\n', begin), body.size());
    lines.ParseLine(body.substr(begin, end - begin), kNow, &sink, report);
    begin = end + 1;
  }
  lines.Finish(&sink, report);
  return absl::OkStatus();
}

// A line of a container's log, or the path of one.
absl::Status ContainerLine(std::string_view body, WriteBatch*, IngestReport*) {
  const ingest::ContainerFormat format = ingest::SniffContainerFormat(body);
  for (const auto any : {ingest::ContainerFormat::kDocker, ingest::ContainerFormat::kCri}) {
    ingest::ContainerLine line;
    const bool parsed = ingest::ParseContainerLine(any, body, &line);
    if (any == format && !parsed) Die("container-line", "a line that is not what it was taken for");
    if (line.text.size() > body.size()) Die("container-line", "a line that has grown");
  }
  const bool is_path = !ingest::ContainerOfPath(body).empty();
  return format != ingest::ContainerFormat::kNone || is_path ? absl::OkStatus() : absl::InvalidArgumentError("neither");
}

absl::Status ElasticBulk(std::string_view body, WriteBatch* batch, IngestReport* report) {
  std::vector<ingest::BulkItem> items;
  const absl::Status status = ingest::DecodeElasticBulk(body, {kNow, "index"}, batch, report, &items);
  if (status.ok() && items.size() != report->accepted + report->rejected) {
    Die("elastic-bulk", "other items than actions");
  }
  return status;
}

absl::Status JaegerThrift(std::string_view body, WriteBatch* batch, IngestReport* report) {
  const absl::Status status = ingest::DecodeJaegerThrift(body, batch, report);
  if (!status.ok() && !batch->empty()) Die("jaeger-thrift", "a refused message has left something behind");
  return status;
}

absl::Status ZipkinJson(std::string_view body, WriteBatch* batch, IngestReport* report) {
  return ingest::DecodeZipkinJson(body, kNow, batch, report);
}

// At once and piece by piece are two ways to the same bytes.
template <Coding kCoding>
absl::Status Content(std::string_view body, WriteBatch*, IngestReport*) {
  ingest::DecodeLimits limits;
  limits.decoded_bytes_max = size_t{1} << 20;
  const auto whole = ingest::DecodeContent(kCoding, body, limits);
  if (whole.ok() && whole->size() > limits.decoded_bytes_max) Die("a content encoding", "the bound is not kept");
  if (kCoding == Coding::kSnappy || whole.status().code() == absl::StatusCode::kResourceExhausted) {
    return whole.status();
  }
  std::string pieces;
  const auto decompressor = ingest::Decompressor::Make(kCoding);
  absl::Status status;
  for (size_t at = 0; at < body.size() && status.ok(); at += 7) {
    status = decompressor->Feed(body.substr(at, 7), [&](std::string_view piece) {
      pieces.append(piece);
      return pieces.size() > limits.decoded_bytes_max ? absl::ResourceExhaustedError("large") : absl::OkStatus();
    });
  }
  if (status.ok()) status = decompressor->Finish();
  if (status.code() == absl::StatusCode::kResourceExhausted) return status;
  if (status.ok() != whole.ok()) Die("a content encoding", "pieces differ from the whole: " + status.ToString());
  if (whole.ok() && pieces != whole->view()) Die("a content encoding", "pieces are other bytes than the whole");
  return whole.status();
}

// A file of any format, read in small pieces into small batches.
absl::Status File(std::string_view body, WriteBatch*, IngestReport* report) {
  const auto run = [&](size_t piece_max, size_t batch_bytes) {
    ingest::FileIngestOptions options;
    options.now = kNow;
    options.batch_bytes = batch_bytes;
    size_t at = 0;
    const auto read = [&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
      const size_t piece = body.copy(buffer, std::min(size, piece_max), at);
      at += piece;
      return piece;
    };
    const auto take = [](const WriteBatch& batch) {
      BatchView view;
      if (const absl::Status status = CheckBatch(batch, &view); !status.ok()) Die("file", status.ToString());
      return absl::OkStatus();
    };
    return ingest::FileIngest::Run(options, read, take, nullptr);
  };
  const auto whole = run(body.size() + 1, ingest::kFileBatchBytes), pieces = run(11, 300);
  if (whole.ok() != pieces.ok()) Die("file", "pieces differ from the whole: " + pieces.status().ToString());
  if (!whole.ok()) return whole.status();
  if (whole->format != pieces->format || whole->counts.logs != pieces->counts.logs ||
      whole->counts.samples != pieces->counts.samples || whole->counts.spans != pieces->counts.spans ||
      whole->report.rejected != pieces->report.rejected) {
    Die("file", "pieces are other records than the whole");
  }
  *report = whole->report;
  return absl::OkStatus();
}

constexpr IngestFormat kFormats[] = {
    {"otlp-traces", "otlp-traces", OtlpProtobuf<OtlpSignal::kTraces>, true},
    {"otlp-logs", "otlp-logs", OtlpProtobuf<OtlpSignal::kLogs>, true},
    {"otlp-metrics", "otlp-metrics", OtlpProtobuf<OtlpSignal::kMetrics>, false},
    {"otlp-json", "otlp-json", OtlpJson, false},
    {"otlp-grpc", "otlp-grpc", Grpc, true},
    {"remote-write-1", "remote-write-1", RemoteWrite, false},
    {"remote-write-2", "remote-write-2", RemoteWriteV2, false},
    {"prometheus-text", "prometheus-text", PrometheusText, true},
    {"scraped-text", "prometheus-text", ScrapedText, true},
    {"loki-json", "loki-json", LokiJson, true},
    {"loki-protobuf", "loki-protobuf", LokiProtobuf, true},
    {"loki-labels", "loki-labels", LokiLabels, false},
    {"json-lines", "json-lines", JsonLines, true},
    {"log-lines", "log-lines", LogLines, true},
    {"container-line", "container-line", ContainerLine, false},
    {"elastic-bulk", "elastic-bulk", ElasticBulk, true},
    {"zipkin-json", "zipkin-json", ZipkinJson, true},
    {"jaeger-thrift", "jaeger-thrift", JaegerThrift, true},
    {"gzip", "gzip", Content<Coding::kGzip>, false},
    {"deflate", "deflate", Content<Coding::kDeflate>, false},
    {"zstd", "zstd", Content<Coding::kZstd>, false},
    {"snappy", "snappy", Content<Coding::kSnappy>, false},
    {"file", "file", File, false},
};

struct Decoded {
  absl::Status status;
  WriteBatch batch;
  IngestReport report;
};

Decoded Decode(const IngestFormat& format, std::string_view body) {
  Decoded decoded;
  decoded.status = format.decode(body, &decoded.batch, &decoded.report);
  return decoded;
}

}  // namespace

std::span<const IngestFormat> IngestFormats() { return kFormats; }

bool CheckBody(const IngestFormat& format, std::string_view body) {
  const Decoded decoded = Decode(format, body);
  const IngestReport& report = decoded.report;
  if (!decoded.status.ok()) {
    if (decoded.status.message().empty() || decoded.status.message().size() > kMessageBytesMax) {
      Die(format.name, "refused in " + std::to_string(decoded.status.message().size()) + " bytes");
    }
    if (decoded.status.code() == absl::StatusCode::kInternal) Die(format.name, decoded.status.ToString());
    return false;
  }
  if (report.errors.size() > ingest::kErrorsKeptMax || (report.rejected > 0 && report.errors.empty())) {
    Die(format.name, std::to_string(report.errors.size()) + " errors for " + std::to_string(report.rejected));
  }
  for (const ingest::IngestError& error : report.errors) {
    if (error.message.empty() || error.message.size() + error.place.size() > kMessageBytesMax) {
      Die(format.name, "an error of " + std::to_string(error.message.size()) + " bytes");
    }
  }
  const WriteBatch& batch = decoded.batch;
  BatchView view;
  if (const absl::Status status = CheckBatch(batch, &view); !status.ok()) Die(format.name, status.ToString());
  const auto& counts = batch.counts();
  if (format.counted && counts.samples + counts.logs + counts.spans != report.accepted) {
    Die(format.name, "accepted " + std::to_string(report.accepted) + ", kept others");
  }
  if (batch.byte_size() > kGrowthMax * body.size() + kFreeBytes) {
    Die(format.name, std::to_string(batch.byte_size()) + " bytes of " + std::to_string(body.size()));
  }
  const Decoded again = Decode(format, body);
  if (again.batch.series_section() != batch.series_section() ||
      again.batch.streams_section() != batch.streams_section() || again.batch.body() != batch.body()) {
    Die(format.name, "decoded in another way the second time");
  }
  return report.rejected == 0;
}

}  // namespace braid::fuzz
