// A rule as a file has it, for those who look at files and not at clients. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "auth/topic_rules.h"

namespace nightjar::auth {

// Whom a rule is about, beside lists of names.
enum class RuleUsers : std::uint8_t {
  kAnybody,
  kWithName,  // any user, but not anonymous clients
  kAnonymous,
  kNamed  // those of the list
};

struct WrittenRule {
  std::uint32_t line = 0;
  bool is_denied = false;
  std::uint8_t actions = kAllActions;
  RuleUsers about = RuleUsers::kAnybody;
  std::vector<std::string> users;
  std::vector<std::string> clients;    // empty: any
  std::vector<std::string> listeners;  // empty: any
  std::vector<std::string> topics;
  std::vector<std::string> filters;  // texts of a SUBSCRIBE
  bool has_names = true;             // %c and %u stand for names
};

// The file as a whole.
struct WrittenRules {
  bool is_mosquitto = false;
  bool first_wins = false;  // of the rules that apply; else what any of them denies is denied
  std::vector<WrittenRule> rules;
};

}  // namespace nightjar::auth
