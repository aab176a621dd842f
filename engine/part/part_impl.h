// What Part::Open returns; apart from part.cc because verifying is a file of its own.
// Threads: immutable but for the indexes, which load themselves once.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>

#include "engine/part/label_index.h"
#include "engine/part/part.h"
#include "engine/part/part_meta.h"
#include "engine/part/sample_file.h"
#include "engine/part/table_file.h"
#include "engine/part/table_scan.h"

namespace braid {

// What a file of a part's directory is, by its name.
FileKind KindOfPartFile(const std::string& name);

// An index that is read when it is first needed. A failure is remembered too: the file does not get better.
template <typename Index>
class LazyIndex {
 public:
  template <typename Load>
  absl::StatusOr<const Index*> Get(Load load) const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (index_ == nullptr && status_.ok()) {
      absl::StatusOr<std::unique_ptr<Index>> loaded = load();
      if (loaded.ok()) {
        index_ = *std::move(loaded);
      } else {
        status_ = loaded.status();
      }
    }
    if (index_ == nullptr) return status_;
    return index_.get();
  }

 private:
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const Index> index_;
  mutable absl::Status status_;
};

class PartImpl : public Part, public std::enable_shared_from_this<PartImpl> {
 public:
  PartImpl(FileSystem* fs, std::string dir, std::string name)
      : fs_(fs), dir_(std::move(dir)), name_("part " + std::move(name)) {}
  absl::Status Load();

  std::string name() const override { return name_; }
  SourceCounts counts() const override { return meta_.counts; }
  TimeRange Range(Table table) const override { return meta_.ranges[static_cast<size_t>(table)]; }
  TimeRange SampleRange() const override { return meta_.sample_range; }
  absl::StatusOr<std::unique_ptr<Scan>> OpenScan(const ScanSpec& spec) const override;
  absl::StatusOr<std::unique_ptr<SeriesScan>> OpenSeriesScan(const SeriesSpec& spec) const override;
  absl::StatusOr<OrderedRows> OpenOrderedRows(Table table) const override { return OpenOrderedRows(table, {}); }
  absl::StatusOr<OrderedRows> OpenOrderedRows(Table table, const std::vector<ColumnRef>& more) const override;
  std::vector<ColumnInfo> Columns(Table table) const override;
  std::vector<MetricMetadata> Metadata() const override { return meta_.metadata; }
  bool MayContainTrace(TraceId id) const override { return traces_->MayContain(id); }
  std::vector<std::pair<uint64_t, Stream>> Streams() const override;
  uint64_t byte_size() const override { return byte_size_; }
  TimeRange time_range() const override;
  absl::Status Verify(std::vector<std::string>* problems, const std::function<void(uint64_t bytes)>& progress,
                      uint64_t* blocks) const override;

 private:
  std::string Path(const std::string& file) const { return dir_ + "/" + file; }
  std::string FileLabel(const std::string& file) const { return name_ + " " + file; }
  TableContext Context(Table table) const;
  absl::StatusOr<const TermIndex*> Terms(Table table) const;
  absl::StatusOr<const LabelIndex*> LabelsIndex() const;
  absl::StatusOr<std::unique_ptr<RandomReadFile>> TakeIndexFile(const std::string& name) const;
  std::vector<ColumnInfo> FindColumns(Table table) const;
  void AddStreamColumns(Table table, std::vector<ColumnInfo>* columns) const;
  uint64_t DerivedRows(Table table, const std::string& name) const;

  absl::Status VerifyBlocks(const std::string& file, FileKind kind, std::vector<std::string>* problems,
                            const std::function<void(uint64_t bytes)>& progress, uint64_t* blocks) const;
  absl::Status VerifySeries(std::vector<std::string>* problems) const;
  absl::Status VerifyTable(Table table, std::vector<std::string>* problems) const;

  FileSystem* fs_;
  std::string dir_;
  std::string name_;
  PartMeta meta_;
  uint64_t byte_size_ = 0;
  std::shared_ptr<const StreamTable> streams_;
  std::shared_ptr<const TraceFilter> traces_;
  std::shared_ptr<const SampleFileReader> samples_;
  // Those not read yet; each is taken by the one that reads it.
  mutable std::map<std::string, std::unique_ptr<RandomReadFile>> index_files_;
  LazyIndex<LabelIndex> labels_;
  std::array<std::shared_ptr<const TableFileReader>, kTableCount> tables_;
  std::array<LazyIndex<TermIndex>, kTableCount> terms_;
  std::array<LazyIndex<std::vector<ColumnInfo>>, kTableCount> columns_;  // every query asks
};

}  // namespace braid
