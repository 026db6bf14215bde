#include "net/websocket_upgrade.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>

namespace nightjar::net {
namespace {

namespace http = boost::beast::http;
using Request = http::request<http::empty_body>;

constexpr std::string_view kAcceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::string_view kSubprotocols[] = {"mqtt", "mqttv3.1"};  // the best first

std::string refusal(std::string_view status, std::string_view headers, std::string_view explanation) {
  const std::string body = fmt::format("{}\n", explanation);
  return fmt::format(
      "HTTP/1.1 {}\r\n{}Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: "
      "{}\r\n\r\n{}",
      status, headers, body.size(), body);
}

std::string bad_request(std::string_view explanation) { return refusal("400 Bad Request", "", explanation); }

std::string upgrade_required(std::string_view explanation) {
  const std::string body = fmt::format("{}\n", explanation);
  return fmt::format(
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: "
      "Upgrade, "
      "close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

std::string_view field(const Request& request, http::field name) {
  const auto value = request[name];
  return {value.data(), value.size()};
}

bool has_token(const Request& request, http::field name, std::string_view token) {
  const auto [first, last] = request.equal_range(name);
  return std::any_of(first, last, [token](const auto& each) {
    return http::token_list{each.value()}.exists({token.data(), token.size()});
  });
}

// Sixteen bytes in base64.
bool is_key(std::string_view key) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.end() - 2, is_base64);
}

bool is_allowed_origin(const Request& request, const WebSocketRules& rules) {
  if (rules.origins.empty() || request.count(http::field::origin) == 0) return true;
  const auto origin = request[http::field::origin];
  return std::any_of(rules.origins.begin(), rules.origins.end(), [&](const std::string& allowed) {
    return boost::beast::iequals(origin, {allowed.data(), allowed.size()});
  });
}

// Tokens are compared as they are: subprotocols are case sensitive.
std::optional<std::string_view> choose_subprotocol(const Request& request) {
  for (const std::string_view ours : kSubprotocols) {
    const auto [first, last] = request.equal_range(http::field::sec_websocket_protocol);
    for (auto line = first; line != last; ++line) {
      for (const auto offered : http::token_list{line->value()}) {
        if (std::string_view{offered.data(), offered.size()} == ours) return ours;
      }
    }
  }
  return std::nullopt;
}

// Why the request is refused, as the whole response; empty if it is not. Section 4.2.1.
std::string why_not(const Request& request, const WebSocketRules& rules) {
  if (request.method() != http::verb::get) {
    return refusal("405 Method Not Allowed", "Allow: GET\r\n",
                   "This port speaks MQTT over WebSocket, which begins with a GET request.");
  }
  if (request.version() != 11) return bad_request("WebSocket needs HTTP/1.1.");
  if (!has_token(request, http::field::upgrade, "websocket") ||
      !has_token(request, http::field::connection, "upgrade")) {
    return upgrade_required(
        "This port speaks MQTT over WebSocket, not web pages. Connect an MQTT client with a ws:// or wss:// "
        "address.");
  }
  if (request.count(http::field::host) != 1) return bad_request("The header Host is missing.");
  if (field(request, http::field::sec_websocket_version) != "13") {
    return upgrade_required("Only version 13 of WebSocket is spoken here.");
  }
  if (!is_key(field(request, http::field::sec_websocket_key))) {
    return bad_request("Sec-WebSocket-Key must be 16 bytes in base64.");
  }
  if (request.count(http::field::content_length) != 0 || request.count(http::field::transfer_encoding) != 0) {
    return bad_request("A WebSocket handshake has no body.");
  }
  if (!is_allowed_origin(request, rules)) {
    return refusal("403 Forbidden", "",
                   "Web pages of this origin may not connect; see origins in the broker's configuration.");
  }
  return "";
}

}  // namespace

WebSocketAnswer answer_websocket_upgrade(std::string_view head, const WebSocketRules& rules) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(rules.head_bytes_max));
  boost::beast::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error == http::error::header_limit) return {.text = refuse_long_head(rules.head_bytes_max)};
  if ((error && error != http::error::unexpected_body) || !parser.is_header_done()) {
    return {.text = refuse_garbage()};
  }
  const Request& request = parser.get();
  if (std::string refused = why_not(request, rules); !refused.empty()) return {.text = std::move(refused)};
  const auto subprotocol = choose_subprotocol(request);
  if (!subprotocol) {
    return {.text = bad_request("Sec-WebSocket-Protocol must offer \"mqtt\" [MQTT-6.0.0-3].")};
  }
  return {
      .is_accepted = true,
      .text = fmt::format("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
                          "Upgrade\r\nSec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
                          websocket_accept(field(request, http::field::sec_websocket_key)), *subprotocol)};
}

std::string refuse_long_head(std::size_t bytes_max) {
  return refusal("431 Request Header Fields Too Large", "",
                 fmt::format("The headers of a request may have {} bytes.", bytes_max));
}

std::string refuse_garbage() {
  return bad_request("This port speaks MQTT over WebSocket; what came is no HTTP request.");
}

std::string websocket_accept(std::string_view key) {
  const std::string text = fmt::format("{}{}", key, kAcceptGuid);
  std::array<unsigned char, 20> hash{};
  EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha1(), nullptr);
  std::array<unsigned char, 29> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), hash.data(), static_cast<int>(hash.size()));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

}  // namespace nightjar::net
