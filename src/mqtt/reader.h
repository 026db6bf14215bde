// From bytes to packets: pure functions, bounds-checked, no copy of topics or payloads.
// First next_frame cuts one packet off the front of what was received; then the read function of its type
// validates the body completely. Every refusal is a Violation that carries the reason code of the standard.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "mqtt/packets.h"

namespace nightjar::mqtt {

// One whole control packet. `body` is everything behind the fixed header.
struct Frame {
  PacketType type = PacketType::kReserved;
  std::uint8_t flags = 0;  // low four bits of the first byte
  ByteView body{};
  std::size_t size = 0;  // fixed header and body
};

enum class FrameState : std::uint8_t { kComplete, kNeedMore, kInvalid };

struct FrameResult {
  FrameState state = FrameState::kNeedMore;
  Frame frame{};           // when complete
  std::size_t needed = 0;  // kNeedMore: total bytes of the packet once its length is known, else 0
  Violation violation{};   // when invalid
};

// Looks at the front of `in`. Refuses reserved types, wrong fixed-header flags [MQTT-2.2.2-2], a malformed
// length, and a packet of more than `packet_bytes_max` bytes (kPacketTooLarge) as soon as its length is
// known. For PUBLISH the flags are only checked for QoS 3. AUTH (type 15) is a violation unless `version` is
// k5.
FrameResult next_frame(ByteView in, std::size_t packet_bytes_max, Version version);

// Server side.
// A CONNECT of an unknown protocol level gives kUnsupportedProtocolVersion, with *`version` telling which
// kind of CONNACK the peer will understand: the level it asked for, if at least 5, else 3.1.1.
Parsed<Connect> read_connect(const Frame& frame, Version& version);
// Maximum Packet Size of a 5.0 CONNECT that read_connect refused, as far as it can be read; 0 if it cannot,
// or is absent. So that even the refusal keeps to it [MQTT-3.1.2-24].
std::uint32_t announced_packet_bytes_max(const Frame& frame);
// The topic field of a PUBLISH as it stands there, nothing checked; empty if it is cut off.
std::string_view peek_topic(const Frame& frame);
// kIsValid: the topic's bytes are those of a valid topic name that was seen before, and are not looked at
// again.
enum class TopicCheck : std::uint8_t { kIsNeeded, kIsValid };
Parsed<Publish> read_publish(const Frame& frame, Version version);
// The same into a packet that is already in its place: one with its property set is too large to be made anew
// for every message.
Parsed<void> read_publish(const Frame& frame, Version version, TopicCheck topic, Publish& into);
Parsed<PublishAck> read_publish_ack(const Frame& frame, Version version);
Parsed<void> read_publish_ack(const Frame& frame, Version version, PublishAck& into);
Parsed<Subscribe> read_subscribe(const Frame& frame, Version version);
Parsed<Unsubscribe> read_unsubscribe(const Frame& frame, Version version);
// `sender` decides which reason codes and properties may stand in the packet.
Parsed<Disconnect> read_disconnect(const Frame& frame, Version version, Sender sender = Sender::kClient);
Parsed<Auth> read_auth(const Frame& frame, Version version, Sender sender = Sender::kClient);
// PINGREQ and PINGRESP have no body.
Parsed<bool> read_ping(const Frame& frame);

// Client side (pub, sub, bench, bridges). read_publish accepts Subscription Identifiers, which only a server
// may send [MQTT-3.3.4-6]; the broker refuses them itself in its PUBLISH handler.
Parsed<Connack> read_connack(const Frame& frame, Version version);
Parsed<Suback> read_suback(const Frame& frame, Version version);
Parsed<Unsuback> read_unsuback(const Frame& frame, Version version);

}  // namespace nightjar::mqtt
