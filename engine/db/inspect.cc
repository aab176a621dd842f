// Looking at a store's files without opening it as a DB.
#include "braid/inspect.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/db/manifest.h"
#include "engine/db/quarantine.h"
#include "engine/head/batch_reader.h"
#include "engine/head/wal_reader.h"
#include "engine/io/atomic_file.h"
#include "engine/io/path.h"
#include "engine/part/part.h"
#include "engine/part/part_inspect.h"

namespace braid {
namespace {

// Lines up to a limit.
class Lines {
 public:
  explicit Lines(size_t max) : max_(max) {}
  bool full() const { return max_ > 0 && count_ >= max_; }
  void Add(const std::string& line) {
    if (full()) return;
    text_.append(line).push_back('\n');
    if (++count_ == max_) text_.append("... (more lines follow)\n");
  }
  std::string Take() { return std::move(text_); }

 private:
  const size_t max_;
  size_t count_ = 0;
  std::string text_;
};

std::string DescribeItem(const BatchItem& item) {
  switch (item.kind) {
    case BatchItem::Kind::kSample:
      return absl::StrCat("sample series=", item.ref, " time=", item.time, " value=", item.value);
    case BatchItem::Kind::kHistogram: {
      Histogram histogram;
      if (!DecodeHistogram(item.payload, &histogram)) break;
      return absl::StrCat("histogram series=", item.ref, " time=", item.time, " count=", histogram.count,
                          " sum=", histogram.sum);
    }
    case BatchItem::Kind::kExemplar: {
      ExemplarView view;
      if (!DecodeExemplar(item.payload, &view)) break;
      return absl::StrCat("exemplar series=", item.ref, " time=", view.exemplar.time, " value=", view.exemplar.value,
                          " trace=", ToHex(view.exemplar.trace_id));
    }
    case BatchItem::Kind::kMetadata: {
      MetricMetadata metadata;
      if (!DecodeMetadata(item.payload, &metadata)) break;
      return absl::StrCat("metadata ", metadata.metric, " type=", metadata.type, " unit=", metadata.unit);
    }
    case BatchItem::Kind::kLog: {
      LogView view;
      if (!DecodeLog(item.payload, &view)) break;
      return absl::StrCat("log stream=", item.ref, " time=", view.record.time,
                          " severity=", view.record.severity_number,
                          " message=", Absl(view.record.message.substr(0, 80)));
    }
    case BatchItem::Kind::kSpan: {
      SpanView view;
      if (!DecodeSpan(item.payload, &view)) break;
      return absl::StrCat("span stream=", item.ref, " start=", view.span.start, " trace=", ToHex(view.span.trace_id),
                          " span=", ToHex(view.span.span_id), " name=", Absl(view.span.name.substr(0, 80)),
                          " events=", view.events.size(), " links=", view.links.size());
    }
  }
  return "not readable";
}

// False if the commit is not as its grammar says.
bool DescribeCommit(std::string_view plain, Lines* lines) {
  Decoder in(plain);
  uint64_t series_before = 0, streams_before = 0, batches = 0;
  if (!in.ReadVarint(&series_before) || !in.ReadVarint(&streams_before) || !in.ReadVarintMax(plain.size(), &batches)) {
    return false;
  }
  for (uint64_t b = 0; b < batches; ++b) {
    lines->Add(absl::StrCat("  batch ", b));
    for (uint64_t* before : {&series_before, &streams_before}) {
      uint64_t count = 0;
      if (!in.ReadVarintMax(in.remaining(), &count)) return false;
      for (uint64_t i = 0; i < count; ++i) {
        uint64_t ref = 0;
        std::string_view bytes;
        if (!in.ReadVarint(&ref)) return false;
        if (ref != 0) continue;
        if (!in.ReadBytes(&bytes)) return false;
        if (before == &series_before) {
          Labels labels;
          if (!DecodeLabels(bytes, &labels)) return false;
          lines->Add(absl::StrCat("    series ", (*before)++, " := ", ToString(labels)));
        } else {
          Stream stream;
          if (!DecodeStream(bytes, &stream)) return false;
          std::string text;
          for (const Attribute& attribute : stream.resource) {
            absl::StrAppend(&text, " ", attribute.name, "=", ToText(View(attribute.value)));
          }
          lines->Add(absl::StrCat("    stream ", (*before)++, " :=", text, " scope=", stream.scope_name));
        }
      }
    }
    std::string_view body;
    if (!in.ReadBytes(&body)) return false;
    BodyReader reader(body);
    BatchItem item;
    while (reader.Next(&item)) lines->Add("    " + DescribeItem(item));
    if (!reader.ok()) return false;
  }
  return in.done();
}

// Reads a segment to its end or first damage. `lines` may be null; `store` 0 = believe the header.
absl::Status ReadSegment(FileSystem* fs, const std::string& path, uint64_t store, Lines* lines, uint64_t* records) {
  ASSIGN_OR_RETURN(std::unique_ptr<WalReader> reader, WalReader::Open(fs, path));
  auto damaged = [&](uint64_t offset, const std::string& why) {
    return absl::DataLossError(absl::StrCat(path, ": offset ", offset, ": ", why));
  };
  WalSegmentHeader header;
  ASSIGN_OR_RETURN(const bool header_ok, reader->ReadHeader(&header));
  uint64_t named = 0;
  if (!header_ok) return damaged(0, "the segment's header is damaged");
  if (header.version > kWalVersion || (header.features & ~kWalFeatures) != 0) {
    return damaged(0, absl::StrCat("written by a newer format, ", header.version, ", features ", header.features));
  }
  if (store != 0 && header.store != store) return damaged(0, "the segment belongs to another store");
  if (ParseWalSegmentName(BaseName(path), &named) && named != header.segment) {
    return damaged(0, absl::StrCat("the file is segment ", header.segment));
  }
  if (lines != nullptr) {
    lines->Add(absl::StrCat("WAL segment ", header.segment, " version ", header.version, " features ", header.features,
                            " store ", absl::Hex(header.store, absl::kZeroPad16), " first commit ",
                            header.first_sequence, " size ", reader->size()));
  }
  reader->SetPlace(header.store, header.segment);
  WalRecord record;
  std::string why;
  for (uint64_t offset = kWalSegmentHeaderBytes; offset < reader->size(); offset = record.end) {
    if (lines != nullptr && lines->full()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool valid, reader->ReadRecord(offset, &record, &why));
    if (!valid) return damaged(offset, why);
    ++*records;
    if (record.header.kind == WalRecordKind::kEnd) {
      if (lines != nullptr) lines->Add(absl::StrCat(offset, " end"));
      continue;
    }
    if (lines != nullptr) {
      lines->Add(absl::StrCat(offset, " commit ", record.header.sequence, " payload ", record.header.payload_size,
                              " plain ", record.plain.size(), " synced ", record.header.synced));
    }
    Lines ignored(1);
    if (!DescribeCommit(record.plain, lines != nullptr ? lines : &ignored))
      return damaged(offset, "commit not readable");
  }
  return absl::OkStatus();
}

std::string DescribeDelete(const DeleteSpec& spec) {
  const char* const signals[] = {"metrics", "logs", "spans"};
  std::string text =
      absl::StrCat(signals[static_cast<int>(spec.signal)], " time ", spec.time.start, "..", spec.time.end);
  const char* const ops[] = {"=", "!=", "=~", "!~"};
  for (const Matcher& matcher : spec.matchers) {
    absl::StrAppend(&text, " ", matcher.name, ops[static_cast<int>(matcher.op)], "\"", matcher.value, "\"");
  }
  for (const Predicate& predicate : spec.predicates) {
    absl::StrAppend(&text, " ", predicate.column.name, predicate.op == Predicate::Op::kNotEqual ? "!=" : "=");
    for (const Value& value : predicate.values) absl::StrAppend(&text, "\"", ToText(View(value)), "\" ");
  }
  return text;
}

std::string DescribeManifest(const Manifest& manifest, Lines* lines) {
  lines->Add(absl::StrCat("manifest version ", manifest.version, " store ", absl::Hex(manifest.store, absl::kZeroPad16),
                          " generation ", manifest.generation));
  lines->Add(absl::StrCat("next part ", manifest.next_part, ", first WAL segment ", manifest.first_segment,
                          ", last commit in parts ", manifest.flushed_sequence));
  for (const PartEntry& part : manifest.parts) {
    lines->Add(absl::StrCat("part ", PartName(part.id), " bytes ", part.bytes, " time ", part.time.start, "..",
                            part.time.end, " samples ", part.samples, " logs ", part.rows[0], " spans ", part.rows[1],
                            " events ", part.rows[2], " links ", part.rows[3], " exemplars ", part.rows[4]));
    for (uint64_t id : part.deletes) lines->Add(absl::StrCat("  to be read through delete ", id));
  }
  for (const DeleteMark& mark : manifest.deletes) {
    lines->Add(absl::StrCat("delete ", mark.id, ": ", DescribeDelete(mark.spec)));
  }
  return lines->Take();
}

uint64_t SizeOfFile(FileSystem* fs, const std::string& path) {
  auto file = fs->OpenRead(path);
  return file.ok() ? (*file)->size() : 0;
}

}  // namespace

absl::StatusOr<std::string> InspectFile(const std::string& path, size_t max_lines) {
  FileSystem* fs = FileSystem::Posix();
  std::string start;
  {
    ASSIGN_OR_RETURN(auto file, fs->OpenRead(path));
    RETURN_IF_ERROR(file->Read(0, 64, &start));
  }
  Lines lines(max_lines);
  uint64_t named = 0;
  if (start.starts_with(kManifestMagic) || BaseName(path) == kManifestName) {
    ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, path, kManifestBytesMax));
    const absl::StatusOr<Manifest> manifest = DecodeManifest(bytes);
    if (!manifest.ok()) {
      return absl::Status(manifest.status().code(), absl::StrCat(path, ": ", manifest.status().message()));
    }
    return DescribeManifest(*manifest, &lines);
  }
  if (start.starts_with(kWalMagic) || ParseWalSegmentName(BaseName(path), &named)) {
    uint64_t records = 0;
    const absl::Status status = ReadSegment(fs, path, 0, &lines, &records);
    std::string text = lines.Take();
    if (!status.ok() && records == 0) return status;
    if (!status.ok()) absl::StrAppend(&text, "DAMAGED ", status.message(), "\n");
    return text;
  }
  RETURN_IF_ERROR(InspectPartFile(fs, DirName(path), std::string(BaseName(path)), [&](const std::string& line) {
    lines.Add(line);
    return !lines.full();
  }));
  return lines.Take();
}

absl::StatusOr<VerifyReport> VerifyStore(const std::string& path,
                                         const std::function<void(uint64_t done, uint64_t total)>& progress) {
  FileSystem* fs = FileSystem::Posix();
  VerifyReport report;
  const std::string manifest_path = JoinPath(path, kManifestName);
  absl::StatusOr<Manifest> manifest = ReadManifest(fs, path);
  if (absl::IsNotFound(manifest.status())) return absl::NotFoundError(path + " is not a store: it has no MANIFEST");
  if (!manifest.ok()) {
    report.files = 1;
    report.problems.push_back(manifest_path + ": 0: " + std::string(Str(manifest.status().message())));
    return report;
  }
  // One good copy is enough to open, but both are checked here.
  ASSIGN_OR_RETURN(const std::string manifest_bytes, ReadFile(fs, manifest_path, kManifestBytesMax));
  if (EncodeManifest(*manifest) != manifest_bytes) {
    report.problems.push_back(manifest_path + ": 0: one of its two copies is damaged");
  }
  report.files = 1;
  report.blocks = 2;
  report.bytes = manifest_bytes.size();

  report.set_aside = ListQuarantine(fs, JoinPath(path, "quarantine"));
  const std::string wal_dir = JoinPath(path, "wal");
  std::vector<std::pair<uint64_t, std::string>> segments;
  uint64_t total = report.bytes;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs->List(wal_dir));
  for (const std::string& name : names) {
    uint64_t segment = 0;
    if (!ParseWalSegmentName(name, &segment) || segment < manifest->first_segment) continue;
    segments.emplace_back(segment, JoinPath(wal_dir, name));
    total += SizeOfFile(fs, segments.back().second);
  }
  const uint64_t last = manifest->last_segment;
  if (last >= manifest->first_segment &&
      std::none_of(segments.begin(), segments.end(), [&](const auto& segment) { return segment.first == last; })) {
    report.problems.push_back(JoinPath(wal_dir, WalSegmentName(last)) + ": 0: the segment is missing");
  }
  for (const PartEntry& part : manifest->parts) total += part.bytes;
  auto advance = [&](uint64_t bytes) {
    report.bytes += bytes;
    if (progress) progress(std::min(report.bytes, total), total);
  };
  for (const auto& [segment, file] : segments) {
    const absl::Status status = ReadSegment(fs, file, manifest->store, nullptr, &report.blocks);
    if (!status.ok()) report.problems.push_back(std::string(Str(status.message())));
    ++report.files;
    advance(SizeOfFile(fs, file));
  }
  for (const PartEntry& entry : manifest->parts) {
    const std::string dir = JoinPath(JoinPath(path, "parts"), PartName(entry.id));
    const absl::StatusOr<std::shared_ptr<Part>> part = Part::Open(fs, dir, PartName(entry.id));
    if (!part.ok()) {
      report.problems.push_back(dir + ": " + std::string(Str(part.status().message())));
      continue;
    }
    const absl::StatusOr<std::vector<std::string>> files = fs->List(dir);
    if (files.ok()) report.files += files->size();
    RETURN_IF_ERROR((*part)->Verify(&report.problems, advance, &report.blocks));
    const SourceCounts counts = (*part)->counts();
    if (counts.samples != entry.samples ||
        !std::equal(std::begin(entry.rows), std::end(entry.rows), std::begin(counts.rows))) {
      report.problems.push_back(dir + ": 0: it holds other rows than the manifest says");
    }
  }
  return report;
}

}  // namespace braid
