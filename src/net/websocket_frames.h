// The frames of RFC 6455, without what they mean for MQTT: headers, masks, close codes. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace nightjar::net {

enum class WebSocketOpcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA
};

// Why a connection is closed. Section 7.4.1.
enum class WebSocketCloseCode : std::uint16_t {
  kNormal = 1000,
  kProtocolError = 1002,
  kUnsupportedData = 1003,
  kNoCode = 1005,  // stands for a close frame without one; never sent
  kInvalidText = 1007
};

inline constexpr std::size_t kWebSocketHeaderBytesMax = 14;
inline constexpr std::size_t kWebSocketControlBytesMax = 125;

struct WebSocketFrameHeader {
  std::uint8_t bytes = 0;  // of the header itself
  WebSocketOpcode opcode = WebSocketOpcode::kBinary;
  bool is_final = false;
  bool is_masked = false;
  std::uint32_t mask = 0;  // as its four bytes lie in memory
  std::uint64_t payload_bytes = 0;

  [[nodiscard]] bool is_control() const { return (static_cast<unsigned>(opcode) & 0x8U) != 0; }
};

enum class WebSocketHeaderState : std::uint8_t { kNeedMore, kComplete, kMalformed };

// Reads the header that `in` begins with. Malformed are reserved bits and opcodes, lengths that are longer
// written than they must be, and control frames that are fragments or too long. Section 5.2, 5.5.
WebSocketHeaderState read_websocket_header(ByteView in, WebSocketFrameHeader& header);

// A header with FIN set; masked with `mask` if `is_masked`.
void write_websocket_header(ByteBuffer& out, WebSocketOpcode opcode, std::size_t payload_bytes);
void write_masked_websocket_header(ByteBuffer& out, WebSocketOpcode opcode, std::size_t payload_bytes,
                                   std::uint32_t mask);

// Copies with each byte masked. Returns the mask turned so that it fits the byte after the last.
std::uint32_t copy_masked(std::byte* to, ByteView from, std::uint32_t mask);

// Whether a peer may send this code. Section 7.4.
bool is_valid_close_code(unsigned code);

}  // namespace nightjar::net
