#include "mqtt/properties.h"

#include <array>

#include "mqtt/cursor.h"
#include "mqtt/topic.h"
#include "mqtt/varint.h"

namespace nightjar::mqtt {
namespace {

// How a property's value is encoded (section 2.2.2.2).
enum class Kind : std::uint8_t { kNone, kByte, kTwoByte, kFourByte, kVarint, kUtf8, kBinary, kUtf8Pair };

struct Rule {
  Kind kind = Kind::kNone;
  std::uint16_t contexts = 0;  // one bit per PropertyContext
};

constexpr std::uint16_t in(auto... contexts) {
  return static_cast<std::uint16_t>(((1U << static_cast<unsigned>(contexts)) | ...));
}

constexpr std::size_t kRuleCount = static_cast<std::size_t>(PropertyId::kSharedSubscriptionAvailable) + 1;

// Table 2-4: the type of each property and where it may stand.
constexpr std::array<Rule, kRuleCount> make_rules() {
  using enum PropertyContext;
  using enum PropertyId;
  std::array<Rule, kRuleCount> rules{};
  const auto set = [&](PropertyId id, Kind kind, std::uint16_t contexts) {
    rules[static_cast<std::size_t>(id)] = {kind, contexts};
  };
  set(kPayloadFormatIndicator, Kind::kByte, in(kPublish, kWill));
  set(kMessageExpiryInterval, Kind::kFourByte, in(kPublish, kWill));
  set(kContentType, Kind::kUtf8, in(kPublish, kWill));
  set(kResponseTopic, Kind::kUtf8, in(kPublish, kWill));
  set(kCorrelationData, Kind::kBinary, in(kPublish, kWill));
  set(kSubscriptionIdentifier, Kind::kVarint, in(kPublish, kSubscribe));
  set(kSessionExpiryInterval, Kind::kFourByte, in(kConnect, kConnack, kDisconnect));
  set(kAssignedClientIdentifier, Kind::kUtf8, in(kConnack));
  set(kServerKeepAlive, Kind::kTwoByte, in(kConnack));
  set(kAuthenticationMethod, Kind::kUtf8, in(kConnect, kConnack, kAuth));
  set(kAuthenticationData, Kind::kBinary, in(kConnect, kConnack, kAuth));
  set(kRequestProblemInformation, Kind::kByte, in(kConnect));
  set(kWillDelayInterval, Kind::kFourByte, in(kWill));
  set(kRequestResponseInformation, Kind::kByte, in(kConnect));
  set(kResponseInformation, Kind::kUtf8, in(kConnack));
  set(kServerReference, Kind::kUtf8, in(kConnack, kDisconnect));
  set(kReasonString, Kind::kUtf8,
      in(kConnack, kPuback, kPubrec, kPubrel, kPubcomp, kSuback, kUnsuback, kDisconnect, kAuth));
  set(kReceiveMaximum, Kind::kTwoByte, in(kConnect, kConnack));
  set(kTopicAliasMaximum, Kind::kTwoByte, in(kConnect, kConnack));
  set(kTopicAlias, Kind::kTwoByte, in(kPublish));
  set(kMaximumQos, Kind::kByte, in(kConnack));
  set(kRetainAvailable, Kind::kByte, in(kConnack));
  set(kUserProperty, Kind::kUtf8Pair,
      in(kConnect, kConnack, kPublish, kPuback, kPubrec, kPubrel, kPubcomp, kSubscribe, kSuback, kUnsubscribe,
         kUnsuback, kDisconnect, kAuth, kWill));
  set(kMaximumPacketSize, Kind::kFourByte, in(kConnect, kConnack));
  set(kWildcardSubscriptionAvailable, Kind::kByte, in(kConnack));
  set(kSubscriptionIdentifierAvailable, Kind::kByte, in(kConnack));
  set(kSharedSubscriptionAvailable, Kind::kByte, in(kConnack));
  return rules;
}
constexpr std::array<Rule, kRuleCount> kRules = make_rules();

Parsed<std::uint32_t> take_varint(Cursor& cursor) {
  const Varint varint = read_varint(cursor.rest());
  if (varint.state != VarintState::kComplete) return malformed("bad variable byte integer [MQTT-1.5.5-1]");
  cursor.rest() = cursor.rest().subspan(varint.size);
  return varint.value;
}

// Takes one property from the front, knowing nothing of where it stands or what its value may be.
// Strings are cut out by their length alone.
Parsed<void> take_item(Cursor& cursor, PropertyItem& item) {
  const ByteView before = cursor.rest();
  NJ_TRY(const std::uint32_t number, take_varint(cursor));
  if (number >= kRuleCount || kRules[number].kind == Kind::kNone) {
    return malformed("unknown property identifier (section 2.2.2.2)");
  }
  item = PropertyItem{.id = static_cast<PropertyId>(number)};
  switch (kRules[number].kind) {
    case Kind::kByte: {
      NJ_TRY(item.number, cursor.u8());
    } break;
    case Kind::kTwoByte: {
      NJ_TRY(item.number, cursor.u16());
    } break;
    case Kind::kFourByte: {
      NJ_TRY(item.number, cursor.u32());
    } break;
    case Kind::kVarint: {
      NJ_TRY(item.number, take_varint(cursor));
    } break;
    case Kind::kUtf8Pair: {
      NJ_TRY(const ByteView name, cursor.binary());
      NJ_TRY(const ByteView value, cursor.binary());
      item.text = as_text(name);
      item.text2 = as_text(value);
    } break;
    case Kind::kUtf8:
    case Kind::kBinary:
    case Kind::kNone: {
      NJ_TRY(const ByteView value, cursor.binary());
      item.text = as_text(value);
    } break;
  }
  item.encoded = before.first(before.size() - cursor.rest().size());
  return {};
}

Parsed<void> check_text(const PropertyItem& item, Kind kind) {
  const bool is_text = kind == Kind::kUtf8 || kind == Kind::kUtf8Pair;
  if (is_text && !(is_valid_utf8(item.text) && is_valid_utf8(item.text2))) {
    return malformed("ill-formed UTF-8 string in a property [MQTT-1.5.4-1]");
  }
  if (item.id == PropertyId::kResponseTopic && !is_valid_topic_name(item.text)) {
    return protocol_error("Response Topic is no valid topic name [MQTT-3.3.2-14]");
  }
  return {};
}

Parsed<void> check_number(const PropertyItem& item, Kind kind) {
  // Every one byte property is a flag or an indicator with the values 0 and 1.
  if (kind == Kind::kByte && item.number > 1) return protocol_error("one byte property is neither 0 nor 1");
  if (item.number != 0) return {};
  switch (item.id) {
    case PropertyId::kReceiveMaximum:
      return protocol_error("Receive Maximum 0 (section 3.1.2.11.3)");
    case PropertyId::kMaximumPacketSize:
      return protocol_error("Maximum Packet Size 0 (section 3.1.2.11.4)");
    case PropertyId::kSubscriptionIdentifier:
      return protocol_error("Subscription Identifier 0 (section 3.8.2.1.2)");
    case PropertyId::kTopicAlias:
      return violation(ReasonCode::kTopicAliasInvalid, "Topic Alias 0 [MQTT-3.3.2-8]");
    default:
      return {};
  }
}

bool may_repeat(PropertyId id, PropertyContext context) {
  return id == PropertyId::kUserProperty ||
         (id == PropertyId::kSubscriptionIdentifier && context == PropertyContext::kPublish);
}

void store(const PropertyItem& item, Properties& to) {
  const auto byte = static_cast<std::uint8_t>(item.number);
  const auto two_bytes = static_cast<std::uint16_t>(item.number);
  switch (item.id) {
    case PropertyId::kPayloadFormatIndicator:
      to.payload_format_indicator = byte;
      break;
    case PropertyId::kRequestProblemInformation:
      to.request_problem_information = byte;
      break;
    case PropertyId::kRequestResponseInformation:
      to.request_response_information = byte;
      break;
    case PropertyId::kMaximumQos:
      to.maximum_qos = byte;
      break;
    case PropertyId::kRetainAvailable:
      to.retain_available = byte;
      break;
    case PropertyId::kWildcardSubscriptionAvailable:
      to.wildcard_subscription_available = byte;
      break;
    case PropertyId::kSubscriptionIdentifierAvailable:
      to.subscription_identifier_available = byte;
      break;
    case PropertyId::kSharedSubscriptionAvailable:
      to.shared_subscription_available = byte;
      break;
    case PropertyId::kServerKeepAlive:
      to.server_keep_alive = two_bytes;
      break;
    case PropertyId::kReceiveMaximum:
      to.receive_maximum = two_bytes;
      break;
    case PropertyId::kTopicAliasMaximum:
      to.topic_alias_maximum = two_bytes;
      break;
    case PropertyId::kTopicAlias:
      to.topic_alias = two_bytes;
      break;
    case PropertyId::kMessageExpiryInterval:
      to.message_expiry_interval_s = item.number;
      break;
    case PropertyId::kSessionExpiryInterval:
      to.session_expiry_interval_s = item.number;
      break;
    case PropertyId::kWillDelayInterval:
      to.will_delay_interval_s = item.number;
      break;
    case PropertyId::kMaximumPacketSize:
      to.maximum_packet_size = item.number;
      break;
    case PropertyId::kSubscriptionIdentifier:
      if (!to.has(item.id)) to.subscription_identifier = item.number;
      break;
    case PropertyId::kContentType:
      to.content_type = item.text;
      break;
    case PropertyId::kResponseTopic:
      to.response_topic = item.text;
      break;
    case PropertyId::kAssignedClientIdentifier:
      to.assigned_client_identifier = item.text;
      break;
    case PropertyId::kAuthenticationMethod:
      to.authentication_method = item.text;
      break;
    case PropertyId::kResponseInformation:
      to.response_information = item.text;
      break;
    case PropertyId::kServerReference:
      to.server_reference = item.text;
      break;
    case PropertyId::kReasonString:
      to.reason_string = item.text;
      break;
    case PropertyId::kCorrelationData:
      to.correlation_data = as_bytes(item.text);
      break;
    case PropertyId::kAuthenticationData:
      to.authentication_data = as_bytes(item.text);
      break;
    case PropertyId::kUserProperty:
      break;  // only in `raw`
  }
  to.mark(item.id);
}

Parsed<void> fill(Properties& properties, ByteView list, PropertyContext context) {
  properties.raw = list;
  Cursor cursor{list};
  PropertyItem item;
  while (!cursor.empty()) {
    NJ_CHECK(take_item(cursor, item));
    const Rule& rule = kRules[static_cast<std::size_t>(item.id)];
    if ((rule.contexts & in(context)) == 0) {
      return malformed("property not allowed in this packet (section 2.2.2.2)");
    }
    if (properties.has(item.id) && !may_repeat(item.id, context)) {
      return protocol_error("property given twice (section 2.2.2.2)");
    }
    NJ_CHECK(check_number(item, rule.kind));
    NJ_CHECK(check_text(item, rule.kind));
    store(item, properties);
  }
  const bool has_data = properties.has(PropertyId::kAuthenticationData);
  if (has_data && !properties.has(PropertyId::kAuthenticationMethod)) {
    return protocol_error("Authentication Data without an Authentication Method (section 3.1.2.11.10)");
  }
  return {};
}

}  // namespace

bool PropertyWalk::next(PropertyItem& item) {
  if (rest_.empty()) return false;
  Cursor cursor{rest_};
  const bool found = take_item(cursor, item).has_value();
  rest_ = found ? cursor.rest() : ByteView{};
  return found;
}

Parsed<void> read_properties(ByteView& in, PropertyContext context, Properties& into) {
  Cursor cursor{in};
  NJ_TRY(const std::uint32_t length, take_varint(cursor));
  if (length > cursor.rest().size()) return malformed("property length beyond the end of the packet");
  if (length != 0) {
    NJ_CHECK(fill(into, cursor.rest().first(length), context));
  }
  in = cursor.rest().subspan(length);
  return {};
}

Parsed<Properties> read_properties(ByteView& in, PropertyContext context) {
  Parsed<Properties> result;
  if (const auto filled = read_properties(in, context, *result); !filled) {
    result = tl::make_unexpected(filled.error());
  }
  return result;
}

void PropertyWriter::u8(PropertyId id, std::uint8_t value) {
  out_.u8(static_cast<std::uint8_t>(id));
  out_.u8(value);
}

void PropertyWriter::u16(PropertyId id, std::uint16_t value) {
  out_.u8(static_cast<std::uint8_t>(id));
  out_.u16(value);
}

void PropertyWriter::u32(PropertyId id, std::uint32_t value) {
  out_.u8(static_cast<std::uint8_t>(id));
  out_.u32(value);
}

void PropertyWriter::varint(PropertyId id, std::uint32_t value) {
  out_.u8(static_cast<std::uint8_t>(id));
  append_varint(out_, value);
}

void PropertyWriter::text(PropertyId id, std::string_view value) { binary(id, as_bytes(value)); }

void PropertyWriter::binary(PropertyId id, ByteView value) {
  out_.u8(static_cast<std::uint8_t>(id));
  out_.u16(static_cast<std::uint16_t>(value.size()));
  out_.append(value);
}

void PropertyWriter::user(std::string_view name, std::string_view value) {
  text(PropertyId::kUserProperty, name);
  out_.u16(static_cast<std::uint16_t>(value.size()));
  out_.append(value);
}

}  // namespace nightjar::mqtt
