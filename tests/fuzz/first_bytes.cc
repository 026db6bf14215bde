// The way of a connection through PROXY header, detection and WebSocket. Input: whether the header is
// expected, size of the pieces, then bytes as a peer sends them. How they are cut changes nothing, and what
// is plain MQTT comes out as it went in.
#include <algorithm>
#include <string>

#include "fuzz_input.h"
#include "net/listener_protocols.h"
#include "net/proxy_header.h"

using namespace nightjar;
using nightjar::fuzz::require;

namespace {

struct Said {
  bool is_open = true;
  std::string plain;
  std::string source;
  bool is_transparent = false;
};

const net::FilterFactory& listener(bool is_behind_proxy) {
  static const net::FilterFactory plain =
      net::make_filter_factory({.name = "fuzz", .websocket = net::WebSocketRules{.head_bytes_max = 1024}});
  static const net::FilterFactory behind = net::make_filter_factory(
      {.name = "fuzz", .websocket = net::WebSocketRules{.head_bytes_max = 1024}, .proxy = net::ProxyRules{}});
  return is_behind_proxy ? behind : plain;
}

Said talk(ByteView bytes, bool is_behind_proxy, std::size_t piece) {
  const auto filter = listener(is_behind_proxy)(net::addresses_of("127.0.0.1", 4711).value().front());
  Said said;
  while (!bytes.empty() && said.is_open) {
    const ByteView next = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(next.size());
    said.is_open = filter->receive(next);
    while (filter->has_plain()) said.plain += as_text(filter->next_plain());
    filter->wire().clear();
  }
  said.is_transparent = filter->is_transparent();
  if (filter->source() != nullptr) said.source = filter->source()->text();
  return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  const bool is_behind_proxy = input.choice(2) == 1;
  const std::size_t piece = 1 + input.choice(255);
  const ByteView bytes = input.rest();
  const Said whole = talk(bytes, is_behind_proxy, std::max<std::size_t>(bytes.size(), 1));
  const Said pieces = talk(bytes, is_behind_proxy, piece);
  require(whole.plain == pieces.plain && whole.is_open == pieces.is_open, "the pieces change nothing");
  require(whole.source == pieces.source, "nor do they change where it comes from");
  if (!whole.is_transparent) return 0;
  net::ProxyHeader header;
  std::string_view problem;
  if (is_behind_proxy) {
    require(net::read_proxy_header(bytes, header, problem) == net::ProxyHeaderState::kComplete,
            "a proxy's connection begins with a header");
  }
  require(whole.plain == as_text(bytes.subspan(header.bytes)), "plain MQTT comes out as it went in");
  return 0;
}
