#include "server/http/session.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdio>
#include <new>
#include <optional>
#include <utility>

namespace braid::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::string_view kHttp2Preface = "PRI * HTTP/2.0\r\n\r\n";
constexpr size_t kReadBytes = size_t{64} << 10;
// What is read and thrown away behind a refused request, so that its sender gets to read the answer.
constexpr size_t kLingerBytesMax = size_t{64} << 20;
constexpr Duration kLingerTime = 2 * kSecond;

using Clock = std::chrono::steady_clock;
using BodyParser = beast::http::request_parser<beast::http::string_body>;

asio::ssl::context* TlsOf(const Port& port, SessionShared* shared) {
  auto& context = shared->tls[static_cast<size_t>(port.speaks)];
  return context ? &*context : nullptr;
}

}  // namespace

class Session : public OpenConnection, public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Port* port, SessionShared* shared)
      : shared_(shared),
        port_(port),
        connection_(std::make_unique<Connection>(std::move(socket), TlsOf(*port, shared))) {
    shared_->sessions.insert(this);
    ++shared_->connections_open;
  }
  ~Session() override {
    shared_->sessions.erase(this);
    --shared_->connections_open;
  }

  asio::awaitable<void> Run() {
    error_code ignored;
    socket().set_option(tcp::no_delay(true), ignored);
    if (const auto peer = socket().remote_endpoint(ignored); !ignored) peer_ = peer.address().to_string();
    Arm(shared_->options.header_timeout);
    bool go_on = !co_await connection_->Handshake();
    while (go_on && !shared_->stopping) go_on = co_await ServeOne();
    Disarm();
    if (!http2_) connection_->Close();
  }

  // After Run: the client speaks HTTP/2, and somebody else has to go on.
  bool http2() const { return http2_; }
  std::unique_ptr<Connection> TakeConnection() { return std::move(connection_); }
  std::string TakeReceived() const { return std::string(Buffered()); }
  const std::string& peer() const { return peer_; }

  asio::awaitable<void> RefuseAll() {
    Arm(kLingerTime);
    if (!co_await connection_->Handshake()) {
      const Refusal refusal(503, "too many connections; try again");
      co_await Refuse(refusal, "1");
    }
    Disarm();
    connection_->Close();
  }

  void Close(bool all) override {
    if (connection_ == nullptr || (!all && !idle_)) return;
    if (cancelled_ != nullptr) *cancelled_ = true;
    error_code ignored;
    if (all) socket().shutdown(tcp::socket::shutdown_both, ignored);
    socket().cancel(ignored);
  }

  Clock::time_point Expire(Clock::time_point now) override {
    if (deadline_ > now || connection_ == nullptr) return deadline_;
    timed_out_ = true;
    Disarm();
    error_code ignored;
    socket().cancel(ignored);
    return deadline_;
  }

 private:
  tcp::socket& socket() { return connection_->socket(); }

  // ---- deadlines: the operation in progress is cancelled when its time is over

  void Arm(Duration time) {
    timed_out_ = false;
    deadline_ = Clock::now() + std::chrono::nanoseconds(time);
    shared_->NoteDeadline(deadline_);
  }
  void Disarm() { deadline_ = Clock::time_point::max(); }

  // Reads some bytes to the end of buffer_; false when the connection or its time has ended.
  asio::awaitable<bool> ReadSome() {
    const auto space = buffer_.prepare(kReadBytes);
    const auto [error, size] = co_await connection_->ReadSome(space);
    buffer_.commit(size);
    co_return !error && size > 0;
  }

  std::string_view Buffered() const { return {static_cast<const char*>(buffer_.data().data()), buffer_.size()}; }

  asio::awaitable<bool> Write(std::string_view bytes) {
    while (!bytes.empty()) {
      Arm(shared_->options.write_timeout);
      const auto [error, size] = co_await connection_->WriteSome(asio::buffer(bytes.data(), bytes.size()));
      if (error) co_return false;
      bytes.remove_prefix(size);
    }
    Disarm();
    co_return true;
  }

  // ---- one request

  // True if the connection can serve another request.
  asio::awaitable<bool> ServeOne() {
    std::optional<Refusal> refusal;
    size_t head_size = 0;
    if (!co_await AwaitHead(&head_size, &refusal)) co_return false;
    RequestHead head;
    head.request.peer = peer_;
    head.request.expected = port_->expected;
    if (!refusal) refusal = ParseRequestHead(Buffered().substr(0, head_size), &head);
    origin_ = refusal ? std::string() : std::string(head.request.HeaderValue("Origin"));
    if (!refusal) refusal = CheckAccess(head, shared_->options.access);
    if (!refusal && port_->speaks == Speaks::kHttp2) refusal = Refusal(421, port_->wrong_protocol);
    if (refusal) {
      if (refusal->status == 403) origin_.clear();
      co_return co_await Refuse(*refusal);
    }
    if (head.content_length.value_or(0) > shared_->options.body_bytes_max) {
      refusal = TooLarge();
      co_return co_await Refuse(*refusal);
    }

    std::string body;
    uint64_t reserved = 0;
    refusal = co_await ReadBody(head, head_size, &body, &reserved);
    const auto release = [&] { shared_->body_bytes -= std::exchange(reserved, 0); };
    if (refusal) {
      release();
      if (refusal->status == 0) co_return false;
      co_return co_await Refuse(*refusal, refusal->status == 503 ? "1" : "");
    }
    head.request.body = std::move(body);
    const bool keep = co_await Answer(head);
    release();
    co_return keep;
  }

  // Waits until buffer_ begins with a whole head. False if the connection ended instead.
  asio::awaitable<bool> AwaitHead(size_t* size, std::optional<Refusal>* refusal) {
    const ServerOptions& options = shared_->options;
    size_t checked = 0;
    bool started = false;
    // Empty lines between requests are passed over (RFC 9112, 2.2).
    const auto skip_empty_lines = [&] {
      while (checked == 0 && Buffered().starts_with("\r\n")) buffer_.consume(2);
    };
    idle_ = buffer_.size() == 0;
    Arm(first_ ? options.header_timeout : options.idle_timeout);
    while (true) {
      skip_empty_lines();
      if (buffer_.size() > 0 && !started) {
        started = true;
        idle_ = false;
        Arm(options.header_timeout);
      }
      if (Buffered().starts_with("\x16\x03")) {
        *refusal = Refusal{400, "this port speaks HTTP, not TLS"};
        co_return true;
      }
      if (first_ && Buffered().starts_with(kHttp2Preface)) {
        http2_ = true;
        co_return false;
      }
      *size = FindHeadEnd(Buffered(), &checked, refusal);
      if (*refusal) co_return true;
      if (*size != std::string_view::npos && *size <= options.header_bytes_max) break;
      if (buffer_.size() > options.header_bytes_max) {
        *refusal = Refusal{
            431, "the head of the request has more than " + std::to_string(options.header_bytes_max) + " bytes"};
        co_return true;
      }
      if (!co_await ReadSome()) {
        idle_ = false;
        if (timed_out_ && started) {
          *refusal = Refusal{408, "the head of the request did not come in time"};
          co_return true;
        }
        co_return false;
      }
    }
    first_ = false;
    Disarm();
    co_return true;
  }

  Refusal TooLarge() const {
    return {413, "the body has more than " + std::to_string(shared_->options.body_bytes_max) +
                     " bytes; send it in smaller requests"};
  }

  // A refusal of status 0: the connection ended.
  asio::awaitable<std::optional<Refusal>> ReadBody(const RequestHead& head, size_t head_size, std::string* body,
                                                   uint64_t* reserved) {
    const ServerOptions& options = shared_->options;
    const Refusal busy{503, "too many bodies at once; try again"};
    BodyParser parser;
    parser.header_limit(static_cast<uint32_t>(options.header_bytes_max + 1024));
    parser.body_limit(options.body_bytes_max);
    parser.eager(true);
    error_code error;
    const size_t used = parser.put(asio::buffer(Buffered().data(), head_size), error);
    if (error == beast::http::error::need_more) error = {};
    if (error || used != head_size || !parser.is_header_done()) {
      co_return Refusal{400, "bad head of the request: " + error.message()};
    }
    buffer_.consume(head_size);
    if (head.expect_continue && !parser.is_done() && buffer_.size() == 0) {
      if (!co_await Write("HTTP/1.1 100 Continue\r\n\r\n")) co_return Refusal{0, ""};
    }
    const Clock::time_point begin = Clock::now();
    uint64_t received = 0;
    while (!parser.is_done()) {
      bool more = buffer_.size() == 0;
      if (!more) {
        const size_t taken = parser.put(buffer_.data(), error);
        buffer_.consume(taken);
        received += taken;
        if (error == beast::http::error::body_limit) co_return TooLarge();
        if (error && error != beast::http::error::need_more) {
          co_return Refusal{400, "bad chunked body: " + error.message()};
        }
        // Only a chunk's size line or a trailer is ever left waiting.
        if (buffer_.size() > options.header_bytes_max) co_return Refusal{400, "chunk header is too long"};
        if (!shared_->Reserve(parser.get().body().size(), reserved)) co_return busy;
        more = error == beast::http::error::need_more || taken == 0;
        error = {};
      }
      if (parser.is_done()) break;
      if (!more) continue;
      const auto spent = Clock::now() - begin;
      const double seconds = std::chrono::duration<double>(spent).count();
      if (seconds > static_cast<double>(options.read_timeout) / 1e9 &&
          static_cast<double>(received) < seconds * static_cast<double>(options.body_bytes_per_second_min)) {
        co_return Refusal{408, "the body comes too slowly"};
      }
      Arm(options.read_timeout);
      if (!co_await ReadSome()) {
        if (timed_out_) co_return Refusal{408, "the body did not come in time"};
        co_return Refusal{0, ""};
      }
    }
    Disarm();
    *body = std::move(parser.get().body());
    co_return std::nullopt;
  }

  // Runs `task` in the lane, and waits for it. False if the lane is full.
  asio::awaitable<bool> RunIn(Lane lane, const std::function<void()>& task) {
    asio::steady_timer done(shared_->io, Clock::time_point::max());
    WorkerPool& pool = lane == Lane::kSlow ? shared_->slow : shared_->fast;
    // The coroutine stays suspended, and its frame in place, until the posted function has run.
    const auto run = [&task, &done, io = &shared_->io] {
      task();
      asio::post(*io, [&done] { done.cancel(); });
    };
    std::function<void()> borrowed = [run, pool = &pool] {
      run();
      pool->EndBorrowed();
    };
    bool taken = false;
    if (pool.Borrow()) {
      taken = shared_->loop.RunAfterHandler(std::move(borrowed));
      if (!taken) pool.EndBorrowed();
    }
    if (!taken) taken = pool.Submit(run);
    if (taken) co_await done.async_wait(kAwait);
    co_return taken;
  }

  // Sets the request's flag when the client closes the connection.
  void WatchForEnd() {
    socket().async_wait(tcp::socket::wait_read, [self = shared_from_this(), flag = cancelled_](error_code error) {
      if (error) return;
      char byte;
      const ssize_t size = ::recv(self->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      if (size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) *flag = true;
    });
  }

  asio::awaitable<bool> Answer(RequestHead& head) {
    Request& request = head.request;
    if (request.method == "OPTIONS" && !origin_.empty() &&
        !request.HeaderValue("Access-Control-Request-Method").empty()) {
      Response preflight = Preflight(request);
      co_return co_await Send(std::move(preflight), head);
    }
    cancelled_ = std::make_shared<std::atomic<bool>>(false);
    request.cancelled = cancelled_;
    const Lane lane = shared_->lane_of(request);
    const bool watch = lane == Lane::kSlow && buffer_.size() == 0;
    if (watch) WatchForEnd();
    Response response;
    Whole whole;
    ++shared_->requests;
    const bool ran = co_await RunIn(lane, [&] {
      response = RunHandler(shared_->handler, request);
      if (IsSmall(response)) whole = SendFromHere(response, head);
    });
    if (!ran) {
      if (watch) StopWatching();
      ++shared_->refused;
      response.status = 503;
      response.headers.push_back({"Retry-After", "1"});
      response.body = "too many requests are waiting; try again\n";
    }
    const bool keep = whole.text.empty()
                          ? co_await Send(std::move(response), head, lane)
                          : co_await Write(std::string_view(whole.text).substr(whole.sent)) && whole.keep;
    if (ran && watch) StopWatching();
    // The body is counted until here; it can be large.
    request.body.clear();
    cancelled_.reset();
    co_return keep;
  }

  void StopWatching() {
    error_code ignored;
    socket().cancel(ignored);
  }

  Response Preflight(const Request& request) const {
    Response response;
    response.status = 204;
    response.content_type.clear();
    std::string headers(request.HeaderValue("Access-Control-Request-Headers"));
    if (headers.empty()) headers = "Content-Type";
    response.headers = {{"Access-Control-Allow-Methods", "GET, HEAD, POST, OPTIONS"},
                        {"Access-Control-Allow-Headers", std::move(headers)},
                        {"Access-Control-Max-Age", "600"}};
    return response;
  }

  std::string ResponseHead(const Response& response, bool chunked, bool keep) const {
    std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
    head.append(ReasonPhrase(response.status)).append("\r\n");
    const auto add = [&](std::string_view name, std::string_view value) {
      head.append(name).append(": ").append(value).append("\r\n");
    };
    if (!response.content_type.empty()) add("Content-Type", response.content_type);
    if (chunked) {
      add("Transfer-Encoding", "chunked");
      if (!response.trailer_names.empty()) add("Trailer", response.trailer_names);
    } else if (response.status != 204 && response.stream == nullptr) {
      add("Content-Length", std::to_string(response.body.size()));
    }
    for (const Header& header : response.headers) add(header.name, header.value);
    if (!origin_.empty()) {
      add("Access-Control-Allow-Origin", origin_);
      add("Vary", "Origin");
    }
    add("X-Content-Type-Options", "nosniff");
    add("Connection", keep ? "keep-alive" : "close");
    head.append("\r\n");
    return head;
  }

  // An answer as one text: one write for small ones, no copy of large ones.
  struct Whole {
    std::string text;
    bool keep = false;
    size_t sent = 0;  // bytes of the text
  };
  static bool IsSmall(const Response& response) {
    return response.stream == nullptr && response.body.size() <= kReadBytes;
  }
  Whole WholeOf(const Response& response, const RequestHead& head) const {
    const bool keep = head.keep_alive && !shared_->stopping;
    std::string text = ResponseHead(response, false, keep);
    if (head.request.method != "HEAD") text += response.body;
    return {std::move(text), keep, 0};
  }

  // Any thread: an answer need not wait until the network's thread has woken up.
  Whole SendFromHere(const Response& response, const RequestHead& head) const {
    try {
      Whole whole = WholeOf(response, head);
      whole.sent = connection_->SendNow(whole.text);
      return whole;
    } catch (const std::bad_alloc&) {
      return {};  // the network's thread tries again
    }
  }

  asio::awaitable<bool> Send(Response response, const RequestHead& head, Lane lane = Lane::kFast) {
    if (IsSmall(response)) {
      const Whole whole = WholeOf(response, head);
      co_return co_await Write(whole.text) && whole.keep;
    }
    const bool streams = response.stream != nullptr;
    const bool chunked = streams && !head.http_1_0;
    bool keep = head.keep_alive && !shared_->stopping && (!streams || chunked);
    std::string first = ResponseHead(response, chunked, keep);
    if (head.request.method == "HEAD") co_return co_await Write(first) && keep;
    if (!streams) co_return co_await Write(first) && co_await Write(response.body) && keep;
    if (!co_await Write(first)) co_return false;
    std::string piece = std::move(response.body);
    std::string last = "0\r\n";
    bool more = true;
    while (true) {
      if (!piece.empty()) {
        if (chunked) {
          char size[24];
          std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
          piece.insert(0, size);
          piece += "\r\n";
        }
        if (!co_await Write(piece)) {
          if (cancelled_ != nullptr) *cancelled_ = true;
          co_return false;
        }
        piece.clear();
      }
      if (!more) break;
      bool failed = false;
      const bool ran = co_await RunIn(lane, [&] {
        try {
          more = response.stream(&piece);
          if (!more && response.trailers_at_end != nullptr) {
            for (const Header& trailer : response.trailers_at_end())
              last += trailer.name + ": " + trailer.value + "\r\n";
          }
        } catch (const std::exception&) {
          failed = true;
        }
      });
      // Without its last chunk the client sees that the answer is not whole.
      if (!ran || failed) co_return false;
    }
    last += "\r\n";
    if (chunked && !co_await Write(last)) co_return false;
    co_return keep;
  }

  // Always the last answer of its connection: what follows the request cannot be told apart from its body.
  asio::awaitable<bool> Refuse(const Refusal& refusal, std::string_view retry_after = "") {
    ++shared_->refused;
    Response response;
    response.status = refusal.status;
    response.body = refusal.text + "\n";
    if (!retry_after.empty()) response.headers.push_back({"Retry-After", std::string(retry_after)});
    if (refusal.status == 401) response.headers.push_back({"WWW-Authenticate", "Bearer"});
    const std::string text = ResponseHead(response, false, false) + response.body;
    if (!co_await Write(text)) co_return false;
    error_code ignored;
    socket().shutdown(tcp::socket::shutdown_send, ignored);
    Arm(kLingerTime);
    for (size_t thrown_away = 0; thrown_away < kLingerBytesMax && !shared_->stopping;) {
      buffer_.clear();
      if (!co_await ReadSome()) break;
      thrown_away += buffer_.size();
    }
    co_return false;
  }

  SessionShared* shared_;
  const Port* port_;
  std::unique_ptr<Connection> connection_;
  beast::flat_buffer buffer_;
  std::string peer_;
  std::string origin_;  // of the request being answered, if it may read the answer
  std::shared_ptr<std::atomic<bool>> cancelled_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool timed_out_ = false;
  bool first_ = true;
  bool idle_ = true;
  bool http2_ = false;  // the client has begun with HTTP/2's preface
};

namespace {

asio::awaitable<void> Serve(std::shared_ptr<Session> session, const Port* port, SessionShared* shared) {
  co_await session->Run();
  if (!session->http2()) co_return;
  std::string received = session->TakeReceived(), peer = session->peer();
  std::unique_ptr<Connection> connection = session->TakeConnection();
  session.reset();
  co_await ServeHttp2(std::move(connection), std::move(received), std::move(peer), port, shared);
}
asio::awaitable<void> Turn(std::shared_ptr<Session> session) { co_await session->RefuseAll(); }

// What a coroutine throws ends its own connection and nothing else.
void Ignore(std::exception_ptr) {}

}  // namespace

void StartSession(tcp::socket socket, const Port* port, SessionShared* shared) {
  auto session = std::make_shared<Session>(std::move(socket), port, shared);
  ++shared->connections_total;
  asio::co_spawn(shared->io, Serve(std::move(session), port, shared), Ignore);
}

void RefuseConnection(tcp::socket socket, const Port* port, SessionShared* shared) {
  auto session = std::make_shared<Session>(std::move(socket), port, shared);
  asio::co_spawn(shared->io, Turn(std::move(session)), Ignore);
}

void SessionShared::NoteDeadline(Clock::time_point deadline) {
  if (deadline >= deadlines_at) return;
  deadlines_at = deadline;
  deadlines.expires_at(deadline);
  deadlines.async_wait([this](error_code error) {
    if (error) return;
    deadlines_at = Clock::time_point::max();
    Clock::time_point next = Clock::time_point::max();
    for (OpenConnection* session : sessions) next = std::min(next, session->Expire(Clock::now()));
    NoteDeadline(next);
  });
}

void CloseSessions(SessionShared* shared, bool all) {
  for (OpenConnection* session : shared->sessions) session->Close(all);
}

Response RunHandler(const Handler& handler, const Request& request) {
  try {
    return handler(request);
  } catch (const std::bad_alloc&) {
    Response response;
    response.status = 503;
    response.headers = {{"Retry-After", "1"}};
    response.body = "out of memory\n";
    return response;
  } catch (const std::exception& error) {
    Response response;
    response.status = 500;
    response.body = std::string("internal error: ") + error.what() + "\n";
    return response;
  }
}

}  // namespace braid::http
