#include "tools/capture/log_outlet.h"

#include "tools/capture/otlp_logs.h"

namespace braid {
namespace {

class ServerOutlet : public LogOutlet {
 public:
  ServerOutlet(Post post, DeliveryOptions options) : LogOutlet(std::move(options)), post_(std::move(post)) {}

  ingest::LogSink* sink() override { return &logs_; }
  size_t bytes() const override { return logs_.bytes(); }
  void Commit() override {
    const uint64_t records = logs_.records();
    if (records == 0) return;
    const auto body = std::make_shared<const std::string>(logs_.Take());
    delivery_.Put({records, body->size(), [post = post_, body] { return post(*body); }});
  }

 private:
  const Post post_;
  OtlpLogs logs_;
};

class DBOutlet : public LogOutlet {
 public:
  DBOutlet(std::shared_ptr<DB> db, DeliveryOptions options) : LogOutlet(std::move(options)), db_(std::move(db)) {
    sink_.set_batch(batch_.get());
  }

  ingest::LogSink* sink() override { return &sink_; }
  size_t bytes() const override { return batch_->byte_size(); }
  void Commit() override {
    const uint64_t records = batch_->counts().logs;
    if (records == 0) return;
    const std::shared_ptr<const WriteBatch> batch = std::move(batch_);
    delivery_.Put({records, batch->byte_size(), [db = db_, batch] { return db->Write(*batch); }});
    batch_ = std::make_shared<WriteBatch>();
    sink_.ForgetBatch();
    sink_.set_batch(batch_.get());
  }

 private:
  const std::shared_ptr<DB> db_;
  std::shared_ptr<WriteBatch> batch_ = std::make_shared<WriteBatch>();
  ingest::BatchLogSink sink_;
};

}  // namespace

std::unique_ptr<LogOutlet> LogOutlet::ToServer(Post post, DeliveryOptions options) {
  return std::make_unique<ServerOutlet>(std::move(post), std::move(options));
}

std::unique_ptr<LogOutlet> LogOutlet::ToDB(std::shared_ptr<DB> db, DeliveryOptions options) {
  return std::make_unique<DBOutlet>(std::move(db), std::move(options));
}

DeliveryCounts LogOutlet::Close(Duration grace) {
  Commit();
  return delivery_.Close(grace);
}

}  // namespace braid
