// Looking at a store's files without opening it as a DB.
#include "braid/inspect.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_cat.h"
#include "engine/base/coding.h"
#include "engine/base/status_macros.h"
#include "engine/base/utc_text.h"
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

std::string TextOf(TimeRange range) {
  const std::string start = range.start == kMinTimestamp ? "the first" : UtcText(range.start);
  return start + ".." + (range.end == kMaxTimestamp ? "the last" : UtcText(range.end));
}

std::string DescribeItem(const BatchItem& item) {
  switch (item.kind) {
    case BatchItem::Kind::kSample:
      return absl::StrCat("sample series=", item.ref, " time=", UtcText(item.time), " value=", item.value);
    case BatchItem::Kind::kHistogram: {
      Histogram histogram;
      if (!DecodeHistogram(item.payload, &histogram)) break;
      return absl::StrCat("histogram series=", item.ref, " time=", UtcText(item.time), " count=", histogram.count,
                          " sum=", histogram.sum);
    }
    case BatchItem::Kind::kExemplar: {
      ExemplarView view;
      if (!DecodeExemplar(item.payload, &view)) break;
      return absl::StrCat("exemplar series=", item.ref, " time=", UtcText(view.exemplar.time),
                          " value=", view.exemplar.value, " trace=", ToHex(view.exemplar.trace_id));
    }
    case BatchItem::Kind::kMetadata: {
      MetricMetadata metadata;
      if (!DecodeMetadata(item.payload, &metadata)) break;
      return absl::StrCat("metadata ", metadata.metric, " type=", metadata.type, " unit=", metadata.unit);
    }
    case BatchItem::Kind::kLog: {
      LogView view;
      if (!DecodeLog(item.payload, &view)) break;
      return absl::StrCat("log stream=", item.ref, " time=", UtcText(view.record.time),
                          " severity=", view.record.severity_number,
                          " message=", Absl(view.record.message.substr(0, 80)));
    }
    case BatchItem::Kind::kSpan: {
      SpanView view;
      if (!DecodeSpan(item.payload, &view)) break;
      return absl::StrCat("span stream=", item.ref, " start=", UtcText(view.span.start),
                          " trace=", ToHex(view.span.trace_id), " span=", ToHex(view.span.span_id),
                          " name=", Absl(view.span.name.substr(0, 80)), " events=", view.events.size(),
                          " links=", view.links.size());
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

// Where reading a segment ended.
struct SegmentEnd {
  uint64_t records = 0;
  uint64_t damage = 0;  // offset, if there is any
  uint64_t size = 0;
};

// Reads a segment to its end or first damage. `lines` may be null; `store` 0 = believe the header.
absl::Status ReadSegment(FileSystem* fs, const std::string& path, uint64_t store, Lines* lines, SegmentEnd* at) {
  ASSIGN_OR_RETURN(std::unique_ptr<WalReader> reader, WalReader::Open(fs, path));
  at->size = reader->size();
  auto damaged = [&](uint64_t offset, const std::string& why) {
    at->damage = offset;
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
    ++at->records;
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
  std::string text = absl::StrCat(signals[static_cast<int>(spec.signal)], " time ", TextOf(spec.time));
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
    lines->Add(absl::StrCat("part ", PartName(part.id), " bytes ", part.bytes, " time ", TextOf(part.time), " samples ",
                            part.samples, " logs ", part.rows[0], " spans ", part.rows[1], " events ", part.rows[2],
                            " links ", part.rows[3], " exemplars ", part.rows[4]));
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

// Does a process write to the store? Asked only when damage is found: one that opens the store in this very moment
// would be refused.
bool HasWriter(const std::string& path) {
  const int file = ::open(JoinPath(path, "LOCK").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  const bool held = ::flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return held;
}

// Verifies what a manifest names, also beside a writer: parts that are merged away and segments that are flushed while
// they are read are no problem, because what is in them is looked at where it has gone to.
class StoreVerifier {
 public:
  StoreVerifier(FileSystem* fs, const std::string& path, const std::function<void(uint64_t, uint64_t)>& progress)
      : fs_(fs), path_(path), wal_dir_(JoinPath(path, "wal")), progress_(progress) {}

  absl::StatusOr<VerifyReport> Run() {
    report_.files = 1;
    uint64_t seen = 0;
    for (int round = 0; round < kRounds; ++round) {
      ASSIGN_OR_RETURN(const std::optional<Manifest> manifest, ReadBothCopies());
      if (!manifest) break;
      Forget(*manifest);
      if (round > 0 && manifest->generation == seen) break;
      seen = manifest->generation;
      RETURN_IF_ERROR(VerifyOnce(*manifest));
    }
    if (!manifest_problem_.empty()) report_.problems.push_back(manifest_problem_);
    for (const auto* found : {&segments_, &parts_}) {
      for (const auto& [id, problems] : *found) {
        report_.problems.insert(report_.problems.end(), problems.begin(), problems.end());
      }
    }
    report_.set_aside = ListQuarantine(fs_, JoinPath(path_, "quarantine"));
    return std::move(report_);
  }

 private:
  // A writer changes the manifest a few times a second at the most, and a round after the first is short.
  static constexpr int kRounds = 20;
  // How often the end of a segment is looked at while it stays as it is: a write is done by then.
  static constexpr int kLooks = 5;
  static constexpr int kLooksMax = 100;
  static constexpr auto kBetweenLooks = std::chrono::milliseconds(20);

  // One good copy is enough to open, but both are checked here. Nothing if none is good.
  absl::StatusOr<std::optional<Manifest>> ReadBothCopies() {
    const std::string file = JoinPath(path_, kManifestName);
    const absl::StatusOr<std::string> bytes = ReadFile(fs_, file, kManifestBytesMax);
    if (absl::IsNotFound(bytes.status())) return absl::NotFoundError(path_ + " is not a store: it has no MANIFEST");
    absl::StatusOr<Manifest> manifest = bytes.ok() ? DecodeManifest(*bytes) : bytes.status();
    if (!manifest.ok()) {
      manifest_problem_ = file + ": 0: " + std::string(Str(manifest.status().message()));
      return std::nullopt;
    }
    manifest_problem_ = EncodeManifest(*manifest) == *bytes ? "" : file + ": 0: one of its two copies is damaged";
    if (report_.blocks == 0) {
      report_.blocks = 2;
      report_.bytes = bytes->size();
    }
    return *std::move(manifest);
  }

  // What the manifest names and was not looked at before.
  absl::Status VerifyOnce(const Manifest& manifest) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(wal_dir_));
    std::vector<uint64_t> segments;
    total_ = report_.bytes;
    for (const std::string& name : names) {
      uint64_t segment = 0;
      if (!ParseWalSegmentName(name, &segment) || segment < manifest.first_segment) continue;
      if (segments_.contains(segment)) continue;
      segments.push_back(segment);
      total_ += SizeOfFile(fs_, JoinPath(wal_dir_, name));
    }
    const uint64_t last = manifest.last_segment;
    if (last >= manifest.first_segment && !segments_.contains(last) &&
        std::find(segments.begin(), segments.end(), last) == segments.end()) {
      segments_[last].push_back(JoinPath(wal_dir_, WalSegmentName(last)) + ": 0: the segment is missing");
    }
    for (const PartEntry& part : manifest.parts) total_ += parts_.contains(part.id) ? 0 : part.bytes;
    for (const uint64_t segment : segments) VerifySegment(manifest.store, segment);
    for (const PartEntry& part : manifest.parts) {
      if (!parts_.contains(part.id)) RETURN_IF_ERROR(VerifyPart(part));
    }
    return absl::OkStatus();
  }

  void VerifySegment(uint64_t store, uint64_t segment) {
    const std::string file = JoinPath(wal_dir_, WalSegmentName(segment));
    std::vector<std::string>& problems = segments_[segment];
    SegmentEnd end;
    absl::Status status = ReadSegment(fs_, file, store, nullptr, &end);
    const uint64_t records = end.records;
    // A record that is being written is whole a moment later: damage stays where it is.
    const uint64_t damage = end.damage;
    uint64_t size = end.size;
    const bool writer = absl::IsDataLoss(status) && HasWriter(path_);
    for (int look = 0, still = 1; writer && absl::IsDataLoss(status) && still < kLooks && look < kLooksMax;
         ++look, ++still) {
      std::this_thread::sleep_for(kBetweenLooks);
      end = {};
      status = ReadSegment(fs_, file, store, nullptr, &end);
      if (absl::IsDataLoss(status) && end.damage > damage) status = absl::OkStatus();  // a later one is being written
      if (end.size != size) still = 0;
      size = end.size;
    }
    if (!status.ok()) problems.push_back(std::string(Str(status.message())));
    report_.blocks += records;
    ++report_.files;
    Advance(size);
  }

  absl::Status VerifyPart(const PartEntry& entry) {
    std::vector<std::string>& problems = parts_[entry.id];
    const std::string dir = JoinPath(JoinPath(path_, "parts"), PartName(entry.id));
    const absl::StatusOr<std::shared_ptr<Part>> part = Part::Open(fs_, dir, PartName(entry.id));
    if (!part.ok()) {
      problems.push_back(dir + ": " + std::string(Str(part.status().message())));
      return absl::OkStatus();
    }
    const absl::StatusOr<std::vector<std::string>> files = fs_->List(dir);
    if (files.ok()) report_.files += files->size();
    const absl::Status status = (*part)->Verify(
        &problems, [this](uint64_t bytes) { Advance(bytes); }, &report_.blocks);
    if (absl::IsNotFound(status)) {
      problems.push_back(dir + ": " + std::string(Str(status.message())));
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(status);
    const SourceCounts counts = (*part)->counts();
    if (counts.samples != entry.samples ||
        !std::equal(std::begin(entry.rows), std::end(entry.rows), std::begin(counts.rows))) {
      problems.push_back(dir + ": 0: it holds other rows than the manifest says");
    }
    return absl::OkStatus();
  }

  // What a writer has merged or flushed away meanwhile, and so may have been read while it went.
  void Forget(const Manifest& now) {
    std::erase_if(segments_, [&](const auto& segment) { return segment.first < now.first_segment; });
    std::erase_if(parts_, [&](const auto& part) {
      return std::none_of(now.parts.begin(), now.parts.end(),
                          [&](const PartEntry& entry) { return entry.id == part.first; });
    });
  }

  void Advance(uint64_t bytes) {
    report_.bytes += bytes;
    if (progress_) progress_(std::min(report_.bytes, total_), total_);
  }

  FileSystem* const fs_;
  const std::string path_;
  const std::string wal_dir_;
  const std::function<void(uint64_t, uint64_t)>& progress_;
  VerifyReport report_;
  uint64_t total_ = 0;
  std::string manifest_problem_;
  // By number: what was looked at, and what is wrong with it.
  std::map<uint64_t, std::vector<std::string>> segments_, parts_;
};

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
    SegmentEnd end;
    const absl::Status status = ReadSegment(fs, path, 0, &lines, &end);
    std::string text = lines.Take();
    if (!status.ok() && end.records == 0) return status;
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
  return StoreVerifier(FileSystem::Posix(), path, progress).Run();
}

}  // namespace braid
