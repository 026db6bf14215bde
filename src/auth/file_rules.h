// Who may do what, by the rules of files. A listener without any lets its clients do everything, except that
// only the broker writes $SYS. Any worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "auth/access.h"
#include "base/clock.h"
#include "broker/ports.h"

namespace nightjar::auth {

// One line of the log for a kind of denial, and none for a while: one client may be denied a thousand times a
// second.
class DenialLog {
 public:
  explicit DenialLog(Duration pause) : pause_(pause) {}
  // False: it is too early for a line, and the denial is only counted.
  [[nodiscard]] bool is_due(MonoTime now);
  void write(std::string_view what, const broker::ClientIdentity& who, std::string_view topic,
             std::string rule);

 private:
  const Duration pause_;
  std::atomic<std::int64_t> next_ms_{INT64_MIN};
  std::atomic<std::uint64_t> left_out_{0};
};

class FileRules final : public broker::Authorizer {
 public:
  // Both outlive it.
  FileRules(const AccessInForce& access, const Clock& clock) : access_(access), clock_(clock) {}

  bool may_publish(const broker::ClientIdentity& who, std::string_view topic, mqtt::Qos, bool) override {
    if (topic.starts_with("$SYS") && (topic.size() == 4 || topic[4] == '/')) return false;
    return !access_.now().has_rules() || is_allowed(kPublish, who, topic);
  }
  bool may_subscribe(const broker::ClientIdentity& who, std::string_view filter) override {
    return !access_.now().has_rules() || is_allowed(kSubscribe, who, filter);
  }
  bool may_receive(const broker::ClientIdentity& who, std::string_view topic) override {
    return !access_.now().has_rules() || is_allowed(kReceive, who, topic);
  }
  [[nodiscard]] bool checks_receive() const override { return access_.now().has_rules(); }

 private:
  bool is_allowed(Action action, const broker::ClientIdentity& who, std::string_view topic);

  DenialLog& log_of(Action action);

  const AccessInForce& access_;
  const Clock& clock_;
  DenialLog publishes_{Duration::seconds(1)};
  DenialLog subscriptions_{Duration::seconds(1)};
  // Whoever subscribes to more than he may read is denied all the time, and that is in order.
  DenialLog deliveries_{Duration::seconds(60)};
};

}  // namespace nightjar::auth
