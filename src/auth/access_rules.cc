#include "auth/access_rules.h"

#include <fmt/format.h>

#include <algorithm>

namespace nightjar::auth {

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last one, and how far the text had come
  std::size_t from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

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

Decision AccessRules::decide_by(const TopicRules& rules, Action action, const broker::ClientIdentity& who,
                                std::string_view topic) const {
  std::uint32_t allowed = 0;
  std::uint32_t denied = 0;
  rules.find(topic, who, [&](const Rule& rule) {
    std::uint32_t& line = rule.is_denied ? denied : allowed;
    if (line == 0 && applies(rule, action, who)) line = rule.line;
  });
  if (denied != 0) return {false, denied};
  return {allowed != 0, allowed};
}

const TopicRules& AccessRules::rules_of_user(std::string_view user) const {
  static const TopicRules kNone;
  if (user.empty()) return for_nobody_;
  const auto found = by_user_.find(user);
  return found == by_user_.end() ? kNone : found->second;
}

Decision AccessRules::decide(Action action, const broker::ClientIdentity& who, std::string_view topic) const {
  if (precedence_ == Precedence::kMosquitto && action == kSubscribe) return {true, 0};
  const Decision own = decide_by(rules_of_user(who.user_name), action, who, topic);
  if (own.line != 0 && (precedence_ == Precedence::kMosquitto || !own.is_allowed)) return own;
  const Decision general = decide_by(for_anybody_, action, who, topic);
  return general.line != 0 ? general : own;
}

std::string AccessRules::place(std::uint32_t line) const {
  return line == 0 ? name_ : fmt::format("{}:{}", name_, line);
}

}  // namespace nightjar::auth
