// An HTTP/2 connection (RFC 9113), framed by nghttp2. Calls of a connection run side by side in the worker pools; one
// coroutine reads, whoever has something to send writes, never two at a time.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "server/http/grpc_status.h"
#include "server/http/session.h"

namespace braid::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadBytes = size_t{64} << 10;
constexpr size_t kWriteBytes = size_t{64} << 10;
// Flow control: what one call, and all of a connection, may send before it must be told to go on. nghttp2 tells it as
// soon as the bytes are taken, so this is the unread at most, and a sender at any distance fills a loopback.
constexpr int32_t kStreamWindowBytes = 1 << 20;
constexpr int32_t kConnectionWindowBytes = 16 << 20;
constexpr size_t kHeadersMax = 128;  // fields of one call
// Answers to pings and settings that wait for a client that does not read; beyond them it is cut off.
constexpr size_t kAcksMax = 100;
// Frames waiting to be sent beyond which nothing more is read.
constexpr size_t kQueuedFramesMax = 512;
constexpr auto kTick = std::chrono::milliseconds(250);

nghttp2_nv Field(const std::string& name, const std::string& value) {
  return {reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

struct Call {
  int32_t id = 0;
  RequestHead head;
  std::string scheme_path;
  size_t header_bytes = 0;
  std::string body;
  uint64_t reserved = 0;
  uint64_t received = 0;
  Clock::time_point began, progress;
  bool has_head = false;  // all headers have come
  bool complete = false;  // and all of the body
  bool answered = false;
  bool closed = false;
  Response response;
  size_t sent = 0;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

class Http2Session : public OpenConnection, public std::enable_shared_from_this<Http2Session> {
 public:
  Http2Session(std::unique_ptr<Connection> connection, std::string peer, const Port* port, SessionShared* shared)
      : shared_(shared),
        port_(port),
        connection_(std::move(connection)),
        peer_(std::move(peer)),
        timer_(shared->io),
        drained_(shared->io, Clock::time_point::max()) {
    shared_->sessions.insert(this);
    ++shared_->connections_open;
  }
  ~Http2Session() override {
    nghttp2_session_del(session_);
    shared_->sessions.erase(this);
    --shared_->connections_open;
  }

  asio::awaitable<void> Run(std::string received) {
    if (Begin() && Feed(received)) {
      Tick();
      std::string space(kReadBytes, '\0');
      while (true) {
        co_await Flush();
        if (broken_ || (!nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_))) break;
        if (ending_ && calls_.empty()) break;
        while (!broken_ && writing_ && nghttp2_session_get_outbound_queue_size(session_) > kQueuedFramesMax) {
          co_await drained_.async_wait(kAwait);
        }
        const auto [error, size] = co_await connection_->ReadSome(asio::buffer(space));
        if (error || size == 0) break;
        last_byte_ = Clock::now();
        if (!Feed({space.data(), size})) {
          co_await Flush();  // says why
          break;
        }
      }
    }
    done_ = true;
    broken_ = true;
    timer_.cancel();
    for (auto& [id, call] : calls_) CloseCall(call.get());
    calls_.clear();
    connection_->Close();
  }

  // It looks at its times itself, every so often.
  Clock::time_point Expire(Clock::time_point) override { return Clock::time_point::max(); }
  void Close(bool all) override {
    if (all) {
      Break();
    } else {
      End();
    }
  }

 private:
  static Http2Session* Self(void* user) { return static_cast<Http2Session*>(user); }

  bool Begin() {
    nghttp2_session_callbacks* callbacks = nullptr;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return Self(user)->OnBegin(frame); });
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
          return Self(user)->OnHeader(frame, {reinterpret_cast<const char*>(name), name_size},
                                      {reinterpret_cast<const char*>(value), value_size});
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          return Self(user)->OnData(id, {reinterpret_cast<const char*>(data), size});
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return Self(user)->OnFrame(frame); });
    nghttp2_session_callbacks_set_on_frame_send_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user) { return Self(user)->OnSent(frame); });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t, void* user) { return Self(user)->OnClose(id); });
    nghttp2_option* option = nullptr;
    int result = nghttp2_option_new(&option);
    if (result == 0) {
      nghttp2_option_set_max_outbound_ack(option, kAcksMax);
      result = nghttp2_session_server_new2(&session_, callbacks, this, option);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    if (result != 0) return false;
    const std::array<nghttp2_settings_entry, 3> settings = {
        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, shared_->options.http2_streams_max},
         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindowBytes},
         {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<uint32_t>(shared_->options.header_bytes_max)}}};
    return nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0 &&
           nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindowBytes) == 0;
  }

  bool Feed(std::string_view bytes) {
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()) >= 0;
  }

  // ---- sending

  asio::awaitable<void> Flush() {
    if (writing_) co_return;
    writing_ = true;
    std::string out;
    while (!broken_) {
      out.clear();
      while (out.size() < kWriteBytes) {
        const uint8_t* data = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_, &data);
        if (size < 0) Break();
        if (size <= 0) break;
        out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
      }
      if (out.empty()) break;
      write_began_ = Clock::now();
      for (std::string_view rest = out; !rest.empty() && !broken_;) {
        const auto [error, size] = co_await connection_->WriteSome(asio::buffer(rest.data(), rest.size()));
        if (error) {
          Break();
        } else {
          rest.remove_prefix(size);
          write_began_ = Clock::now();
        }
      }
      drained_.cancel();
    }
    writing_ = false;
    drained_.cancel();
  }

  void StartFlush() {
    asio::co_spawn(
        shared_->io,
        [](std::shared_ptr<Http2Session> self) -> asio::awaitable<void> {
          co_await self->FlushAndEnd();
        }(shared_from_this()),
        [](std::exception_ptr) {});
  }
  asio::awaitable<void> FlushAndEnd() {
    co_await Flush();
    // Nothing is awaited any more: the reader must wake up to see it.
    if (ending_ && calls_.empty() && !writing_) Break();
  }

  // Cuts the connection off.
  void Break() {
    if (done_) return;
    broken_ = true;
    error_code ignored;
    connection_->socket().shutdown(tcp::socket::shutdown_both, ignored);
    connection_->socket().cancel(ignored);
    drained_.cancel();
  }

  // Takes no new calls; ends when those in flight are answered.
  void End() {
    if (ending_ || done_) return;
    ending_ = true;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                          NGHTTP2_NO_ERROR, nullptr, 0);
    StartFlush();
  }

  void Submit(Call* call, Response response) {
    if (call->closed || call->answered) return;
    call->answered = true;
    call->response = std::move(response);
    Response& answer = call->response;
    std::vector<Header> headers = {{":status", std::to_string(answer.status)}};
    if (!answer.content_type.empty()) headers.push_back({"content-type", answer.content_type});
    for (Header& header : answer.headers) headers.push_back({Lower(header.name), std::move(header.value)});
    // An answer without a body is one frame: "trailers only".
    if (answer.body.empty()) {
      for (Header& trailer : answer.trailers) headers.push_back(std::move(trailer));
    }
    std::vector<nghttp2_nv> fields;
    for (const Header& header : headers) fields.push_back(Field(header.name, header.value));
    nghttp2_data_provider body = {};
    body.source.ptr = call;
    body.read_callback = [](nghttp2_session* session, int32_t id, uint8_t* buffer, size_t size, uint32_t* flags,
                            nghttp2_data_source* source, void*) -> ssize_t {
      Call& sender = *static_cast<Call*>(source->ptr);
      const std::string& bytes = sender.response.body;
      const size_t count = std::min(size, bytes.size() - sender.sent);
      std::copy_n(bytes.data() + sender.sent, count, reinterpret_cast<char*>(buffer));
      sender.sent += count;
      if (sender.sent < bytes.size()) return static_cast<ssize_t>(count);
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!sender.response.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> trailers;
        for (const Header& trailer : sender.response.trailers) trailers.push_back(Field(trailer.name, trailer.value));
        if (nghttp2_submit_trailer(session, id, trailers.data(), trailers.size()) != 0) {
          return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
      }
      return static_cast<ssize_t>(count);
    };
    if (nghttp2_submit_response(session_, call->id, fields.data(), fields.size(),
                                answer.body.empty() ? nullptr : &body) != 0) {
      Break();
      return;
    }
  }

  // The client need not send the rest of what is answered already. Said only when the answer has gone: a reset would
  // overtake it.
  int OnSent(const nghttp2_frame* frame) {
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                      (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA);
    const Call* call = ends ? FindCall(frame->hd.stream_id) : nullptr;
    if (call != nullptr && call->answered && !call->complete) {
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_NO_ERROR);
    }
    return 0;
  }

  void Refuse(Call* call, int status, const std::string& text) {
    ++shared_->refused;
    if (IsGrpc(call->head.request)) return Submit(call, GrpcRefusal(status, text));
    Response response;
    response.status = status;
    response.body = text + "\n";
    if (status == 503) response.headers.push_back({"retry-after", "1"});
    if (status == 401) response.headers.push_back({"www-authenticate", "Bearer"});
    Submit(call, std::move(response));
  }

  // ---- receiving

  Call* FindCall(int32_t id) {
    const auto found = calls_.find(id);
    return found == calls_.end() ? nullptr : found->second.get();
  }

  int OnBegin(const nghttp2_frame* frame) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    auto call = std::make_shared<Call>();
    call->id = frame->hd.stream_id;
    call->began = call->progress = Clock::now();
    call->head.request.peer = peer_;
    call->head.request.http2 = true;
    call->head.request.expected = port_->expected;
    call->head.request.cancelled = call->cancelled;
    calls_[frame->hd.stream_id] = std::move(call);
    return 0;
  }

  int OnHeader(const nghttp2_frame* frame, std::string_view name, std::string_view value) {
    Call* call = FindCall(frame->hd.stream_id);
    if (call == nullptr || call->has_head) return 0;  // trailers of a request say nothing that is wanted
    RequestHead& head = call->head;
    call->header_bytes += name.size() + value.size() + 32;  // as RFC 9113, 6.5.2 counts
    if (call->header_bytes > shared_->options.header_bytes_max || head.request.headers.size() >= kHeadersMax) {
      call->header_bytes = shared_->options.header_bytes_max + 1;
      return 0;
    }
    if (name == ":method") {
      head.request.method = value;
    } else if (name == ":path") {
      call->scheme_path = value;
    } else if (name == ":authority") {
      head.host = value;
    } else if (!name.starts_with(':')) {
      if (name == "host" && head.host.empty()) head.host = value;
      head.request.headers.push_back({std::string(name), std::string(value)});
    }
    return 0;
  }

  int OnFrame(const nghttp2_frame* frame) {
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Call* call = FindCall(frame->hd.stream_id);
    if (call == nullptr) return 0;
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    call->complete = call->complete || ends;
    if (!call->has_head && frame->hd.type == NGHTTP2_HEADERS) {
      call->has_head = true;
      CheckHead(call);
    }
    if (ends && !call->answered) Dispatch(frame->hd.stream_id);
    return 0;
  }

  void CheckHead(Call* call) {
    RequestHead& head = call->head;
    if (call->header_bytes > shared_->options.header_bytes_max) {
      return Refuse(
          call, 431,
          "the headers of the call have more than " + std::to_string(shared_->options.header_bytes_max) + " bytes");
    }
    if (port_->speaks != Speaks::kHttp2) return Refuse(call, 421, port_->wrong_protocol);
    if (const auto refusal = CheckAccess(head, shared_->options.access)) {
      return Refuse(call, refusal->status, refusal->text);
    }
    const std::string_view target = call->scheme_path;
    const size_t question = target.find('?');
    if (!PercentDecode(target.substr(0, question), false, &head.request.path) ||
        (question != std::string_view::npos && !ParseForm(target.substr(question + 1), &head.request.query))) {
      return Refuse(call, 400, "bad % escape in the path");
    }
  }

  int OnData(int32_t id, std::string_view bytes) {
    Call* call = FindCall(id);
    if (call == nullptr || call->answered) return 0;
    call->progress = Clock::now();
    call->received += bytes.size();
    if (call->body.size() + bytes.size() > shared_->options.body_bytes_max) {
      Release(call);
      Refuse(call, 413,
             "the message has more than " + std::to_string(shared_->options.body_bytes_max) +
                 " bytes; send it in smaller ones");
    } else if (!shared_->Reserve(call->body.size() + bytes.size(), &call->reserved)) {
      Release(call);
      Refuse(call, 503, "too many bodies at once; try again");
    } else {
      call->body.append(bytes);
    }
    return 0;
  }

  void Release(Call* call) {
    call->body = std::string();
    shared_->body_bytes -= std::exchange(call->reserved, 0);
  }

  void CloseCall(Call* call) {
    call->closed = true;
    *call->cancelled = true;
    // While a worker has the request, its bytes are counted.
    if (!call->complete || call->answered) Release(call);
  }

  int OnClose(int32_t id) {
    if (Call* call = FindCall(id); call != nullptr) CloseCall(call);
    calls_.erase(id);
    if (calls_.empty()) last_byte_ = Clock::now();
    return 0;
  }

  void Dispatch(int32_t id) {
    const std::shared_ptr<Call> call = calls_[id];
    call->head.request.body = std::move(call->body);
    const Lane lane = shared_->lane_of(call->head.request);
    WorkerPool& pool = lane == Lane::kSlow ? shared_->slow : shared_->fast;
    ++shared_->requests;
    // The guard keeps the network thread until the answer has come back to it.
    const bool taken =
        pool.Submit([self = shared_from_this(), call, work = asio::make_work_guard(shared_->io)]() mutable {
          auto response = std::make_shared<Response>(RunHandler(self->shared_->handler, call->head.request));
          call->head.request.body = std::string();
          asio::io_context& io = self->shared_->io;
          asio::post(io, [self = std::move(self), call = std::move(call), response] {
            self->shared_->body_bytes -= std::exchange(call->reserved, 0);
            if (self->done_) return;
            self->Submit(call.get(), std::move(*response));
            self->StartFlush();
          });
        });
    if (!taken) {
      call->head.request.body = std::string();
      Release(call.get());
      Refuse(call.get(), 503, "too many requests are waiting; try again");
    }
  }

  // ---- deadlines

  void Tick() {
    timer_.expires_after(kTick);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (error || self->done_) return;
      self->CheckTimes();
      self->Tick();
    });
  }

  void CheckTimes() {
    const ServerOptions& options = shared_->options;
    const Clock::time_point now = Clock::now();
    const auto longer = [now](Clock::time_point since, Duration limit) {
      return now - since > std::chrono::nanoseconds(limit);
    };
    if (writing_ && longer(write_began_, options.write_timeout)) return Break();
    if (calls_.empty() && longer(last_byte_, options.http2_idle_timeout)) return End();
    bool refused = false;
    for (auto& [id, call] : calls_) {
      if (call->answered && longer(call->began, options.write_timeout + options.read_timeout)) return Break();
      if (call->complete || call->answered) continue;
      if (!call->has_head) {
        // Half a head keeps the whole connection from going on: it ends.
        if (longer(call->began, options.header_timeout)) return Break();
        continue;
      }
      const double seconds = std::chrono::duration<double>(now - call->began).count();
      const bool slow =
          longer(call->began, options.read_timeout) &&
          static_cast<double>(call->received) < seconds * static_cast<double>(options.body_bytes_per_second_min);
      if (slow || longer(call->progress, options.read_timeout)) {
        Release(call.get());
        Refuse(call.get(), 408, "the message comes too slowly");
        refused = true;
      }
    }
    if (refused) StartFlush();
  }

  SessionShared* shared_;
  const Port* port_;
  std::unique_ptr<Connection> connection_;
  std::string peer_;
  asio::steady_timer timer_;
  asio::steady_timer drained_;  // never expires; cancelled when frames have gone out
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::shared_ptr<Call>> calls_;
  Clock::time_point last_byte_ = Clock::now(), write_began_ = Clock::now();
  bool writing_ = false;
  bool broken_ = false;  // the socket is of no use any more
  bool ending_ = false;  // no new calls
  bool done_ = false;
};

asio::awaitable<void> ServeHttp2(std::unique_ptr<Connection> connection, std::string received, std::string peer,
                                 const Port* port, SessionShared* shared) {
  const auto session = std::make_shared<Http2Session>(std::move(connection), std::move(peer), port, shared);
  co_await session->Run(std::move(received));
}

}  // namespace braid::http
