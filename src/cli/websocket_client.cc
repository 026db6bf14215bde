#include "cli/websocket_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "net/websocket_upgrade.h"

namespace nightjar::cli {
namespace {

using net::WebSocketHeaderState;
using net::WebSocketOpcode;

constexpr std::string_view kEndOfHead = "\r\n\r\n";
constexpr std::size_t kHeadBytesMax = 16 * 1024;

std::string random_key(std::uint64_t first, std::uint64_t second) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string key;
  for (int i = 0; i < 10; ++i, first >>= 6) key += kDigits[first & 63];
  for (int i = 0; i < 11; ++i, second >>= 6) key += kDigits[second & 63];
  // Sixteen bytes are 21 digits, one with two bits, and the padding.
  return key + "A==";
}

}  // namespace

WebSocketClient::WebSocketClient(std::string_view authority, std::string_view subprotocol) {
  std::random_device source;
  const auto draw = [&source] { return std::uint64_t{source()} << 32 | source(); };
  const std::string key = random_key(draw(), draw());
  accept_ = net::websocket_accept(key);
  chance_ = draw() | 1;
  request_ = fmt::format(
      "GET /mqtt HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
      "13\r\nSec-WebSocket-Key: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
      authority, key, subprotocol);
}

Result<std::size_t> WebSocketClient::receive(std::span<std::byte> bytes, ByteBuffer& answers) {
  std::size_t at = 0;
  if (!is_open_) {
    NJ_TRY(at, read_answer(bytes));
    if (!is_open_) return 0;
  }
  return read_frames(bytes, at, answers);
}

// How many of the bytes belong to the handshake.
Result<std::size_t> WebSocketClient::read_answer(std::span<std::byte> bytes) {
  const std::size_t known = head_.size();
  head_ += as_text(bytes);
  const std::size_t end = head_.find(kEndOfHead);
  if (end == std::string::npos) {
    if (head_.size() > kHeadBytesMax) return fail("its answer to the WebSocket handshake does not end");
    return bytes.size();
  }
  const std::string_view head = std::string_view(head_).substr(0, end);
  if (!head.starts_with("HTTP/1.1 101 ")) {
    const std::string_view body = std::string_view(head_).substr(end + kEndOfHead.size());
    return fail(fmt::format("it refused the WebSocket handshake: {}: {}", head.substr(0, head.find("\r\n")),
                            body.substr(0, body.find('\n'))));
  }
  if (head.find(accept_) == std::string_view::npos) {
    return fail("its answer to the WebSocket handshake does not fit the request");
  }
  is_open_ = true;
  const std::size_t used = end + kEndOfHead.size() - known;
  std::string().swap(head_);
  return used;
}

Result<std::size_t> WebSocketClient::read_frames(std::span<std::byte> bytes, std::size_t at,
                                                 ByteBuffer& answers) {
  std::size_t plain = 0;
  for (;;) {
    if (payload_left_ != 0) {
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size() - at));
      if (count == 0) return plain;
      if (header_.is_control()) {
        held_.append(bytes.subspan(at, count));
      } else {
        std::memmove(bytes.data() + plain, bytes.data() + at, count);
        plain += count;
      }
      at += count;
      payload_left_ -= count;
      if (payload_left_ == 0 && header_.is_control()) end_control(answers);
      continue;
    }
    const std::size_t known = held_.size();
    const ByteView rest = bytes.subspan(at);
    held_.append(rest.first(std::min(rest.size(), net::kWebSocketHeaderBytesMax - known)));
    const WebSocketHeaderState state = net::read_websocket_header(held_.view(), header_);
    if (state == WebSocketHeaderState::kNeedMore) return plain;
    held_.clear();
    if (state == WebSocketHeaderState::kMalformed || header_.is_masked) {
      return fail("it sent a malformed WebSocket frame");
    }
    if (!header_.is_control() && header_.opcode == WebSocketOpcode::kText) {
      return fail("it sent text, where MQTT is binary [MQTT-6.0.0-1]");
    }
    at += header_.bytes - known;
    payload_left_ = header_.payload_bytes;
    if (payload_left_ == 0 && header_.is_control()) end_control(answers);
  }
}

void WebSocketClient::end_control(ByteBuffer& answers) {
  const WebSocketOpcode answer =
      header_.opcode == WebSocketOpcode::kPing ? WebSocketOpcode::kPong : header_.opcode;
  if (header_.opcode != WebSocketOpcode::kPong) {
    const std::uint32_t mask = next_mask();
    net::write_masked_websocket_header(answers, answer, held_.size(), mask);
    net::copy_masked(answers.prepare(held_.size()), held_.view(), mask);
    answers.commit(held_.size());
  }
  held_.clear();
}

void WebSocketClient::send(ByteView packets, ByteBuffer& out) {
  const std::uint32_t mask = next_mask();
  net::write_masked_websocket_header(out, WebSocketOpcode::kBinary, packets.size(), mask);
  net::copy_masked(out.prepare(packets.size()), packets, mask);
  out.commit(packets.size());
}

// Section 10.3 wants masks that a page's scripts cannot foresee; there are none here.
std::uint32_t WebSocketClient::next_mask() {
  chance_ ^= chance_ << 13;
  chance_ ^= chance_ >> 7;
  chance_ ^= chance_ << 17;
  return static_cast<std::uint32_t>(chance_ >> 16);
}

}  // namespace nightjar::cli
