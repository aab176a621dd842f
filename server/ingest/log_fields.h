// Fields by the names that loggers give them, made into a log record.
//
// Known names become what they mean (docs/http.md, "JSON lines", has the table); names that say where the record comes
// from (service, pod, host, ...) become its resource; all others are attributes.
//
// Threads: an object belongs to one thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "braid/types.h"
#include "braid/write_batch.h"
#include "server/ingest/attribute_list.h"
#include "server/ingest/log_shape.h"
#include "server/ingest/log_sink.h"

namespace braid::ingest {

struct LogFieldsOptions {
  Timestamp now = 0;    // of records without a time, and the observed time of all
  std::string service;  // of records that name none
  // Names to take instead of the known ones; empty = the known ones. `stream_fields` are added to the identity keys.
  std::vector<std::string> message_fields;
  std::vector<std::string> time_fields;
  std::vector<std::string> stream_fields;
  // Records are read as they are written. Then a time of whole seconds of the second that `now` is in is `now`, which
  // keeps such lines in order, and a time that is off by just the zone (how far the sender's clock face is ahead of
  // UTC) was written without its zone and is put right.
  bool live = false;
  Duration zone_offset = 0;
  // Messages lose their colours, and those that are a web server's access lines give attributes.
  bool read_messages = false;
};

class LogFields {
 public:
  explicit LogFields(LogFieldsOptions options) : options_(std::move(options)), shapes_(&options_) {}
  LogFields(const LogFields&) = delete;
  LogFields& operator=(const LogFields&) = delete;

  void set_now(Timestamp now) { options_.now = now; }
  const LogFieldsOptions& options() const { return options_; }
  // To be filled, then given away by Emit.
  AttributeList& list() { return fields_; }

  // Makes a record of the list and empties it. `source` is more of the record's resource; `otherwise` has the time,
  // level and message of a record whose fields name none. Returns the record's time.
  Timestamp Emit(std::span<const AttributeView> source, const LogRecord& otherwise, LogSink* sink);
  // The level that the list's fields name; empties the list.
  Level TakeLevel();

 private:
  struct Record {
    LogRecord log;
    std::vector<AttributeView> attributes;
    std::vector<AttributeView> identity;
  };
  void Interpret(Record* record);
  void ReadMessage(Record* record);

  LogFieldsOptions options_;
  LogShapes shapes_;
  AttributeList fields_;
  std::vector<uint8_t> taken_;  // by place in the list
  Record record_;               // reused
};

// Names of the source of a record: "service", "k8s.pod.name", "kubernetes.*", ...
bool IsIdentityKey(std::string_view key);
// Names of the message: "message", "msg", "event", ...
bool IsMessageKey(std::string_view key);
// Names of a request's, trace's or span's id: texts even where they look like numbers.
bool IsIdKey(std::string_view key);

}  // namespace braid::ingest
