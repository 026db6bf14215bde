// SUBSCRIBE, UNSUBSCRIBE and their acknowledgements.
#include "mqtt/cursor.h"
#include "mqtt/reader.h"
#include "mqtt/topic.h"

namespace nightjar::mqtt {
namespace {

// Whether a filter is valid is for the broker to answer, filter by filter; here it is only a string.
Parsed<std::string_view> read_filter(Cursor& in) {
  NJ_TRY(const std::string_view filter, in.utf8_string());
  if (filter.empty()) return protocol_error("empty topic filter [MQTT-4.7.3-1]");
  return filter;
}

Parsed<void> read_options(Cursor& in, Version version, SubscriptionRequest& request) {
  NJ_TRY(const unsigned options, in.u8());
  const unsigned qos = options & 0x03;
  const unsigned retain_handling = (options >> 4) & 0x03;
  const unsigned reserved = version == Version::k5 ? options & 0xC0 : options & 0xFC;
  if (reserved != 0) return malformed("reserved bits in the subscription options [MQTT-3.8.3-5]");
  if (qos == 3) return protocol_error("subscription with QoS 3 (section 3.8.3.1)");
  if (retain_handling == 3) return protocol_error("Retain Handling 3 (section 3.8.3.1)");
  request.qos = static_cast<Qos>(qos);
  request.no_local = (options & 0x04) != 0;
  request.retain_as_published = (options & 0x08) != 0;
  request.retain_handling = static_cast<RetainHandling>(retain_handling);
  if (request.no_local && is_shared(request.filter)) {
    return protocol_error("No Local on a shared subscription [MQTT-3.8.3-4]");
  }
  return {};
}

Parsed<void> fill(Subscribe& packet, const Frame& frame, Version version) {
  Cursor in{frame.body};
  NJ_TRY(packet.packet_id, in.packet_id());
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kSubscribe, packet.properties));
  }
  if (in.empty()) return protocol_error("SUBSCRIBE without a topic filter [MQTT-3.8.3-2]");
  while (!in.empty()) {
    SubscriptionRequest request;
    NJ_TRY(request.filter, read_filter(in));
    NJ_CHECK(read_options(in, version, request));
    packet.requests.push_back(request);
  }
  return {};
}

Parsed<void> fill(Unsubscribe& packet, const Frame& frame, Version version) {
  Cursor in{frame.body};
  NJ_TRY(packet.packet_id, in.packet_id());
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kUnsubscribe, packet.properties));
  }
  if (in.empty()) return protocol_error("UNSUBSCRIBE without a topic filter [MQTT-3.10.3-2]");
  while (!in.empty()) {
    NJ_TRY(const std::string_view filter, read_filter(in));
    packet.filters.push_back(filter);
  }
  return {};
}

// The rest of SUBACK and UNSUBACK: one code for each filter.
Parsed<void> read_codes(Cursor& in, PacketType type, Version version, std::vector<ReasonCode>& codes) {
  if (in.empty()) return protocol_error("acknowledgement without a reason code (section 3.9.3)");
  codes.reserve(in.rest().size());
  while (!in.empty()) {
    NJ_TRY(const std::uint8_t number, in.u8());
    const auto code = static_cast<ReasonCode>(number);
    // 3.x knows the granted QoS and one failure.
    const bool is_known = version == Version::k5 || number <= 2 || code == ReasonCode::kUnspecifiedError;
    if (!is_known || !is_allowed(code, type, Sender::kServer)) {
      return protocol_error("reason code not allowed in this acknowledgement [MQTT-3.9.3-2]");
    }
    codes.push_back(code);
  }
  return {};
}

Parsed<void> fill(Suback& packet, const Frame& frame, Version version) {
  Cursor in{frame.body};
  NJ_TRY(packet.packet_id, in.packet_id());
  if (version == Version::k5) {
    NJ_CHECK(read_properties(in.rest(), PropertyContext::kSuback, packet.properties));
  }
  return read_codes(in, PacketType::kSuback, version, packet.codes);
}

Parsed<void> fill(Unsuback& packet, const Frame& frame, Version version) {
  Cursor in{frame.body};
  NJ_TRY(packet.packet_id, in.packet_id());
  if (version != Version::k5) return in.end();
  NJ_CHECK(read_properties(in.rest(), PropertyContext::kUnsuback, packet.properties));
  return read_codes(in, PacketType::kUnsuback, version, packet.codes);
}

template <typename Packet>
Parsed<Packet> read(const Frame& frame, Version version) {
  Parsed<Packet> result;
  if (const auto filled = fill(*result, frame, version); !filled)
    result = tl::make_unexpected(filled.error());
  return result;
}

}  // namespace

Parsed<Subscribe> read_subscribe(const Frame& frame, Version version) {
  return read<Subscribe>(frame, version);
}

Parsed<Unsubscribe> read_unsubscribe(const Frame& frame, Version version) {
  return read<Unsubscribe>(frame, version);
}

Parsed<Suback> read_suback(const Frame& frame, Version version) { return read<Suback>(frame, version); }

Parsed<Unsuback> read_unsuback(const Frame& frame, Version version) { return read<Unsuback>(frame, version); }

}  // namespace nightjar::mqtt
