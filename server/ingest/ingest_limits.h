// Bounds of what a request or a file may ask of the decoders, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::ingest {

// A request body as sent. Agents send 1-8 MB; beyond this a client is better off with several requests.
inline constexpr size_t kCompressedBytesMax = size_t{32} << 20;
// The same body decoded. Half of what a WriteBatch may hold, so that a decoded body always fits one batch.
inline constexpr size_t kDecodedBytesMax = size_t{128} << 20;
// Telemetry text shrinks 5 to 60 times. Beyond the free allowance a higher ratio is a bomb, not data.
inline constexpr size_t kDecodedRatioMax = 200;
inline constexpr size_t kDecodedRatioFreeBytes = size_t{16} << 20;

// A JSON document is held with about ten bytes of index per byte of text while it is decoded.
inline constexpr size_t kJsonBytesMax = size_t{64} << 20;
inline constexpr size_t kJsonDepthMax = 64;
// Nesting of OTLP's AnyValue (arrays and maps in one another): bounds the stack.
inline constexpr int kAnyValueDepthMax = 32;
// Nesting of Thrift structs and lists. A Jaeger batch needs five; the rest is room for fields that are passed over.
inline constexpr int kThriftDepthMax = 16;

// Attributes of one record. OpenTelemetry's SDKs keep 128 by default; more are counted as dropped, not refused.
inline constexpr size_t kAttributesMax = 1024;
// An attribute name beyond this is data that has strayed into a name.
inline constexpr size_t kAttributeNameBytesMax = 1024;

// Events and links of one Jaeger or Zipkin span. OpenTelemetry's SDKs keep 128; more are counted as dropped, because
// an empty one costs its sender a byte or two and the decoder a hundred.
inline constexpr size_t kSpanEventsMax = 8192;
inline constexpr size_t kSpanLinksMax = 8192;
// Actions of one `_bulk` body; each has an item of some 150 bytes in the answer. Agents send up to some thousand.
inline constexpr size_t kBulkItemsMax = 100'000;

// A line of a text format. Longer lines are passed over and reported.
inline constexpr size_t kLineBytesMax = size_t{4} << 20;
// Labels of one series: Prometheus' senders have some 5 to 40.
inline constexpr size_t kLabelsMax = 256;
// Names and values of one series' labels together. Remote write 2.0 names texts by number: without this bound a short
// request could repeat a long text without end.
inline constexpr size_t kLabelBytesMax = size_t{1} << 20;
// Distinct streams that the identity keys of one body of JSON lines, or the resource tags of Jaeger and Zipkin spans,
// may make; from there on such keys are attributes, because a key with unique values is no identity.
inline constexpr size_t kJsonStreamsMax = 10'000;
// Buckets of one exponential histogram point or native histogram; SDKs keep 160.
inline constexpr size_t kHistogramBucketsMax = 16'384;

// Errors kept word for word in a report; later ones are only counted.
inline constexpr size_t kErrorsKeptMax = 10;
// WriteBatches of a file import are handed over when they reach this size.
inline constexpr size_t kFileBatchBytes = size_t{4} << 20;

}  // namespace braid::ingest
