#include "mqtt/reason_code.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace nightjar::mqtt {
namespace {

std::set<int> allowed(PacketType type, Sender sender) {
  std::set<int> codes;
  for (int code = 0; code < 256; ++code) {
    if (is_allowed(static_cast<ReasonCode>(code), type, sender)) codes.insert(code);
  }
  return codes;
}

// The lists of sections 3.2.2.2 to 3.15.2.1, packet by packet.
TEST(ReasonCodes, AreTheOnesOfEachPacket) {
  using enum PacketType;
  const std::set<int> acks{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
  const std::set<int> releases{0x00, 0x92};
  for (const Sender sender : {Sender::kClient, Sender::kServer}) {
    EXPECT_EQ(allowed(kPuback, sender), acks);
    EXPECT_EQ(allowed(kPubrec, sender), acks);
    EXPECT_EQ(allowed(kPubrel, sender), releases);
    EXPECT_EQ(allowed(kPubcomp, sender), releases);
  }
  EXPECT_EQ(allowed(kConnack, Sender::kServer),
            (std::set<int>{0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                           0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F}));
  EXPECT_EQ(allowed(kSuback, Sender::kServer),
            (std::set<int>{0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}));
  EXPECT_EQ(allowed(kUnsuback, Sender::kServer), (std::set<int>{0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91}));
  EXPECT_EQ(allowed(kDisconnect, Sender::kClient), (std::set<int>{0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90,
                                                                  0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99}));
  EXPECT_EQ(
      allowed(kDisconnect, Sender::kServer),
      (std::set<int>{0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94,
                     0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2}));
  EXPECT_EQ(allowed(kAuth, Sender::kClient), (std::set<int>{0x18, 0x19}));
  EXPECT_EQ(allowed(kAuth, Sender::kServer), (std::set<int>{0x00, 0x18}));
}

TEST(ReasonCodes, ThatAClientCannotSendAreNotAllowedFromOne) {
  EXPECT_TRUE(allowed(PacketType::kConnack, Sender::kClient).empty());
  EXPECT_TRUE(allowed(PacketType::kSuback, Sender::kClient).empty());
  EXPECT_TRUE(allowed(PacketType::kUnsuback, Sender::kClient).empty());
  EXPECT_TRUE(allowed(PacketType::kPublish, Sender::kServer).empty());
}

TEST(ReasonCodes, HaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<int> named;
  for (int code = 0; code < 256; ++code) {
    const std::string_view name = to_string(static_cast<ReasonCode>(code));
    if (name == "Reserved") continue;
    named.insert(code);
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(named.size(), 43U);
  EXPECT_EQ(to_string(ReasonCode::kMalformedPacket), "Malformed Packet");
  EXPECT_EQ(to_string(ReasonCode::kSessionTakenOver), "Session taken over");
  EXPECT_EQ(to_string(ReasonCode::kWildcardSubscriptionsNotSupported),
            "Wildcard Subscriptions not supported");
}

TEST(ConnackReturnCode, TranslatesEveryRefusal) {
  EXPECT_EQ(connack_return_code(ReasonCode::kSuccess), 0);
  EXPECT_EQ(connack_return_code(ReasonCode::kUnsupportedProtocolVersion), 1);
  EXPECT_EQ(connack_return_code(ReasonCode::kClientIdentifierNotValid), 2);
  EXPECT_EQ(connack_return_code(ReasonCode::kServerUnavailable), 3);
  EXPECT_EQ(connack_return_code(ReasonCode::kServerBusy), 3);
  EXPECT_EQ(connack_return_code(ReasonCode::kUseAnotherServer), 3);
  EXPECT_EQ(connack_return_code(ReasonCode::kBadUserNameOrPassword), 4);
  EXPECT_EQ(connack_return_code(ReasonCode::kNotAuthorized), 5);
  EXPECT_EQ(connack_return_code(ReasonCode::kBanned), 5);
}

TEST(ConnackReturnCode, NeverTurnsARefusalIntoAcceptance) {
  for (int code = 1; code < 256; ++code) {
    const std::uint8_t return_code = connack_return_code(static_cast<ReasonCode>(code));
    EXPECT_GE(return_code, 1) << code;
    EXPECT_LE(return_code, 5) << code;
  }
}

TEST(ConnackReturnCode, DoesNotExistForBrokenPackets) {
  EXPECT_TRUE(has_connack_return_code(ReasonCode::kSuccess));
  EXPECT_TRUE(has_connack_return_code(ReasonCode::kNotAuthorized));
  EXPECT_TRUE(has_connack_return_code(ReasonCode::kUnsupportedProtocolVersion));
  EXPECT_FALSE(has_connack_return_code(ReasonCode::kMalformedPacket));
  EXPECT_FALSE(has_connack_return_code(ReasonCode::kProtocolError));
  EXPECT_FALSE(has_connack_return_code(ReasonCode::kPacketTooLarge));
  EXPECT_FALSE(has_connack_return_code(ReasonCode::kSessionTakenOver));
}

}  // namespace
}  // namespace nightjar::mqtt
