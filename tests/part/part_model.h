// Random telemetry as plain rows, written to a part and evaluated naively.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "braid/snapshot.h"
#include "engine/part/part.h"
#include "tests/part/memory_file_system.h"

namespace braid {

struct ModelRow {
  std::map<std::string, Value> builtin;     // stored ones, as Column::ValueAt shows them; absent = null
  std::map<std::string, Value> attributes;  // always has "row" (int, unique in its table)
  int stream = -1;                          // index into ModelData::streams; -1 for exemplars
};

struct ModelSeries {
  Labels labels;
  std::vector<Timestamp> times;
  std::vector<double> values;
  std::vector<std::shared_ptr<const Histogram>> histograms;
};

struct ModelData {
  std::vector<Stream> streams;
  std::vector<ModelRow> rows[kTableCount];  // in arrival order
  std::vector<ModelSeries> series;          // by labels
  std::vector<MetricMetadata> metadata;
};

ModelData RandomData(uint64_t seed, size_t rows, size_t series);

// The value of a column in a row by the rules of braid/snapshot.h, written independently of the engine.
Value ModelValue(const ModelData& data, Table table, const ModelRow& row, const ColumnRef& ref);

// Whether the row must come out of the scan, and whether it may.
bool MustReturn(const ModelData& data, const ModelRow& row, const ScanSpec& spec);
bool MayReturn(const ModelRow& row, const ScanSpec& spec);

ScanSpec RandomSpec(const ModelData& data, Table table, std::mt19937_64* random);

// Writes all of the data; rows are brought into order by PartOrder.
absl::Status WriteModel(const ModelData& data, PartWriter* writer);
// A part of the data in directory `dir`, opened; null (and a failed test) if that does not work.
std::shared_ptr<Part> MakePart(MemoryFileSystem* fs, const ModelData& data, const std::string& dir);
std::pair<std::vector<ColumnRef>, RecordBatch> ModelBatch(const ModelData& data, Table table);

}  // namespace braid
