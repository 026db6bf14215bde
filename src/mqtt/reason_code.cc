#include "mqtt/reason_code.h"

#include <algorithm>
#include <array>

namespace nightjar::mqtt {
namespace {

// Packet types as bits, so that a row of table 2-6 states its packets in one column.
constexpr unsigned bit(PacketType type) { return 1U << static_cast<unsigned>(type); }
constexpr unsigned kConnack = bit(PacketType::kConnack);
constexpr unsigned kPuback = bit(PacketType::kPuback);
constexpr unsigned kPubrec = bit(PacketType::kPubrec);
constexpr unsigned kPubrel = bit(PacketType::kPubrel);
constexpr unsigned kPubcomp = bit(PacketType::kPubcomp);
constexpr unsigned kSuback = bit(PacketType::kSuback);
constexpr unsigned kUnsuback = bit(PacketType::kUnsuback);
constexpr unsigned kDisconnect = bit(PacketType::kDisconnect);
constexpr unsigned kAuth = bit(PacketType::kAuth);
constexpr unsigned kAcks = kPuback | kPubrec;

struct Row {
  ReasonCode code;
  std::string_view name;
  unsigned by_server;
  unsigned by_client;
};

// Table 2-6 of MQTT 5.0 with the "sent by" columns of tables 3-10 (DISCONNECT) and 3-11 (AUTH).
constexpr std::array kTable = std::to_array<Row>({
    {ReasonCode::kSuccess, "Success",
     kConnack | kAcks | kPubrel | kPubcomp | kSuback | kUnsuback | kDisconnect | kAuth,
     kAcks | kPubrel | kPubcomp | kDisconnect},
    {ReasonCode::kGrantedQos1, "Granted QoS 1", kSuback, 0},
    {ReasonCode::kGrantedQos2, "Granted QoS 2", kSuback, 0},
    {ReasonCode::kDisconnectWithWill, "Disconnect with Will Message", 0, kDisconnect},
    {ReasonCode::kNoMatchingSubscribers, "No matching subscribers", kAcks, kAcks},
    {ReasonCode::kNoSubscriptionExisted, "No subscription existed", kUnsuback, 0},
    {ReasonCode::kContinueAuthentication, "Continue authentication", kAuth, kAuth},
    {ReasonCode::kReAuthenticate, "Re-authenticate", 0, kAuth},
    {ReasonCode::kUnspecifiedError, "Unspecified error", kConnack | kAcks | kSuback | kUnsuback | kDisconnect,
     kAcks | kDisconnect},
    {ReasonCode::kMalformedPacket, "Malformed Packet", kConnack | kDisconnect, kDisconnect},
    {ReasonCode::kProtocolError, "Protocol Error", kConnack | kDisconnect, kDisconnect},
    {ReasonCode::kImplementationSpecificError, "Implementation specific error",
     kConnack | kAcks | kSuback | kUnsuback | kDisconnect, kAcks | kDisconnect},
    {ReasonCode::kUnsupportedProtocolVersion, "Unsupported Protocol Version", kConnack, 0},
    {ReasonCode::kClientIdentifierNotValid, "Client Identifier not valid", kConnack, 0},
    {ReasonCode::kBadUserNameOrPassword, "Bad User Name or Password", kConnack, 0},
    {ReasonCode::kNotAuthorized, "Not authorized", kConnack | kAcks | kSuback | kUnsuback | kDisconnect,
     kAcks},
    {ReasonCode::kServerUnavailable, "Server unavailable", kConnack, 0},
    {ReasonCode::kServerBusy, "Server busy", kConnack | kDisconnect, 0},
    {ReasonCode::kBanned, "Banned", kConnack, 0},
    {ReasonCode::kServerShuttingDown, "Server shutting down", kDisconnect, 0},
    {ReasonCode::kBadAuthenticationMethod, "Bad authentication method", kConnack | kDisconnect, 0},
    {ReasonCode::kKeepAliveTimeout, "Keep Alive timeout", kDisconnect, 0},
    {ReasonCode::kSessionTakenOver, "Session taken over", kDisconnect, 0},
    {ReasonCode::kTopicFilterInvalid, "Topic Filter invalid", kSuback | kUnsuback | kDisconnect, 0},
    {ReasonCode::kTopicNameInvalid, "Topic Name invalid", kConnack | kAcks | kDisconnect,
     kAcks | kDisconnect},
    {ReasonCode::kPacketIdentifierInUse, "Packet Identifier in use", kAcks | kSuback | kUnsuback, kAcks},
    {ReasonCode::kPacketIdentifierNotFound, "Packet Identifier not found", kPubrel | kPubcomp,
     kPubrel | kPubcomp},
    {ReasonCode::kReceiveMaximumExceeded, "Receive Maximum exceeded", kDisconnect, kDisconnect},
    {ReasonCode::kTopicAliasInvalid, "Topic Alias invalid", kDisconnect, kDisconnect},
    {ReasonCode::kPacketTooLarge, "Packet too large", kConnack | kDisconnect, kDisconnect},
    {ReasonCode::kMessageRateTooHigh, "Message rate too high", kDisconnect, kDisconnect},
    {ReasonCode::kQuotaExceeded, "Quota exceeded", kConnack | kAcks | kSuback | kDisconnect,
     kAcks | kDisconnect},
    {ReasonCode::kAdministrativeAction, "Administrative action", kDisconnect, kDisconnect},
    {ReasonCode::kPayloadFormatInvalid, "Payload format invalid", kConnack | kAcks | kDisconnect,
     kAcks | kDisconnect},
    {ReasonCode::kRetainNotSupported, "Retain not supported", kConnack | kDisconnect, 0},
    {ReasonCode::kQosNotSupported, "QoS not supported", kConnack | kDisconnect, 0},
    {ReasonCode::kUseAnotherServer, "Use another server", kConnack | kDisconnect, 0},
    {ReasonCode::kServerMoved, "Server moved", kConnack | kDisconnect, 0},
    {ReasonCode::kSharedSubscriptionsNotSupported, "Shared Subscriptions not supported",
     kSuback | kDisconnect, 0},
    {ReasonCode::kConnectionRateExceeded, "Connection rate exceeded", kConnack | kDisconnect, 0},
    {ReasonCode::kMaximumConnectTime, "Maximum connect time", kDisconnect, 0},
    {ReasonCode::kSubscriptionIdentifiersNotSupported, "Subscription Identifiers not supported",
     kSuback | kDisconnect, 0},
    {ReasonCode::kWildcardSubscriptionsNotSupported, "Wildcard Subscriptions not supported",
     kSuback | kDisconnect, 0},
});

const Row* find(ReasonCode code) {
  const auto* row = std::find_if(kTable.begin(), kTable.end(), [=](const Row& r) { return r.code == code; });
  return row == kTable.end() ? nullptr : row;
}

}  // namespace

std::string_view to_string(ReasonCode code) {
  const Row* row = find(code);
  return row == nullptr ? "Reserved" : row->name;
}

bool is_allowed(ReasonCode code, PacketType type, Sender sender) {
  const Row* row = find(code);
  if (row == nullptr) return false;
  return ((sender == Sender::kServer ? row->by_server : row->by_client) & bit(type)) != 0;
}

bool has_connack_return_code(ReasonCode code) {
  switch (code) {
    case ReasonCode::kMalformedPacket:
    case ReasonCode::kProtocolError:
    case ReasonCode::kPacketTooLarge:
    case ReasonCode::kTopicNameInvalid:
    case ReasonCode::kPayloadFormatInvalid:
    case ReasonCode::kRetainNotSupported:
    case ReasonCode::kQosNotSupported:
      return false;
    default:
      return is_allowed(code, PacketType::kConnack, Sender::kServer);
  }
}

std::uint8_t connack_return_code(ReasonCode code) {
  constexpr std::uint8_t kAccepted = 0;
  constexpr std::uint8_t kUnacceptableProtocolVersion = 1;
  constexpr std::uint8_t kIdentifierRejected = 2;
  constexpr std::uint8_t kServerUnavailable = 3;
  constexpr std::uint8_t kBadUserNameOrPassword = 4;
  constexpr std::uint8_t kNotAuthorized = 5;
  switch (code) {
    case ReasonCode::kSuccess:
      return kAccepted;
    case ReasonCode::kUnsupportedProtocolVersion:
      return kUnacceptableProtocolVersion;
    case ReasonCode::kClientIdentifierNotValid:
      return kIdentifierRejected;
    case ReasonCode::kBadUserNameOrPassword:
      return kBadUserNameOrPassword;
    case ReasonCode::kUnspecifiedError:
    case ReasonCode::kImplementationSpecificError:
    case ReasonCode::kServerUnavailable:
    case ReasonCode::kServerBusy:
    case ReasonCode::kQuotaExceeded:
    case ReasonCode::kUseAnotherServer:
    case ReasonCode::kServerMoved:
    case ReasonCode::kConnectionRateExceeded:
      return kServerUnavailable;
    default:
      return kNotAuthorized;
  }
}

}  // namespace nightjar::mqtt
