// Reason codes of MQTT 5.0 (section 2.4), which are also the error type of the codec and the core,
// and the CONNACK return codes of MQTT 3.1 and 3.1.1 they translate to. Pure values.
#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

#include "mqtt/types.h"

namespace nightjar::mqtt {

enum class ReasonCode : std::uint8_t {
  kSuccess = 0x00,  // also: Normal disconnection, Granted QoS 0
  kGrantedQos1 = 0x01,
  kGrantedQos2 = 0x02,
  kDisconnectWithWill = 0x04,
  kNoMatchingSubscribers = 0x10,
  kNoSubscriptionExisted = 0x11,
  kContinueAuthentication = 0x18,
  kReAuthenticate = 0x19,
  kUnspecifiedError = 0x80,
  kMalformedPacket = 0x81,
  kProtocolError = 0x82,
  kImplementationSpecificError = 0x83,
  kUnsupportedProtocolVersion = 0x84,
  kClientIdentifierNotValid = 0x85,
  kBadUserNameOrPassword = 0x86,
  kNotAuthorized = 0x87,
  kServerUnavailable = 0x88,
  kServerBusy = 0x89,
  kBanned = 0x8A,
  kServerShuttingDown = 0x8B,
  kBadAuthenticationMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kSessionTakenOver = 0x8E,
  kTopicFilterInvalid = 0x8F,
  kTopicNameInvalid = 0x90,
  kPacketIdentifierInUse = 0x91,
  kPacketIdentifierNotFound = 0x92,
  kReceiveMaximumExceeded = 0x93,
  kTopicAliasInvalid = 0x94,
  kPacketTooLarge = 0x95,
  kMessageRateTooHigh = 0x96,
  kQuotaExceeded = 0x97,
  kAdministrativeAction = 0x98,
  kPayloadFormatInvalid = 0x99,
  kRetainNotSupported = 0x9A,
  kQosNotSupported = 0x9B,
  kUseAnotherServer = 0x9C,
  kServerMoved = 0x9D,
  kSharedSubscriptionsNotSupported = 0x9E,
  kConnectionRateExceeded = 0x9F,
  kMaximumConnectTime = 0xA0,
  kSubscriptionIdentifiersNotSupported = 0xA1,
  kWildcardSubscriptionsNotSupported = 0xA2,
};

// "Malformed Packet", "Session taken over", … as the standard spells them; "Reserved" for other numbers.
std::string_view to_string(ReasonCode code);

// True if the standard lets this side send `code` in a packet of this type (section 2.4 and the tables of
// the packets, which for DISCONNECT and AUTH tell the sides apart).
bool is_allowed(ReasonCode code, PacketType type, Sender sender);

// The CONNACK return code (0–5) that tells a 3.1 or 3.1.1 client the same (3.1.1 table 3.1).
std::uint8_t connack_return_code(ReasonCode code);
// False where none of those codes says it; such a client is closed without a CONNACK [MQTT-3.2.2-6].
bool has_connack_return_code(ReasonCode code);

// A packet that breaks the standard or a limit. `why` is a string literal that names the rule, fit for a
// Reason String and a log line, e.g. "PUBLISH with QoS 3 [MQTT-3.3.1-4]".
struct Violation {
  ReasonCode code = ReasonCode::kUnspecifiedError;
  std::string_view why{};
};

template <typename T>
using Parsed = tl::expected<T, Violation>;

inline tl::unexpected<Violation> malformed(std::string_view why) {
  return tl::make_unexpected(Violation{ReasonCode::kMalformedPacket, why});
}
inline tl::unexpected<Violation> protocol_error(std::string_view why) {
  return tl::make_unexpected(Violation{ReasonCode::kProtocolError, why});
}
inline tl::unexpected<Violation> violation(ReasonCode code, std::string_view why) {
  return tl::make_unexpected(Violation{code, why});
}

}  // namespace nightjar::mqtt
