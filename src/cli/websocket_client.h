// The client's side of MQTT over WebSocket, as the command line tools need it: bytes of the socket in, bytes
// of MQTT out, and the other way round. Knows no socket; used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "net/websocket_frames.h"

namespace nightjar::cli {

class WebSocketClient {
 public:
  // `authority` is the host and port of the broker; `subprotocol` what CONNECT will speak.
  WebSocketClient(std::string_view authority, std::string_view subprotocol);

  // What is sent first.
  [[nodiscard]] const std::string& request() const { return request_; }
  // The handshake is done.
  [[nodiscard]] bool is_open() const { return is_open_; }

  // Takes the bytes that came and leaves only those of MQTT: they are moved to the front of `bytes`, and
  // their number is returned. Answers to control frames go to `answers`, which is to be sent. An error ends
  // the connection.
  Result<std::size_t> receive(std::span<std::byte> bytes, ByteBuffer& answers);

  // Puts one packet, or several, into one frame.
  void send(ByteView packets, ByteBuffer& out);

 private:
  Result<std::size_t> read_answer(std::span<std::byte> bytes);
  Result<std::size_t> read_frames(std::span<std::byte> bytes, std::size_t at, ByteBuffer& answers);
  void end_control(ByteBuffer& answers);
  std::uint32_t next_mask();

  std::string request_;
  std::string accept_;  // what the broker has to answer
  std::string head_;    // of its answer, as far as it has come
  ByteBuffer held_;     // an incomplete header, or control payload
  net::WebSocketFrameHeader header_;
  std::uint64_t payload_left_ = 0;
  std::uint64_t chance_;
  bool is_open_ = false;
};

}  // namespace nightjar::cli
