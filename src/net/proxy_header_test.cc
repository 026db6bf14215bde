#include "net/proxy_header.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <initializer_list>
#include <string>

namespace nightjar::net {
namespace {

using State = ProxyHeaderState;

const std::string kBegin2{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) text += static_cast<char>(value);
  return text;
}
std::string extension(int type, std::string_view value) {
  return bytes({type, static_cast<int>(value.size() >> 8), static_cast<int>(value.size() & 0xFF)}) +
         std::string(value);
}
std::string version_2(int command, int family, std::string_view rest) {
  return kBegin2 +
         bytes({0x20 | command, family, static_cast<int>(rest.size() >> 8),
                static_cast<int>(rest.size() & 0xFF)}) +
         std::string(rest);
}
// 192.0.2.7:51234 to 198.51.100.1:1883
const std::string kAddresses4 = bytes({192, 0, 2, 7, 198, 51, 100, 1, 0xC8, 0x22, 0x07, 0x5B});
std::string tls(int client, int verify, std::string_view parts) {
  return extension(0x20, bytes({client, 0, 0, 0, verify}) + std::string(parts));
}

struct Read {
  explicit Read(std::string_view in) : state(read_proxy_header(as_bytes(in), header, problem)) {}
  [[nodiscard]] std::string source() const {
    return header.source ? std::string(AddressText(*header.source).view()) : "none";
  }
  ProxyHeader header;
  std::string_view problem;
  State state;
};

TEST(ProxyHeader, TheLineOfVersion1) {
  const Read four("PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n\x10");
  EXPECT_EQ(four.state, State::kComplete);
  EXPECT_EQ(four.source(), "192.0.2.7:51234");
  EXPECT_EQ(four.header.bytes, 46u);
  EXPECT_EQ(four.header.version, 1);
  EXPECT_EQ(Read("PROXY TCP6 2001:db8::7 ::1 5 1883\r\n").source(), "[2001:db8::7]:5");
  const Read unknown("PROXY UNKNOWN ffff:: whatever\r\n");
  EXPECT_EQ(unknown.state, State::kComplete);
  EXPECT_EQ(unknown.source(), "none");
}

TEST(ProxyHeader, LinesThatAreNone) {
  for (const char* wrong :
       {"PROXY \r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n", "GET / HTTP/1.1\r\n", "\x10"}) {
    const Read read(wrong);
    EXPECT_EQ(read.state, State::kMalformed) << wrong;
    EXPECT_NE(read.problem, "") << wrong;
  }
  EXPECT_EQ(Read("PROXY TCP4 " + std::string(96, '1')).state, State::kMalformed) << "107 bytes and no end";
}

TEST(ProxyHeader, Version2) {
  const Read four(version_2(1, 0x11, kAddresses4));
  EXPECT_EQ(four.header.version, 2);
  EXPECT_EQ(four.state, State::kComplete);
  EXPECT_EQ(four.source(), "192.0.2.7:51234");
  EXPECT_FALSE(four.header.is_local);
  const std::string six = bytes({0x20, 1, 0xd, 0xb8}) + std::string(11, '\0') + "\x07" +
                          std::string(16, '\0') + bytes({0, 5, 7, 0x5B});
  EXPECT_EQ(Read(version_2(1, 0x21, six)).source(), "[2001:db8::7]:5");
  const Read local(version_2(0, 0x11, kAddresses4));
  EXPECT_TRUE(local.header.is_local);
  EXPECT_EQ(local.source(), "none") << "it speaks for itself";
  EXPECT_EQ(Read(version_2(1, 0, "anything")).source(), "none");
  EXPECT_EQ(Read(version_2(1, 0x31, std::string(216, 'x'))).source(), "none") << "a Unix socket";
}

TEST(ProxyHeader, TheCertificateThatTheBalancerVerified) {
  const std::string name = extension(0x21, "TLSv1.3") + extension(0x22, "pump-7");
  const Read verified(version_2(1, 0x11, kAddresses4 + tls(0x07, 0, name) + extension(0x04, "noop")));
  EXPECT_EQ(verified.state, State::kComplete);
  EXPECT_TRUE(verified.header.has_tls);
  EXPECT_TRUE(verified.header.has_certificate);
  EXPECT_EQ(verified.header.common_name, "pump-7");

  const Read unverified(version_2(1, 0x11, kAddresses4 + tls(0x07, 1, name)));
  EXPECT_TRUE(unverified.header.has_tls);
  EXPECT_FALSE(unverified.header.has_certificate);
  EXPECT_EQ(unverified.header.common_name, "") << "nobody vouches for it";

  const Read without(version_2(1, 0x11, kAddresses4 + tls(0x01, 0, name)));
  EXPECT_TRUE(without.header.has_tls);
  EXPECT_FALSE(without.header.has_certificate);

  EXPECT_FALSE(Read(version_2(1, 0x11, kAddresses4 + tls(0x06, 0, name))).header.has_certificate) << "no TLS";
}

TEST(ProxyHeader, TheChecksum) {
  // CRC-32C of the header with zeros in the place of the checksum.
  std::string header = version_2(1, 0x11, kAddresses4 + extension(0x03, std::string(4, '\0')));
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : header) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
  }
  crc = ~crc;
  for (int i = 0; i < 4; ++i)
    header[header.size() - 4 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  EXPECT_EQ(Read(header).state, State::kComplete);
  header[17] ^= 1;
  EXPECT_EQ(Read(header).state, State::kMalformed);
}

TEST(ProxyHeader, Version2ThatIsNone) {
  const std::string wrong[] = {
      version_2(2, 0x11, kAddresses4),                               // an unknown command
      kBegin2 + bytes({0x11, 0x11, 0, 12}) + kAddresses4,            // version 1 in version 2's form
      version_2(1, 0x12, kAddresses4),                               // UDP
      version_2(1, 0x11, kAddresses4.substr(1)),                     // too short
      version_2(1, 0x11, kAddresses4 + "\x04"),                      // half an extension
      version_2(1, 0x11, kAddresses4 + bytes({4, 0, 9}) + "short"),  // a longer one than there is
      version_2(1, 0x11, kAddresses4 + extension(0x20, "abcd")),     // TLS without its fixed part
      version_2(1, 0x11, kAddresses4 + tls(7, 0, bytes({0x22, 0, 9}) + "x")),    // a name that is cut off
      version_2(1, 0x11, kAddresses4 + tls(7, 0, extension(0x22, "\xFF\xFE"))),  // a name that is no text
      version_2(1, 0x11, kAddresses4 + extension(0x03, "abc")),                  // a checksum of three bytes
      version_2(1, 0x11, kAddresses4 + std::string(5000, '\0')),                 // beyond the limit
      kBegin2.substr(0, 11) + "x",
  };
  for (const std::string& header : wrong) EXPECT_EQ(Read(header).state, State::kMalformed);
}

TEST(ProxyHeader, EachHeaderMayComeInPieces) {
  for (const std::string& header : {std::string("PROXY TCP4 192.0.2.7 198.51.100.1 51234 1883\r\n"),
                                    version_2(1, 0x11, kAddresses4 + tls(7, 0, extension(0x22, "pump")))}) {
    for (std::size_t size = 0; size < header.size(); ++size) {
      EXPECT_EQ(Read(std::string_view(header).substr(0, size)).state, State::kNeedMore) << size;
    }
    EXPECT_EQ(Read(header + "behind").header.bytes, header.size());
  }
}

RC_GTEST_PROP(ProxyHeaderProperty, AnyExtensionsAreReadWithinTheirBounds, ()) {
  const auto rest = *rc::gen::container<std::string>(rc::gen::arbitrary<char>());
  const std::string header = version_2(1, 0x11, kAddresses4 + rest);
  const Read read(header);
  RC_ASSERT(read.state != State::kNeedMore);
  RC_ASSERT(read.header.bytes == header.size());
}

}  // namespace
}  // namespace nightjar::net
