#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "mqtt/utf8.h"

namespace nightjar::net {
namespace {

using State = ProxyHeaderState;

constexpr std::string_view kBegin1 = "PROXY ";
constexpr std::size_t kLineBytesMax = 107;  // section 2.1
constexpr std::string_view kBegin2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t kFixedBytes2 = 16;
constexpr unsigned kVersion2 = 0x2;
constexpr unsigned kCommandLocal = 0x0;
constexpr unsigned kCommandProxy = 0x1;
constexpr unsigned kUnspecified = 0x00;
constexpr unsigned kOverStream4 = 0x11;
constexpr unsigned kOverStream6 = 0x21;
constexpr unsigned kOverUnixStream = 0x31;
constexpr std::size_t kAddressBytes4 = 12;
constexpr std::size_t kAddressBytes6 = 36;
constexpr std::size_t kAddressBytesUnix = 216;

// Extensions and what they hold, section 2.2.
constexpr unsigned kTypeChecksum = 0x03;
constexpr unsigned kTypeTls = 0x20;
constexpr unsigned kTypeCommonName = 0x22;
constexpr unsigned kClientTls = 0x01;
constexpr unsigned kClientCertificate = 0x02 | 0x04;  // shown on this connection, or in its session
constexpr std::size_t kTlsFixedBytes = 5;

unsigned byte_at(ByteView in, std::size_t at) { return std::to_integer<unsigned>(in[at]); }
std::size_t u16_at(ByteView in, std::size_t at) { return byte_at(in, at) << 8 | byte_at(in, at + 1); }
std::uint32_t u32_at(ByteView in, std::size_t at) {
  return static_cast<std::uint32_t>(u16_at(in, at) << 16 | u16_at(in, at + 2));
}

State malformed(std::string_view& problem, std::string_view what) {
  problem = what;
  return State::kMalformed;
}

Address make_address(int family, ByteView ip, std::uint16_t port) {
  Address address;
  address.storage.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    std::memcpy(&reinterpret_cast<sockaddr_in&>(address.storage).sin_addr, ip.data(), sizeof(in_addr));
    address.size = sizeof(sockaddr_in);
  } else {
    std::memcpy(&reinterpret_cast<sockaddr_in6&>(address.storage).sin6_addr, ip.data(), sizeof(in6_addr));
    address.size = sizeof(sockaddr_in6);
  }
  address.set_port(port);
  return address;
}

// ---- version 1: "PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n" ----

// Takes the next word of `line`; empty if there is none, or a space too much.
std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(line.size(), end + 1));
  return word;
}

std::optional<std::array<std::byte, 16>> parse_ip(int family, std::string_view word) {
  std::array<std::byte, 16> ip{};
  const std::string text{word};
  if (inet_pton(family, text.c_str(), ip.data()) != 1) return std::nullopt;
  return ip;
}

std::optional<std::uint16_t> parse_port(std::string_view word) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), port);
  if (word.empty() || error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return port;
}

State read_version_1(std::string_view text, ProxyHeader& header, std::string_view& problem) {
  const std::size_t end = text.substr(0, kLineBytesMax).find("\r\n");
  if (end == std::string_view::npos) {
    if (text.size() < kLineBytesMax) return State::kNeedMore;
    return malformed(problem, "the line of version 1 is too long");
  }
  header.version = 1;
  header.bytes = end + 2;
  std::string_view line = text.substr(kBegin1.size(), end - kBegin1.size());
  const std::string_view kind = take_word(line);
  if (kind == "UNKNOWN") return State::kComplete;
  if (kind != "TCP4" && kind != "TCP6")
    return malformed(problem, "the line of version 1 names no known protocol");
  const int family = kind == "TCP4" ? AF_INET : AF_INET6;
  const auto source = parse_ip(family, take_word(line));
  const auto destination = parse_ip(family, take_word(line));
  const auto source_port = parse_port(take_word(line));
  const auto destination_port = parse_port(take_word(line));
  if (!source || !destination || !source_port || !destination_port || !line.empty()) {
    return malformed(problem, "the line of version 1 has no two addresses and ports");
  }
  header.source = make_address(family, *source, *source_port);
  return State::kComplete;
}

// ---- version 2 ----

std::uint32_t crc32c(ByteView bytes, std::uint32_t crc) {
  constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli's, mirrored
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1U) != 0 ? kPolynomial : 0);
  }
  return crc;
}

// `at` is where in the header the four bytes lie; they count as zeros.
bool is_right_checksum(ByteView header, std::size_t at) {
  constexpr std::array<std::byte, 4> kZeros{};
  std::uint32_t crc = crc32c(header.first(at), 0xFFFFFFFF);
  crc = crc32c(kZeros, crc);
  crc = crc32c(header.subspan(at + 4), crc);
  return ~crc == u32_at(header, at);
}

// Calls `take(type, value)` for each extension, which says whether it is well-formed. False if one is not.
template <typename Take>
bool for_each_extension(ByteView in, Take take) {
  while (!in.empty()) {
    if (in.size() < 3) return false;
    const std::size_t size = u16_at(in, 1);
    if (in.size() - 3 < size) return false;
    if (!take(byte_at(in, 0), in.subspan(3, size))) return false;
    in = in.subspan(3 + size);
  }
  return true;
}

bool read_tls(ByteView value, ProxyHeader& header) {
  if (value.size() < kTlsFixedBytes) return false;
  const unsigned client = byte_at(value, 0);
  const bool is_verified = u32_at(value, 1) == 0;
  header.has_tls = (client & kClientTls) != 0;
  header.has_certificate = header.has_tls && (client & kClientCertificate) != 0 && is_verified;
  return for_each_extension(value.subspan(kTlsFixedBytes), [&header](unsigned type, ByteView part) {
    if (type != kTypeCommonName || !header.has_certificate) return true;
    header.common_name = as_text(part);
    return mqtt::is_valid_utf8(header.common_name);
  });
}

State read_extensions(ByteView whole, std::size_t from, ProxyHeader& header, std::string_view& problem) {
  bool is_right = true;
  const bool is_well_formed = for_each_extension(whole.subspan(from), [&](unsigned type, ByteView value) {
    if (type == kTypeTls) return read_tls(value, header);
    if (type != kTypeChecksum) return true;
    if (value.size() != 4) return false;
    is_right = is_right && is_right_checksum(whole, static_cast<std::size_t>(value.data() - whole.data()));
    return true;
  });
  if (!is_well_formed) return malformed(problem, "the extensions of version 2 are malformed");
  return is_right ? State::kComplete : malformed(problem, "the checksum of version 2 is wrong");
}

// 0: nothing that MQTT could come over.
std::size_t address_bytes_of(unsigned family) {
  switch (family) {
    case kOverStream4:
      return kAddressBytes4;
    case kOverStream6:
      return kAddressBytes6;
    case kOverUnixStream:
      return kAddressBytesUnix;
    default:
      return 0;
  }
}

State read_version_2(ByteView in, ProxyHeader& header, std::string_view& problem) {
  if (in.size() < kFixedBytes2) return State::kNeedMore;
  header.version = 2;
  header.bytes = kFixedBytes2 + u16_at(in, 14);
  if (header.bytes > kProxyHeaderBytesMax) return malformed(problem, "the header of version 2 is too long");
  const unsigned command = byte_at(in, 12) & 0x0F;
  if (byte_at(in, 12) >> 4 != kVersion2 || command > kCommandProxy) {
    return malformed(problem, "the version or the command is unknown");
  }
  if (in.size() < header.bytes) return State::kNeedMore;
  if (command == kCommandLocal) {
    header.is_local = true;
    return State::kComplete;
  }
  const ByteView whole = in.first(header.bytes);
  const ByteView rest = whole.subspan(kFixedBytes2);
  const unsigned family = byte_at(in, 13);
  if (family == kUnspecified) return State::kComplete;
  const std::size_t address_bytes = address_bytes_of(family);
  if (address_bytes == 0) return malformed(problem, "the address family of version 2 is not one of TCP");
  if (rest.size() < address_bytes)
    return malformed(problem, "the header of version 2 is too short for its addresses");
  if (family == kOverStream4) {
    header.source = make_address(AF_INET, rest.first(4), static_cast<std::uint16_t>(u16_at(rest, 8)));
  } else if (family == kOverStream6) {
    header.source = make_address(AF_INET6, rest.first(16), static_cast<std::uint16_t>(u16_at(rest, 32)));
  }
  return read_extensions(whole, kFixedBytes2 + address_bytes, header, problem);
}

}  // namespace

ProxyHeaderState read_proxy_header(ByteView in, ProxyHeader& header, std::string_view& problem) {
  header = {};
  const std::string_view text = as_text(in);
  if (text.starts_with(kBegin2)) return read_version_2(in, header, problem);
  if (text.starts_with(kBegin1)) return read_version_1(text, header, problem);
  if (kBegin2.starts_with(text) || kBegin1.starts_with(text)) return State::kNeedMore;
  return malformed(problem, "it begins with something else");
}

}  // namespace nightjar::net
