#include "server/self_telemetry.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "server/scrape/scrape_target.h"

namespace braid::server {
namespace {

constexpr auto kLogInterval = std::chrono::seconds(1);
constexpr int kLogsAScrape = 15;  // metrics every 15 s
// Lines that wait for the next write; more are counted and said.
constexpr size_t kLinesMax = 1000;

scrape::ScrapeJob Job() {
  scrape::ScrapeJob job;
  job.name = "braid";
  job.interval = kLogsAScrape * kSecond;
  return job;
}

class SelfTelemetryImpl : public SelfTelemetry {
 public:
  SelfTelemetryImpl(App* app, Log* log, std::function<std::string()> metrics, const std::string& instance)
      : app_(app),
        log_(log),
        metrics_(std::move(metrics)),
        target_(Job(), instance, {{"service", "braid"}}, {}, nullptr) {
    stream_.resource = {{"service.name", Value(std::string("braid"))}, {"service.instance.id", Value(instance)}};
    log_->SetSink([this](Timestamp time, Level level, std::string_view message, std::span<const LogField> fields) {
      Keep(time, level, message, fields);
    });
    thread_ = std::thread([this] { Run(); });
  }
  ~SelfTelemetryImpl() override { Stop(); }

  void Stop() override {
    if (!thread_.joinable()) return;
    log_->SetSink(nullptr);
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
    WriteBatch batch;
    AddLines(&batch);
    target_.AddEnd(app_->now(), &batch);
    if (!batch.empty()) (void)app_->db->Write(batch);
  }

 private:
  struct Line {
    Timestamp time;
    Level level;
    std::string message;
    std::vector<std::pair<std::string, std::string>> fields;
  };

  void Keep(Timestamp time, Level level, std::string_view message, std::span<const LogField> fields) {
    Line line{time, level, std::string(message), {}};
    for (const LogField& field : fields) line.fields.emplace_back(field.name, field.value);
    std::lock_guard lock(mutex_);
    if (lines_.size() < kLinesMax) {
      lines_.push_back(std::move(line));
    } else {
      ++lost_;
    }
  }

  void AddLines(WriteBatch* batch) {
    std::vector<Line> lines;
    uint64_t lost = 0;
    {
      std::lock_guard lock(mutex_);
      lines.swap(lines_);
      std::swap(lost, lost_);
    }
    if (lost > 0)
      lines.push_back({app_->now(), Level::kWarn, std::to_string(lost) + " lines of the log are left out", {}});
    if (lines.empty()) return;
    const WriteBatch::StreamRef stream = batch->AddStream(stream_);
    for (const Line& line : lines) {
      std::vector<AttributeView> attributes;
      for (const auto& [name, value] : line.fields) attributes.push_back({name, ValueView(std::string_view(value))});
      LogRecord record;
      record.time = record.observed_time = line.time;
      record.severity_number = SeverityOfLevel(line.level);
      record.severity_text = ToString(line.level);
      record.message = line.message;
      record.attributes = attributes;
      batch->AddLog(stream, record);
    }
  }

  void Run() {
    for (int turn = 0;; ++turn) {
      WriteBatch batch;
      AddLines(&batch);
      const bool scrapes = turn % kLogsAScrape == 0;
      if (scrapes) {
        WriteBatch samples;
        const Timestamp now = app_->now() / kMillisecond * kMillisecond;
        target_.AddScrape(scrape::FetchedMetrics{metrics_(), ""}, now, 0, &samples);
        target_.Commit(app_->db->Write(samples));
      }
      // A store that cannot be written says so in its answers; there is nobody else to tell here.
      if (!batch.empty()) (void)app_->db->Write(batch);
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, kLogInterval, [this] { return stopping_; })) return;
    }
  }

  App* app_;
  Log* log_;
  const std::function<std::string()> metrics_;
  scrape::ScrapeTarget target_;
  Stream stream_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Line> lines_;
  uint64_t lost_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<SelfTelemetry> SelfTelemetry::Start(App* app, Log* log, std::function<std::string()> metrics,
                                                    const std::string& instance) {
  return std::make_unique<SelfTelemetryImpl>(app, log, std::move(metrics), instance);
}

}  // namespace braid::server
