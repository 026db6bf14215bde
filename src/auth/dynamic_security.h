// Reads the file of Mosquitto's dynamic-security plugin: clients, groups and roles, as the plugin takes them.
// Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace nightjar::auth {

struct DynamicAcl {
  std::string topic;
  int priority = 0;
  bool is_allowed = false;
};

// Its lists are in the order that the plugin asks them.
struct DynamicRole {
  std::string name;
  bool allows_wildcards = true;
  std::vector<DynamicAcl> send;      // publishClientSend
  std::vector<DynamicAcl> receive;   // publishClientReceive
  std::vector<DynamicAcl> literals;  // subscribeLiteral
  std::vector<DynamicAcl> patterns;  // subscribePattern
  std::size_t denied_unsubscribes = 0;
};

struct DynamicClient {
  std::string name;
  bool is_disabled = false;
  std::string client_id;  // empty: any
  std::string hash;       // as a password file says it; empty: none
  // Its own roles, then those of its groups, in the order that they are asked. They are there.
  std::vector<std::string> roles;
};

struct DynamicSecurity {
  // What is allowed where no ACL says anything.
  bool may_send = false;
  bool may_receive = false;
  bool may_subscribe = false;
  bool may_unsubscribe = false;
  std::vector<DynamicClient> clients;
  std::vector<DynamicRole> roles;
  bool has_anonymous_group = false;
  std::vector<std::string> anonymous_roles;

  [[nodiscard]] const DynamicRole* role(std::string_view name) const;
};

// The error names `name`. What the plugin skips is skipped: entries without a name, and those that have one
// that was there before.
Result<DynamicSecurity> read_dynamic_security(std::string_view text, std::string_view name);

}  // namespace nightjar::auth
