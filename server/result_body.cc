#include "server/result_body.h"

#include <new>
#include <stdexcept>
#include <thread>

#include "query/plan/result_writer.h"
#include "server/status_code.h"

namespace braid::server {

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
  count->Add();
  std::thread([answer, format, count, result = std::move(result)]() mutable {
    const TextSink sink = [&](std::string_view text) { return answer->Put(text); };
    absl::Status status;
    try {
      switch (format) {
        case ResultFormat::kJson: status = WriteJson(result.get(), sink); break;
        case ResultFormat::kNdjson: status = WriteNdjson(result.get(), sink); break;
        case ResultFormat::kCsv: status = WriteCsv(result.get(), sink); break;
      }
    } catch (const std::bad_alloc&) {
      status = absl::ResourceExhaustedError("out of memory");
    }
    std::string notes = status.ok() ? NotesHeader(result->summary().notes) : "";
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
  }).detach();
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
