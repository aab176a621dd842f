// The threads that take turns at the network, and tasks that count as a pool's without running on its threads.
#include "server/http/network_loop.h"

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <future>

#include "server/http/worker_pool.h"

namespace braid::http {
namespace {

TEST(NetworkLoopTest, ATaskRunsOnTheThreadOfItsHandlerWhileAnotherLooksAfterTheNetwork) {
  boost::asio::io_context io;
  auto work = boost::asio::make_work_guard(io);
  NetworkLoop loop(&io);
  loop.Start();
  // Until both threads are there, nobody could take over.
  std::promise<std::thread::id> handler, task;
  std::promise<void> later;
  const auto attempt = [&](auto& self) -> void {
    const bool taken = loop.RunAfterHandler([&] {
      task.set_value(std::this_thread::get_id());
      later.get_future().wait();
    });
    if (taken) {
      handler.set_value(std::this_thread::get_id());
    } else {
      boost::asio::post(io, [&] { self(self); });
    }
  };
  boost::asio::post(io, [&] { attempt(attempt); });
  const std::thread::id first = handler.get_future().get();
  EXPECT_EQ(task.get_future().get(), first);

  // The task goes on; the other thread serves, and has nobody to leave a further task for.
  std::promise<std::pair<std::thread::id, bool>> second;
  boost::asio::post(io, [&] {
    const bool taken = loop.RunAfterHandler([] { FAIL() << "nobody was left for the network"; });
    second.set_value({std::this_thread::get_id(), taken});
  });
  const auto [other, taken] = second.get_future().get();
  EXPECT_NE(other, first);
  EXPECT_FALSE(taken);
  later.set_value();
  work.reset();
  loop.Join();
}

TEST(WorkerPoolTest, BorrowedTasksCountAsThePoolsOwn) {
  WorkerPool pool(1, 1);
  ASSERT_TRUE(pool.Borrow());
  EXPECT_FALSE(pool.Borrow());
  std::promise<void> ran;
  ASSERT_TRUE(pool.Submit([&] { ran.set_value(); }));
  EXPECT_FALSE(pool.Submit([] {})) << "one waits already: the place is borrowed";
  std::future<void> done = ran.get_future();
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  pool.EndBorrowed();
  done.wait();
}

}  // namespace
}  // namespace braid::http
