// The rules of one file: who may publish, subscribe and receive what. Read once and never changed; any thread
// may ask.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/topic_rules.h"
#include "auth/written_rule.h"
#include "base/result.h"
#include "broker/ports.h"

namespace nightjar::auth {

// Which rule wins.
enum class Precedence : std::uint8_t {
  // What any rule denies is denied; what none allows is too. SUBSCRIBE is asked about as well.
  kDenyFirst,
  // The first one that fits, in the order of the file.
  kFirst,
  // Those of the client's user first, then those with patterns; of each, deny before allow. SUBSCRIBE is
  // never refused.
  kMosquitto
};

struct Decision {
  bool is_allowed = false;
  std::uint32_t line = 0;  // of the rule that decided; 0: none did
};

class AccessRules {
 public:
  // Mosquitto's ACL file. Errors name `name` and the line. `written` gets the rules as they stand there.
  static Result<AccessRules> parse_mosquitto(std::string_view text, std::string_view name,
                                             WrittenRules* written = nullptr);
  // Nightjar's own, TOML.
  static Result<AccessRules> parse_toml(std::string_view text, std::string_view name,
                                        WrittenRules* written = nullptr);

  // `topic`: a topic name; with kSubscribe a filter.
  [[nodiscard]] Decision decide(Action action, const broker::ClientIdentity& who,
                                std::string_view topic) const;
  // The one client id that the user may log in with; empty: any.
  [[nodiscard]] std::string_view bound_client_id(std::string_view user) const;
  // "acl.toml:12"; without a line, the file.
  [[nodiscard]] std::string place(std::uint32_t line) const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  friend class MosquittoAcl;
  friend class TomlAcl;

  // What else must be true of a client for a rule to apply; an empty list: anything.
  struct Condition {
    std::vector<std::string> clients;  // '*' stands for any text
    std::vector<std::string> listeners;
    enum class User : std::uint8_t { kAny, kSome, kNone } user = User::kAny;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  AccessRules(Precedence precedence, std::string_view name) : precedence_(precedence), name_(name) {}
  [[nodiscard]] bool applies(const Rule& rule, Action action, const broker::ClientIdentity& who) const;
  // Visits every rule of `rules` that says something about it.
  template <typename Visit>
  void find(const TopicRules& rules, Action action, const broker::ClientIdentity& who, std::string_view topic,
            Visit&& visit) const;
  // Looks at `rules` only; nothing decides: allowed is false and the line 0.
  [[nodiscard]] Decision decide_by(const TopicRules& rules, Action action, const broker::ClientIdentity& who,
                                   std::string_view topic) const;
  [[nodiscard]] Decision decide_by_first(Action action, const broker::ClientIdentity& who,
                                         std::string_view topic) const;
  [[nodiscard]] const TopicRules& rules_of_user(std::string_view user) const;

  Precedence precedence_;
  std::string name_;
  std::size_t size_ = 0;  // lines, or [[rule]]s
  boost::unordered_flat_map<std::string, TopicRules, Hash, std::equal_to<>> by_user_;
  boost::unordered_flat_map<std::string, std::string, Hash, std::equal_to<>> client_ids_;  // by user
  TopicRules for_nobody_;   // clients without a user name, kMosquitto
  TopicRules for_anybody_;  // with patterns, or without a list of users
  std::vector<Condition> conditions_{{}};
};

}  // namespace nightjar::auth
