#include "tools/capture/log_tail.h"

#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <utility>

#include "engine/base/status_macros.h"

namespace braid {
namespace {

constexpr std::chrono::milliseconds kPollEvery{250};
constexpr Duration kScanEvery = kSecond;
// A record waits so long for lines that may belong to it.
constexpr Duration kQuiet = kSecond;
// A file that no pattern leads to any more may still be written to by a program that has it open.
constexpr Duration kLeaveAfter = 10 * kSecond;
// A copy of a file that was cut shows up before or soon after.
constexpr Duration kOrphanFor = 60 * kSecond;
// Offsets are written again although nothing has come, so that retention never takes the last one.
constexpr Duration kHeartbeat = 600 * kSecond;
// Files take turns; a batch is written when it has so much.
constexpr size_t kTurnBytes = size_t{4} << 20;
constexpr size_t kBatchBytes = size_t{4} << 20;
// Files followed at once: each has a descriptor, and the usual limit is 1024.
constexpr size_t kFilesMax = 500;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

std::vector<std::string> Match(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> paths;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  }
  globfree(&found);
  return paths;
}

}  // namespace

absl::StatusOr<TailPattern> TailPattern::Parse(const std::string& text) {
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos && equals > 0 && equals < text.find('/');
  TailPattern pattern{named ? text.substr(0, equals) : "", named ? text.substr(equals + 1) : text};
  if (pattern.glob.empty()) return absl::InvalidArgumentError("'" + text + "' names no files");
  return pattern;
}

absl::StatusOr<std::unique_ptr<LogTail>> LogTail::Make(TailOptions options, DB* db) {
  std::unique_ptr<LogTail> tail(new LogTail(std::move(options), db));
  for (const std::string& text : tail->options_.patterns) {
    ASSIGN_OR_RETURN(tail->patterns_.emplace_back(), TailPattern::Parse(text));
  }
  tail->sink_.set_batch(&tail->batch_);
  RETURN_IF_ERROR(tail->Load());
  return tail;
}

absl::StatusOr<std::unique_ptr<LogTail>> LogTail::Start(TailOptions options, DB* db) {
  ASSIGN_OR_RETURN(std::unique_ptr<LogTail> tail, Make(std::move(options), db));
  tail->thread_ = std::thread([running = tail.get()] { running->Run(); });
  return tail;
}

LogTail::~LogTail() { Stop(); }

// The last offset of each file that was ever followed.
absl::Status LogTail::Load() {
  SeriesSpec spec;
  spec.matchers.push_back({Matcher::Op::kEqual, std::string(kMetricNameLabel), std::string(kTailOffsetMetric)});
  const std::shared_ptr<const Snapshot> snapshot = db_->GetSnapshot();
  ASSIGN_OR_RETURN(const std::unique_ptr<SeriesScan> scan, snapshot->OpenSeriesScan(spec));
  SeriesData series;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, scan->Next(&series));
    if (!more) break;
    Known known;
    known.path = FindLabel(series.labels, "path");
    const std::string inode(FindLabel(series.labels, "inode"));
    if (series.values.empty() || !FileHead::Parse(FindLabel(series.labels, "head"), &known.head)) continue;
    std::from_chars(inode.data(), inode.data() + inode.size(), known.inode);
    known.offset = static_cast<uint64_t>(series.values.back());
    known.time = series.times.back();
    known_.push_back(std::move(known));
  }
  std::stable_sort(known_.begin(), known_.end(), [](const Known& a, const Known& b) { return a.time > b.time; });
  std::set<std::pair<ino_t, std::string_view>> seen;
  for (Known& known : known_) known.current = seen.emplace(known.inode, known.path).second;
  return absl::OkStatus();
}

void LogTail::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const bool more = Poll();
    lock.lock();
    if (!more) wake_.wait_for(lock, kPollEvery, [this] { return stopping_; });
  }
}

void LogTail::Stop() {
  if (thread_.joinable()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  // What is pending stays in its file; its offset is where it begins.
  AddOffsets(options_.clock(), false);
  Write();
}

bool LogTail::Poll() {
  // While the store takes nothing, nothing is read: the files keep it.
  if (!Write()) return false;
  const Timestamp now = options_.clock();
  if (!scanned_ || now - last_scan_ >= kScanEvery || now < last_scan_) Scan(now);
  bool more = false;
  for (Followed& followed : files_) {
    more |= ReadFile(&followed, now);
    if (batch_.byte_size() < kBatchBytes) continue;
    AddOffsets(now, false);
    if (!Write()) return false;
  }
  const auto leaves = [&](const Followed& followed) {
    return !followed.matched && now - followed.file->last_read() >= kLeaveAfter;
  };
  for (Followed& followed : files_) {
    if (leaves(followed)) followed.file->Settle(true, now, &sink_);
  }
  const bool heartbeat = now - last_heartbeat_ >= kHeartbeat;
  if (heartbeat) last_heartbeat_ = now;
  AddOffsets(now, heartbeat);
  for (const Followed& followed : files_) {
    if (!leaves(followed)) continue;
    const TailedFile& file = *followed.file;
    for (Known& known : known_) known.current &= known.inode != file.inode() || known.path != file.path();
    known_.insert(known_.begin(), {file.path(), file.inode(), file.head(), file.safe_offset(), followed.written_time});
  }
  std::erase_if(files_, leaves);
  return Write() && more;
}

bool LogTail::ReadFile(Followed* followed, Timestamp now) {
  TailedFile* const file = followed->file.get();
  if (file->IsTruncated()) {
    orphans_.push_back({file->head(), file->past(), file->read_offset(), now});
    file->Restart(now, &sink_);
  }
  const size_t got = file->Read(kTurnBytes, now, &sink_);
  if (got > 0) followed->settled = false;
  if (got == 0 && !followed->settled && now - file->last_read() >= kQuiet) {
    file->Settle(false, now, &sink_);
    followed->settled = true;
  }
  return got >= kTurnBytes;
}

void LogTail::AddOffsets(Timestamp now, bool all) {
  for (Followed& followed : files_) {
    const TailedFile& file = *followed.file;
    const uint64_t offset = file.safe_offset();
    if (file.head().length == 0 || (!all && offset == followed.written_offset)) continue;
    const std::string inode = std::to_string(file.inode()), head = file.head().ToText();
    const LabelView labels[] = {
        {kMetricNameLabel, kTailOffsetMetric}, {"head", head}, {"inode", inode}, {"path", file.path()}};
    // The last one by time counts, even if the clock was set back.
    followed.written_time = std::max(now, followed.written_time + kMillisecond);
    batch_.AddSample(batch_.AddSeries(labels), followed.written_time, static_cast<double>(offset));
    followed.written_offset = offset;
  }
}

bool LogTail::Write() {
  if (batch_.empty()) return true;
  const absl::Status status = db_->Write(batch_);
  if (!status.ok()) {
    if (!failing_ && options_.note != nullptr) {
      options_.note("tail: " + std::string(status.message().data(), status.message().size()) +
                    "; the files wait until the store takes records again");
    }
    failing_ = true;
    return false;
  }
  failing_ = false;
  batch_.Clear();
  sink_.ForgetBatch();
  return true;
}

void LogTail::Scan(Timestamp now) {
  last_scan_ = now;
  std::erase_if(orphans_, [&](const Orphan& orphan) { return now - orphan.since > kOrphanFor; });
  for (Followed& followed : files_) followed.matched = false;
  for (const TailPattern& pattern : patterns_) {
    for (const std::string& path : Match(pattern.glob)) Consider(path, pattern.service, now);
  }
  if (!scanned_) FindMoved();
  scanned_ = true;
}

void LogTail::Consider(const std::string& path, const std::string& service, Timestamp now) {
  for (Followed& followed : files_) {
    // Under a new name, or under several: one file.
    if (followed.file->IsAt(path)) {
      followed.matched = true;
      return;
    }
  }
  if (files_.size() >= kFilesMax) {
    return NoteOnce("--tail", "more than " + std::to_string(kFilesMax) + " files; the rest is not followed");
  }
  std::string why;
  std::unique_ptr<TailedFile> file = TailedFile::Open(path, service, &why);
  if (file == nullptr) {
    if (!why.empty()) NoteOnce(path, why);
    return;
  }
  if (file->IsCompressed()) return NoteOnce(path, "compressed, not followed; `braid import` reads it");
  uint64_t offset = 0;
  if (!FindStart(*file, now, &offset)) return;
  KeepService(KnownOf(*file), file.get());
  if (offset > 0) file->Resume(offset);
  Followed followed;
  followed.written_time = LastTimeOf(file->inode());
  followed.file = std::move(file);
  files_.push_back(std::move(followed));
}

bool LogTail::FindStart(const TailedFile& file, Timestamp now, uint64_t* offset) {
  const auto has_head = [&](const FileHead& head) { return head.length > 0 && file.HeadNow(head.length) == head; };
  for (auto orphan = orphans_.begin(); orphan != orphans_.end(); ++orphan) {
    if (!has_head(orphan->head) || !file.Holds(orphan->past, orphan->offset)) continue;
    *offset = orphan->offset;
    orphans_.erase(orphan);
    return true;
  }
  for (const Followed& followed : files_) {
    // Perhaps the copy before the cut: then it is looked at again once the original is cut. A file that only begins
    // like another is told by what stands where reading has got to.
    const TailedFile& other = *followed.file;
    if (other.head().length < FileHead::kBytesMax || !has_head(other.head())) continue;
    if (file.Holds(other.past(), other.read_offset())) return false;
    if (file.SizeNow() < other.read_offset() && now - suspects_.emplace(file.path(), now).first->second < kOrphanFor) {
      return false;
    }
  }
  suspects_.erase(file.path());
  if (const std::vector<const Known*> known = KnownOf(file); !known.empty()) {
    // Shorter than what was read of it: cut, and begun anew with the same bytes.
    if (known.front()->offset <= file.SizeNow()) *offset = known.front()->offset;
    return true;
  }
  // Another inode: a copy, or moved between file systems.
  const FileHead head = file.HeadNow(FileHead::kBytesMax);
  if (head.length < FileHead::kBytesMax) return true;
  for (const Known& known : known_) {
    if (known.inode == file.inode() || known.head != head || file.SizeNow() < known.offset) continue;
    *offset = known.offset;
    break;
  }
  return true;
}

std::vector<const LogTail::Known*> LogTail::KnownOf(const TailedFile& file) const {
  std::vector<const Known*> found;
  for (const Known& known : known_) {
    if (known.current && known.inode == file.inode() && known.head.length > 0 &&
        file.HeadNow(known.head.length) == known.head) {
      found.push_back(&known);
    }
  }
  return found;
}

Timestamp LogTail::LastTimeOf(ino_t inode) const {
  Timestamp last = 0;
  for (const Known& known : known_) {
    if (known.inode == inode) last = std::max(last, known.time);
  }
  return last;
}

bool LogTail::KeepService(const std::vector<const Known*>& known, TailedFile* file) const {
  for (auto entry = known.rbegin(); entry != known.rend(); ++entry) {
    const std::string& path = (*entry)->path;
    for (const TailPattern& pattern : patterns_) {
      if (fnmatch(pattern.glob.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) != 0) continue;
      file->SetService(pattern.service.empty() ? TailedFile::ServiceOf(path) : pattern.service);
      return true;
    }
  }
  return false;
}

// Files that were moved out of the patterns' sight while nobody followed them: what is left of them is read.
void LogTail::FindMoved() {
  std::set<std::string> folders;
  std::set<ino_t> inodes;
  for (const Known& known : known_) {
    folders.insert(FolderOf(known.path));
    inodes.insert(known.inode);
  }
  for (const std::string& folder : folders) {
    DIR* directory = opendir(folder.c_str());
    if (directory == nullptr) continue;
    while (const dirent* entry = readdir(directory)) {
      if (!inodes.contains(entry->d_ino)) continue;
      const std::string path = folder + "/" + entry->d_name;
      const bool followed =
          std::any_of(files_.begin(), files_.end(), [&](const Followed& other) { return other.file->IsAt(path); });
      std::string why;
      std::unique_ptr<TailedFile> file = followed ? nullptr : TailedFile::Open(path, "", &why);
      if (file == nullptr) continue;
      const std::vector<const Known*> known = KnownOf(*file);
      if (known.empty() || file->SizeNow() <= known.front()->offset || !KeepService(known, file.get())) continue;
      file->Resume(known.front()->offset);
      Followed moved;
      moved.file = std::move(file);
      moved.matched = false;
      moved.written_time = LastTimeOf(moved.file->inode());
      files_.push_back(std::move(moved));
    }
    closedir(directory);
  }
}

void LogTail::NoteOnce(const std::string& path, const std::string& why) {
  std::string& noted = noted_[path];
  if (noted == why) return;
  noted = why;
  if (options_.note != nullptr) options_.note(path + ": " + why);
}

}  // namespace braid
