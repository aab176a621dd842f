// An HTTP/2 client over a blocking socket, framed by nghttp2's client side: an implementation of the protocol that is
// not ours.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/http/raw_client.h"

namespace braid {

class Http2Client {
 public:
  struct Answer {
    std::vector<std::pair<std::string, std::string>> headers;  // and trailers, in the order that they came
    std::string body;
    bool closed = false;
    uint32_t error = 0;  // of RST_STREAM
    std::string Header(std::string_view name) const {
      for (const auto& [key, value] : headers) {
        if (key == name) return value;
      }
      return "";
    }
  };

  explicit Http2Client(const std::string& address) : socket_(address) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                      const uint8_t* value, size_t value_size, uint8_t, void* user) {
          static_cast<Http2Client*>(user)->answers_[frame->hd.stream_id].headers.emplace_back(
              std::string(reinterpret_cast<const char*>(name), name_size),
              std::string(reinterpret_cast<const char*>(value), value_size));
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
          static_cast<Http2Client*>(user)->answers_[id].body.append(reinterpret_cast<const char*>(data), size);
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t error, void* user) {
          Answer& answer = static_cast<Http2Client*>(user)->answers_[id];
          answer.closed = true;
          answer.error = error;
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         [](nghttp2_session*, const nghttp2_frame* frame, void* user) {
                                                           if (frame->hd.type == NGHTTP2_GOAWAY)
                                                             static_cast<Http2Client*>(user)->going_away_ = true;
                                                           return 0;
                                                         });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Client() { nghttp2_session_del(session_); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // Begins a POST; `body` of which `withheld` bytes at the end are never sent.
  int32_t Post(const std::string& path, const std::vector<std::pair<std::string, std::string>>& headers,
               std::string body, size_t withheld = 0) {
    std::vector<std::pair<std::string, std::string>> all = {
        {":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", authority_}};
    all.insert(all.end(), headers.begin(), headers.end());
    std::vector<nghttp2_nv> fields;
    for (auto& [name, value] : all) {
      fields.push_back({reinterpret_cast<uint8_t*>(name.data()), reinterpret_cast<uint8_t*>(value.data()), name.size(),
                        value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    auto& upload = uploads_.emplace_back();
    upload = {std::move(body), 0, withheld};
    nghttp2_data_provider provider = {};
    provider.source.ptr = &upload;
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* buffer, size_t size, uint32_t* flags,
                                nghttp2_data_source* source, void*) -> ssize_t {
      Upload& from = *static_cast<Upload*>(source->ptr);
      const size_t end = from.bytes.size() - from.withheld;
      const size_t count = std::min(size, end - from.sent);
      if (count == 0 && from.withheld > 0) return NGHTTP2_ERR_DEFERRED;
      from.bytes.copy(reinterpret_cast<char*>(buffer), count, from.sent);
      from.sent += count;
      if (from.sent == from.bytes.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(count);
    };
    return nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &provider, nullptr);
  }
  // Sends and receives until the stream is closed or the connection ends.
  Answer Await(int32_t id) {
    while (!answers_[id].closed && Turn()) {
    }
    return answers_[id];
  }
  Answer Call(const std::string& path, const std::vector<std::pair<std::string, std::string>>& headers,
              std::string body) {
    return Await(Post(path, headers, std::move(body)));
  }
  // True if the server has said GOAWAY or closed by the end of what it sends.
  bool AwaitEnd() {
    while (Turn()) {
    }
    return going_away_;
  }
  void set_authority(std::string authority) { authority_ = std::move(authority); }
  RawClient& socket() { return socket_; }

 private:
  struct Upload {
    std::string bytes;
    size_t sent = 0, withheld = 0;
  };

  bool Turn() {
    const uint8_t* data = nullptr;
    for (ssize_t size; (size = nghttp2_session_mem_send(session_, &data)) > 0;) {
      if (!socket_.Send({reinterpret_cast<const char*>(data), static_cast<size_t>(size)})) break;
    }
    const std::string received = socket_.TakeSome();
    if (received.empty()) return false;
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const uint8_t*>(received.data()), received.size()) >= 0;
  }

  RawClient socket_;
  std::string authority_ = "localhost";
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Answer> answers_;
  std::list<Upload> uploads_;
  bool going_away_ = false;
};

}  // namespace braid
