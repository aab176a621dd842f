// What a delete chooses is what the query language finds by the same selector, or the delete refuses it.
#include "server/delete_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "braid/delete_count.h"
#include "braid/query.h"
#include "engine/db/open.h"
#include "tests/support/scratch_dir.h"

namespace braid::server {
namespace {

constexpr Timestamp kNow = 1'767'225'600 * kSecond;

class DeleteRequestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.background_work = false;
    auto db = OpenDB(options, dir_.path() / "db", FileSystem::Posix());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    WriteBatch batch;
    Stream shop;
    shop.resource = {{"service.name", std::string("shop")}};
    const auto stream = batch.AddStream(shop);
    const ValueView values[] = {int64_t{4}, std::string_view("4"),    4.0,        4.5,
                                true,       std::string_view("true"), int64_t{42}};
    Timestamp time = kNow;
    for (const ValueView& value : values) {
      const AttributeView attributes[] = {{"user.id", value}};
      LogRecord log;
      log.time = time;
      log.severity_number = time % 2 == 0 ? 17 : 9;
      log.message = "m";
      log.attributes = attributes;
      batch.AddLog(stream, log);
      Span span;
      span.trace_id = {7, static_cast<uint64_t>(time - kNow) + 1};
      span.span_id = {static_cast<uint64_t>(time - kNow) + 1};
      span.name = "pay";
      span.start = time;
      span.end = time + 900 * kMillisecond;
      span.attributes = attributes;
      batch.AddSpan(stream, span);
      ++time;
    }
    ASSERT_TRUE(db_->Write(batch).ok());
  }

  uint64_t Found(const std::string& selector) {
    auto query = Query::Parse(selector + " | stats n = count()");
    EXPECT_TRUE(query.ok()) << query.status();
    QueryOptions options;
    options.now = kNow + kSecond;
    options.end = kNow + kSecond;
    options.start = kNow - kSecond;
    auto reader = query->Execute(db_->GetSnapshot(), options);
    EXPECT_TRUE(reader.ok()) << reader.status();
    RecordBatch batch;
    EXPECT_TRUE(*(*reader)->Next(&batch));
    return static_cast<uint64_t>(batch.columns[0].ints[0]);
  }

  ScratchDir dir_;
  std::unique_ptr<DB> db_;
};

TEST_F(DeleteRequestTest, ChoosesWhatTheQueryFinds) {
  for (const char* selector :
       {"logs{user.id = 4}", "logs{user.id = \"4\"}", "logs{user.id = \"4.0\"}", "logs{user.id = \"4.5\"}",
        "logs{user.id = 4.5}", "logs{user.id = \"true\"}", "logs{user.id = true}", "logs{attr.user.id = \"42\"}",
        "logs{service = \"shop\", user.id = \"42\"}", "logs{level = error}", "logs{level in (info, \"ERROR\")}",
        "logs{user.id in (4, 42)}", "spans{user.id = \"4\"}", "spans{name = \"pay\"}", "spans{duration = 900ms}",
        "spans{trace_id = \"00000000000000070000000000000003\"}", "spans{resource.service.name = \"shop\"}"}) {
    const absl::StatusOr<DeleteSpec> spec = ParseDeleteSelector(selector);
    ASSERT_TRUE(spec.ok()) << selector << ": " << spec.status();
    const absl::StatusOr<uint64_t> chosen = CountChosen(*db_->GetSnapshot(), *spec);
    ASSERT_TRUE(chosen.ok()) << chosen.status();
    EXPECT_EQ(*chosen, Found(selector)) << selector;
    EXPECT_GT(*chosen, 0u) << selector;
  }
}

TEST_F(DeleteRequestTest, RefusesWhatItCannotChooseAsTheQueryDoes) {
  for (const char* selector :
       {"spans{trace:id = \"463ac35c9f6413ad\"}", "spans{span:name = \"pay\"}", "spans{root.service = \"shop\"}",
        "spans{self_time = 900ms}", "spans{duration = \"900ms\"}", "logs{span_id = \"\"}", "logs{trace_id = \"x\"}",
        "logs{message =~ \"m\"}", "logs{level >= error}"}) {
    EXPECT_EQ(ParseDeleteSelector(selector).status().code(), absl::StatusCode::kInvalidArgument) << selector;
  }
}

}  // namespace
}  // namespace braid::server
