#include "auth/access_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/glob.h"

namespace nightjar::auth {
namespace {

// Mosquitto's patterns allow nothing at all to such a name, also those without %u and %c.
bool has_wildcard_name(const broker::ClientIdentity& who) {
  return who.user_name.find_first_of("+#") != std::string_view::npos ||
         who.client_id.find_first_of("+#") != std::string_view::npos;
}

}  // namespace

bool AccessRules::applies(const Rule& rule, Action action, const broker::ClientIdentity& who) const {
  if ((rule.actions & action) == 0) return false;
  if (rule.condition == 0) return true;
  const Condition& condition = conditions_[rule.condition];
  if (condition.user == Condition::User::kSome && who.user_name.empty()) return false;
  if (condition.user == Condition::User::kNone && !who.user_name.empty()) return false;
  const auto& listeners = condition.listeners;
  if (!listeners.empty() && std::find(listeners.begin(), listeners.end(), who.listener) == listeners.end())
    return false;
  return condition.clients.empty() ||
         std::any_of(condition.clients.begin(), condition.clients.end(),
                     [&](const std::string& pattern) { return matches_glob(pattern, who.client_id); });
}

template <typename Visit>
void AccessRules::find(const TopicRules& rules, Action action, const broker::ClientIdentity& who,
                       std::string_view topic, Visit&& visit) const {
  const auto visit_if = [&](const Rule& rule) {
    if (applies(rule, action, who)) visit(rule);
  };
  rules.find(topic, who, visit_if);
  if (action == kSubscribe) rules.find_texts(topic, visit_if);
}

Decision AccessRules::decide_by(const TopicRules& rules, Action action, const broker::ClientIdentity& who,
                                std::string_view topic) const {
  std::uint32_t allowed = 0;
  std::uint32_t denied = 0;
  find(rules, action, who, topic, [&](const Rule& rule) {
    std::uint32_t& line = rule.is_denied ? denied : allowed;
    if (line == 0) line = rule.line;
  });
  if (denied != 0) return {false, denied};
  return {allowed != 0, allowed};
}

Decision AccessRules::decide_by_first(Action action, const broker::ClientIdentity& who,
                                      std::string_view topic) const {
  Decision decision;
  std::uint32_t order = 0;
  const auto take = [&](const Rule& rule) {
    if (order != 0 && order <= rule.order) return;
    order = rule.order;
    decision = {!rule.is_denied, rule.line};
  };
  find(rules_of_user(who.user_name), action, who, topic, take);
  find(for_anybody_, action, who, topic, take);
  return decision;
}

const TopicRules& AccessRules::rules_of_user(std::string_view user) const {
  static const TopicRules kNone;
  if (user.empty()) return for_nobody_;
  const auto found = by_user_.find(user);
  return found == by_user_.end() ? kNone : found->second;
}

Decision AccessRules::decide(Action action, const broker::ClientIdentity& who, std::string_view topic) const {
  if (precedence_ == Precedence::kMosquitto && action == kSubscribe) return {true, 0};
  if (precedence_ == Precedence::kFirst) return decide_by_first(action, who, topic);
  const Decision own = decide_by(rules_of_user(who.user_name), action, who, topic);
  if (own.line != 0 && (precedence_ == Precedence::kMosquitto || !own.is_allowed)) return own;
  if (precedence_ == Precedence::kMosquitto && has_wildcard_name(who)) return {};
  const Decision general = decide_by(for_anybody_, action, who, topic);
  return general.line != 0 ? general : own;
}

std::string_view AccessRules::bound_client_id(std::string_view user) const {
  const auto found = client_ids_.find(user);
  return found == client_ids_.end() ? std::string_view{} : found->second;
}

std::string AccessRules::place(std::uint32_t line) const {
  return line == 0 ? name_ : fmt::format("{}:{}", name_, line);
}

}  // namespace nightjar::auth
