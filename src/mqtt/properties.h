// MQTT 5.0 properties (section 2.2.2): one parsed set for all packet types.
// A parsed set holds views into the packet's bytes and lives no longer than they do. Pure, no locks.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "mqtt/reason_code.h"
#include "mqtt/types.h"

namespace nightjar::mqtt {

enum class PropertyId : std::uint8_t {
  kPayloadFormatIndicator = 0x01,
  kMessageExpiryInterval = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionIdentifier = 0x0B,
  kSessionExpiryInterval = 0x11,
  kAssignedClientIdentifier = 0x12,
  kServerKeepAlive = 0x13,
  kAuthenticationMethod = 0x15,
  kAuthenticationData = 0x16,
  kRequestProblemInformation = 0x17,
  kWillDelayInterval = 0x18,
  kRequestResponseInformation = 0x19,
  kResponseInformation = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardSubscriptionAvailable = 0x28,
  kSubscriptionIdentifierAvailable = 0x29,
  kSharedSubscriptionAvailable = 0x2A,
};

// Where a property list stands; the will's list has rules of its own (section 3.1.3.2).
enum class PropertyContext : std::uint8_t {
  kConnect,
  kConnack,
  kPublish,
  kPuback,
  kPubrec,
  kPubrel,
  kPubcomp,
  kSubscribe,
  kSuback,
  kUnsubscribe,
  kUnsuback,
  kDisconnect,
  kAuth,
  kWill,
};

// The properties of one packet. A field means something only if has(its id); the default constructor
// sets nothing else, so that a packet without properties costs nothing.
class Properties {
 public:
  Properties() {}  // not "= default": Properties{} would then set every field to zero first

  [[nodiscard]] bool has(PropertyId id) const { return (present_ >> static_cast<unsigned>(id)) & 1U; }
  [[nodiscard]] bool empty() const { return present_ == 0; }
  void mark(PropertyId id) { present_ |= std::uint64_t{1} << static_cast<unsigned>(id); }
  // Forgets everything.
  void clear() { present_ = 0; }
  void unmark(PropertyId id) { present_ &= ~(std::uint64_t{1} << static_cast<unsigned>(id)); }

  std::uint8_t payload_format_indicator;
  std::uint8_t request_problem_information;
  std::uint8_t request_response_information;
  std::uint8_t maximum_qos;
  std::uint8_t retain_available;
  std::uint8_t wildcard_subscription_available;
  std::uint8_t subscription_identifier_available;
  std::uint8_t shared_subscription_available;
  std::uint16_t server_keep_alive;
  std::uint16_t receive_maximum;
  std::uint16_t topic_alias_maximum;
  std::uint16_t topic_alias;
  std::uint32_t message_expiry_interval_s;
  std::uint32_t session_expiry_interval_s;
  std::uint32_t will_delay_interval_s;
  std::uint32_t maximum_packet_size;
  // In SUBSCRIBE the one id; in PUBLISH the first of the list (the others stand in `raw`).
  std::uint32_t subscription_identifier;
  std::string_view content_type;
  std::string_view response_topic;
  std::string_view assigned_client_identifier;
  std::string_view authentication_method;
  std::string_view response_information;
  std::string_view server_reference;
  std::string_view reason_string;
  ByteView correlation_data;
  ByteView authentication_data;
  // The whole encoded list without its length prefix: User Properties are read from here in order.
  ByteView raw;

 private:
  std::uint64_t present_ = 0;
};

struct UserProperty {
  std::string_view name{};
  std::string_view value{};
};

// One encoded property of an already validated list.
struct PropertyItem {
  PropertyId id{};
  ByteView encoded{};        // identifier and value
  std::uint32_t number = 0;  // value of an integer property
  std::string_view text{};   // value of a string or binary property; the name of a User Property
  std::string_view text2{};  // the value of a User Property
};

// Walks a validated list (`Properties::raw`) item by item.
class PropertyWalk {
 public:
  explicit PropertyWalk(ByteView raw) : rest_(raw) {}
  // False at the end, and at the first byte that is no property.
  bool next(PropertyItem& item);

 private:
  ByteView rest_;
};

// Reads a list with its length prefix from the front of `in` and moves `in` behind it. Checks every rule
// of section 2.2.2: allowed in this packet, at most once, value in range, strings well formed.
Parsed<Properties> read_properties(ByteView& in, PropertyContext context);
// The same into an empty set that is already in its place: a set is too large to copy on the hot path.
Parsed<void> read_properties(ByteView& in, PropertyContext context, Properties& into);

// Appends the encoded properties one by one, without the length prefix.
class PropertyWriter {
 public:
  explicit PropertyWriter(ByteBuffer& out) : out_(out) {}
  void u8(PropertyId id, std::uint8_t value);
  void u16(PropertyId id, std::uint16_t value);
  void u32(PropertyId id, std::uint32_t value);
  void varint(PropertyId id, std::uint32_t value);
  void text(PropertyId id, std::string_view value);
  void binary(PropertyId id, ByteView value);
  void user(std::string_view name, std::string_view value);
  // Properties already encoded.
  void raw(ByteView encoded) { out_.append(encoded); }

 private:
  ByteBuffer& out_;
};

}  // namespace nightjar::mqtt
