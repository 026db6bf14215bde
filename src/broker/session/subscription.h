// One subscription: what a session asked for, or the place of a shared group among the receivers of its
// filter. Lives on the home worker of its owner, which holds it in a SubscriptionSet (session) or directly
// (group).
#pragma once

#include <cstdint>

#include "base/compact_text.h"
#include "broker/ids.h"
#include "broker/mail.h"
#include "mqtt/packets.h"

namespace nightjar::broker {

class Session;
class SharedGroup;

struct Subscription {
  // Exactly one of the two is set. A member's "$share" subscription has a session and a `group`, and is not
  // among the local subscribers: the group is.
  Session* session = nullptr;
  SharedGroup* shared_group = nullptr;

  CompactText text;              // the filter as subscribed, "$share/…" included
  GroupKeyRef group;             // of a "$share" subscription
  std::uint32_t membership = 0;  // of the group: tells it from earlier ones of the same session
  FilterId filter{};
  RouteVersion since = 0;        // receives what was matched at this version or later
  RouteVersion moved_since = 0;  // after a shard move: directly from this version, forwarded before it
  // Messages stored as retained up to this version arrive by the replay instead; 0 without a replay.
  std::uint64_t retained_floor = 0;
  std::uint16_t replays_waiting = 0;  // each SUBSCRIBE brings one [MQTT-3.8.4-3]
  std::uint32_t identifier = 0;       // 0: none
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
};

}  // namespace nightjar::broker
