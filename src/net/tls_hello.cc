#include "net/tls_hello.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace nightjar::net {
namespace {

constexpr std::uint8_t kHandshakeRecord = 0x16;
constexpr std::uint8_t kClientHello = 0x01;
constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kRecordBytesMax = 16 * 1024;
constexpr std::array<std::string_view, 8> kMethods = {"GET ",     "POST ",   "HEAD ",    "PUT ",
                                                      "OPTIONS ", "DELETE ", "CONNECT ", "PATCH "};

std::uint8_t at(ByteView bytes, std::size_t index) { return std::to_integer<std::uint8_t>(bytes[index]); }

// The message may be spread over records; walks through them.
HelloBytes look_at_records(ByteView bytes) {
  std::size_t message_bytes = 0;  // of the message here so far, its header included
  std::size_t message_size = kMessageHeader;
  std::array<std::uint8_t, kMessageHeader> header{};
  std::size_t from = 0;
  while (bytes.size() >= from + kRecordHeader) {
    const std::size_t size = std::size_t{at(bytes, from + 3)} * 256 + at(bytes, from + 4);
    const bool is_record = at(bytes, from) == kHandshakeRecord && at(bytes, from + 1) == 0x03;
    if (!is_record || size == 0 || size > kRecordBytesMax) return HelloBytes::kBrokenTls;
    const ByteView content = bytes.subspan(from + kRecordHeader);
    const ByteView part = content.first(std::min(size, content.size()));
    for (std::size_t i = 0; i < part.size() && message_bytes + i < kMessageHeader; ++i) {
      header[message_bytes + i] = at(part, i);
    }
    message_bytes += part.size();
    if (message_bytes >= 1 && header[0] != kClientHello) return HelloBytes::kBrokenTls;
    if (message_bytes >= kMessageHeader) {
      message_size =
          kMessageHeader + std::size_t{header[1]} * 65'536 + std::size_t{header[2]} * 256 + header[3];
    }
    if (message_size > kHelloBytesMax) return HelloBytes::kBrokenTls;
    if (part.size() < size) break;  // OpenSSL wants the whole record, too
    if (message_bytes >= message_size) return HelloBytes::kHello;
    from += kRecordHeader + size;
  }
  return bytes.size() > kHelloBytesMax ? HelloBytes::kBrokenTls : HelloBytes::kPartial;
}

// Whether `text` begins as `word` does, as far as both go.
bool may_become(std::string_view text, std::string_view word) {
  const std::size_t count = std::min(text.size(), word.size());
  return text.substr(0, count) == word.substr(0, count);
}

// A request line's method.
bool looks_like_http(ByteView bytes) {
  return std::any_of(kMethods.begin(), kMethods.end(),
                     [&](std::string_view method) { return as_text(bytes).starts_with(method); });
}

}  // namespace

HelloBytes look_at_hello(ByteView bytes) {
  if (bytes.empty()) return HelloBytes::kPartial;
  const std::uint8_t first = at(bytes, 0);
  if (first == kHandshakeRecord) {
    if (bytes.size() >= 2 && at(bytes, 1) != 0x03) return HelloBytes::kBrokenTls;
    return look_at_records(bytes);
  }
  if (first == 0x10) return HelloBytes::kMqtt;
  if (looks_like_http(bytes)) return HelloBytes::kHttp;
  const bool may_be_http = std::any_of(kMethods.begin(), kMethods.end(), [&](std::string_view method) {
    return may_become(as_text(bytes), method);
  });
  if (may_be_http) return HelloBytes::kPartial;
  const bool is_old_ssl = (first & 0x80U) != 0 && bytes.size() >= 3 && at(bytes, 2) == kClientHello;
  if (is_old_ssl) return HelloBytes::kOldSsl;
  return (first & 0x80U) != 0 && bytes.size() < 3 ? HelloBytes::kPartial : HelloBytes::kUnknown;
}

}  // namespace nightjar::net
