#include "net/websocket_filter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "mqtt/utf8.h"
#include "mqtt/varint.h"
#include "net/passing_bytes.h"

namespace nightjar::net {
namespace {

// The bytes of the packet that `plain` begins with; all of it when that is a part of one or something else.
std::size_t first_packet_bytes(ByteView plain) {
  const mqtt::Varint remaining = mqtt::read_varint(plain.subspan(1));
  if (remaining.state != mqtt::VarintState::kComplete) return plain.size();
  return std::min(plain.size(), 1 + remaining.size + remaining.value);
}

// Packets in frames with a header of two bytes, which a flood is made of. They are copied by whole blocks.
constexpr std::size_t kShortPacketBytesMax = 125;
constexpr std::size_t kBlockBytes = 32;
constexpr std::size_t kBlocksBytesMax = 128;  // of a short packet
constexpr std::size_t kShortRunBytesMax = 4096;
static_assert(kBlocksBytesMax >= kShortPacketBytesMax && kBlocksBytesMax % kBlockBytes == 0);

// Writes frames of the short packets that `plain` begins with; returns how many bytes of it. Leaves the last
// few, behind which there is no whole block to copy.
std::size_t write_short_packets(ByteBuffer& wire, ByteView plain) {
  const std::size_t run_bytes = std::min(plain.size(), kShortRunBytesMax);
  const std::byte* from = plain.data();
  const std::byte* const end = from + run_bytes;
  // No header is longer than its packet, and the blocks of the last one may pass its end.
  std::byte* const begin = wire.prepare(2 * run_bytes + kBlocksBytesMax);
  std::byte* to = begin;
  while (end - from >= static_cast<std::ptrdiff_t>(kBlocksBytesMax)) {
    const std::size_t packet_bytes = 2 + std::to_integer<std::size_t>(from[1]);
    if (packet_bytes > kShortPacketBytesMax) break;
    to[0] = std::byte{0x82};  // FIN and the opcode
    to[1] = static_cast<std::byte>(packet_bytes);
    to += 2;
    for (std::size_t at = 0; at < packet_bytes; at += kBlockBytes)
      std::memcpy(to + at, from + at, kBlockBytes);
    to += packet_bytes;
    from += packet_bytes;
  }
  wire.commit(static_cast<std::size_t>(to - begin));
  return static_cast<std::size_t>(from - plain.data());
}

constexpr std::string_view kEndOfHead = "\r\n\r\n";

// Each method begins with three letters. What does not is no request, and need not be waited for.
bool may_be_http(std::string_view text) {
  const std::string_view begin = text.substr(0, 3);
  return std::all_of(begin.begin(), begin.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace

WebSocketFilter::WebSocketFilter(std::shared_ptr<const WebSocketRules> rules) : rules_(std::move(rules)) {}

bool WebSocketFilter::receive(ByteView wire) {
  if (is_closed_) return false;
  if (wire_.empty()) pong_bytes_ = 0;
  return rules_ != nullptr ? receive_head(wire) : receive_frames(wire);
}

// ---- the handshake ----

bool WebSocketFilter::receive_head(ByteView in) {
  const std::size_t known = held_.size();
  held_.append(in.first(std::min(in.size(), rules_->head_bytes_max + kEndOfHead.size() - known)));
  const std::string_view text = as_text(held_.view());
  if (!may_be_http(text)) return refuse(refuse_garbage());
  const std::size_t end =
      text.find(kEndOfHead, known < kEndOfHead.size() ? 0 : known - kEndOfHead.size() + 1);
  if (end == std::string_view::npos) {
    return held_.size() <= rules_->head_bytes_max || refuse(refuse_long_head(rules_->head_bytes_max));
  }
  const std::size_t head_bytes = end + kEndOfHead.size();
  const WebSocketAnswer answer = answer_websocket_upgrade(text.substr(0, head_bytes), *rules_);
  if (!answer.is_accepted) return refuse(answer.text);
  wire_.append(answer.text);
  rules_.reset();
  held_.release();
  return receive_frames(in.subspan(head_bytes - known));
}

bool WebSocketFilter::refuse(std::string_view answer) {
  wire_.append(answer);
  held_.release();
  is_closed_ = true;
  return false;
}

// ---- frames ----

bool WebSocketFilter::receive_frames(ByteView in) {
  PassingBytes::lend(plain_);
  // Payloads are never longer than what they came in.
  plain_.prepare(in.size());
  bool is_open = true;
  while (is_open) {
    if (inside_ == Inside::kNothing) {
      WebSocketHeaderState state{};
      in = complete_header(in, state);
      if (state == WebSocketHeaderState::kNeedMore) break;
      is_open =
          state == WebSocketHeaderState::kComplete ? begin_frame() : fail(WebSocketCloseCode::kProtocolError);
    } else if (in.empty() && payload_left_ != 0) {
      break;
    } else if (inside_ == Inside::kData) {
      in = take_data(in);
    } else {
      in = take_control(in);
      if (payload_left_ == 0) is_open = end_control();
    }
  }
  if (plain_.empty()) PassingBytes::take_back(plain_);
  return is_open;
}

// Reads a header, of which an earlier read may have left a part. Returns what follows it.
ByteView WebSocketFilter::complete_header(ByteView in, WebSocketHeaderState& state) {
  if (held_.empty()) {
    state = read_websocket_header(in, header_);
    if (state == WebSocketHeaderState::kComplete) return in.subspan(header_.bytes);
    if (state == WebSocketHeaderState::kNeedMore) held_.append(in);
    return {};
  }
  const std::size_t known = held_.size();
  held_.append(in.first(std::min(in.size(), kWebSocketHeaderBytesMax - known)));
  state = read_websocket_header(held_.view(), header_);
  if (state == WebSocketHeaderState::kNeedMore) return {};
  held_.release();
  return state == WebSocketHeaderState::kComplete ? in.subspan(header_.bytes - known) : ByteView{};
}

bool WebSocketFilter::begin_frame() {
  if (!header_.is_masked) return fail(WebSocketCloseCode::kProtocolError);
  payload_left_ = header_.payload_bytes;
  if (header_.is_control()) {
    inside_ = Inside::kControl;
    return true;
  }
  const bool continues = header_.opcode == WebSocketOpcode::kContinuation;
  if (continues != is_message_open_) return fail(WebSocketCloseCode::kProtocolError);
  // [MQTT-6.0.0-1]
  if (header_.opcode == WebSocketOpcode::kText) return fail(WebSocketCloseCode::kUnsupportedData);
  is_message_open_ = !header_.is_final;
  inside_ = payload_left_ != 0 ? Inside::kData : Inside::kNothing;
  return true;
}

ByteView WebSocketFilter::take_data(ByteView in) {
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), payload_left_));
  header_.mask = copy_masked(plain_.prepare(count), in.first(count), header_.mask);
  plain_.commit(count);
  payload_left_ -= count;
  if (payload_left_ == 0) inside_ = Inside::kNothing;
  return in.subspan(count);
}

ByteView WebSocketFilter::take_control(ByteView in) {
  const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), payload_left_));
  header_.mask = copy_masked(held_.prepare(count), in.first(count), header_.mask);
  held_.commit(count);
  payload_left_ -= count;
  return in.subspan(count);
}

bool WebSocketFilter::end_control() {
  inside_ = Inside::kNothing;
  bool is_open = true;
  if (header_.opcode == WebSocketOpcode::kPing) pong(held_.view());
  if (header_.opcode == WebSocketOpcode::kClose) is_open = answer_close(held_.view());
  held_.release();
  return is_open;
}

void WebSocketFilter::pong(ByteView payload) {
  if (pong_bytes_ + payload.size() > kPongBytesMax) return;
  const std::size_t before = wire_.size();
  write_websocket_header(wire_, WebSocketOpcode::kPong, payload.size());
  wire_.append(payload);
  pong_bytes_ += static_cast<std::uint32_t>(wire_.size() - before);
}

// ---- the end ----

// Section 5.5.1. Answered with the same code.
bool WebSocketFilter::answer_close(ByteView payload) {
  if (payload.empty()) return fail(WebSocketCloseCode::kNoCode);
  if (payload.size() == 1) return fail(WebSocketCloseCode::kProtocolError);
  const unsigned code = std::to_integer<unsigned>(payload[0]) << 8 | std::to_integer<unsigned>(payload[1]);
  if (!is_valid_close_code(code)) return fail(WebSocketCloseCode::kProtocolError);
  if (!mqtt::is_valid_utf8(as_text(payload.subspan(2)))) return fail(WebSocketCloseCode::kInvalidText);
  return fail(static_cast<WebSocketCloseCode>(code));
}

bool WebSocketFilter::fail(WebSocketCloseCode code) {
  write_close(code);
  return false;
}

void WebSocketFilter::write_close(WebSocketCloseCode code) {
  const bool has_code = code != WebSocketCloseCode::kNoCode;
  write_websocket_header(wire_, WebSocketOpcode::kClose, has_code ? 2 : 0);
  if (has_code) wire_.u16(static_cast<std::uint16_t>(code));
  is_closed_ = true;
}

// ---- towards the core, and from it ----

ByteView WebSocketFilter::next_plain() { return PassingBytes::hand_out(plain_); }

void WebSocketFilter::send(ByteView plain) {
  if (is_closed_ || rules_ != nullptr) return;
  while (!plain.empty()) {
    if (plain.size() > kBlocksBytesMax) plain = plain.subspan(write_short_packets(wire_, plain));
    const std::size_t packet_bytes = first_packet_bytes(plain);
    send_frames(plain.first(packet_bytes));
    plain = plain.subspan(packet_bytes);
  }
}

void WebSocketFilter::send_frames(ByteView packet) {
  while (!packet.empty()) {
    const ByteView part = packet.first(std::min(packet.size(), kFrameBytesMax));
    write_websocket_header(wire_, WebSocketOpcode::kBinary, part.size());
    wire_.append(part);
    packet = packet.subspan(part.size());
  }
}

void WebSocketFilter::finish() {
  if (is_closed_) return;
  if (rules_ == nullptr) return write_close(WebSocketCloseCode::kNormal);
  is_closed_ = true;
}

}  // namespace nightjar::net
