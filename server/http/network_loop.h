// The threads that take turns at the network. The one whose turn it is waits for events and runs their handlers; a
// handler may leave a task behind that this thread runs itself, once another thread has taken over. So a request is
// read, answered and sent by one thread, without waking a second one first.
//
// Threads: Start and Join belong to the owner; RunAfterHandler to handlers of the loop.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace braid::http {

class NetworkLoop {
 public:
  explicit NetworkLoop(boost::asio::io_context* io) : io_(io) {}
  ~NetworkLoop() { Join(); }

  // Throws std::system_error if the system gives not even one thread.
  void Start();
  // From within a handler: `task` runs on this thread after the handler. False, and nothing done, if no other thread
  // could look after the network meanwhile.
  bool RunAfterHandler(std::function<void()> task);
  bool started() const { return !threads_.empty(); }
  // Waits until the io_context has run out of work.
  void Join();

 private:
  void Run();

  boost::asio::io_context* io_;
  std::function<void()> next_;  // of the thread whose turn it is
  std::mutex mutex_;
  std::condition_variable turn_free_;
  bool turn_taken_ = false;
  size_t waiting_ = 0;  // threads that could take over
  std::vector<std::thread> threads_;
};

}  // namespace braid::http
