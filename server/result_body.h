// Answers of the query language as bodies: whole if they are small, piece by piece if they are large.
//
// Threads: a large answer is written by a thread of its own and read by one other.
// Errors: what the query answers. Once the first piece is out, an error can only end the body early.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "braid/query.h"
#include "server/query_request.h"

namespace braid::server {

// Answers up to this size are held back until they are whole, so that an error in them is still an error answer.
inline constexpr size_t kAnswerHeldBytes = size_t{1} << 20;

// How many answers are being written; the server waits for them before it lets go of the DB.
class AnswerCount {
 public:
  void Add();
  void Remove();
  void AwaitNone();

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  int count_ = 0;
};

class Answer {
 public:
  // Begins to write; a small answer is whole when this returns. `count` outlives the writing.
  static std::shared_ptr<Answer> Start(std::unique_ptr<ResultReader> result, ResultFormat format, AnswerCount* count);

  // Waits until the answer is whole or larger than is held back. Ok with the text so far; `*whole` if that is all.
  absl::Status First(std::string* text, bool* whole);
  // Waits for more text. False at the end. Throws std::runtime_error if the query failed: there is no other way to say
  // so in the middle of a body than to cut it off.
  bool Next(std::string* text);
  // What the answer says about itself, fit for a header. REQUIRES: it is at its end.
  std::string notes();
  // Nobody will read on: the writer ends at its next piece.
  void Abandon();

 private:
  absl::Status Put(std::string_view text);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;  // written and not read yet
  bool done_ = false;
  bool abandoned_ = false;
  absl::Status status_;
  std::string notes_;
};

}  // namespace braid::server
