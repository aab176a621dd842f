// Several threads on one operator: the same rows in the same order as one thread gives, errors in their place.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <new>
#include <random>
#include <thread>

#include "query/rows/aggregate.h"
#include "query/rows/expression_nodes.h"
#include "query/rows/join.h"
#include "query/rows/operators.h"
#include "tests/rows/table.h"

namespace braid {
namespace {

// A table in slices, each of some batches, that threads may share out.
class SlicedTable : public Operator {
 public:
  struct Slices {
    TestTable table;
    std::vector<std::vector<std::pair<size_t, size_t>>> batches;  // per slice: rows [begin, end)
    std::atomic<size_t> next{0};
  };
  SlicedTable(std::shared_ptr<Slices> slices, bool shared) : slices_(std::move(slices)), shared_(shared) {}

  static OperatorPtr Make(const TestTable& table, std::mt19937* random) {
    auto slices = std::make_shared<Slices>();
    slices->table = table;
    for (size_t at = 0; at < table.rows.size();) {
      auto& slice = slices->batches.emplace_back();
      for (size_t batches = (*random)() % 3; batches > 0 && at < table.rows.size(); --batches) {
        const size_t end = std::min<size_t>(table.rows.size(), at + (*random)() % 7);
        slice.emplace_back(at, end);
        at = end;
      }
    }
    return std::make_unique<SlicedTable>(std::move(slices), false);
  }

  const Schema& schema() const override { return slices_->table.schema; }
  uint64_t place() const override { return place_; }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    *batch = RecordBatch();
    if (!open_) {
      const size_t slice = slices_->next.fetch_add(1);
      if (slice >= slices_->batches.size()) return false;
      place_ = slice;
      at_ = 0;
      open_ = true;
    }
    const auto& batches = slices_->batches[place_];
    if (at_ == batches.size()) {
      open_ = false;
      return true;
    }
    const auto [begin, end] = batches[at_++];
    if (end > begin) *batch = ToBatch(slices_->table, begin, end);
    return true;
  }
  std::vector<OperatorPtr> Split(size_t parts) override {
    EXPECT_FALSE(shared_);
    std::vector<OperatorPtr> split;
    for (size_t i = 0; i < parts; ++i) split.push_back(std::make_unique<SlicedTable>(slices_, true));
    return split;
  }

 private:
  std::shared_ptr<Slices> slices_;
  bool shared_;
  bool open_ = false;
  size_t place_ = 0;
  size_t at_ = 0;
};

TestTable RandomTable(std::mt19937* random) {
  TestTable table = MakeTable(Kind::kEvents, {{"time", Type::kTimestamp},
                                              {"k", Type::kString},
                                              {"n", Type::kInt},
                                              {"x", Type::kDouble},
                                              {"t", Type::kTraceId}});
  for (size_t i = (*random)() % 300; i > 0; --i) {
    table.rows.push_back(
        {Time(static_cast<int64_t>((*random)() % 50)),
         (*random)() % 6 == 0 ? Null() : Text(std::string(1, "abcd"[(*random)() % 4])),
         Int(static_cast<int64_t>((*random)() % 20)),
         Num(static_cast<double>((*random)() % 1000) * 0.1 + 1e9 * static_cast<double>((*random)() % 2)),
         (*random)() % 5 == 0 ? Null() : Trace((*random)() % 12)});
  }
  return table;
}

QueryContext Context(int threads) {
  QueryContext context;
  context.threads = threads;
  context.split_small = true;
  context.start = 0;
  context.end = 60;
  return context;
}

// Runs what `make` builds over the same slices by one thread and by several.
template <typename Make>
void ExpectTheSame(const Make& make) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const TestTable table = RandomTable(&random);
    const TestTable other = RandomTable(&random);
    Texts wanted;
    for (const int threads : {1, 2, 5}) {
      QueryContext context = Context(threads);
      std::mt19937 slices(seed);
      OperatorPtr op = make(SlicedTable::Make(table, &slices), SlicedTable::Make(other, &slices), &context);
      const Texts rows = Rows(MakeParallel(std::move(op), &context));
      if (threads == 1) {
        wanted = rows;
      } else {
        ASSERT_EQ(rows, wanted) << "seed " << seed << ", " << threads << " threads";
      }
    }
  }
}

RowExpressionPtr NumberBelow(const Schema& schema, int64_t bound) {
  return MakeComparison(BinaryOp::kLess, Field(schema, "n"), MakeConstant(IntCell(Type::kInt, bound)));
}

TEST(Parallel, RowByRowStagesKeepTheOrder) {
  ExpectTheSame([](OperatorPtr table, OperatorPtr, QueryContext* context) {
    const Schema schema = table->schema();
    OperatorPtr op = MakeFilter(std::move(table), NumberBelow(schema, 15), context);
    op = MakeExtend(std::move(op), {{"m", Field(schema, "n")}}, context);
    LineFilter none;
    none.op = LineFilter::Op::kNotContains;
    none.text = "zzz";
    op = *MakeLineFilter(std::move(op), none, context);
    op = MakeDrop(std::move(op), {"x"}, context);
    return MakeKeep(std::move(op), {{"time", Field(schema, "time")}, {"k", Field(schema, "k")}}, context);
  });
}

TEST(Parallel, StatsMergeWhatThreadsHaveCollected) {
  ExpectTheSame([](OperatorPtr table, OperatorPtr, QueryContext* context) {
    const Schema schema = table->schema();
    StatsSpec spec;
    spec.by = {{"k", Field(schema, "k")}, {"t", Field(schema, "t")}};
    const auto add = [&](const char* name, AggregateFunction function, const char* x, const char* y = "") {
      AggregateItem item;
      item.name = name;
      item.function = function;
      if (*x != '\0') item.x = Field(schema, x);
      if (*y != '\0') item.y = Field(schema, y);
      item.quantile = 0.7;
      item.values_max = 3;
      spec.aggregates.push_back(std::move(item));
    };
    add("count", AggregateFunction::kCount, "");
    add("sum", AggregateFunction::kSum, "x");
    add("whole", AggregateFunction::kSum, "n");
    add("avg", AggregateFunction::kAvg, "x");
    add("min", AggregateFunction::kMin, "n");
    add("max", AggregateFunction::kMax, "time");
    add("stddev", AggregateFunction::kStddev, "x");
    add("quantile", AggregateFunction::kQuantile, "x");
    add("distinct", AggregateFunction::kDistinct, "k");
    add("distinct_n", AggregateFunction::kDistinct, "n");
    add("corr", AggregateFunction::kCorr, "x", "n");
    add("histogram", AggregateFunction::kHistogram, "x");
    return *MakeStats(std::move(table), std::move(spec), context);
  });
}

TEST(Parallel, WindowsOfStatsMergeByPane) {
  ExpectTheSame([](OperatorPtr table, OperatorPtr, QueryContext* context) {
    context->step = 10;
    const Schema schema = table->schema();
    StatsSpec spec;
    spec.by = {{"k", Field(schema, "k")}};
    spec.window = 15;
    AggregateItem count{"count", AggregateFunction::kCount, nullptr, nullptr};
    AggregateItem sum{"sum", AggregateFunction::kSum, Field(schema, "x"), nullptr};
    AggregateItem distinct{"distinct", AggregateFunction::kDistinct, Field(schema, "t"), nullptr};
    spec.aggregates = {count, sum, distinct};
    return *MakeStats(std::move(table), std::move(spec), context);
  });
}

TEST(Parallel, ParsingSplits) {
  ExpectTheSame([](OperatorPtr table, OperatorPtr, QueryContext* context) {
    ParseSpec spec;
    spec.format = ParseStage::Format::kPattern;
    spec.pattern = "<first>";
    spec.from = Field(table->schema(), "k");
    return *MakeParse(std::move(table), std::move(spec), context);
  });
}

TEST(Parallel, StatsThatTheOrderOfRowsDecidesSeeIt) {
  ExpectTheSame([](OperatorPtr table, OperatorPtr, QueryContext* context) {
    const Schema schema = table->schema();
    StatsSpec spec;
    spec.by = {{"k", Field(schema, "k")}};
    AggregateItem any{"any", AggregateFunction::kAny, Field(schema, "n"), nullptr};
    AggregateItem last{"last", AggregateFunction::kLast, Field(schema, "x"), nullptr};
    AggregateItem greatest{"greatest", AggregateFunction::kArgMax, Field(schema, "x"), Field(schema, "n")};
    spec.aggregates = {any, last, greatest};
    return *MakeStats(std::move(table), std::move(spec), context);
  });
}

TEST(Parallel, JoinsProbeByPart) {
  for (const bool by_id : {true, false}) {
    for (const bool outer : {true, false}) {
      ExpectTheSame([&](OperatorPtr left, OperatorPtr right, QueryContext* context) {
        JoinSpec spec;
        spec.name = "r";
        spec.left_outer = outer;
        const char* key = by_id ? "t" : "k";
        spec.keys = {{Field(left->schema(), key), Field(right->schema(), key)}};
        if (!by_id) spec.within = {-3, 3};
        return *MakeJoin(std::move(left), MakeParallel(std::move(right), context), std::move(spec), context);
      });
    }
  }
}

TEST(Parallel, AnIndexedLeftSideGivesTheSamePairs) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    std::mt19937 random(seed);
    const TestTable left = RandomTable(&random);
    const TestTable right = RandomTable(&random);
    std::vector<absl::StatusOr<Texts>> answers;
    for (const bool index_left : {false, true}) {
      for (const int threads : {1, 3}) {
        QueryContext context = Context(threads);
        context.limits.pairs_per_row_max = seed % 3 == 0 ? 20 : 1000;
        std::mt19937 slices(seed);
        JoinSpec spec;
        spec.name = "r";
        spec.index_left = index_left;
        spec.keys = {{Field(left.schema, "t"), Field(right.schema, "t")},
                     {Field(left.schema, "k"), Field(right.schema, "k")}};
        auto join = MakeJoin(MakeBatchSource(left.schema, ToBatch(left)), SlicedTable::Make(right, &slices),
                             std::move(spec), &context);
        ASSERT_TRUE(join.ok()) << join.status();
        const OperatorPtr op = MakeParallel(*std::move(join), &context);
        answers.push_back(TryRows(op.get()));
        if (answers.back().ok()) std::sort(answers.back()->begin(), answers.back()->end());
      }
    }
    for (size_t i = 1; i < answers.size(); ++i) {
      ASSERT_EQ(answers[i].ok(), answers[0].ok()) << seed << ": " << answers[i].status() << answers[0].status();
      if (answers[0].ok()) {
        ASSERT_EQ(*answers[i], *answers[0]) << seed;
      }
    }
  }
}

// Fails where a row has the number.
class FailsAt : public RowExpression {
 public:
  explicit FailsAt(int64_t number) : number_(number) {}
  Type type() const override { return Type::kInt; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    for (const int64_t value : batch.columns[2].ints) {
      if (value == number_) return absl::InvalidArgumentError("a row with " + std::to_string(number_));
    }
    return batch.columns[2];
  }

 private:
  int64_t number_;
};

TEST(Parallel, AnErrorComesAfterTheRowsBeforeIt) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    TestTable table = RandomTable(&random);
    for (size_t row = 0; row < table.rows.size(); ++row) table.rows[row][2] = Int(static_cast<int64_t>(row));
    const auto failing = static_cast<int64_t>(random() % (table.rows.size() + 1));
    std::vector<Texts> rows(2);
    std::vector<absl::Status> statuses(2);
    for (const int threads : {1, 4}) {
      const size_t run = threads == 1 ? 0 : 1;
      QueryContext context = Context(threads);
      std::mt19937 slices(seed);
      OperatorPtr op =
          MakeExtend(SlicedTable::Make(table, &slices), {{"f", std::make_shared<FailsAt>(failing)}}, &context);
      op = MakeParallel(std::move(op), &context);
      while (true) {
        RecordBatch batch;
        const auto more = op->Next(&batch);
        statuses[run] = more.status();
        if (!more.ok() || !*more) break;
        for (size_t row = 0; row < batch.num_rows; ++row) rows[run].push_back(CellText(batch.columns[2], row));
      }
    }
    EXPECT_EQ(rows[0], rows[1]) << seed;
    EXPECT_EQ(statuses[0], statuses[1]) << seed;
    EXPECT_EQ(statuses[0].ok(), static_cast<size_t>(failing) >= table.rows.size()) << seed;
  }
}

// Finds no memory on any thread but the one that made it, which waits until another has come.
class NoMemoryElsewhere : public RowExpression {
 public:
  Type type() const override { return Type::kInt; }
  absl::StatusOr<Column> Evaluate(const RecordBatch& batch) const override {
    if (std::this_thread::get_id() != own_) {
      came_ = true;
      throw std::bad_alloc();
    }
    for (int i = 0; i < 10'000 && !came_; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return batch.columns[0];
  }

 private:
  const std::thread::id own_ = std::this_thread::get_id();
  mutable std::atomic<bool> came_{false};
};

TEST(Parallel, RunningOutOfMemoryInAThreadIsAnError) {
  TestTable table = MakeTable(Kind::kEvents, {{"n", Type::kInt}, {"time", Type::kTimestamp}});
  for (int64_t row = 0; row < 5000; ++row) table.rows.push_back({Int(row), Time(row % 50)});
  for (const Duration window : {Duration{-1}, Duration{0}, Duration{10}}) {
    QueryContext context = Context(3);
    context.step = 10;
    std::mt19937 random(5);
    OperatorPtr op =
        MakeExtend(SlicedTable::Make(table, &random), {{"f", std::make_shared<NoMemoryElsewhere>()}}, &context);
    if (window >= 0) {
      StatsSpec spec;
      if (window > 0) spec.window = window;
      spec.aggregates = {{"sum", AggregateFunction::kSum, Field(op->schema(), "f"), nullptr}};
      op = *MakeStats(std::move(op), std::move(spec), &context);
    } else {
      op = MakeParallel(std::move(op), &context);
    }
    EXPECT_TRUE(absl::IsResourceExhausted(TryRows(op.get()).status())) << "window " << window;
  }
}

TEST(Parallel, StopsWhenNobodyTakesMore) {
  std::mt19937 random(3);
  TestTable table = MakeTable(Kind::kRows, {{"id", Type::kInt}});
  for (int64_t row = 0; row < 5000; ++row) table.rows.push_back({Int(row)});
  for (int round = 0; round < 20; ++round) {
    QueryContext context = Context(4);
    const OperatorPtr op = MakeParallel(SlicedTable::Make(table, &random), &context);
    RecordBatch batch;
    ASSERT_TRUE(*op->Next(&batch));
  }
  QueryContext context = Context(4);
  const auto cancel = std::make_shared<std::atomic<bool>>(false);
  context.cancel = cancel;
  OperatorPtr op = MakeFilter(SlicedTable::Make(table, &random), MakeConstant(BoolCell(true)), &context);
  op = MakeParallel(std::move(op), &context);
  RecordBatch batch;
  ASSERT_TRUE(*op->Next(&batch));
  *cancel = true;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = op->Next(&batch);
  EXPECT_TRUE(absl::IsCancelled(more.status())) << more.status();
}

TEST(Parallel, MemoryOfWaitingBatchesIsGivenBack) {
  std::mt19937 random(4);
  QueryContext context = Context(3);
  {
    TestTable table = MakeTable(Kind::kRows, {{"id", Type::kInt}});
    for (int64_t row = 0; row < 2000; ++row) table.rows.push_back({Int(row)});
    const OperatorPtr op = MakeParallel(SlicedTable::Make(table, &random), &context);
    EXPECT_EQ(Rows(op).size(), 2000U);
  }
  EXPECT_EQ(context.reserved_bytes(), 0U);
}

}  // namespace
}  // namespace braid
