#include "mqtt/types.h"

#include <gtest/gtest.h>

namespace nightjar::mqtt {
namespace {

TEST(PacketTypeName, IsTheStandards) {
  constexpr std::string_view kNames[] = {
      "RESERVED",  "CONNECT", "CONNACK",     "PUBLISH",  "PUBACK",  "PUBREC",   "PUBREL",     "PUBCOMP",
      "SUBSCRIBE", "SUBACK",  "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH"};
  for (std::uint8_t type = 0; type < 16; ++type) {
    EXPECT_EQ(to_string(static_cast<PacketType>(type)), kNames[type]);
  }
}

}  // namespace
}  // namespace nightjar::mqtt
