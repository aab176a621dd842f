// Runs query cases written in the format of Prometheus' promqltest:
//
//   load 5m                                   samples at 0, 5m, 10m, ...; load_with_nhcb adds histograms with custom
//     metric{label="x"} 0+10x5 _x2 stale      buckets made from classic ones
//   clear
//   eval instant at 10m EXPR                  also eval_fail, eval_warn, eval_info, eval_ordered
//     expect fail msg: TEXT                   expect fail|warn|info [msg: T|regex: R], no_warn, no_info, ordered,
// string
//     metric{label="x"} 20
//   eval range from 0 to 10m step 5m EXPR
//
// Every instant query runs a second time as a range query around its instant, as promqltest does.
// Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "braid/db.h"

namespace braid {

// Opens an empty store. Called for each `clear` and at the beginning.
using OpenStore = std::function<std::unique_ptr<DB>()>;
// Called after each load: may flush, compact or reopen the store to test that state; `*db` may be replaced.
using SettleStore = std::function<void(std::unique_ptr<DB>* db)>;

struct PromqlTestReport {
  int evals = 0;
  int passed = 0;
  std::vector<std::string> failures;  // "line N: EXPR: what is wrong"
};

PromqlTestReport RunPromqlTest(const std::string& text, const OpenStore& open, const SettleStore& settle = nullptr);

}  // namespace braid
