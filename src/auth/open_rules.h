// The first Authorizer: everybody who is in may read and write everything, but only the broker writes $SYS.
// Any thread.
#pragma once

#include <string_view>

#include "broker/ports.h"

namespace nightjar::auth {

class OpenRules final : public broker::Authorizer {
 public:
  bool may_publish(const broker::ClientIdentity&, std::string_view topic, mqtt::Qos, bool) override {
    return topic != "$SYS" && !topic.starts_with("$SYS/");
  }
  bool may_subscribe(const broker::ClientIdentity&, std::string_view) override { return true; }
  bool may_receive(const broker::ClientIdentity&, std::string_view) override { return true; }
  [[nodiscard]] bool checks_receive() const override { return false; }
};

}  // namespace nightjar::auth
