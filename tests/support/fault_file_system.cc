#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"

namespace braid {
namespace {

// A change of a file's bytes that no Sync has covered.
struct PendingWrite {
  bool truncate = false;
  uint64_t offset = 0;  // or the new size
  std::string bytes;
};

struct Node {
  bool is_dir = false;
  // Files.
  std::string live;
  std::string durable;
  std::vector<PendingWrite> pending;
  // Directories.
  std::map<std::string, std::shared_ptr<Node>> entries;
  std::map<std::string, std::shared_ptr<Node>> durable_entries;
};
using NodePtr = std::shared_ptr<Node>;

// A change of entries that no SyncDir has covered. A rename is one change with two parts.
struct EntryChange {
  struct Part {
    NodePtr dir;
    std::string name;
    NodePtr node;  // null = removed
    bool done = false;
  };
  std::vector<Part> parts;
};

void Apply(const PendingWrite& write, size_t bytes, std::string* content) {
  if (write.truncate) {
    content->resize(write.offset);
    return;
  }
  const size_t end = write.offset + bytes;
  if (content->size() < end) content->resize(end);
  content->replace(write.offset, bytes, write.bytes, 0, bytes);
}

void SetEntry(std::map<std::string, NodePtr>* entries, const std::string& name, const NodePtr& node) {
  if (node == nullptr) {
    entries->erase(name);
  } else {
    (*entries)[name] = node;
  }
}

std::vector<std::string> Split(const std::string& path) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (begin <= path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    std::string part = path.substr(begin, end - begin);
    if (!part.empty() && part != ".") parts.push_back(std::move(part));
    begin = end + 1;
  }
  return parts;
}

absl::Status NotFound(const std::string& path) { return absl::NotFoundError(absl::StrCat(path, ": no such file")); }

}  // namespace

struct FaultFileSystem::State {
  mutable std::mutex mutex;
  NodePtr root = std::make_shared<Node>();
  std::vector<EntryChange> changes;
  std::map<std::string, std::string> locks;  // path -> owner
  std::vector<std::string> log;
  uint64_t fail_at = UINT64_MAX;
  absl::Status fail_status;
  Fault fault = Fault::kOnce;
  bool short_write = false;
  bool fault_happened = false;
  uint64_t free_bytes = UINT64_MAX;

  NodePtr Find(const std::string& path) const {
    NodePtr node = root;
    for (const std::string& part : Split(path)) {
      const auto found = node->entries.find(part);
      if (!node->is_dir || found == node->entries.end()) return nullptr;
      node = found->second;
    }
    return node;
  }

  // The directory of `path` and the last name of it; null if the directory is missing.
  NodePtr FindDirOf(const std::string& path, std::string* name) const {
    std::vector<std::string> parts = Split(path);
    if (parts.empty()) return nullptr;
    *name = parts.back();
    NodePtr node = root;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = node->entries.find(parts[i]);
      if (found == node->entries.end() || !found->second->is_dir) return nullptr;
      node = found->second;
    }
    return node;
  }

  // Counts an operation; not OK if it is to fail.
  absl::Status Begin(std::string what) {
    const uint64_t operation = log.size();
    const bool fails = fault == Fault::kOnce ? operation == fail_at : operation >= fail_at;
    if (fails) {
      fault_happened = true;
      log.push_back(what + " FAILED");
      return absl::Status(fail_status.code(), absl::StrCat(what, ": ", fail_status.message()));
    }
    log.push_back(std::move(what));
    return absl::OkStatus();
  }

  void Change(std::vector<EntryChange::Part> parts) {
    for (const EntryChange::Part& part : parts) SetEntry(&part.dir->entries, part.name, part.node);
    changes.push_back({std::move(parts)});
  }

  void Write(Node* node, PendingWrite write) {
    Apply(write, write.bytes.size(), &node->live);
    node->pending.push_back(std::move(write));
  }
};

namespace {

using StatePtr = std::shared_ptr<FaultFileSystem::State>;

class FaultAppendFile : public AppendFile {
 public:
  FaultAppendFile(StatePtr state, NodePtr node, std::string path)
      : state_(std::move(state)), node_(std::move(node)), path_(std::move(path)), size_(node_->live.size()) {}

  absl::Status Append(std::string_view bytes) override {
    std::lock_guard lock(state_->mutex);
    const absl::Status status = state_->Begin(absl::StrCat("append ", path_, " ", bytes.size()));
    if (!status.ok()) {
      if (state_->short_write) WriteSome(bytes.substr(0, bytes.size() / 2));
      return status;
    }
    if (bytes.size() > state_->free_bytes) {
      WriteSome(bytes.substr(0, state_->free_bytes));
      state_->free_bytes = 0;
      return absl::ResourceExhaustedError(absl::StrCat("append ", path_, ": no space left on device"));
    }
    if (state_->free_bytes != UINT64_MAX) state_->free_bytes -= bytes.size();
    WriteSome(bytes);
    size_ += bytes.size();
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    std::lock_guard lock(state_->mutex);
    const absl::Status status = state_->Begin("sync " + path_);
    if (status.ok()) {
      for (const PendingWrite& write : node_->pending) Apply(write, write.bytes.size(), &node_->durable);
    }
    node_->pending.clear();
    return status;
  }

  absl::Status Preallocate(uint64_t bytes) override {
    std::lock_guard lock(state_->mutex);
    const absl::Status status = state_->Begin(absl::StrCat("preallocate ", path_, " ", bytes));
    if (!status.ok()) return status;
    if (bytes > state_->free_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat("preallocate ", path_, ": no space left on device"));
    }
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    std::lock_guard lock(state_->mutex);
    const absl::Status status = state_->Begin(absl::StrCat("truncate ", path_, " ", size));
    if (!status.ok()) return status;
    state_->Write(node_.get(), {true, size, {}});
    size_ = size;
    return absl::OkStatus();
  }

  uint64_t size() const override { return size_; }

 private:
  void WriteSome(std::string_view bytes) {
    if (!bytes.empty()) state_->Write(node_.get(), {false, size_, std::string(bytes)});
  }

  StatePtr state_;
  NodePtr node_;
  std::string path_;
  uint64_t size_;
};

class FaultReadFile : public RandomReadFile {
 public:
  FaultReadFile(StatePtr state, NodePtr node, std::string path)
      : state_(std::move(state)), node_(std::move(node)), path_(std::move(path)), size_(node_->live.size()) {}

  absl::Status Read(uint64_t offset, size_t size, std::string* bytes) const override {
    std::lock_guard lock(state_->mutex);
    const absl::Status status = state_->Begin(absl::StrCat("read ", path_, " ", offset));
    if (!status.ok()) return status;
    *bytes = offset < node_->live.size() ? node_->live.substr(offset, size) : std::string();
    return absl::OkStatus();
  }
  uint64_t size() const override { return size_; }

 private:
  StatePtr state_;
  NodePtr node_;
  std::string path_;
  uint64_t size_;
};

class FaultLock : public FileLock {
 public:
  FaultLock(StatePtr state, std::string path) : state_(std::move(state)), path_(std::move(path)) {}
  ~FaultLock() override {
    std::lock_guard lock(state_->mutex);
    state_->locks.erase(path_);
  }

 private:
  StatePtr state_;
  std::string path_;
};

using NodeMap = std::map<const Node*, NodePtr>;

// A copy of the tree in which everything is durable. `content` and `entries` say what a node has.
template <typename ContentOf, typename EntriesOf>
NodePtr CopyTree(const NodePtr& node, ContentOf content, EntriesOf entries, NodeMap* made) {
  NodePtr& copy = (*made)[node.get()];
  if (copy != nullptr) return copy;
  copy = std::make_shared<Node>();
  const NodePtr result = copy;
  result->is_dir = node->is_dir;
  if (!node->is_dir) {
    result->live = content(*node);
    result->durable = result->live;
    return result;
  }
  for (const auto& [name, child] : entries(*node)) result->entries[name] = CopyTree(child, content, entries, made);
  result->durable_entries = result->entries;
  return result;
}

void ListFiles(const Node& dir, const std::string& prefix, std::vector<std::string>* files) {
  for (const auto& [name, node] : dir.entries) {
    const std::string path = prefix.empty() ? name : prefix + "/" + name;
    if (node->is_dir) {
      ListFiles(*node, path, files);
    } else {
      files->push_back(path);
    }
  }
}

}  // namespace

FaultFileSystem::FaultFileSystem() : state_(std::make_shared<State>()) { state_->root->is_dir = true; }
FaultFileSystem::~FaultFileSystem() = default;

absl::StatusOr<std::unique_ptr<AppendFile>> FaultFileSystem::OpenAppend(const std::string& path, bool keep) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("open " + path); !status.ok()) return status;
  std::string name;
  const NodePtr dir = state_->FindDirOf(path, &name);
  if (dir == nullptr) return NotFound(path);
  NodePtr node = state_->Find(path);
  if (node == nullptr) {
    node = std::make_shared<Node>();
    state_->Change({{dir, name, node}});
  } else if (node->is_dir) {
    return absl::UnavailableError(path + ": is a directory");
  } else if (!keep) {
    state_->Write(node.get(), {true, 0, {}});
  }
  return std::make_unique<FaultAppendFile>(state_, node, path);
}

absl::StatusOr<std::unique_ptr<RandomReadFile>> FaultFileSystem::OpenRead(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("open " + path); !status.ok()) return status;
  const NodePtr node = state_->Find(path);
  if (node == nullptr || node->is_dir) return NotFound(path);
  return std::make_unique<FaultReadFile>(state_, node, path);
}

absl::StatusOr<std::vector<std::string>> FaultFileSystem::List(const std::string& dir) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("list " + dir); !status.ok()) return status;
  const NodePtr node = state_->Find(dir);
  if (node == nullptr || !node->is_dir) return NotFound(dir);
  std::vector<std::string> names;
  for (const auto& entry : node->entries) names.push_back(entry.first);
  return names;
}

absl::Status FaultFileSystem::CreateDir(const std::string& dir) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("mkdir " + dir); !status.ok()) return status;
  if (const NodePtr there = state_->Find(dir); there != nullptr) {
    return there->is_dir ? absl::OkStatus() : absl::UnavailableError(dir + ": a file is there");
  }
  std::string name;
  const NodePtr parent = state_->FindDirOf(dir, &name);
  if (parent == nullptr) return NotFound(dir);
  auto node = std::make_shared<Node>();
  node->is_dir = true;
  state_->Change({{parent, name, node}});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin(absl::StrCat("rename ", from, " ", to)); !status.ok()) return status;
  std::string from_name;
  std::string to_name;
  const NodePtr from_dir = state_->FindDirOf(from, &from_name);
  const NodePtr to_dir = state_->FindDirOf(to, &to_name);
  const NodePtr node = state_->Find(from);
  if (node == nullptr || to_dir == nullptr) return NotFound(from);
  const NodePtr target = state_->Find(to);
  if (target == node) return absl::OkStatus();
  if (target != nullptr && target->is_dir && !target->entries.empty()) {
    return absl::UnavailableError(to + ": directory not empty");
  }
  state_->Change({{from_dir, from_name, nullptr}, {to_dir, to_name, node}});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Remove(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("remove " + path); !status.ok()) return status;
  std::string name;
  const NodePtr dir = state_->FindDirOf(path, &name);
  const NodePtr node = state_->Find(path);
  if (node == nullptr) return NotFound(path);
  if (node->is_dir) return absl::UnavailableError(path + ": is a directory");
  state_->Change({{dir, name, nullptr}});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::RemoveDir(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("rmdir " + path); !status.ok()) return status;
  std::string name;
  const NodePtr dir = state_->FindDirOf(path, &name);
  const NodePtr node = state_->Find(path);
  if (node == nullptr || dir == nullptr) return NotFound(path);
  if (!node->is_dir || !node->entries.empty()) return absl::UnavailableError(path + ": not an empty directory");
  state_->Change({{dir, name, nullptr}});
  return absl::OkStatus();
}

absl::Status FaultFileSystem::SyncDir(const std::string& dir) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("syncdir " + dir); !status.ok()) return status;
  const NodePtr node = state_->Find(dir);
  if (node == nullptr || !node->is_dir) return NotFound(dir);
  node->durable_entries = node->entries;
  for (EntryChange& change : state_->changes) {
    for (EntryChange::Part& part : change.parts) part.done = part.done || part.dir == node;
  }
  std::erase_if(state_->changes, [](const EntryChange& change) {
    return std::all_of(change.parts.begin(), change.parts.end(), [](const auto& part) { return part.done; });
  });
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FaultFileSystem::FreeBytes(const std::string& dir) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("free " + dir); !status.ok()) return status;
  return std::min<uint64_t>(state_->free_bytes, uint64_t{1} << 40);
}

absl::StatusOr<bool> FaultFileSystem::IsDirectory(const std::string& path) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("stat " + path); !status.ok()) return status;
  const NodePtr node = state_->Find(path);
  if (node == nullptr) return NotFound(path);
  return node->is_dir;
}

absl::StatusOr<std::unique_ptr<FileLock>> FaultFileSystem::Lock(const std::string& path, const std::string& owner) {
  std::lock_guard lock(state_->mutex);
  if (absl::Status status = state_->Begin("lock " + path); !status.ok()) return status;
  std::string name;
  const NodePtr dir = state_->FindDirOf(path, &name);
  if (dir == nullptr) return NotFound(path);
  if (const auto held = state_->locks.find(path); held != state_->locks.end()) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is locked by ", held->second));
  }
  NodePtr node = state_->Find(path);
  if (node == nullptr) {
    node = std::make_shared<Node>();
    state_->Change({{dir, name, node}});
  }
  state_->Write(node.get(), {true, 0, {}});
  state_->Write(node.get(), {false, 0, owner});
  state_->locks[path] = owner;
  return std::make_unique<FaultLock>(state_, path);
}

uint64_t FaultFileSystem::operations() const {
  std::lock_guard lock(state_->mutex);
  return state_->log.size();
}

std::vector<std::string> FaultFileSystem::log() const {
  std::lock_guard lock(state_->mutex);
  return state_->log;
}

void FaultFileSystem::FailAt(uint64_t operation, absl::Status status, Fault fault, bool short_write) {
  std::lock_guard lock(state_->mutex);
  state_->fail_at = operation;
  state_->fail_status = std::move(status);
  state_->fault = fault;
  state_->short_write = short_write;
  state_->fault_happened = false;
}

bool FaultFileSystem::fault_happened() const {
  std::lock_guard lock(state_->mutex);
  return state_->fault_happened;
}

void FaultFileSystem::ClearFaults() {
  std::lock_guard lock(state_->mutex);
  state_->fail_at = UINT64_MAX;
  state_->short_write = false;
  state_->free_bytes = UINT64_MAX;
}

void FaultFileSystem::SetFreeBytes(uint64_t bytes) {
  std::lock_guard lock(state_->mutex);
  state_->free_bytes = bytes;
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::CrashImage() const {
  std::lock_guard lock(state_->mutex);
  auto image = std::make_unique<FaultFileSystem>();
  NodeMap made;
  image->state_->root = CopyTree(
      state_->root, [](const Node& node) { return node.durable; },
      [](const Node& node) -> const auto& { return node.durable_entries; }, &made);
  return image;
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::CrashImage(uint64_t seed) const {
  std::lock_guard lock(state_->mutex);
  std::mt19937_64 random(seed);
  // Some seeds lose nearly all, some nearly nothing.
  const uint64_t kept_share = random() % 5;
  const auto is_kept = [&] { return random() % 4 < kept_share; };
  std::map<const Node*, std::map<std::string, NodePtr>> entries;
  const auto entries_of = [&](const Node& node) -> std::map<std::string, NodePtr>& {
    return entries.try_emplace(&node, node.durable_entries).first->second;
  };
  for (const EntryChange& change : state_->changes) {
    // Half-synced renames have happened: the journal that holds one half holds the other.
    const bool begun = std::any_of(change.parts.begin(), change.parts.end(), [](const auto& p) { return p.done; });
    if (!begun && !is_kept()) continue;
    for (const EntryChange::Part& part : change.parts) {
      if (!part.done) SetEntry(&entries_of(*part.dir), part.name, part.node);
    }
  }
  const auto content_of = [&](const Node& node) {
    std::string content = node.durable;
    for (const PendingWrite& write : node.pending) {
      if (!is_kept()) continue;
      const bool torn = !write.bytes.empty() && random() % 3 == 0;
      Apply(write, torn ? random() % write.bytes.size() : write.bytes.size(), &content);
    }
    return content;
  };
  auto image = std::make_unique<FaultFileSystem>();
  NodeMap made;
  image->state_->root = CopyTree(state_->root, content_of, entries_of, &made);
  return image;
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::KillImage() const {
  std::lock_guard lock(state_->mutex);
  auto image = std::make_unique<FaultFileSystem>();
  NodeMap made;
  image->state_->root = CopyTree(
      state_->root, [](const Node& node) { return node.live; },
      [](const Node& node) -> const auto& { return node.entries; }, &made);
  return image;
}

std::string FaultFileSystem::Contents(const std::string& path) const {
  std::lock_guard lock(state_->mutex);
  const NodePtr node = state_->Find(path);
  return node == nullptr ? std::string() : node->live;
}

void FaultFileSystem::SetContents(const std::string& path, std::string bytes) {
  std::lock_guard lock(state_->mutex);
  std::string name;
  const NodePtr dir = state_->FindDirOf(path, &name);
  if (dir == nullptr) return;
  NodePtr& node = dir->entries[name];
  if (node == nullptr) node = std::make_shared<Node>();
  node->live = bytes;
  node->durable = std::move(bytes);
  node->pending.clear();
  dir->durable_entries[name] = node;
}

std::vector<std::string> FaultFileSystem::Files() const {
  std::lock_guard lock(state_->mutex);
  std::vector<std::string> files;
  ListFiles(*state_->root, "", &files);
  return files;
}

}  // namespace braid
