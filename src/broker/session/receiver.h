// One receiver of a message, with what its overlapping subscriptions add up to [MQTT-3.3.4-2]. A plain value
// of one worker.
#pragma once

#include "broker/session/outbox.h"
#include "mqtt/types.h"

namespace nightjar::broker {

class Session;

struct Receiver {
  Session* session = nullptr;
  mqtt::Qos qos = mqtt::Qos::kAtMostOnce;
  bool retain_as_published = false;
  SubscriptionIds subscription_ids;
};

}  // namespace nightjar::broker
