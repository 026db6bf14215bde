// A packet of any type, for tests and fuzz targets: read by its type, shown as text, written back.
// Pure; the packet holds views into the bytes it was read from.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <variant>

#include "mqtt/reader.h"
#include "mqtt/writer.h"

namespace nightjar::mqtt {

// PINGREQ and PINGRESP.
struct Ping {
  PacketType type = PacketType::kPingreq;
};

using AnyPacket = std::variant<Connect, Connack, Publish, PublishAck, Subscribe, Suback, Unsubscribe,
                               Unsuback, Ping, Disconnect, Auth>;

// Reads a frame with the function of its type. CONNECT sets `version` as read_connect does.
inline Parsed<AnyPacket> read_any(const Frame& frame, Version& version, Sender sender) {
  const auto widen = [](auto parsed) -> Parsed<AnyPacket> {
    if (!parsed) return tl::make_unexpected(parsed.error());
    return AnyPacket{std::move(*parsed)};
  };
  switch (frame.type) {
    case PacketType::kConnect:
      return widen(read_connect(frame, version));
    case PacketType::kConnack:
      return widen(read_connack(frame, version));
    case PacketType::kPublish:
      return widen(read_publish(frame, version));
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return widen(read_publish_ack(frame, version));
    case PacketType::kSubscribe:
      return widen(read_subscribe(frame, version));
    case PacketType::kSuback:
      return widen(read_suback(frame, version));
    case PacketType::kUnsubscribe:
      return widen(read_unsubscribe(frame, version));
    case PacketType::kUnsuback:
      return widen(read_unsuback(frame, version));
    case PacketType::kPingreq:
    case PacketType::kPingresp:
      return read_ping(frame).map([&](bool) { return AnyPacket{Ping{frame.type}}; });
    case PacketType::kDisconnect:
      return widen(read_disconnect(frame, version, sender));
    case PacketType::kAuth:
      return widen(read_auth(frame, version, sender));
    case PacketType::kReserved:
      break;
  }
  return malformed("reserved packet type 0 (section 2.1.2)");
}

// " {receive_maximum=10 user='a':'b'}", in the order of the identifiers, User Properties in their own order;
// nothing for an empty set.
inline std::string to_text(const Properties& properties) {
  if (properties.empty()) return {};
  using enum PropertyId;
  std::string text;
  const auto add = [&](std::string_view name, const auto& value) {
    fmt::format_to(std::back_inserter(text), "{}{}={}", text.empty() ? "" : " ", name, value);
  };
  const auto number = [&](PropertyId id, std::string_view name, const auto& value) {
    if (properties.has(id)) add(name, value);
  };
  const auto string = [&](PropertyId id, std::string_view name, std::string_view value) {
    if (properties.has(id)) add(name, fmt::format("'{}'", value));
  };
  const Properties& p = properties;
  number(kPayloadFormatIndicator, "payload_format", p.payload_format_indicator);
  number(kMessageExpiryInterval, "message_expiry", p.message_expiry_interval_s);
  string(kContentType, "content_type", p.content_type);
  string(kResponseTopic, "response_topic", p.response_topic);
  string(kCorrelationData, "correlation", as_text(p.correlation_data));
  number(kSubscriptionIdentifier, "subscription_id", p.subscription_identifier);
  number(kSessionExpiryInterval, "session_expiry", p.session_expiry_interval_s);
  string(kAssignedClientIdentifier, "assigned_client_id", p.assigned_client_identifier);
  number(kServerKeepAlive, "server_keep_alive", p.server_keep_alive);
  string(kAuthenticationMethod, "auth_method", p.authentication_method);
  string(kAuthenticationData, "auth_data", as_text(p.authentication_data));
  number(kRequestProblemInformation, "request_problem", p.request_problem_information);
  number(kWillDelayInterval, "will_delay", p.will_delay_interval_s);
  number(kRequestResponseInformation, "request_response", p.request_response_information);
  string(kResponseInformation, "response_information", p.response_information);
  string(kServerReference, "server_reference", p.server_reference);
  string(kReasonString, "reason", p.reason_string);
  number(kReceiveMaximum, "receive_maximum", p.receive_maximum);
  number(kTopicAliasMaximum, "topic_alias_maximum", p.topic_alias_maximum);
  number(kTopicAlias, "topic_alias", p.topic_alias);
  number(kMaximumQos, "maximum_qos", p.maximum_qos);
  number(kRetainAvailable, "retain_available", p.retain_available);
  number(kMaximumPacketSize, "maximum_packet_size", p.maximum_packet_size);
  number(kWildcardSubscriptionAvailable, "wildcards_available", p.wildcard_subscription_available);
  number(kSubscriptionIdentifierAvailable, "subscription_ids_available", p.subscription_identifier_available);
  number(kSharedSubscriptionAvailable, "shared_available", p.shared_subscription_available);
  bool is_first_id = true;
  PropertyItem item;
  for (PropertyWalk walk{properties.raw}; walk.next(item);) {
    if (item.id == kUserProperty) add("user", fmt::format("'{}':'{}'", item.text, item.text2));
    if (item.id == kSubscriptionIdentifier && !std::exchange(is_first_id, false)) {
      add("subscription_id", item.number);
    }
  }
  return " {" + text + "}";
}

// One line in the words of the standard, as the packet cases state it.
struct PacketText {
  std::string operator()(const Connect& p) const {
    constexpr std::string_view kVersions[] = {"3.1", "3.1.1", "5.0"};
    std::string text =
        fmt::format("CONNECT {} clean={:d} keep_alive={} client='{}'",
                    kVersions[static_cast<int>(p.version) - 3], p.clean_start, p.keep_alive_s, p.client_id);
    if (p.is_bridge) text += " bridge";
    if (p.has_user_name) text += fmt::format(" user='{}'", p.user_name);
    if (p.has_password) text += fmt::format(" password='{}'", as_text(p.password));
    text += to_text(p.properties);
    if (p.has_will) {
      text += fmt::format(" will='{}':'{}' qos={} retain={:d}", p.will.topic, as_text(p.will.payload),
                          static_cast<int>(p.will.qos), p.will.retain);
      text += to_text(p.will.properties);
    }
    return text;
  }
  std::string operator()(const Connack& p) const {
    return fmt::format("CONNACK present={:d} code={:02x} return={}", p.session_present,
                       static_cast<int>(p.code), p.return_code) +
           to_text(p.properties);
  }
  std::string operator()(const Publish& p) const {
    return fmt::format("PUBLISH dup={:d} qos={} retain={:d} id={} '{}':'{}'", p.dup, static_cast<int>(p.qos),
                       p.retain, p.packet_id.value, p.topic, as_text(p.payload)) +
           to_text(p.properties);
  }
  std::string operator()(const PublishAck& p) const {
    return fmt::format("{} id={} code={:02x}", to_string(p.type), p.packet_id.value,
                       static_cast<int>(p.code)) +
           to_text(p.properties);
  }
  std::string operator()(const Subscribe& p) const {
    std::string text = fmt::format("SUBSCRIBE id={}", p.packet_id.value);
    for (const SubscriptionRequest& request : p.requests) {
      text += fmt::format(" '{}' qos={}", request.filter, static_cast<int>(request.qos));
      if (request.no_local) text += " no_local";
      if (request.retain_as_published) text += " as_published";
      if (request.retain_handling != RetainHandling::kSend) {
        text += fmt::format(" retain_handling={}", static_cast<int>(request.retain_handling));
      }
    }
    return text + to_text(p.properties);
  }
  std::string operator()(const Suback& p) const { return codes("SUBACK", p); }
  std::string operator()(const Unsubscribe& p) const {
    std::string text = fmt::format("UNSUBSCRIBE id={}", p.packet_id.value);
    for (const std::string_view filter : p.filters) text += fmt::format(" '{}'", filter);
    return text + to_text(p.properties);
  }
  std::string operator()(const Unsuback& p) const { return codes("UNSUBACK", p); }
  std::string operator()(const Ping& p) const { return std::string{to_string(p.type)}; }
  std::string operator()(const Disconnect& p) const {
    return fmt::format("DISCONNECT code={:02x}", static_cast<int>(p.code)) + to_text(p.properties);
  }
  std::string operator()(const Auth& p) const {
    return fmt::format("AUTH code={:02x}", static_cast<int>(p.code)) + to_text(p.properties);
  }

 private:
  static std::string codes(std::string_view name, const auto& p) {
    std::string text = fmt::format("{} id={}", name, p.packet_id.value);
    for (const ReasonCode code : p.codes) text += fmt::format(" {:02x}", static_cast<int>(code));
    return text + to_text(p.properties);
  }
};

inline std::string to_text(const AnyPacket& packet) { return std::visit(PacketText{}, packet); }

// Encodes a parsed list again, property by property.
inline void append_properties(ByteBuffer& out, const Properties& properties) {
  using enum PropertyId;
  if (properties.empty()) return;
  PropertyWriter writer{out};
  PropertyItem item;
  for (PropertyWalk walk{properties.raw}; walk.next(item);) {
    switch (item.id) {
      case kPayloadFormatIndicator:
      case kRequestProblemInformation:
      case kRequestResponseInformation:
      case kMaximumQos:
      case kRetainAvailable:
      case kWildcardSubscriptionAvailable:
      case kSubscriptionIdentifierAvailable:
      case kSharedSubscriptionAvailable:
        writer.u8(item.id, static_cast<std::uint8_t>(item.number));
        break;
      case kServerKeepAlive:
      case kReceiveMaximum:
      case kTopicAliasMaximum:
      case kTopicAlias:
        writer.u16(item.id, static_cast<std::uint16_t>(item.number));
        break;
      case kMessageExpiryInterval:
      case kSessionExpiryInterval:
      case kWillDelayInterval:
      case kMaximumPacketSize:
        writer.u32(item.id, item.number);
        break;
      case kSubscriptionIdentifier:
        writer.varint(item.id, item.number);
        break;
      case kUserProperty:
        writer.user(item.text, item.text2);
        break;
      case kCorrelationData:
      case kAuthenticationData:
        writer.binary(item.id, as_bytes(item.text));
        break;
      case kContentType:
      case kResponseTopic:
      case kAssignedClientIdentifier:
      case kAuthenticationMethod:
      case kResponseInformation:
      case kServerReference:
      case kReasonString:
        writer.text(item.id, item.text);
        break;
    }
  }
}

// Writes what was read, with the write function of its type.
class PacketRewriter {
 public:
  PacketRewriter(ByteBuffer& out, Version version) : out_(out), version_(version) {}

  void operator()(const Connect& p) {
    ByteBuffer will_properties;
    append_properties(will_properties, p.will.properties);
    write_connect(out_, {.version = p.version,
                         .clean_start = p.clean_start,
                         .keep_alive_s = p.keep_alive_s,
                         .client_id = p.client_id,
                         .has_will = p.has_will,
                         .will_topic = p.will.topic,
                         .will_payload = p.will.payload,
                         .will_qos = p.will.qos,
                         .will_retain = p.will.retain,
                         .will_properties = will_properties.view(),
                         .has_user_name = p.has_user_name,
                         .user_name = p.user_name,
                         .has_password = p.has_password,
                         .password = p.password,
                         .properties = encoded(p.properties)});
  }
  void operator()(const Connack& p) {
    constexpr ReasonCode kReturnCodes[] = {ReasonCode::kSuccess,
                                           ReasonCode::kUnsupportedProtocolVersion,
                                           ReasonCode::kClientIdentifierNotValid,
                                           ReasonCode::kServerUnavailable,
                                           ReasonCode::kBadUserNameOrPassword,
                                           ReasonCode::kNotAuthorized};
    const ReasonCode code = version_ == Version::k5 ? p.code : kReturnCodes[p.return_code];
    write_connack(out_, version_, p.session_present, code, encoded(p.properties));
  }
  void operator()(const Publish& p) {
    write_publish(out_, version_,
                  {.dup = p.dup,
                   .qos = p.qos,
                   .retain = p.retain,
                   .packet_id = p.packet_id,
                   .topic = p.topic,
                   .properties = encoded(p.properties),
                   .payload = p.payload});
  }
  void operator()(const PublishAck& p) {
    write_publish_ack(out_, version_, p.type, p.packet_id, p.code, encoded(p.properties));
  }
  void operator()(const Subscribe& p) {
    write_subscribe(out_, version_, p.packet_id, p.requests, encoded(p.properties));
  }
  void operator()(const Suback& p) {
    write_suback(out_, version_, p.packet_id, p.codes, encoded(p.properties));
  }
  void operator()(const Unsubscribe& p) {
    write_unsubscribe(out_, version_, p.packet_id, p.filters, encoded(p.properties));
  }
  void operator()(const Unsuback& p) {
    write_unsuback(out_, version_, p.packet_id, p.codes, encoded(p.properties));
  }
  void operator()(const Ping& p) {
    p.type == PacketType::kPingreq ? write_pingreq(out_) : write_pingresp(out_);
  }
  void operator()(const Disconnect& p) { write_disconnect(out_, version_, p.code, encoded(p.properties)); }
  void operator()(const Auth& p) { write_auth(out_, p.code, encoded(p.properties)); }

 private:
  ByteView encoded(const Properties& properties) {
    properties_.clear();
    append_properties(properties_, properties);
    return properties_.view();
  }

  ByteBuffer& out_;
  Version version_;
  ByteBuffer properties_;
};

inline void write_any(ByteBuffer& out, Version version, const AnyPacket& packet) {
  std::visit(PacketRewriter{out, version}, packet);
}

}  // namespace nightjar::mqtt
