// The in-memory form of a DB.
#include <mutex>

#include "engine/base/status_macros.h"
#include "engine/db/open.h"
#include "engine/db/snapshot_impl.h"
#include "engine/head/batch_reader.h"
#include "engine/head/head.h"

namespace braid {
namespace {

class MemoryDB : public DB {
 public:
  absl::Status Write(const WriteBatch& batch) override {
    BatchView view;
    RETURN_IF_ERROR(CheckBatch(batch, &view));
    std::lock_guard lock(mutex_);
    Head::Resolved resolved;
    head_->Resolve(view, &resolved);
    head_->Apply(resolved, view.body);
    head_->Publish();
    ++batches_;
    return absl::OkStatus();
  }
  std::shared_ptr<const Snapshot> GetSnapshot() const override { return MakeSnapshot({head_->View()}); }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status Tick() override { return absl::OkStatus(); }
  absl::Status Compact() override { return absl::OkStatus(); }
  DBStats Stats() const override {
    DBStats stats;
    const HeadCut cut = head_->cut();
    stats.samples = cut.samples;
    stats.series = cut.series;
    stats.head_bytes = head_->byte_size();
    return stats;
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  std::mutex mutex_;
  std::shared_ptr<Head> head_ = std::make_shared<Head>();
  uint64_t batches_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DB>> OpenDB(const Options& options, const std::string& path, FileSystem* fs) {
  if (options.durability != Durability::kMemory) {
    return absl::UnimplementedError(path + ": only Durability::kMemory works so far");
  }
  (void)fs;
  return std::make_unique<MemoryDB>();
}

absl::StatusOr<std::unique_ptr<DB>> DB::Open(const Options& options, const std::string& path) {
  return OpenDB(options, path, FileSystem::Posix());
}

}  // namespace braid
