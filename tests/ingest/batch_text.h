// A batch as readable lines, one a record, read with the engine's own checked reader: what tests compare with.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "braid/types.h"
#include "braid/write_batch.h"
#include "engine/head/batch_reader.h"

namespace braid {

inline std::string TypedText(const ValueView& value) {
  const char* const kinds[] = {"null", "bool:", "int:", "double:", ""};
  return kinds[value.index()] + ToText(value);
}

inline std::string AttributesText(std::string_view encoded) {
  std::string text;
  AttributeReader reader(encoded);
  AttributeView attribute;
  while (reader.Next(&attribute)) {
    text += (text.empty() ? "" : " ") + std::string(attribute.name) + "=" + TypedText(attribute.value);
  }
  return "[" + text + "]";
}

inline std::string StreamText(std::string_view encoded) {
  Stream stream;
  if (!DecodeStream(encoded, &stream)) return "BAD STREAM";
  std::string text;
  for (const Attribute& attribute : stream.resource) {
    text += attribute.name + "=" + TypedText(View(attribute.value)) + " ";
  }
  if (!stream.resource_schema_url.empty()) text += "schema=" + stream.resource_schema_url + " ";
  text += "| " + stream.scope_name + " " + stream.scope_version;
  for (const Attribute& attribute : stream.scope_attributes) {
    text += " " + attribute.name + "=" + TypedText(View(attribute.value));
  }
  if (!stream.scope_schema_url.empty()) text += " schema=" + stream.scope_schema_url;
  return "{" + text + "}";
}

inline std::string HistogramText(const Histogram& h) {
  std::string text = "schema=" + std::to_string(h.schema) + " count=" + ToText(ValueView(h.count)) +
                     " sum=" + ToText(ValueView(h.sum)) + " zero=" + ToText(ValueView(h.zero_count));
  if (h.is_gauge) text += " gauge";
  for (const auto& bucket : h.positive)
    text += " +" + std::to_string(bucket.index) + ":" + ToText(ValueView(bucket.count));
  for (const auto& bucket : h.negative)
    text += " -" + std::to_string(bucket.index) + ":" + ToText(ValueView(bucket.count));
  return text;
}

inline std::vector<std::string> BatchText(const WriteBatch& batch) {
  BatchView view;
  if (const absl::Status status = CheckBatch(batch, &view); !status.ok()) return {"BAD BATCH " + status.ToString()};
  std::vector<std::string> lines;
  BodyReader reader(view.body);
  BatchItem item;
  const auto series = [&] {
    Labels labels;
    DecodeLabels(view.series[item.ref], &labels);
    std::string text = ToString(labels);
    for (size_t at = text.find(", "); at != std::string::npos; at = text.find(", ", at)) text.erase(at + 1, 1);
    return text;
  };
  while (reader.Next(&item)) {
    switch (item.kind) {
      case BatchItem::Kind::kSample:
        lines.push_back(series() + " " + (IsStaleNan(item.value) ? "stale" : ToText(ValueView(item.value))) + " @" +
                        std::to_string(item.time));
        break;
      case BatchItem::Kind::kHistogram: {
        Histogram histogram;
        DecodeHistogram(item.payload, &histogram);
        lines.push_back(series() + " " + HistogramText(histogram) + " @" + std::to_string(item.time));
        break;
      }
      case BatchItem::Kind::kExemplar: {
        ExemplarView exemplar;
        DecodeExemplar(item.payload, &exemplar);
        lines.push_back("exemplar of " + series() + " " + ToText(ValueView(exemplar.exemplar.value)) + " @" +
                        std::to_string(exemplar.exemplar.time) + " trace=" + ToHex(exemplar.exemplar.trace_id) +
                        " span=" + ToHex(exemplar.exemplar.span_id) + " " + AttributesText(exemplar.attributes));
        break;
      }
      case BatchItem::Kind::kMetadata: {
        MetricMetadata metadata;
        DecodeMetadata(item.payload, &metadata);
        lines.push_back("metadata " + metadata.metric + " " + metadata.type + " unit=" + metadata.unit +
                        " help=" + metadata.help);
        break;
      }
      case BatchItem::Kind::kLog: {
        LogView log;
        DecodeLog(item.payload, &log);
        const LogRecord& r = log.record;
        lines.push_back("log " + StreamText(view.streams[item.ref]) + " @" + std::to_string(r.time) +
                        " observed=" + std::to_string(r.observed_time) + " " + std::to_string(r.severity_number) + "/" +
                        std::string(r.severity_text) + " '" + std::string(r.message) +
                        "' event=" + std::string(r.event_name) + " trace=" + ToHex(r.trace_id) +
                        " span=" + ToHex(r.span_id) + " flags=" + std::to_string(r.flags) +
                        " dropped=" + std::to_string(r.dropped_attributes) + " " + AttributesText(log.attributes));
        break;
      }
      case BatchItem::Kind::kSpan: {
        SpanView span;
        DecodeSpan(item.payload, &span);
        const Span& s = span.span;
        std::string line = "span " + StreamText(view.streams[item.ref]) + " " + ToHex(s.trace_id) + "/" +
                           ToHex(s.span_id) + " parent=" + ToHex(s.parent_id) + " '" + std::string(s.name) + "' " +
                           std::string(ToString(s.kind)) + " " + std::to_string(s.start) + ".." +
                           std::to_string(s.end) + " " + std::string(ToString(s.status)) + ":" +
                           std::string(s.status_message) + " state=" + std::string(s.trace_state) +
                           " flags=" + std::to_string(s.flags) + " dropped=" + std::to_string(s.dropped_attributes) +
                           "," + std::to_string(s.dropped_events) + "," + std::to_string(s.dropped_links) + " " +
                           AttributesText(span.attributes);
        for (std::string_view payload : span.events) {
          EventView event;
          DecodeEvent(payload, &event);
          line += " event '" + std::string(event.event.name) + "' @" + std::to_string(event.event.time) +
                  " dropped=" + std::to_string(event.event.dropped_attributes) + " " + AttributesText(event.attributes);
        }
        for (std::string_view payload : span.links) {
          LinkView link;
          DecodeLink(payload, &link);
          line += " link " + ToHex(link.link.trace_id) + "/" + ToHex(link.link.span_id) +
                  " state=" + std::string(link.link.trace_state) + " flags=" + std::to_string(link.link.flags) +
                  " dropped=" + std::to_string(link.link.dropped_attributes) + " " + AttributesText(link.attributes);
        }
        lines.push_back(line);
        break;
      }
    }
  }
  if (!reader.ok()) lines.push_back("BAD BODY");
  return lines;
}

inline std::vector<std::string> Sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace braid
