// MQTT over WebSocket on the server's side: one connection's handshake, frames and close. Payloads are handed
// on as they come, however large the frame; those of many frames in one read are one run of bytes. Each
// packet of the core is a frame of its own, although a frame may hold many [MQTT-6.0.0-2]: clients such as
// Paho C take a packet from a frame and then wait at the socket for the next, even when they have it already.
// Lives on its connection's worker.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "net/stream_filter.h"
#include "net/websocket_frames.h"
#include "net/websocket_upgrade.h"

namespace nightjar::net {

class WebSocketFilter final : public StreamFilter {
 public:
  // The longest payload with a four byte header. A browser shows a frame to its page when all of it is there,
  // so long output is better in several.
  static constexpr std::size_t kFrameBytesMax = 65'535;
  // Of pongs that wait to be sent. Only the last ping needs an answer (section 5.5.3), and who reads none of
  // them gets no more.
  static constexpr std::size_t kPongBytesMax = 16 * 1024;

  explicit WebSocketFilter(std::shared_ptr<const WebSocketRules> rules);

  [[nodiscard]] bool receive(ByteView wire) override;
  ByteView next_plain() override;
  [[nodiscard]] bool has_plain() const override { return !plain_.empty(); }
  // Whole packets, as the core says them in one turn.
  void send(ByteView plain) override;
  void finish() override;
  ByteBuffer& wire() override { return wire_; }

 private:
  // What is in the middle of its payload.
  enum class Inside : std::uint8_t { kNothing, kData, kControl };

  bool receive_head(ByteView in);
  bool refuse(std::string_view answer);
  bool receive_frames(ByteView in);
  ByteView complete_header(ByteView in, WebSocketHeaderState& state);
  bool begin_frame();
  ByteView take_data(ByteView in);
  ByteView take_control(ByteView in);
  bool end_control();
  bool answer_close(ByteView payload);
  void pong(ByteView payload);
  bool fail(WebSocketCloseCode code);
  void send_frames(ByteView packet);
  void write_close(WebSocketCloseCode code);

  std::shared_ptr<const WebSocketRules> rules_;  // null: the handshake is over
  ByteBuffer held_;                              // an incomplete head, header or control payload
  ByteBuffer plain_;
  ByteBuffer wire_;
  std::uint64_t payload_left_ = 0;
  WebSocketFrameHeader header_;
  std::uint32_t pong_bytes_ = 0;
  Inside inside_ = Inside::kNothing;
  bool is_message_open_ = false;  // its last fragment is still to come
  bool is_closed_ = false;        // nothing is said any more
};

}  // namespace nightjar::net
