#include "query/rows/trace_tree.h"

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "query/rows/spanset.h"

namespace braid {
namespace {

struct TestSpan {
  uint64_t trace;
  int64_t id, parent;
  int64_t start, end;
};

TraceTree Build(const std::vector<TestSpan>& spans) {
  std::vector<TraceId> traces;
  std::vector<int64_t> ids, parents, starts, ends;
  for (const TestSpan& span : spans) {
    traces.push_back({1, span.trace});
    ids.push_back(span.id);
    parents.push_back(span.parent);
    starts.push_back(span.start);
    ends.push_back(span.end);
  }
  QueryContext context;
  auto tree = BuildTraceTree({traces, ids, parents, starts, ends}, &context);
  EXPECT_TRUE(tree.ok()) << tree.status();
  EXPECT_EQ(context.reserved_bytes(), 0u);
  return *tree;
}

TEST(TraceTree, WorkedExample) {
  // root 0..100; a 10..40; b 50..90 with c 60..80 and d 85..120 (beyond its parent).
  const TraceTree tree =
      Build({{1, 1, 0, 0, 100}, {1, 2, 1, 10, 40}, {1, 3, 1, 50, 90}, {1, 4, 3, 60, 80}, {1, 5, 3, 85, 120}});
  EXPECT_THAT(tree.self_time, testing::ElementsAre(100 - 30 - 40, 30, 40 - 20 - 5, 20, 35));
  EXPECT_THAT(tree.critical, testing::ElementsAre(1, 1, 1, 1, 1));
  EXPECT_THAT(tree.depth, testing::ElementsAre(0, 1, 1, 2, 2));
  EXPECT_THAT(tree.order, testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(tree.subtree_end, testing::ElementsAre(5, 2, 5, 4, 5));
  ASSERT_EQ(tree.traces.size(), 1u);
  EXPECT_EQ(tree.traces[0].start, 0);
  EXPECT_EQ(tree.traces[0].finish, 120);
  EXPECT_EQ(tree.traces[0].end - tree.traces[0].begin, 5u);
}

TEST(TraceTree, ConcurrentChildIsNotCritical) {
  // Two children run side by side; only the one that ends last holds the parent up. The third ends before it begins.
  const TraceTree tree = Build({{1, 1, 0, 0, 100}, {1, 2, 1, 10, 95}, {1, 3, 1, 20, 60}, {1, 4, 1, 2, 10}});
  EXPECT_THAT(tree.critical, testing::ElementsAre(1, 1, 0, 1));
}

TEST(TraceTree, MissingParentIsRootOfItsFragment) {
  const TraceTree tree = Build({{1, 2, 99, 0, 10}, {1, 3, 2, 1, 5}, {1, 1, 0, 3, 8}});
  EXPECT_EQ(tree.parent[0], TraceTree::kNone);
  EXPECT_EQ(tree.root[1], 0u);
  EXPECT_EQ(tree.root[2], 2u);
  EXPECT_EQ(tree.traces[0].root, 2u);  // has no parent id at all
  EXPECT_THAT(tree.critical, testing::ElementsAre(0, 0, 1));
}

TEST(TraceTree, CyclesAndDuplicatesAreSafe) {
  // 1 -> 2 -> 3 -> 1, a span that is its own parent, and one id twice.
  const TraceTree tree =
      Build({{1, 1, 3, 5, 9}, {1, 2, 1, 2, 8}, {1, 3, 2, 4, 7}, {1, 4, 4, 0, 1}, {1, 5, 4, 0, 1}, {1, 4, 4, 3, 6}});
  EXPECT_EQ(tree.parent[1], TraceTree::kNone);  // the earliest of the cycle
  EXPECT_EQ(tree.parent[2], 1u);
  EXPECT_EQ(tree.parent[0], 2u);
  EXPECT_EQ(tree.parent[4], 3u);  // the earlier of the two with id 4
  // The two copies name each other's id; the earlier one is the root.
  EXPECT_EQ(tree.parent[3], TraceTree::kNone);
  EXPECT_EQ(tree.parent[5], 3u);
}

TEST(TraceTree, DeepChainNeedsNoStack) {
  std::vector<TestSpan> spans;
  for (int64_t i = 1; i <= 200'000; ++i) spans.push_back({1, i, i - 1, i, 1'000'000 - i});
  const TraceTree tree = Build(spans);
  EXPECT_EQ(tree.depth.back(), 199'999u);
  EXPECT_EQ(tree.critical.back(), 1);
  EXPECT_EQ(tree.self_time[0], 2);
}

std::vector<TestSpan> RandomSpans(std::mt19937* random, bool broken) {
  std::vector<TestSpan> spans;
  const size_t count = 1 + (*random)() % 60;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t trace = (*random)() % 3;
    const auto id = static_cast<int64_t>(broken ? 1 + (*random)() % 40 : i + 1);
    int64_t parent = 0;
    if (broken) {
      parent = static_cast<int64_t>((*random)() % 45);
    } else if ((*random)() % 8 != 0) {
      std::vector<int64_t> before;
      for (const TestSpan& span : spans) {
        if (span.trace == trace) before.push_back(span.id);
      }
      if (!before.empty()) parent = before[(*random)() % before.size()];
    }
    const auto start = static_cast<int64_t>((*random)() % 50);
    spans.push_back({trace, id, parent, start, start + static_cast<int64_t>((*random)() % 30) - 2});
  }
  std::shuffle(spans.begin(), spans.end(), *random);
  return spans;
}

TEST(TraceTree, AgreesWithNaiveRecursion) {
  std::mt19937 random(11);
  for (int round = 0; round < 100; ++round) {
    const std::vector<TestSpan> spans = RandomSpans(&random, false);
    const TraceTree tree = Build(spans);
    const auto end_of = [&](size_t i) { return std::max(spans[i].start, spans[i].end); };
    std::vector<uint8_t> critical(spans.size(), 0);
    for (size_t i = 0; i < spans.size(); ++i) {
      uint32_t parent = TraceTree::kNone;
      std::vector<size_t> children;
      for (size_t j = 0; j < spans.size(); ++j) {
        if (spans[j].trace != spans[i].trace) continue;
        if (spans[i].parent != 0 && spans[j].id == spans[i].parent) parent = static_cast<uint32_t>(j);
        if (spans[j].parent == spans[i].id) children.push_back(j);
      }
      ASSERT_EQ(tree.parent[i], parent);
      ASSERT_EQ(tree.child_count[i], children.size());
      // Self time by counting unit steps.
      int64_t self = 0;
      for (int64_t t = spans[i].start; t < end_of(i); ++t) {
        self += std::none_of(children.begin(), children.end(),
                             [&](size_t c) { return spans[c].start <= t && t < end_of(c); });
      }
      ASSERT_EQ(tree.self_time[i], self);
      ASSERT_EQ(tree.order[tree.position[i]], i);
    }
    // Critical path, recursively.
    const std::function<void(size_t, int64_t, int64_t)> walk = [&](size_t span, int64_t start, int64_t end) {
      critical[span] = 1;
      std::set<size_t> used;
      int64_t instant = end;
      while (true) {
        size_t best = SIZE_MAX;
        std::tuple<int64_t, int64_t, int64_t> best_key;
        for (size_t child = 0; child < spans.size(); ++child) {
          if (tree.parent[child] != span || used.count(child) != 0) continue;
          if (spans[child].start > end || end_of(child) < start) continue;
          const int64_t clipped = std::min(end, end_of(child));
          if (clipped > instant) continue;
          const std::tuple key(-clipped, spans[child].start, static_cast<int64_t>(child));
          if (best == SIZE_MAX || key < best_key) {
            best = child;
            best_key = key;
          }
        }
        if (best == SIZE_MAX) return;
        used.insert(best);
        // Children passed by for good: those that would have come before in the order.
        for (size_t child = 0; child < spans.size(); ++child) {
          if (tree.parent[child] != span) continue;
          const std::tuple key(-std::min(end, end_of(child)), spans[child].start, static_cast<int64_t>(child));
          if (key < best_key) used.insert(child);
        }
        const int64_t child_start = std::max(start, spans[best].start);
        walk(best, child_start, std::min(end, end_of(best)));
        instant = child_start;
      }
    };
    for (const TraceTree::Trace& trace : tree.traces) {
      size_t root = SIZE_MAX;
      for (uint32_t at = trace.begin; at < trace.end; ++at) {
        const size_t row = tree.order[at];
        if (spans[row].parent != 0) continue;
        if (root == SIZE_MAX || std::pair(spans[row].start, row) < std::pair(spans[root].start, root)) root = row;
      }
      ASSERT_EQ(trace.root, root);
      walk(root, spans[root].start, end_of(root));
    }
    ASSERT_EQ(tree.critical, critical);
  }
}

TEST(TraceTree, BrokenInputStaysATree) {
  std::mt19937 random(12);
  for (int round = 0; round < 100; ++round) {
    const std::vector<TestSpan> spans = RandomSpans(&random, true);
    const TraceTree tree = Build(spans);
    std::set<uint32_t> seen(tree.order.begin(), tree.order.end());
    ASSERT_EQ(seen.size(), spans.size());
    for (uint32_t row = 0; row < spans.size(); ++row) {
      uint32_t at = row;
      size_t steps = 0;
      while (tree.parent[at] != TraceTree::kNone) {
        ASSERT_EQ(spans[at].parent, spans[tree.parent[at]].id);
        ASSERT_EQ(spans[at].trace, spans[tree.parent[at]].trace);
        ASSERT_TRUE(tree.position[tree.parent[at]] < tree.position[row]);
        ASSERT_TRUE(tree.position[row] < tree.subtree_end[tree.parent[at]]);
        at = tree.parent[at];
        ASSERT_LE(++steps, spans.size());
      }
      ASSERT_EQ(tree.root[row], at);
      ASSERT_EQ(tree.depth[row], steps);
    }
  }
}

// ---- structural operators

SpansetPtr Leaf() { return std::make_shared<Spanset>(); }
Spanset Node(SpanOp op, Spanset::Mode mode, bool avoiding) {
  Spanset node;
  node.left = Leaf();
  node.right = Leaf();
  if (avoiding) node.avoiding = Leaf();
  node.op = op;
  node.mode = mode;
  return node;
}

using Flags = std::vector<uint8_t>;

Flags Evaluate(const Spanset& spanset, const TraceTree& tree, const std::vector<Flags>& leaves) {
  QueryContext context;
  auto flags = EvaluateSpanset(spanset, tree, leaves, &context);
  EXPECT_TRUE(flags.ok()) << flags.status();
  return flags.ok() ? *flags : Flags();
}

TEST(Spanset, AgreesWithPairwiseDefinition) {
  std::mt19937 random(13);
  for (int round = 0; round < 100; ++round) {
    const std::vector<TestSpan> spans = RandomSpans(&random, round % 2 == 1);
    const TraceTree tree = Build(spans);
    const size_t n = spans.size();
    std::vector<Flags> leaves(3, Flags(n));
    for (Flags& flags : leaves) {
      for (uint8_t& flag : flags) flag = random() % 3 == 0 ? 1 : 0;
    }
    const Flags& a = leaves[0];
    const Flags& b = leaves[1];
    // Is `low` below `high`, with no span of `avoided` strictly between?
    const auto below = [&](size_t low, size_t high, const Flags* avoided) {
      for (uint32_t at = tree.parent[low]; at != TraceTree::kNone; at = tree.parent[at]) {
        if (at == high) return true;
        if (avoided != nullptr && (*avoided)[at] != 0) return false;
      }
      return false;
    };
    for (const SpanOp op :
         {SpanOp::kChild, SpanOp::kDescendant, SpanOp::kParent, SpanOp::kAncestor, SpanOp::kSibling}) {
      const bool paths = op == SpanOp::kDescendant || op == SpanOp::kAncestor;
      for (const bool avoiding : {false, true}) {
        if (avoiding && !paths) continue;
        const Flags* avoided = avoiding ? &leaves[2] : nullptr;
        Flags right(n, 0), left(n, 0);
        for (size_t x = 0; x < n; ++x) {
          for (size_t y = 0; y < n; ++y) {
            if (a[x] == 0 || b[y] == 0) continue;
            bool related = false;
            switch (op) {
              case SpanOp::kChild: related = tree.parent[y] == x; break;
              case SpanOp::kParent: related = tree.parent[x] == y; break;
              case SpanOp::kDescendant: related = below(y, x, avoided); break;
              case SpanOp::kAncestor: related = below(x, y, avoided); break;
              default: related = x != y && tree.parent[x] != TraceTree::kNone && tree.parent[x] == tree.parent[y];
            }
            if (!related) continue;
            right[y] = 1;
            left[x] = 1;
          }
        }
        const std::vector<Flags> given(leaves.begin(), leaves.begin() + (avoiding ? 3 : 2));
        Flags expected_not(n), expected_union(n);
        for (size_t i = 0; i < n; ++i) {
          expected_not[i] = b[i] != 0 && right[i] == 0 ? 1 : 0;
          expected_union[i] = left[i] | right[i];
        }
        ASSERT_EQ(Evaluate(Node(op, Spanset::Mode::kPlain, avoiding), tree, given), right);
        ASSERT_EQ(Evaluate(Node(op, Spanset::Mode::kNot, avoiding), tree, given), expected_not);
        ASSERT_EQ(Evaluate(Node(op, Spanset::Mode::kUnion, avoiding), tree, given), expected_union);
      }
    }
    Flags both(n, 0), either(n, 0);
    for (size_t i = 0; i < n; ++i) {
      bool has_a = false, has_b = false;
      for (size_t j = 0; j < n; ++j) {
        if (spans[j].trace != spans[i].trace) continue;
        has_a = has_a || a[j] != 0;
        has_b = has_b || b[j] != 0;
      }
      either[i] = a[i] | b[i];
      both[i] = has_a && has_b ? either[i] : 0;
    }
    const std::vector<Flags> two(leaves.begin(), leaves.begin() + 2);
    ASSERT_EQ(Evaluate(Node(SpanOp::kAnd, Spanset::Mode::kPlain, false), tree, two), both);
    ASSERT_EQ(Evaluate(Node(SpanOp::kOr, Spanset::Mode::kPlain, false), tree, two), either);
  }
}

TEST(Spanset, LeavesComeInOrder) {
  Spanset inner = Node(SpanOp::kChild, Spanset::Mode::kPlain, false);
  Spanset outer = Node(SpanOp::kDescendant, Spanset::Mode::kPlain, true);
  outer.left = std::make_shared<Spanset>(inner);
  const auto leaves = SpansetLeaves(outer);
  ASSERT_EQ(leaves.size(), 4u);
  EXPECT_EQ(leaves[0], outer.left->left.get());
  EXPECT_EQ(leaves[2], outer.right.get());
  EXPECT_EQ(leaves[3], outer.avoiding.get());
}

TEST(Spanset, AvoidingNeedsAPath) {
  const TraceTree tree = Build({{1, 1, 0, 0, 1}});
  QueryContext context;
  EXPECT_FALSE(
      EvaluateSpanset(Node(SpanOp::kSibling, Spanset::Mode::kPlain, true), tree, {{1}, {1}, {1}}, &context).ok());
}

}  // namespace
}  // namespace braid
