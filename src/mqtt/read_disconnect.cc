// DISCONNECT and AUTH.
#include "mqtt/cursor.h"
#include "mqtt/reader.h"

namespace nightjar::mqtt {
namespace {

Parsed<void> fill(Disconnect& packet, const Frame& frame, Version version, Sender sender) {
  Cursor in{frame.body};
  // In 5.0 a normal disconnection may leave out the reason code, and any code the properties.
  if (version != Version::k5 || in.empty()) return in.end();
  NJ_TRY(const std::uint8_t code, in.u8());
  packet.code = static_cast<ReasonCode>(code);
  if (!is_allowed(packet.code, PacketType::kDisconnect, sender)) {
    return protocol_error("reason code not allowed in this DISCONNECT [MQTT-3.14.2-1]");
  }
  if (in.empty()) return {};
  NJ_CHECK(read_properties(in.rest(), PropertyContext::kDisconnect, packet.properties));
  if (sender == Sender::kServer && packet.properties.has(PropertyId::kSessionExpiryInterval)) {
    return protocol_error("Session Expiry Interval in the server's DISCONNECT [MQTT-3.14.2-2]");
  }
  return in.end();
}

Parsed<void> fill(Auth& packet, const Frame& frame, Version version, Sender sender) {
  if (version != Version::k5) return malformed("AUTH before MQTT 5.0 (section 2.2.1)");
  Cursor in{frame.body};
  // An empty body stands for success, which is the server's to say.
  if (in.empty() && sender == Sender::kServer) return {};
  std::uint8_t code = 0;
  if (!in.empty()) {
    NJ_TRY(code, in.u8());
  }
  packet.code = static_cast<ReasonCode>(code);
  if (!is_allowed(packet.code, PacketType::kAuth, sender)) {
    return protocol_error("reason code not allowed in this AUTH [MQTT-3.15.2-1]");
  }
  NJ_CHECK(read_properties(in.rest(), PropertyContext::kAuth, packet.properties));
  if (!packet.properties.has(PropertyId::kAuthenticationMethod)) {
    return protocol_error("AUTH without an Authentication Method (section 3.15.2.2.2)");
  }
  return in.end();
}

}  // namespace

Parsed<Disconnect> read_disconnect(const Frame& frame, Version version, Sender sender) {
  Parsed<Disconnect> result;
  if (const auto filled = fill(*result, frame, version, sender); !filled) {
    result = tl::make_unexpected(filled.error());
  }
  return result;
}

Parsed<Auth> read_auth(const Frame& frame, Version version, Sender sender) {
  Parsed<Auth> result;
  if (const auto filled = fill(*result, frame, version, sender); !filled) {
    result = tl::make_unexpected(filled.error());
  }
  return result;
}

}  // namespace nightjar::mqtt
