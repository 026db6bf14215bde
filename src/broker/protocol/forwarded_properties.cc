#include "broker/protocol/forwarded_properties.h"

namespace nightjar::broker::protocol {

void append_forwarded(ByteBuffer& out, const mqtt::Properties& properties) {
  if (properties.empty()) return;
  mqtt::PropertyWalk walk{properties.raw};
  mqtt::PropertyItem item;
  while (walk.next(item)) {
    switch (item.id) {
      case mqtt::PropertyId::kTopicAlias:
      case mqtt::PropertyId::kMessageExpiryInterval:
      case mqtt::PropertyId::kSubscriptionIdentifier:
      case mqtt::PropertyId::kWillDelayInterval:
        break;
      default:
        out.append(item.encoded);
    }
  }
}

}  // namespace nightjar::broker::protocol
