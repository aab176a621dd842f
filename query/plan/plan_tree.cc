#include "query/plan/plan_tree.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <utility>

#include "query/rows/cells.h"

namespace braid {

int64_t PlanClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

namespace {

class Measured : public Operator {
 public:
  Measured(OperatorPtr op, PlanNode* node) : op_(std::move(op)), node_(node) {}

  const Schema& schema() const override { return op_->schema(); }

  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    const int64_t begin = PlanClock();
    absl::StatusOr<bool> more = op_->Next(batch);
    // Parts of a split operator count into one node.
    std::atomic_ref(node_->ran).store(true, std::memory_order_relaxed);
    std::atomic_ref(node_->time_ns).fetch_add(PlanClock() - begin, std::memory_order_relaxed);
    if (more.ok() && *more) {
      std::atomic_ref(node_->rows).fetch_add(batch->num_rows, std::memory_order_relaxed);
      std::atomic_ref(node_->batches).fetch_add(1, std::memory_order_relaxed);
    }
    return more;
  }

  std::vector<OperatorPtr> Split(size_t parts) override {
    std::vector<OperatorPtr> split = op_->Split(parts);
    for (OperatorPtr& part : split) part = std::make_unique<Measured>(std::move(part), node_);
    return split;
  }
  uint64_t place() const override { return op_->place(); }

 private:
  OperatorPtr op_;
  PlanNode* node_;
};

std::string Grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string Bytes(double bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  const auto tenths = static_cast<uint64_t>(std::llround(bytes * 10));
  return std::to_string(tenths / 10) + (unit == 0 ? "" : "." + std::to_string(tenths % 10)) + " " + kUnits[unit];
}

int64_t OwnTime(const PlanNode& node) {
  int64_t own = node.time_ns;
  // Sub-queries ran before this node was asked; only its input's time is inside its own.
  if (!node.is_source && !node.children.empty()) own -= node.children[0]->time_ns;
  return node.prepare_ns + (own < 0 ? 0 : own);
}

void Explain(const PlanNode& node, bool analyze, int depth, std::string* out) {
  for (int i = 1; i < depth; ++i) *out += "  ";
  if (depth > 0) *out += "└ ";
  if (!node.role.empty()) *out += node.role + ": ";
  *out += node.text;
  if (node.is_source && node.scan.sources_total > 0) {
    // Of a plan that was not run: what pruning has left, before the sets that are not known yet.
    *out += "  parts " + std::to_string(node.scan.sources_read) + "/" + std::to_string(node.scan.sources_total) +
            "  blocks " + Grouped(node.scan.blocks_read) + "/" + Grouped(node.scan.blocks_total);
  }
  for (const std::string& detail : node.details) *out += "  " + detail;
  if (!node.scan.indexes.empty()) {
    *out += "  index";
    for (const std::string& index : node.scan.indexes) *out += " [" + index + "]";
  }
  if (!analyze && node.rows_estimated >= 0) {
    *out += "  estimated " + Grouped(static_cast<uint64_t>(node.rows_estimated)) + " rows";
    if (node.bytes_estimated >= 0) *out += ", " + Bytes(node.bytes_estimated);
  }
  if (analyze) {
    if (node.ran) {
      *out += "  rows " + Grouped(node.rows) + "  time " + FormatDuration(OwnTime(node) / 1000 * 1000);
      if (node.scan.bytes_read > 0) {
        *out += "  read " + Grouped(node.scan.rows_read) + " rows, " + Bytes(static_cast<double>(node.scan.bytes_read));
      }
    } else {
      *out += "  not run";
    }
  }
  *out += "\n";
  for (const auto& child : node.children) Explain(*child, analyze, depth + 1, out);
}

// Stored bytes that all sources will read, or -1 if that is not known of every one.
double SumEstimates(const PlanNode& node) {
  const bool reads = node.is_source && node.children.empty();
  if (reads && node.bytes_estimated < 0) return -1;
  double sum = std::max(node.bytes_estimated, 0.0);
  for (const auto& child : node.children) {
    const double below = SumEstimates(*child);
    if (below < 0) return -1;
    sum += below;
  }
  return sum;
}

uint64_t SumRead(const PlanNode& node) {
  uint64_t sum = node.scan.bytes_read;
  for (const auto& child : node.children) sum += SumRead(*child);
  return sum;
}

void Report(const PlanNode& node, const std::string& role, std::vector<StageReport>* reports) {
  // A stage's first child is its input; a source has sub-queries only.
  for (size_t i = node.is_source ? 0 : 1; i < node.children.size(); ++i) Report(*node.children[i], "", reports);
  const std::string inherited = node.role.empty() ? role : node.role;
  uint64_t rows_in = node.scan.rows_read;
  if (!node.is_source && !node.children.empty()) {
    Report(*node.children[0], inherited, reports);
    rows_in = node.children[0]->rows;
  }
  StageReport report;
  report.text = inherited.empty() ? node.text : inherited + ": " + node.text;
  report.rows_in = rows_in;
  report.rows_out = node.rows;
  report.bytes = node.scan.bytes_read;
  report.time = OwnTime(node);
  reports->push_back(std::move(report));
}

}  // namespace

OperatorPtr Measure(OperatorPtr op, PlanNode* node) { return std::make_unique<Measured>(std::move(op), node); }

std::string ExplainText(const PlanNode& root, bool analyze) {
  std::string text;
  Explain(root, analyze, 0, &text);
  if (analyze) {
    text += "read " + Bytes(static_cast<double>(SumRead(root))) + "\n";
  } else if (const double bytes = SumEstimates(root); bytes >= 0) {
    text += "estimated read " + Bytes(bytes) + "\n";
  }
  return text;
}

std::vector<StageReport> ReportStages(const PlanNode& root) {
  std::vector<StageReport> reports;
  Report(root, "", &reports);
  return reports;
}

}  // namespace braid
