// A TCP client that sends exactly the bytes it is given.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace braid {

class RawClient {
 public:
  explicit RawClient(const std::string& address) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    timeval timeout = {20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawClient() { Close(); }
  bool connected() const { return connected_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Reads until `text` has come; what came so far, including more than that.
  const std::string& ReadUntil(std::string_view text) {
    while (received_.find(text) == std::string::npos && ReadSome()) {
    }
    return received_;
  }
  // One whole answer with Content-Length or none (204), removed from what was received.
  std::string ReadAnswer() {
    ReadUntil("\r\n\r\n");
    const size_t head = received_.find("\r\n\r\n");
    if (head == std::string::npos) return std::exchange(received_, "");
    size_t length = 0;
    const size_t at = received_.find("Content-Length: ");
    if (at < head) length = static_cast<size_t>(std::atoll(received_.c_str() + at + 16));
    while (received_.size() < head + 4 + length && ReadSome()) {
    }
    std::string answer = received_.substr(0, head + 4 + length);
    received_.erase(0, answer.size());
    return answer;
  }
  // What comes next; "" at the end of the connection.
  std::string TakeSome() {
    if (received_.empty()) ReadSome();
    return std::exchange(received_, "");
  }
  std::string ReadToEnd() {
    while (ReadSome()) {
    }
    return std::exchange(received_, "");
  }

 private:
  bool ReadSome() {
    char piece[65536];
    const ssize_t size = ::recv(fd_, piece, sizeof piece, 0);
    if (size <= 0) return false;
    received_.append(piece, static_cast<size_t>(size));
    return true;
  }

  int fd_ = -1;
  bool connected_ = false;
  std::string received_;
};

}  // namespace braid
