#include "server/result_body.h"

#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "query/plan/result_writer.h"
#include "query/rows/column_concat.h"
#include "server/status_code.h"

namespace braid::server {
namespace {

// An answer whose rows take no more is written by the thread that asked: starting another one costs as much as many a
// query. The text of so many rows stays far below kAnswerHeldBytes.
constexpr uint64_t kReadAheadBytes = uint64_t{64} << 10;

// A reader of which the first batches have been read.
class ReadAhead : public ResultReader {
 public:
  explicit ReadAhead(std::unique_ptr<ResultReader> result) : result_(std::move(result)) {}

  // True if the whole answer is here.
  bool Read() {
    uint64_t bytes = 0;
    while (bytes <= kReadAheadBytes) {
      RecordBatch batch;
      end_ = result_->Next(&batch);
      if (!end_.ok() || !*end_) return true;
      bytes += ApproximateBytes(batch);
      batches_.push_back(std::move(batch));
    }
    return false;
  }

  Kind kind() const override { return result_->kind(); }
  const std::vector<ResultColumn>& columns() const override { return result_->columns(); }
  absl::StatusOr<bool> Next(RecordBatch* batch) override {
    if (at_ < batches_.size()) {
      *batch = std::move(batches_[at_++]);
      return true;
    }
    if (!end_.ok() || !*end_) return end_;
    return result_->Next(batch);
  }
  const ResultSummary& summary() const override { return result_->summary(); }

 private:
  std::unique_ptr<ResultReader> result_;
  std::vector<RecordBatch> batches_;
  size_t at_ = 0;
  absl::StatusOr<bool> end_ = true;  // what the result said last
};

absl::Status WriteAs(ResultFormat format, ResultReader* result, const TextSink& sink) {
  switch (format) {
    case ResultFormat::kJson: return WriteJson(result, sink);
    case ResultFormat::kNdjson: return WriteNdjson(result, sink);
    case ResultFormat::kCsv: return WriteCsv(result, sink);
  }
  return absl::InternalError("unknown format");
}

// Writes all of it; then `*notes` is what the answer says about itself.
absl::Status Write(ResultReader* result, ResultFormat format, const TextSink& sink, std::string* notes) {
  try {
    absl::Status status = WriteAs(format, result, sink);
    if (status.ok()) *notes = NotesHeader(result->summary().notes);
    return status;
  } catch (const std::bad_alloc&) {
    // Without a text, which would need memory.
    return absl::Status(absl::StatusCode::kResourceExhausted, "");
  }
}

}  // namespace

void AnswerCount::Add() {
  std::lock_guard lock(mutex_);
  ++count_;
}

void AnswerCount::Remove() {
  std::lock_guard lock(mutex_);
  // Under the lock: whoever waits may destroy this object as soon as it is released.
  if (--count_ == 0) none_.notify_all();
}

void AnswerCount::AwaitNone() {
  std::unique_lock lock(mutex_);
  none_.wait(lock, [this] { return count_ == 0; });
}

std::shared_ptr<Answer> Answer::Start(std::unique_ptr<ResultReader> result, ResultFormat format, AnswerCount* count) {
  auto answer = std::make_shared<Answer>();
  auto ahead = std::make_unique<ReadAhead>(std::move(result));
  if (ahead->Read()) {
    const auto keep = [&](std::string_view text) {
      answer->text_.append(text);
      return absl::OkStatus();
    };
    answer->status_ = Write(ahead.get(), format, keep, &answer->notes_);
    answer->done_ = true;
    return answer;
  }
  auto work = [answer, format, count, result = std::move(ahead)]() mutable {
    std::string notes;
    absl::Status status = Write(
        result.get(), format, [&](std::string_view text) { return answer->Put(text); }, &notes);
    result.reset();
    {
      std::lock_guard lock(answer->mutex_);
      answer->notes_ = std::move(notes);
      answer->status_ = std::move(status);
      answer->done_ = true;
    }
    answer->changed_.notify_all();
    answer.reset();
    count->Remove();
  };
  count->Add();
  try {
    std::thread(std::move(work)).detach();
  } catch (const std::system_error&) {
    count->Remove();
    answer->status_ = absl::UnavailableError("the system gives no thread to write the answer; try again");
    answer->done_ = true;
  } catch (const std::bad_alloc&) {
    count->Remove();
    throw;
  }
  return answer;
}

absl::Status Answer::Put(std::string_view text) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return abandoned_ || text_.size() < kAnswerHeldBytes; });
  if (abandoned_) return absl::CancelledError("nobody reads the answer");
  text_.append(text);
  if (text_.size() >= kAnswerHeldBytes) changed_.notify_all();
  return absl::OkStatus();
}

absl::Status Answer::First(std::string* text, bool* whole) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ || text_.size() >= kAnswerHeldBytes; });
  if (done_ && !status_.ok()) return status_;
  *whole = done_;
  *text = std::move(text_);
  text_.clear();
  changed_.notify_all();
  return absl::OkStatus();
}

bool Answer::Next(std::string* text) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return done_ || text_.size() >= kAnswerHeldBytes; });
  if (done_ && !status_.ok()) throw std::runtime_error(MessageOf(status_));
  *text = std::move(text_);
  text_.clear();
  changed_.notify_all();
  return !done_;
}

std::string Answer::notes() {
  std::lock_guard lock(mutex_);
  return notes_;
}

void Answer::Abandon() {
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

}  // namespace braid::server
