// The server's side of a WebSocket: handshake and frames. Input: whether the handshake is done, size of the
// pieces, then bytes as a client sends them. Whatever they are: how they are cut changes nothing, and what
// the filter says is a whole HTTP answer, or whole and unmasked frames.
#include <algorithm>
#include <string>

#include "fuzz_input.h"
#include "net/websocket_filter.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

constexpr std::string_view kHandshake =
    "GET / HTTP/1.1\r\nHost: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

struct Said {
  bool is_open = true;
  std::string plain;
  std::string wire;
};

Said talk(ByteView bytes, bool is_open, std::size_t piece) {
  net::WebSocketFilter filter{std::make_shared<const net::WebSocketRules>(
      net::WebSocketRules{.origins = {"https://plant.example"}, .head_bytes_max = 2048})};
  if (is_open) require(filter.receive(as_bytes(kHandshake)), "the handshake is right");
  Said said;
  while (!bytes.empty() && said.is_open) {
    const ByteView next = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(next.size());
    said.is_open = filter.receive(next);
    while (filter.has_plain()) said.plain += as_text(filter.next_plain());
    said.wire += as_text(filter.wire().view());
    filter.wire().clear();
  }
  filter.send(as_bytes("an answer"));
  filter.finish();
  said.wire += as_text(filter.wire().view());
  return said;
}

void check_answers(std::string_view wire) {
  if (wire.starts_with("HTTP/1.1 ")) {
    const std::size_t end = wire.find("\r\n\r\n");
    require(end != std::string_view::npos, "an answer has a whole head");
    if (!wire.starts_with("HTTP/1.1 101 ")) return;
    wire.remove_prefix(end + 4);
  }
  while (!wire.empty()) {
    net::WebSocketFrameHeader header;
    require(net::read_websocket_header(as_bytes(wire), header) == net::WebSocketHeaderState::kComplete,
            "frames are well-formed");
    require(!header.is_masked && header.is_final, "and a server's");
    require(header.payload_bytes <= wire.size() - header.bytes, "and whole");
    wire.remove_prefix(header.bytes + header.payload_bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const bool is_open = input.choice(2) == 1;
  const std::size_t piece = 1 + input.choice(255);
  const ByteView bytes = input.rest();
  const Said whole = talk(bytes, is_open, std::max<std::size_t>(bytes.size(), 1));
  const Said pieces = talk(bytes, is_open, piece);
  check_answers(whole.wire);
  check_answers(pieces.wire);
  // What is no HTTP is refused as soon as it shows, so the answer to a bad head may depend on the pieces.
  require(whole.plain == pieces.plain && whole.is_open == pieces.is_open, "the pieces change nothing");
  require(whole.plain.size() <= bytes.size(), "nothing is made up");
  return 0;
}
