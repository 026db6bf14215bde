#include "auth/file_rules.h"

#include <string>
#include <utility>

#include "base/log.h"

namespace nightjar::auth {

namespace {

std::string_view text_of(Action action) {
  if (action == kPublish) return "publishing denied";
  return action == kSubscribe ? "subscribing denied" : "delivery denied";
}

}  // namespace

bool DenialLog::is_due(MonoTime now) {
  std::int64_t next = next_ms_.load(std::memory_order_relaxed);
  if (now.ms >= next && next_ms_.compare_exchange_strong(next, now.ms + pause_.ms, std::memory_order_relaxed))
    return true;
  left_out_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void DenialLog::write(std::string_view what, const broker::ClientIdentity& who, std::string_view topic,
                      std::string rule) {
  log::warn(what, {{"client", std::string(who.client_id)},
                   {"user", std::string(who.user_name)},
                   {"topic", std::string(topic)},
                   {"rule", std::move(rule)},
                   {"others", std::to_string(left_out_.exchange(0, std::memory_order_relaxed))}});
}

DenialLog& FileRules::log_of(Action action) {
  if (action == kPublish) return publishes_;
  return action == kSubscribe ? subscriptions_ : deliveries_;
}

bool FileRules::is_allowed(Action action, const broker::ClientIdentity& who, std::string_view topic) {
  const AccessRules* rules = access_.now().of(who.listener).rules.get();
  if (rules == nullptr) return true;
  const Decision decision = rules->decide(action, who, topic);
  if (decision.is_allowed) return true;
  DenialLog& log = log_of(action);
  if (!log.is_due(clock_.now())) return false;
  const std::string place = rules->place(decision.line);
  log.write(text_of(action), who, topic, decision.line != 0 ? place : "none in " + place + " allows it");
  return false;
}

}  // namespace nightjar::auth
