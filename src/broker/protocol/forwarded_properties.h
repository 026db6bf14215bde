// Which properties of a PUBLISH or a will travel on with the message. A pure function.
#pragma once

#include "base/bytes.h"
#include "mqtt/properties.h"

namespace nightjar::broker::protocol {

// Appends the encoded properties that a receiver gets unaltered: all but Topic Alias, Message Expiry Interval
// (which is counted down), Subscription Identifier and Will Delay Interval. Order is kept [MQTT-3.3.2-18].
void append_forwarded(ByteBuffer& out, const mqtt::Properties& properties);

}  // namespace nightjar::broker::protocol
