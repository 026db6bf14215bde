#include "mqtt/properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "mqtt/any_packet.h"
#include "mqtt/packet_case.h"

namespace nightjar::mqtt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr PropertyContext kContexts[] = {
    PropertyContext::kConnect,     PropertyContext::kConnack,   PropertyContext::kPublish,
    PropertyContext::kPuback,      PropertyContext::kPubrec,    PropertyContext::kPubrel,
    PropertyContext::kPubcomp,     PropertyContext::kSubscribe, PropertyContext::kSuback,
    PropertyContext::kUnsubscribe, PropertyContext::kUnsuback,  PropertyContext::kDisconnect,
    PropertyContext::kAuth,        PropertyContext::kWill,
};

// A valid value of each property, in the notation of the packet cases.
const std::map<PropertyId, std::string> kSamples = {
    {PropertyId::kPayloadFormatIndicator, "01 01"},
    {PropertyId::kMessageExpiryInterval, "02 00000102"},
    {PropertyId::kContentType, "03 (text)"},
    {PropertyId::kResponseTopic, "08 (a/b)"},
    {PropertyId::kCorrelationData, "09 (corr)"},
    {PropertyId::kSubscriptionIdentifier, "0B 8001"},
    {PropertyId::kSessionExpiryInterval, "11 00000102"},
    {PropertyId::kAssignedClientIdentifier, "12 (id)"},
    {PropertyId::kServerKeepAlive, "13 0102"},
    {PropertyId::kAuthenticationMethod, "15 (m)"},
    {PropertyId::kAuthenticationData, "15 (m) 16 (d)"},
    {PropertyId::kRequestProblemInformation, "17 01"},
    {PropertyId::kWillDelayInterval, "18 00000102"},
    {PropertyId::kRequestResponseInformation, "19 01"},
    {PropertyId::kResponseInformation, "1A (info)"},
    {PropertyId::kServerReference, "1C (ref)"},
    {PropertyId::kReasonString, "1F (why)"},
    {PropertyId::kReceiveMaximum, "21 0102"},
    {PropertyId::kTopicAliasMaximum, "22 0102"},
    {PropertyId::kTopicAlias, "23 0102"},
    {PropertyId::kMaximumQos, "24 01"},
    {PropertyId::kRetainAvailable, "25 01"},
    {PropertyId::kUserProperty, "26 (k)(v)"},
    {PropertyId::kMaximumPacketSize, "27 00000102"},
    {PropertyId::kWildcardSubscriptionAvailable, "28 01"},
    {PropertyId::kSubscriptionIdentifierAvailable, "29 01"},
    {PropertyId::kSharedSubscriptionAvailable, "2A 01"},
};

Parsed<Properties> read(const std::string& bytes, PropertyContext context) {
  ByteView in = as_bytes(bytes);
  return read_properties(in, context);
}

// The letters of table 2-4 for each property, one per packet that may carry it.
std::string packets_of(PropertyId id) {
  constexpr std::string_view kLetters[] = {"Connect",  "Connack",    "Publish",   "Puback", "Pubrec",
                                           "Pubrel",   "Pubcomp",    "Subscribe", "Suback", "Unsubscribe",
                                           "Unsuback", "Disconnect", "Auth",      "Will"};
  std::string packets;
  for (const PropertyContext context : kContexts) {
    if (!read(bytes_of("{" + kSamples.at(id) + "}"), context)) continue;
    packets += (packets.empty() ? "" : " ") + std::string{kLetters[static_cast<std::size_t>(context)]};
  }
  return packets;
}

TEST(Properties, StandOnlyWhereTable2_4AllowsThem) {
  using enum PropertyId;
  EXPECT_EQ(packets_of(kPayloadFormatIndicator), "Publish Will");
  EXPECT_EQ(packets_of(kMessageExpiryInterval), "Publish Will");
  EXPECT_EQ(packets_of(kContentType), "Publish Will");
  EXPECT_EQ(packets_of(kResponseTopic), "Publish Will");
  EXPECT_EQ(packets_of(kCorrelationData), "Publish Will");
  EXPECT_EQ(packets_of(kSubscriptionIdentifier), "Publish Subscribe");
  EXPECT_EQ(packets_of(kSessionExpiryInterval), "Connect Connack Disconnect");
  EXPECT_EQ(packets_of(kAssignedClientIdentifier), "Connack");
  EXPECT_EQ(packets_of(kServerKeepAlive), "Connack");
  EXPECT_EQ(packets_of(kAuthenticationMethod), "Connect Connack Auth");
  EXPECT_EQ(packets_of(kAuthenticationData), "Connect Connack Auth");
  EXPECT_EQ(packets_of(kRequestProblemInformation), "Connect");
  EXPECT_EQ(packets_of(kWillDelayInterval), "Will");
  EXPECT_EQ(packets_of(kRequestResponseInformation), "Connect");
  EXPECT_EQ(packets_of(kResponseInformation), "Connack");
  EXPECT_EQ(packets_of(kServerReference), "Connack Disconnect");
  EXPECT_EQ(packets_of(kReasonString),
            "Connack Puback Pubrec Pubrel Pubcomp Suback Unsuback Disconnect Auth");
  EXPECT_EQ(packets_of(kReceiveMaximum), "Connect Connack");
  EXPECT_EQ(packets_of(kTopicAliasMaximum), "Connect Connack");
  EXPECT_EQ(packets_of(kTopicAlias), "Publish");
  EXPECT_EQ(packets_of(kMaximumQos), "Connack");
  EXPECT_EQ(packets_of(kRetainAvailable), "Connack");
  EXPECT_EQ(
      packets_of(kUserProperty),
      "Connect Connack Publish Puback Pubrec Pubrel Pubcomp Subscribe Suback Unsubscribe Unsuback Disconnect "
      "Auth Will");
  EXPECT_EQ(packets_of(kMaximumPacketSize), "Connect Connack");
  EXPECT_EQ(packets_of(kWildcardSubscriptionAvailable), "Connack");
  EXPECT_EQ(packets_of(kSubscriptionIdentifierAvailable), "Connack");
  EXPECT_EQ(packets_of(kSharedSubscriptionAvailable), "Connack");
}

TEST(Properties, AreMalformedInOtherPackets) {
  for (const auto& [id, sample] : kSamples) {
    for (const PropertyContext context : kContexts) {
      const auto properties = read(bytes_of("{" + sample + "}"), context);
      if (properties) {
        EXPECT_TRUE(properties->has(id));
      } else {
        EXPECT_EQ(properties.error().code, ReasonCode::kMalformedPacket);
        EXPECT_THAT(properties.error().why, HasSubstr("not allowed"));
      }
    }
  }
}

TEST(Properties, MayNotStandTwiceButUserPropertiesAndSubscriptionIdentifiersOfPublish) {
  for (const auto& [id, sample] : kSamples) {
    for (const PropertyContext context : kContexts) {
      if (!read(bytes_of("{" + sample + "}"), context)) continue;
      const auto twice = read(bytes_of("{" + sample + sample + "}"), context);
      const bool may_repeat = id == PropertyId::kUserProperty || (id == PropertyId::kSubscriptionIdentifier &&
                                                                  context == PropertyContext::kPublish);
      EXPECT_EQ(twice.has_value(), may_repeat) << static_cast<int>(id);
      if (!twice) {
        EXPECT_EQ(twice.error().code, ReasonCode::kProtocolError);
      }
    }
  }
}

TEST(Properties, RefuseEveryNumberThatIsNoIdentifier) {
  for (unsigned number = 0; number < 128; ++number) {
    if (kSamples.contains(static_cast<PropertyId>(number))) continue;
    const std::string bytes{'\x05', static_cast<char>(number), '\0', '\0', '\0', '\0'};
    for (const PropertyContext context : kContexts) {
      const auto properties = read(bytes, context);
      ASSERT_FALSE(properties) << number;
      EXPECT_EQ(properties.error().code, ReasonCode::kMalformedPacket);
    }
  }
}

TEST(Properties, AreMalformedWhenCutAnywhere) {
  for (const auto& [id, sample] : kSamples) {
    const std::string whole = bytes_of(sample);
    for (const PropertyContext context : kContexts) {
      if (!read(bytes_of("{" + sample + "}"), context)) continue;
      for (std::size_t size = 1; size < whole.size(); ++size) {
        // "15 (m)" is the one sample with a whole property in front.
        if (id == PropertyId::kAuthenticationData && size == 4) continue;
        const auto cut = read(static_cast<char>(size) + whole.substr(0, size), context);
        ASSERT_FALSE(cut) << static_cast<int>(id) << " cut to " << size;
        EXPECT_EQ(cut.error().code, ReasonCode::kMalformedPacket);
      }
    }
  }
}

TEST(Properties, TakeTheirListAndNoMore) {
  const std::string bytes = bytes_of("{21 000A} 'rest'");
  ByteView in = as_bytes(bytes);
  const auto properties = read_properties(in, PropertyContext::kConnect);
  ASSERT_TRUE(properties);
  EXPECT_EQ(properties->receive_maximum, 10);
  EXPECT_EQ(as_text(in), "rest");
}

TEST(Properties, LeaveTheInputWhenTheyAreRefused) {
  const std::string bytes = bytes_of("{21 0000} 'rest'");
  ByteView in = as_bytes(bytes);
  ASSERT_FALSE(read_properties(in, PropertyContext::kConnect));
  EXPECT_EQ(in.size(), bytes.size());
}

TEST(Properties, AnEmptyListIsEmpty) {
  const auto properties = read(bytes_of("{}"), PropertyContext::kPublish);
  ASSERT_TRUE(properties);
  EXPECT_TRUE(properties->empty());
  EXPECT_TRUE(properties->raw.empty());
  for (const auto& [id, sample] : kSamples) EXPECT_FALSE(properties->has(id));
}

TEST(Properties, NeedTheirLength) {
  EXPECT_EQ(read("", PropertyContext::kPublish).error().code, ReasonCode::kMalformedPacket);
  EXPECT_EQ(read("\x80", PropertyContext::kPublish).error().code, ReasonCode::kMalformedPacket);
  EXPECT_EQ(read("\x01", PropertyContext::kPublish).error().code, ReasonCode::kMalformedPacket);
}

TEST(Properties, CanBeUnmarked) {
  Properties properties;
  properties.mark(PropertyId::kTopicAlias);
  properties.mark(PropertyId::kUserProperty);
  properties.unmark(PropertyId::kTopicAlias);
  EXPECT_FALSE(properties.has(PropertyId::kTopicAlias));
  EXPECT_TRUE(properties.has(PropertyId::kUserProperty));
  EXPECT_FALSE(properties.empty());
  properties.unmark(PropertyId::kUserProperty);
  EXPECT_TRUE(properties.empty());
}

TEST(Properties, CostNothingToDestroyOrMove) {
  EXPECT_TRUE(std::is_trivially_destructible_v<Properties>);
  EXPECT_TRUE(std::is_trivially_copyable_v<Properties>);
}

TEST(PropertyWalk, GivesEachItemInOrderWithItsBytes) {
  const std::string bytes = bytes_of("{26 (a)(1) 0B 07 26 (b)(2) 0B FFFFFF7F 02 0000000A}");
  const auto properties = read(bytes, PropertyContext::kPublish);
  ASSERT_TRUE(properties);
  EXPECT_EQ(properties->subscription_identifier, 7U);
  std::vector<std::string> seen;
  std::string joined;
  PropertyItem item;
  for (PropertyWalk walk{properties->raw}; walk.next(item);) {
    seen.push_back(
        fmt::format("{:02x} {} {}:{}", static_cast<int>(item.id), item.number, item.text, item.text2));
    joined += as_text(item.encoded);
  }
  EXPECT_THAT(seen, ElementsAre("26 0 a:1", "0b 7 :", "26 0 b:2", "0b 268435455 :", "02 10 :"));
  EXPECT_EQ(joined, as_text(properties->raw));
}

TEST(PropertyWalk, EndsAtBytesThatAreNoProperty) {
  const std::string bytes = bytes_of("0B 07 FF 00");
  PropertyWalk walk{as_bytes(bytes)};
  PropertyItem item;
  EXPECT_TRUE(walk.next(item));
  EXPECT_FALSE(walk.next(item));
  EXPECT_FALSE(walk.next(item));
}

TEST(PropertyWriter, WritesEveryKindAsItIsRead) {
  ByteBuffer out;
  PropertyWriter writer{out};
  writer.u8(PropertyId::kPayloadFormatIndicator, 1);
  writer.u32(PropertyId::kMessageExpiryInterval, 0x01020304);
  writer.u16(PropertyId::kTopicAlias, 0x0102);
  writer.varint(PropertyId::kSubscriptionIdentifier, 128);
  writer.text(PropertyId::kContentType, "text");
  writer.binary(PropertyId::kCorrelationData, as_bytes("corr"));
  writer.user("k", "v");
  const std::string more = bytes_of("26 (k)(w)");
  writer.raw(as_bytes(more));
  EXPECT_EQ(as_text(out.view()),
            bytes_of("01 01 02 01020304 23 0102 0B 8001 03 (text) 09 (corr) 26 (k)(v) 26 (k)(w)"));
}

}  // namespace
}  // namespace nightjar::mqtt
